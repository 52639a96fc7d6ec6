//! What the host lends to its workers.

use std::ops::Range;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::ids::{CallId, CallbackId, WorkerId};
use crate::memory::arena::{Arena, BLOCK};
use crate::memory::blocks::Blocks;
use crate::time::Time;

/// For whom a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// An argument of a call, which has no worker yet.
    Call(CallId),
    /// An answer to a callback of a worker.
    Answer(WorkerId, CallbackId),
}

/// One value.
#[derive(Debug)]
struct Lent {
    blocks: Range<usize>,
    /// Who has it, or had it last.
    worker: Option<WorkerId>,
    /// The call that may still be sent to another worker with it.
    call: Option<CallId>,
    /// The call may be sent again though a worker has read it.
    kept: bool,
}

/// The values that are lent to the workers of one engine.
#[derive(Debug)]
pub struct Lender {
    arena: Arena,
    blocks: Blocks,
    /// Blocks that may be kept idle.
    limit: usize,
    /// By first block.
    lent: FxHashMap<usize, Lent>,
    /// The values of calls that have not settled, and of answers that have not been handed in.
    purposes: FxHashMap<Purpose, Vec<usize>>,
}

impl Lender {
    /// Lends in `arena`, of which up to `idle` bytes are kept for the next value.
    pub fn new(arena: Arena, idle: usize) -> Self {
        Self {
            blocks: Blocks::new(arena.first(), arena.blocks()),
            arena,
            limit: idle.div_ceil(BLOCK),
            lent: FxHashMap::default(),
            purposes: FxHashMap::default(),
        }
    }

    /// The arena's file, for a worker to inherit.
    pub fn file(&self) -> Arc<OwnedFd> {
        self.arena.file()
    }

    /// Copies a value into the arena; says where it begins, or nothing if there is no room.
    pub fn lend(&mut self, purpose: Purpose, data: &[u8], now: Time) -> Option<usize> {
        self.collect(now);
        let count = data.len().div_ceil(BLOCK).max(1);
        let (blocks, warm) = self.blocks.take(count)?;
        let block = blocks.start;
        if !warm && self.arena.provide(&blocks).is_err() {
            self.blocks.put(blocks, now);
            return None;
        }
        self.arena.write(block, data);
        self.arena.set_lent(block, true);
        let (worker, call) = match purpose {
            Purpose::Call(call) => (None, Some(call)),
            Purpose::Answer(worker, _) => (Some(worker), None),
        };
        let lent = Lent {
            blocks,
            worker,
            call,
            kept: false,
        };
        self.lent.insert(block, lent);
        self.purposes.entry(purpose).or_default().push(block);
        Some(block)
    }

    /// What was lent for this purpose is not sent.
    pub fn withdraw(&mut self, purpose: Purpose, now: Time) {
        for block in self.purposes.remove(&purpose).unwrap_or_default() {
            self.free(block, now);
        }
    }

    /// Whether there is a call that carries values and has not settled, or an answer that has not
    /// been handed in.
    pub fn is_awaiting(&self) -> bool {
        !self.purposes.is_empty()
    }

    /// An answer was handed in. One that was not `sent` will not be read.
    pub fn answered(&mut self, worker: WorkerId, callback: CallbackId, sent: bool, now: Time) {
        let purpose = Purpose::Answer(worker, callback);
        if sent {
            self.purposes.remove(&purpose);
        } else {
            self.withdraw(purpose, now);
        }
    }

    /// A call is written to a worker. One that is `kept` may be written to another one later.
    pub fn placed(&mut self, call: CallId, worker: WorkerId, kept: bool) {
        for block in self
            .purposes
            .get(&Purpose::Call(call))
            .into_iter()
            .flatten()
        {
            if let Some(lent) = self.lent.get_mut(block) {
                lent.worker = Some(worker);
                lent.kept = kept;
                // The one that died with it may have let go already.
                self.arena.set_lent(*block, true);
            }
        }
    }

    /// A call is over. Its worker may hold on to what it got.
    pub fn settled(&mut self, call: CallId, now: Time) {
        for block in self
            .purposes
            .remove(&Purpose::Call(call))
            .unwrap_or_default()
        {
            match self.lent.get_mut(&block) {
                Some(lent) if lent.worker.is_some() => lent.call = None,
                _ => self.free(block, now),
            }
        }
    }

    /// A worker is gone, and holds nothing any more.
    pub fn exited(&mut self, worker: WorkerId, now: Time) {
        self.purposes
            .retain(|purpose, _| !matches!(purpose, Purpose::Answer(asked, _) if *asked == worker));
        let held: Vec<usize> = self.held(|lent| lent.worker == Some(worker));
        for block in held {
            match self.lent.get_mut(&block) {
                Some(lent) if lent.call.is_some() => lent.worker = None,
                _ => self.free(block, now),
            }
        }
    }

