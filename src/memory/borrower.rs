//! What a worker lends to the host.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::memory::arena::{Arena, BLOCK};

/// The arena of one worker, as the host sees it. Dropped when the worker is gone: what nobody
/// borrows is given back to the system then, and the rest as it is let go.
#[derive(Debug)]
pub struct Borrower {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    arena: Arena,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What is borrowed: first block, and how many blocks.
    held: BTreeMap<usize, usize>,
    /// Nobody will lend here any more.
    retired: bool,
}

/// A value that a worker lent. The worker hears that it is not needed any more when this is
/// dropped, on any thread.
#[derive(Debug)]
pub struct Loan {
    shared: Arc<Shared>,
    block: usize,
    length: usize,
}

/// A worker names memory that holds no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no value of {length} bytes is lent at block {block} of the shared memory")]
pub struct NotLent {
    /// The block that it named.
    pub block: usize,
    /// The length that it named.
    pub length: usize,
}

impl Borrower {
    /// Borrows from `arena`, in which a worker is going to lend.
    pub fn new(arena: Arena) -> Self {
        let state = Mutex::default();
        let shared = Arc::new(Shared { arena, state });
        Self { shared }
    }

    /// The arena's file, for the worker to inherit.
    pub fn file(&self) -> Arc<OwnedFd> {
        self.shared.arena.file()
    }

    /// Borrows the value that the worker says it has lent. What it says is checked: the value lies
    /// within the arena, is marked as lent, and is borrowed once only.
    pub fn borrow(&self, block: usize, length: usize) -> Result<Loan, NotLent> {
        let arena = &self.shared.arena;
        let is_there = length > 0 && arena.holds(block, length) && arena.is_lent(block);
        let mut state = self.shared.lock();
        if !is_there || state.held.contains_key(&block) {
            return Err(NotLent { block, length });
        }
        state.held.insert(block, length.div_ceil(BLOCK));
        drop(state);
        let shared = Arc::clone(&self.shared);
        Ok(Loan {
            shared,
            block,
            length,
        })
    }
}

impl Drop for Borrower {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.retired = true;
        let arena = &self.shared.arena;
        let mut start = 0;
        for (block, count) in &state.held {
            if *block > start {
                arena.give_back(start..*block);
            }
            start = start.max(block + count);
        }
        if start > 0 {
            arena.give_back(start..arena.blocks());
        }
        // Where nothing is borrowed, the arena goes with this last reference to it.
    }
}

impl Loan {
    /// Where its bytes are. They stay there until it is dropped.
    pub fn pointer(&self) -> NonNull<u8> {
        self.shared.arena.at(self.block)
    }

    /// How many bytes it has.
    pub fn length(&self) -> usize {
        self.length
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.held.remove(&self.block);
        self.shared.arena.set_lent(self.block, false);
        if state.retired {
            let blocks = self.block..self.block + self.length.div_ceil(BLOCK);
            self.shared.arena.give_back(blocks);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    fn borrower() -> Borrower {
        Borrower::new(Arena::create(8 * BLOCK).unwrap())
    }

    #[test]
    fn what_is_not_lent_cannot_be_borrowed() {
        let borrower = borrower();
        borrower.shared.arena.set_lent(2, true);
        let lies = [
            (0, 1),
            (1, 1),
            (2, 0),
            (2, 6 * BLOCK + 1),
            (2, usize::MAX),
            (8, 1),
            (usize::MAX, usize::MAX),
        ];
        for (block, length) in lies {
            let refused = borrower.borrow(block, length).unwrap_err();
            assert_eq!(refused, NotLent { block, length });
        }
        assert_eq!(borrower.borrow(2, 6 * BLOCK).unwrap().length(), 6 * BLOCK);
    }

    #[test]
    fn a_value_is_borrowed_once_and_free_when_it_is_let_go() {
        let borrower = borrower();
        borrower.shared.arena.set_lent(2, true);
        let loan = borrower.borrow(2, 10).unwrap();
        assert!(borrower.borrow(2, 10).is_err());
        assert!(borrower.shared.arena.is_lent(2));
        drop(loan);
        assert!(!borrower.shared.arena.is_lent(2));
        assert!(borrower.borrow(2, 10).is_err());
    }

    #[test]
    fn a_loan_outlives_its_worker_and_what_is_around_it_is_given_back() {
        let borrower = borrower();
        for block in [1, 3] {
            borrower.shared.arena.provide(&(block..block + 1)).unwrap();
            borrower.shared.arena.write(block, b"abc");
            borrower.shared.arena.set_lent(block, true);
        }
        let loan = borrower.borrow(3, 3).unwrap();
        let shared = Arc::clone(&borrower.shared);
        drop(borrower);
        let read = |block| {
            // SAFETY: three bytes of blocks that nobody writes to meanwhile.
            #[expect(unsafe_code, reason = "reads mapped memory")]
            unsafe {
                std::slice::from_raw_parts(shared.arena.at(block).as_ptr(), 3).to_vec()
            }
        };
        assert_eq!((read(1), read(3)), (vec![0; 3], b"abc".to_vec()));
        drop(loan);
        assert_eq!(read(3), [0; 3]);
    }
}
