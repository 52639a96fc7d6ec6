//! Bytes on loan: what a child wrote, counted until the observer lets go of it.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Notify;

/// What a chunk of no bytes would weigh, so that a flood of tiny ones is bounded too.
const OVERHEAD: usize = 64;

/// Bytes that a child wrote. Dropping it makes room for more, so whoever is done with the bytes
/// should drop it soon.
pub struct Chunk {
    bytes: Vec<u8>,
    account: Arc<Account>,
}

impl Deref for Chunk {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl AsRef<[u8]> for Chunk {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chunk")
            .field("len", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        self.account
            .lent
            .fetch_sub(self.bytes.len() + OVERHEAD, Ordering::SeqCst);
        // The reactor is woken only if it waits: usually nobody is short of room.
        if self.account.waiting.swap(false, Ordering::SeqCst) {
            self.account.returned.notify_one();
        }
    }
}

/// How many bytes are on loan.
pub(super) struct Account {
    limit: usize,
    lent: AtomicUsize,
    /// Set by [`Account::room`], read by whoever returns a chunk.
    waiting: AtomicBool,
    returned: Notify,
}

impl Account {
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit,
            lent: AtomicUsize::new(0),
            waiting: AtomicBool::new(false),
            returned: Notify::new(),
        })
    }

    /// Lends bytes whether there is room or not.
    pub(super) fn lend(self: &Arc<Self>, bytes: Vec<u8>) -> Chunk {
        self.lent
            .fetch_add(bytes.len() + OVERHEAD, Ordering::SeqCst);
        Chunk {
            bytes,
            account: Arc::clone(self),
        }
    }

    /// Whether less than the limit is on loan.
    pub(super) fn has_room(&self) -> bool {
        self.lent.load(Ordering::SeqCst) < self.limit
    }

    /// Waits until there is room.
    pub(super) async fn room(&self) {
        loop {
            // First the flag, then the look, so that a chunk returned in between is noticed.
            self.waiting.store(true, Ordering::SeqCst);
            if self.has_room() {
                return;
            }
            self.returned.notified().await;
        }
    }
}