    /// Takes back what workers have let go of, and gives the system what is too much.
    pub fn collect(&mut self, now: Time) {
        let arena = &self.arena;
        let back: Vec<usize> = self.held(|lent| {
            lent.worker.is_some()
                && !(lent.kept && lent.call.is_some())
                && !arena.is_lent(lent.blocks.start)
        });
        for block in back {
            self.free(block, now);
        }
        for blocks in self.blocks.cool(self.limit, now) {
            self.arena.give_back(blocks);
        }
    }

    /// When [`Lender::collect`] should be called at the latest.
    pub fn due(&self, now: impl FnOnce() -> Time) -> Option<Time> {
        let look = (!self.lent.is_empty()).then(|| now() + crate::memory::IDLE);
        self.blocks.due().into_iter().chain(look).min()
    }

    fn held(&self, wanted: impl Fn(&Lent) -> bool) -> Vec<usize> {
        let lent = self.lent.iter().filter(|(_, lent)| wanted(lent));
        lent.map(|(block, _)| *block).collect()
    }

    fn free(&mut self, block: usize, now: Time) {
        if let Some(lent) = self.lent.remove(&block) {
            self.arena.set_lent(block, false);
            self.blocks.put(lent.blocks, now);
        }
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    const ONE: WorkerId = WorkerId(1);
    const TWO: WorkerId = WorkerId(2);
    const CALL: CallId = CallId(7);

    /// Room for seven values of a block.
    fn lender() -> Lender {
        Lender::new(Arena::create(8 * BLOCK).unwrap(), usize::MAX)
    }

    /// How many values of a block there is room for.
    fn room(lender: &mut Lender) -> usize {
        let purpose = Purpose::Call(CallId(99));
        let mut count = 0;
        while lender.lend(purpose, b"a", Time::ZERO).is_some() {
            count += 1;
        }
        lender.withdraw(purpose, Time::ZERO);
        count
    }

    fn lend(lender: &mut Lender) -> usize {
        let block = lender.lend(Purpose::Call(CALL), b"abc", Time::ZERO);
        block.unwrap()
    }

    #[test]
    fn what_is_not_sent_is_free_at_once() {
        let mut lender = lender();
        assert_eq!(room(&mut lender), 7);
        lend(&mut lender);
        assert_eq!(room(&mut lender), 6);
        lender.withdraw(Purpose::Call(CALL), Time::ZERO);
        assert_eq!(room(&mut lender), 7);
    }

    #[test]
    fn a_call_that_settles_in_the_queue_frees_its_values() {
        let mut lender = lender();
        lend(&mut lender);
        lender.settled(CALL, Time::ZERO);
        assert_eq!(room(&mut lender), 7);
        assert!(!lender.is_awaiting());
    }

    #[test]
    fn a_worker_may_hold_on_to_a_value_beyond_its_call() {
        let mut lender = lender();
        let block = lend(&mut lender);
        lender.placed(CALL, ONE, false);
        lender.settled(CALL, Time::ZERO);
        assert_eq!(room(&mut lender), 6);
        lender.arena.set_lent(block, false);
        assert_eq!(room(&mut lender), 7);
    }

    #[test]
    fn what_a_dead_worker_held_is_free_unless_its_call_goes_on_elsewhere() {
        let mut lender = lender();
        let block = lend(&mut lender);
        lender.placed(CALL, ONE, true);
        // It has read it, and dies.
        lender.arena.set_lent(block, false);
        lender.exited(ONE, Time::ZERO);
        assert_eq!(room(&mut lender), 6);
        lender.placed(CALL, TWO, true);
        assert!(lender.arena.is_lent(block));
        lender.settled(CALL, Time::ZERO);
        assert_eq!(room(&mut lender), 6);
        lender.exited(TWO, Time::ZERO);
        assert_eq!(room(&mut lender), 7);
    }

    #[test]
    fn an_answer_that_was_not_sent_frees_its_values() {
        let mut lender = lender();
        for sent in [false, true] {
            let purpose = Purpose::Answer(ONE, CallbackId(1));
            lender.lend(purpose, b"abc", Time::ZERO).unwrap();
            lender.answered(ONE, CallbackId(1), sent, Time::ZERO);
            assert_eq!(room(&mut lender), if sent { 6 } else { 7 });
        }
        lender.exited(ONE, Time::ZERO);
        assert_eq!(room(&mut lender), 7);
    }

    #[test]
    fn what_does_not_fit_takes_the_pipe() {
        let mut lender = lender();
        let data = vec![1; 8 * BLOCK];
        assert_eq!(lender.lend(Purpose::Call(CALL), &data, Time::ZERO), None);
        assert!(!lender.is_awaiting());
    }
}
