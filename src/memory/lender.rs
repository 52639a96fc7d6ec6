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
    pub fn due(&self, now: Time) -> Option<Time> {
        let look = (!self.lent.is_empty()).then(|| now + crate::memory::IDLE);
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
