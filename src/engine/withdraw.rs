//! `queue.timeout` of calls that are with a worker: one that lies in its channel behind others has not
//! begun, and must be certain not to begin when its caller is told so.
//!
//! A cancellation is not: it may come too late. So the host writes into the worker's journal that the
//! call is withdrawn, and then looks there whether it has begun; the worker notes that it begins, and
//! then looks whether the call is withdrawn. Whatever the order, one of the two sees the other: what
//! the host finds not begun never begins, even if the worker is stopped and goes on an hour later. If
//! it has begun its answer counts, whatever that is.

use std::time::Duration;

use serde::Deserialize;

use crate::engine::Engine;
use crate::engine::action::{Actions, Command};
use crate::engine::begun::Begun;
use crate::engine::call::CallState;
use crate::engine::tick::Limit;
use crate::engine::timers::Timer;
use crate::engine::worker::{Worker, WorkerState};
use crate::ids::{CallId, WorkerId};
use crate::protocol::Limits;
use crate::protocol::header::Kind;
use crate::protocol::journal::{Journal, withdrawal_slot};
use crate::protocol::message;
use crate::time::Time;

/// How long a store of one processor may stay unseen by the others: a thousand times as long as any
/// that is made keeps one to itself.
const SEEN: Duration = Duration::from_millis(2);

/// When to try again for a call whose place in the journal is taken.
const AGAIN: Duration = Duration::from_millis(100);

/// The code of the error with which a worker answers a call that it did not begin.
const WITHDRAWN: &str = "WITHDRAWN";

/// What is read of an error.
#[derive(Deserialize)]
struct Coded {
    code: String,
}

impl Worker {
    /// A call is over: whether it had been withdrawn, which is over, too.
    pub(super) fn restore(&mut self, call: CallId, actions: &mut Actions) -> bool {
        let slot = withdrawal_slot(call.0);
        let was_withdrawn = self.withdrawn.get(&slot) == Some(&call);
        if was_withdrawn {
            self.withdrawn.remove(&slot);
            actions.commands.push(Command::Restore(self.id, call));
        }
        was_withdrawn
    }
}

impl Engine {
    /// A call may have waited for as long as it may: in the queue, or with a worker.
    pub(super) fn queue_time_is_over(
        &mut self,
        now: Time,
        id: CallId,
        sequence: u64,
        actions: &mut Actions,
    ) {
        let limit = self.config.queue_timeout.unwrap_or_default();
        let Some(call) = self.calls.get(&id).filter(|call| call.sequence == sequence) else {
            return;
        };
        // It may have been with a worker since, and have come back.
        if now.since(call.queued) < limit {
            return;
        }
        match call.state {
            CallState::Queued => self.expire(now, id, sequence, Limit::Queue, actions),
            // A nested one begins at once, out of turn: of those nothing is known.
            CallState::Sent(worker) if !call.nested && !call.got_further => {
                self.withdraw(now, id, sequence, worker, actions);
            }
            CallState::Sent(_) | CallState::Abandoned(_) => {}
        }
    }

    fn withdraw(
        &mut self,
        now: Time,
        id: CallId,
        sequence: u64,
        worker: WorkerId,
        actions: &mut Actions,
    ) {
        let heeds = |worker: &&mut Worker| worker.heeds && worker.state == WorkerState::Ready;
        let Some(worker) = self.workers.get_mut(&worker).filter(heeds) else {
            return;
        };
        match worker.withdrawn.get(&withdrawal_slot(id.0)) {
            Some(other) if *other == id => {}
            // Ids that are so far apart and both open: one of them is as old as the window is long.
            Some(_) => {
                let timer = Timer::QueueTimeout { call: id, sequence };
                self.timers.set(now + AGAIN, timer);
            }
            None => {
                worker.withdrawn.insert(withdrawal_slot(id.0), id);
                actions.commands.push(Command::Withdraw(worker.id, id));
            }
        }
    }

    /// A worker's journal says that a call is withdrawn, as [`Command::Withdraw`] asked.
    pub fn withdrawn(&mut self, now: Time, worker: WorkerId, id: CallId) {
        let sent = CallState::Sent(worker);
        if let Some(call) = self.calls.get(&id).filter(|call| call.state == sent) {
            let (call, sequence) = (id, call.sequence);
            self.timers
                .set(now + SEEN, Timer::Withdrawn { call, sequence });
        }
    }

    /// Whether a withdrawn call has begun before can be told from now on.
    pub(super) fn withdrawal_is_seen(&mut self, id: CallId, sequence: u64, actions: &mut Actions) {
        let Some(call) = self.calls.get(&id).filter(|call| call.sequence == sequence) else {
            return;
        };
        if let CallState::Sent(at) = call.state
            && let Some(worker) = self.workers.get_mut(&at)
            && worker.state == WorkerState::Ready
            && worker.withdrawn.get(&withdrawal_slot(id.0)) == Some(&id)
        {
            if worker.doubtful.is_empty() {
                actions.commands.push(Command::Inspect(at));
            }
            worker.doubtful.insert((id, sequence));
        }
    }

    /// A journal tells which of the withdrawn calls have not begun: these never will.
    pub(super) fn judge_withdrawals(
        &mut self,
        now: Time,
        id: WorkerId,
        journal: &Journal,
        actions: &mut Actions,
    ) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        if worker.doubtful.is_empty() {
            return;
        }
        let doubtful = std::mem::take(&mut worker.doubtful);
        let begun = Begun::of(worker, journal);
        let mut late = Vec::new();
        for (place, sent) in worker.sent.iter().enumerate() {
            if let Some(call) = self.calls.get(sent)
                && call.state == CallState::Sent(id)
                && doubtful.contains(&(*sent, call.sequence))
                && !begun.includes(place, call)
            {
                late.push((*sent, call.sequence));
            }
        }
        for (call, sequence) in late {
            self.expire(now, call, sequence, Limit::Queue, actions);
        }
    }

    /// A worker has answered with an error, perhaps because it found the call withdrawn before the
    /// host had looked. Then it has not begun.
    pub(super) fn refused_if_withdrawn(
        &mut self,
        now: Time,
        worker: WorkerId,
        id: CallId,
        error: &[u8],
        actions: &mut Actions,
    ) {
        let was_told = self.workers.get(&worker).is_some_and(|worker| {
            !worker.withdrawn.is_empty()
                && worker.withdrawn.get(&withdrawal_slot(id.0)) == Some(&id)
        });
        if !was_told || !is_refusal(error, self.config.limits) {
            return;
        }
        let sent = CallState::Sent(worker);
        if self.calls.get(&id).is_some_and(|call| call.state == sent) {
            self.tell_expired(now, id, Limit::Queue, actions);
            if let Some(call) = self.calls.get_mut(&id) {
                call.state = CallState::Abandoned(worker);
            }
        }
    }
}

fn is_refusal(error: &[u8], limits: Limits) -> bool {
    message::read::<Coded>(Kind::Error, error, limits).is_ok_and(|error| error.code == WITHDRAWN)
}
