//! Calls lose their worker, or all hope of one: each is sent elsewhere or told why.

use crate::engine::action::{Actions, Event};
use crate::engine::begun::Begun;
use crate::engine::call::CallState;
use crate::engine::intake::is_queued;
use crate::engine::queue::Queue;
use crate::engine::worker::{Cause, Worker};
use crate::engine::{Engine, Phase};
use crate::error::Failure;
use crate::ids::{CallId, WorkerId};
use crate::protocol::journal::Journal;
use crate::time::Time;

impl Engine {
    /// The calls that a dead worker held. What it had not begun is sent to another, as is what is
    /// idempotent, once.
    pub(super) fn settle_sent(
        &mut self,
        now: Time,
        worker: &Worker,
        journal: &Journal,
        failure: &Failure,
        actions: &mut Actions,
    ) {
        let begun = Begun::of(worker, journal);
        let tries = self.config.restart.unwrap_or_default().max;
        for (place, id) in worker.sent.iter().enumerate() {
            let Some(call) = self.calls.get_mut(id) else {
                continue;
            };
            match call.state {
                CallState::Sent(at) if at == worker.id => {
                    let has_begun = begun.includes(place, call);
                    let repeats = !has_begun || call.may_run_again(tries);
                    if repeats
                        && call.frame.is_some()
                        && call.options.worker.is_none()
                        && matches!(self.phase, Phase::Running)
                        && self
                            .suspects
                            .refused(self.config.poison, call.fingerprint, now)
                            .is_none()
                    {
                        call.deaths += u32::from(has_begun);
                        call.nested = false;
                        if call.options.resumable {
                            let resume_from = call.sequence_seen;
                            self.resumed(*id, at, resume_from, actions);
                        }
                        self.enqueue(now, *id);
                        continue;
                    }
                    let may_have_executed = has_begun || call.deaths > 0;
                    let mut failure = self
                        .of_call(failure, *id)
                        .with("mayHaveExecuted", may_have_executed);
                    if has_begun && worker.cause == Some(Cause::Hung) {
                        failure.message += "; this call had begun, and is not idempotent, so it \
                                            is not sent again";
                    }
                    self.forget(now, *id);
                    actions.events.push(Event::Failed { id: *id, failure });
                }
                CallState::Abandoned(at) if at == worker.id => {
                    self.forget(now, *id);
                }
                _ => {}
            }
        }
        let others: Vec<WorkerId> = self.workers.keys().copied().collect();
        for other in others {
            self.fill(now, other, actions);
        }
    }

    /// Tells that a stream goes on elsewhere.
    fn resumed(&self, id: CallId, worker: WorkerId, resume_from: u64, actions: &mut Actions) {
        let policies = self.policies.as_ref();
        let id = policies.map_or(id, |policies| policies.caller_of(id));
        actions.events.push(Event::Resumed {
            id,
            worker,
            resume_from,
        });
    }

    /// Settles the calls of a worker that lives but is given up. Their slots are not freed: the
    /// worker goes.
    pub(super) fn settle_all_of(
        &mut self,
        now: Time,
        id: WorkerId,
        failure: &Failure,
        actions: &mut Actions,
    ) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        let sent = std::mem::take(&mut worker.sent);
        worker.in_flight = 0;
        for call in sent {
            let state = self.calls.get(&call).map(|call| call.state);
            if state == Some(CallState::Sent(id)) {
                let failure = self.of_call(failure, call).with("worker", id.0);
                actions.events.push(Event::Failed { id: call, failure });
            }
            if matches!(state, Some(CallState::Sent(w) | CallState::Abandoned(w)) if w == id) {
                self.forget(now, call);
            }
        }
    }

    pub(super) fn settle_queued(&mut self, now: Time, failure: &Failure, actions: &mut Actions) {
        let mut queued: Vec<(u64, CallId)> = self
            .calls
            .iter()
            .filter(|(_, call)| call.state == CallState::Queued)
            .map(|(id, call)| (call.sequence, *id))
            .collect();
        queued.sort_unstable();
        for (_, id) in queued {
            let failure = self.of_call(failure, id);
            self.forget(now, id);
            actions.events.push(Event::Failed { id, failure });
        }
        self.queue = Queue::default();
    }

    pub(super) fn settle_pinned(
        &mut self,
        now: Time,
        worker: &Worker,
        failure: &Failure,
        actions: &mut Actions,
    ) {
        let calls = &self.calls;
        for (_, id) in self.queue.unpin(worker.id, |entry| is_queued(calls, entry)) {
            let failure = self.of_call(failure, id);
            self.forget(now, id);
            actions.events.push(Event::Failed { id, failure });
        }
    }

    /// A failure with what is known of the call it befell.
    fn of_call(&self, failure: &Failure, id: CallId) -> Failure {
        let failure = failure.clone().with("callId", id.0);
        let Some(call) = self.calls.get(&id) else {
            return failure;
        };
        let may_have_executed = call.state != CallState::Queued || call.deaths > 0;
        let failure = failure.with("mayHaveExecuted", may_have_executed);
        match self.handlers.name(call.handler) {
            Some(name) => failure.with("handler", name),
            None => failure,
        }
    }
}
