//! Which calls a worker had begun, by its journal: what never began can run elsewhere, and what has
//! not begun cannot be what keeps a worker from yielding.

use std::time::Duration;

use crate::engine::Engine;
use crate::engine::action::{Actions, Command};
use crate::engine::call::{Call, CallState};
use crate::engine::timers::Timer;
use crate::engine::worker::{Cause, Worker, WorkerState};
use crate::ids::{CallId, WorkerId};
use crate::protocol::journal::Journal;
use crate::time::Time;

/// The least time between two looks into the journal of a worker.
const LOOK: Duration = Duration::from_millis(100);

/// What a journal says of the calls that a worker holds.
#[derive(Debug)]
pub(super) enum Begun<'a> {
    Unknown,
    /// Those up to this place among the calls sent.
    UpTo(Option<usize>),
    ByNumber {
        slots: &'a [u32],
        written: u32,
    },
}

impl<'a> Begun<'a> {
    pub(super) fn of(worker: &Worker, journal: &'a Journal) -> Self {
        match journal {
            Journal::Unknown => Self::Unknown,
            // One that is not there any more was answered, and so were all before it.
            Journal::InOrder { last } => {
                Self::UpTo(worker.sent.iter().rposition(|id| id.0 == *last))
            }
            Journal::ByNumber { slots } => Self::ByNumber {
                slots,
                written: worker.written,
            },
        }
    }

    /// Whether a call may have begun; `place` is its place among the calls sent.
    pub(super) fn includes(&self, place: usize, call: &Call) -> bool {
        match self {
            Self::Unknown => true,
            Self::UpTo(last) => call.nested || last.is_some_and(|last| place <= last),
            Self::ByNumber { slots, written } => {
                Journal::may_have_begun(slots, call.number, *written)
            }
        }
    }
}

impl Engine {
    /// A cancelled call has not yielded. If it has begun its worker is lost, for that will never be
    /// free again: the journal tells.
    pub(super) fn grace_is_over(&mut self, id: CallId, sequence: u64, actions: &mut Actions) {
        let Some(call) = self.calls.get(&id).filter(|call| call.sequence == sequence) else {
            return;
        };
        if let CallState::Abandoned(at) = call.state
            && let Some(worker) = self.workers.get_mut(&at)
            && worker.state == WorkerState::Ready
        {
            worker.overdue.push((id, sequence));
            actions.commands.push(Command::Inspect(at));
        }
    }

    /// The journal of a living worker, after [`Command::Inspect`].
    pub fn inspected(&mut self, now: Time, id: WorkerId, journal: &Journal, actions: &mut Actions) {
        self.judge_withdrawals(now, id, journal, actions);
        self.judge_overdue(now, id, journal, actions);
    }

    /// A cancelled call that waits behind others that run is left alone; if none runs, the worker does
    /// nothing any more.
    fn judge_overdue(&mut self, now: Time, id: WorkerId, journal: &Journal, actions: &mut Actions) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        let overdue = std::mem::take(&mut worker.overdue);
        let begun = Begun::of(worker, journal);
        let mut runs = false;
        let mut is_hung = false;
        let mut waiting = Vec::new();
        for (place, sent) in worker.sent.iter().enumerate() {
            let Some(call) = self.calls.get(sent) else {
                continue;
            };
            match call.state {
                CallState::Sent(at) | CallState::Abandoned(at) if at == id => {}
                _ => continue,
            }
            let is_overdue = overdue.contains(&(*sent, call.sequence));
            match (begun.includes(place, call), is_overdue) {
                (true, true) => is_hung = true,
                (true, false) => runs = true,
                (false, true) => waiting.push((*sent, call.sequence)),
                (false, false) => {}
            }
        }
        if is_hung || (!runs && !waiting.is_empty()) {
            self.kill(now, id, Cause::Hung, actions);
            return;
        }
        for (call, sequence) in waiting {
            let again = now + self.config.grace.max(LOOK);
            self.timers.set(again, Timer::Grace { call, sequence });
        }
    }
}
