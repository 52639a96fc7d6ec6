//! A guarded call ends: what it held is given back, once, however it ends.

use crate::engine::action::{Actions, Event, Kept};
use crate::engine::policies::guard::millis;
use crate::engine::policies::guarded::{Due, Guarded, Stage};
use crate::engine::{Engine, Phase};
use crate::error::{ErrorCode, Failure};
use crate::ids::CallId;
use crate::policy::breaker::{Outcome, State};
use crate::policy::retry::{self, Verdict};
use crate::time::Time;

/// How an attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failed {
    pub(super) code: ErrorCode,
    pub(super) may_have_run: bool,
    pub(super) never_written: bool,
}

impl Engine {
    /// The caller has given a call up: whether it was guarded.
    pub(in crate::engine) fn cancel_guarded(
        &mut self,
        now: Time,
        call: CallId,
        actions: &mut Actions,
    ) -> bool {
        let guarded = self
            .policies
            .as_mut()
            .and_then(|policies| policies.guarded.remove(&call));
        let was_guarded = guarded.is_some();
        if let Some(guarded) = guarded {
            self.release(now, call, &guarded, Outcome::Neutral, actions);
        }
        was_guarded
    }

    /// Whether an attempt that failed is made again; if so, that is arranged.
    pub(super) fn again(
        &mut self,
        now: Time,
        call: CallId,
        failed: Failed,
        actions: &mut Actions,
    ) -> bool {
        let stopping = self.phase == Phase::Stopping;
        let Some(policies) = &mut self.policies else {
            return false;
        };
        let Some(guarded) = policies.guarded.get_mut(&call) else {
            return false;
        };
        let Some(policy) = guarded.set.retry.as_ref().filter(|_| !stopping) else {
            return false;
        };
        if guarded.streamed || (guarded.refers() && !failed.never_written) {
            return false;
        }
        let attempt = retry::Attempt {
            code: failed.code,
            repeated: guarded.repeated,
            may_have_run: failed.may_have_run,
            idempotent: guarded.options.idempotent,
        };
        let Verdict::Again(delay) = policy.judge(attempt, policies.random.uniform()) else {
            return false;
        };
        let at = now + delay;
        // There would be no time left to run in.
        if guarded
            .options
            .deadline
            .is_some_and(|deadline| at >= deadline)
        {
            return false;
        }
        if let Some(budget) = &mut policies.budget
            && !budget.withdraw(now)
        {
            policies.counts.over_budget += 1;
            return false;
        }
        guarded.repeated += 1;
        guarded.stage = Stage::Rests;
        policies.counts.repeated += 1;
        let sequence = guarded.sequence;
        actions.events.push(Event::Retry {
            call_id: call,
            handler: self.handlers.shown(guarded.handler),
            attempt: guarded.repeated + 1,
            delay: millis(delay),
            code: failed.code,
        });
        if delay.is_zero() {
            policies.ready.push((call, sequence));
        } else {
            policies.timers.set(at, Due::Repeat { call, sequence });
        }
        true
    }

    /// A guarded call, already taken out, fails for good. A reply that is kept may stand in.
    pub(super) fn settle_failed(
        &mut self,
        now: Time,
        call: CallId,
        guarded: &Guarded,
        failure: Failure,
        actions: &mut Actions,
    ) {
        if let Some(event) = self.failed_for_good(now, call, guarded, failure, actions) {
            actions.events.push(event);
        }
    }

    /// The same, but the caller is told by the answer.
    pub(super) fn failed_for_good(
        &mut self,
        now: Time,
        call: CallId,
        guarded: &Guarded,
        failure: Failure,
        actions: &mut Actions,
    ) -> Option<Event> {
        let refused_here = guarded.live.is_empty() && !guarded.begun;
        let counted = guarded
            .set
            .breaker
            .is_some_and(|breaker| breaker.codes.holds(failure.code));
        let outcome = if counted && !refused_here {
            Outcome::Failure
        } else {
            Outcome::Neutral
        };
        let stale = match (&mut self.policies, &guarded.key, guarded.set.cache) {
            (Some(policies), Some(key), Some(policy)) if failure.code != ErrorCode::Disposed => {
                policies.cache.stale(key, policy, now).inspect(|_| {
                    policies.counts.stale += 1;
                })
            }
            _ => None,
        };
        self.release(now, call, guarded, outcome, actions);
        if let Some(reply) = stale {
            actions.kept.push(Kept { call, reply });
            return None;
        }
        let failure = failure.with("callId", call.0);
        Some(Event::Failed { id: call, failure })
    }

    /// Gives back what a call held, which has been taken out of the table: its attempts are
    /// cancelled, its session and its breaker hear of it, and the next of its bulkhead runs.
    pub(super) fn release(
        &mut self,
        now: Time,
        call: CallId,
        guarded: &Guarded,
        outcome: Outcome,
        actions: &mut Actions,
    ) {
        for attempt in &guarded.live {
            self.abandon(now, attempt.id, actions);
        }
        self.leave_session(now, guarded.options.session);
        let Some(policies) = &mut self.policies else {
            return;
        };
        for attempt in &guarded.live {
            if attempt.id == call {
                policies.over.push(call);
            } else {
                policies.attempts.remove(&attempt.id);
            }
        }
        if guarded.repeated > 0 && matches!(outcome, Outcome::Success) {
            policies.counts.recovered += 1;
        }
        if let (Some(permit), Some(policy)) = (guarded.permit, guarded.set.breaker) {
            let _told = self.with_breaker(now, guarded.handler, policy, actions, |breaker| {
                breaker.settle(permit, outcome, now);
            });
        }
        if guarded.in_bulkhead {
            self.leave_bulkhead(now, call, guarded, actions);
        }
    }

    fn leave_bulkhead(
        &mut self,
        now: Time,
        call: CallId,
        guarded: &Guarded,
        actions: &mut Actions,
    ) {
        let bulkhead = self
            .policies
            .as_mut()
            .and_then(|policies| policies.bulkheads.get_mut(&guarded.handler));
        if guarded.stage == Stage::Waits {
            if let Some(bulkhead) = bulkhead {
                bulkhead.give_up(call);
            }
            return;
        }
        while let Some(policies) = &mut self.policies
            && let Some(bulkhead) = policies.bulkheads.get_mut(&guarded.handler)
            && let Some(next) = bulkhead.leave()
        {
            if self.called_in(now, next, actions) {
                return;
            }
        }
    }

    /// A call that waited before its bulkhead runs, unless its breaker has opened meanwhile.
    fn called_in(&mut self, now: Time, call: CallId, actions: &mut Actions) -> bool {
        let Some(policies) = &mut self.policies else {
            return false;
        };
        let Some(guarded) = policies.guarded.get_mut(&call) else {
            return false;
        };
        guarded.stage = Stage::Rests;
        let sequence = guarded.sequence;
        let handler = guarded.handler;
        let breaker = policies.breakers.get(&handler);
        let opened = breaker.filter(|breaker| breaker.entered() == State::Open);
        if let Some(breaker) = opened.filter(|_| guarded.permit.is_some()) {
            let after = breaker.left(now);
            if let Some(mut guarded) = policies.guarded.remove(&call) {
                // Its place is the next one's: whoever called it in goes on from there.
                guarded.in_bulkhead = false;
                let failure = self.circuit_open(handler, after, State::Open);
                self.settle_failed(now, call, &guarded, failure, actions);
            }
            return false;
        }
        if let Some(budget) = &mut policies.budget {
            budget.deposit();
        }
        policies.ready.push((call, sequence));
        true
    }
}
