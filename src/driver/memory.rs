//! The memory that one engine and its workers share: what happens to calls and workers, told to
//! those who lend and borrow.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::driver::options::{Runtime, SpawnOptions};
use crate::engine::{Engine, Event, Settled, SettledKind};
use crate::ids::{CallId, CallbackId, WorkerId};
use crate::memory::{Arena, Borrower, Lender, Loan, NotLent, Purpose};
use crate::time::Time;

/// Arenas are so many times as large as the largest message: beyond that values take the pipe.
const MESSAGES: usize = 4;

/// The shared memory of one engine; empty where there is none.
#[derive(Debug, Default)]
pub(super) struct SharedMemory {
    lender: Option<Lender>,
    borrowers: FxHashMap<WorkerId, Borrower>,
    /// Workers that are half gone: either their process, or what the engine still reads of them.
    leaving: FxHashSet<WorkerId>,
    /// Bytes of each arena.
    size: usize,
    /// How many events have been looked at.
    seen: usize,
}

impl SharedMemory {
    /// The memory that the options ask for, if the system has it.
    pub(super) fn new(options: &SpawnOptions) -> Self {
        let size = (options.frame_limit as usize).saturating_mul(MESSAGES);
        let idle = usize::try_from(options.shared_memory).unwrap_or(usize::MAX);
        let speaks = options.runtime == Runtime::Python && options.protocol != "stdio";
        let lender = (idle > 0 && speaks)
            // Without, values take the pipe.
            .then(|| Arena::create(size).ok())
            .flatten()
            .map(|arena| Lender::new(arena, idle));
        Self {
            lender,
            borrowers: FxHashMap::default(),
            leaving: FxHashSet::default(),
            size,
            seen: 0,
        }
    }

    /// What a new worker inherits: the arena of the host and one of its own. `None` if it has to do
    /// without.
    pub(super) fn prepare(&mut self, worker: WorkerId) -> Option<[Arc<OwnedFd>; 2]> {
        let lender = self.lender.as_ref()?;
        let borrower = Borrower::new(Arena::create(self.size).ok()?);
        let files = [lender.file(), borrower.file()];
        self.borrowers.insert(worker, borrower);
        Some(files)
    }

    /// Copies a value for a call, or for the answer to a callback of a worker.
    pub(super) fn lend(&mut self, purpose: Purpose, data: &[u8], now: Time) -> Option<usize> {
        self.lender.as_mut()?.lend(purpose, data, now)
    }

    /// What was lent for this purpose is not sent.
    pub(super) fn withdraw(&mut self, purpose: Purpose, now: Time) {
        if let Some(lender) = &mut self.lender {
            lender.withdraw(purpose, now);
        }
    }

    /// Borrows a value of a worker.
    pub(super) fn borrow(
        &self,
        worker: WorkerId,
        block: usize,
        length: usize,
    ) -> Result<Loan, NotLent> {
        match self.borrowers.get(&worker) {
            Some(borrower) => borrower.borrow(block, length),
            None => Err(NotLent { block, length }),
        }
    }

    /// An answer to a callback went to the engine, which has sent it or not.
    pub(super) fn answered(
        &mut self,
        worker: WorkerId,
        callback: CallbackId,
        sent: bool,
        now: Time,
    ) {
        if let Some(lender) = self.awaiting() {
            lender.answered(worker, callback, sent, now);
        }
    }

    /// Calls were answered.
    pub(super) fn settled(&mut self, settled: &[Settled], now: Time) {
        let Some(lender) = self.awaiting() else {
            return;
        };
        for entry in settled {
            if matches!(
                entry.kind,
                SettledKind::Response | SettledKind::Error | SettledKind::End
            ) {
                lender.settled(entry.call, now);
            }
        }
    }

    /// The caller has given a call up, and the engine knows.
    pub(super) fn cancelled(&mut self, call: CallId, now: Time) {
        if let Some(lender) = self.awaiting() {
            lender.settled(call, now);
        }
    }

    /// Looks at the events that are new since the last time, before what they stand for reaches a
    /// worker. After [`SharedMemory::forget`] all are new.
    pub(super) fn note(&mut self, engine: &Engine, events: &[Event], now: Time) {
        let new = events.get(self.seen..).unwrap_or_default();
        self.seen = events.len();
        for event in new {
            let Some(lender) = &mut self.lender else {
                return;
            };
            match event {
                Event::Placed { id, worker } => lender.placed(*id, *worker, engine.may_repeat(*id)),
                Event::Failed { id, .. } => lender.settled(*id, now),
                Event::WorkerExit { worker, .. } => {
                    lender.exited(*worker, now);
                    self.leaves(*worker);
                }
                _ => {}
            }
        }
    }

    /// The events are gone.
    pub(super) fn forget(&mut self) {
        self.seen = 0;
    }

    /// Nothing of a worker's process is left.
    pub(super) fn gone(&mut self, worker: WorkerId) {
        self.leaves(worker);
    }

    /// What a worker wrote before its end is read after it, and may refer to its memory: that stays
    /// until both the process and the engine are done with it.
    fn leaves(&mut self, worker: WorkerId) {
        if self.borrowers.contains_key(&worker) && !self.leaving.insert(worker) {
            self.leaving.remove(&worker);
            self.borrowers.remove(&worker);
        }
    }

    /// Takes back what is not needed any more.
    pub(super) fn collect(&mut self, now: Time) {
        if let Some(lender) = &mut self.lender {
            lender.collect(now);
        }
    }

    /// When [`SharedMemory::collect`] should be called at the latest.
    pub(super) fn due(&self, now: impl FnOnce() -> Time) -> Option<Time> {
        self.lender.as_ref()?.due(now)
    }

    fn awaiting(&mut self) -> Option<&mut Lender> {
        self.lender.as_mut().filter(|lender| lender.is_awaiting())
    }
}
