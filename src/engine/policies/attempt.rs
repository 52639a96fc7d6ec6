//! Attempts are made: the first, those after a failure, and copies.

use std::time::Duration;

use crate::engine::Engine;
use crate::engine::action::Actions;
use crate::engine::call::Submission;
use crate::engine::policies::guarded::{Attempt, Due, Stage};
use crate::engine::policies::{FIRST_ATTEMPT, Policies};
use crate::error::{ErrorCode, Failure};
use crate::ids::CallId;
use crate::policy::adaptive::Durations;
use crate::protocol::header;
use crate::time::Time;

/// Where the id is in a frame.
const ID: std::ops::Range<usize> = 8..12;
/// Durations that are remembered where only hedging looks at them.
const SAMPLES: usize = 100;

impl Engine {
    /// Makes an attempt at a guarded call. `first`: the frame as it came in.
    pub(super) fn attempt(
        &mut self,
        now: Time,
        call: CallId,
        first: Option<&[u8]>,
        actions: &mut Actions,
    ) {
        self.make(now, call, first, false, actions);
        self.plan_copy(now, call);
    }

    fn make(
        &mut self,
        now: Time,
        call: CallId,
        first: Option<&[u8]>,
        is_copy: bool,
        actions: &mut Actions,
    ) {
        let handlers = &self.handlers;
        let calls = &self.calls;
        let Some(policies) = &mut self.policies else {
            return;
        };
        let begun = policies
            .guarded
            .get(&call)
            .is_some_and(|guarded| guarded.begun);
        let id = if begun {
            policies.new_attempt(|id| calls.contains_key(&id))
        } else {
            call
        };
        let Some(guarded) = policies.guarded.get_mut(&call) else {
            return;
        };
        guarded.begun = true;
        guarded.stage = Stage::Runs;
        guarded.live.push(Attempt {
            id,
            since: now,
            is_copy,
            refused: false,
        });
        let mut kept = guarded.frame.take();
        if id != call {
            policies.attempts.insert(id, call);
            if let Some(field) = kept.as_mut().and_then(|frame| frame.get_mut(ID)) {
                field.copy_from_slice(&id.0.to_le_bytes());
            }
        }
        let mut options = guarded.options;
        // Whether it is repeated when its worker dies is the policy's to say, and counted there.
        options.idempotent &= guarded.set.retry.is_none();
        if let Some(adaptive) = guarded.set.adaptive.filter(|_| options.credit == 0) {
            let durations = policies
                .durations
                .entry(guarded.handler)
                .or_insert_with(|| Durations::new(adaptive.samples));
            let base = handlers.about(guarded.handler).timeout;
            let limit = now + adaptive.timeout(durations, base);
            options.deadline = Some(options.deadline.map_or(limit, |at| at.min(limit)));
        }
        let nested = guarded.nested;
        let handler = guarded.called;
        if let Some(frame) = first.or(kept.as_deref()) {
            let submission = Submission {
                id,
                handler,
                frame,
                options,
            };
            match nested {
                None => self.submit_plain(now, &submission, actions),
                Some(nested) => self.submit_nested_plain(now, &submission, nested, actions),
            }
        }
        let refused = !self.calls.contains_key(&id);
        let Some(policies) = &mut self.policies else {
            return;
        };
        let Some(guarded) = policies.guarded.get_mut(&call) else {
            return;
        };
        let again = guarded.set.retry.is_some() || guarded.set.hedge.is_some();
        guarded.frame = kept.filter(|_| again);
        if let Some(attempt) = guarded.live.iter_mut().find(|attempt| attempt.id == id) {
            attempt.refused = refused;
        }
    }

    /// Sets the time for the next copy of a call that may have one.
    fn plan_copy(&mut self, now: Time, call: CallId) {
        let Some(policies) = &mut self.policies else {
            return;
        };
        let Some(guarded) = policies.guarded.get(&call) else {
            return;
        };
        let Some(hedge) = guarded.set.hedge else {
            return;
        };
        let may = guarded.options.idempotent
            && guarded.options.credit == 0
            && guarded.options.worker.is_none()
            && guarded.options.session.is_none()
            && guarded.nested.is_none()
            && !guarded.refers();
        if !may {
            return;
        }
        let durations = policies.durations.get_mut(&guarded.handler);
        if let Some(after) = hedge.next(guarded.copies, durations) {
            let due = Due::Copy {
                call,
                sequence: guarded.sequence,
                repeated: guarded.repeated,
            };
            policies.timers.set(now + after, due);
        }
    }

    /// Whatever is due happens.
    pub(in crate::engine) fn tick_policies(&mut self, now: Time, actions: &mut Actions) {
        while let Some(policies) = &mut self.policies
            && let Some(due) = policies.timers.due(now)
        {
            if !due.is_live(&policies.guarded) {
                continue;
            }
            match due {
                Due::Repeat { call, .. } => self.attempt(now, call, None, actions),
                Due::Copy { call, .. } => {
                    let paid = policies
                        .budget
                        .as_mut()
                        .is_none_or(|budget| budget.withdraw(now));
                    if paid && let Some(guarded) = policies.guarded.get_mut(&call) {
                        guarded.copies += 1;
                        policies.counts.copies += 1;
                        self.make(now, call, None, true, actions);
                        self.plan_copy(now, call);
                    }
                }
                Due::Wait { call, .. } => self.waited_too_long(now, call, actions),
            }
        }
    }

    fn waited_too_long(&mut self, now: Time, call: CallId, actions: &mut Actions) {
        let Some(policies) = &mut self.policies else {
            return;
        };
        let Some(guarded) = policies.guarded.remove(&call) else {
            return;
        };
        let name = self.handlers.shown(guarded.handler);
        let limit = match guarded.options.deadline {
            Some(deadline) if deadline <= now => "deadline",
            _ => "bulkhead.timeout",
        };
        let message =
            format!("the call passed its {limit} while waiting for the bulkhead of \"{name}\"");
        let failure = Failure::new(ErrorCode::Timeout, message)
            .with("phase", "queue")
            .with("callId", call.0)
            .with("mayHaveExecuted", false)
            .with("handler", name);
        self.past.timeouts += 1;
        self.settle_failed(now, call, &guarded, failure, actions);
    }

    /// The attempt at a call that a grant of items concerns.
    pub(in crate::engine) fn granted_attempt(&self, call: CallId) -> CallId {
        self.policies
            .as_ref()
            .and_then(|policies| policies.guarded.get(&call)?.live.first())
            .map_or(call, |attempt| attempt.id)
    }

    /// An attempt was answered after so long.
    pub(super) fn took(&mut self, handler: u16, samples: Option<usize>, took: Duration) {
        if let Some(policies) = &mut self.policies {
            policies
                .durations
                .entry(handler)
                .or_insert_with(|| Durations::new(samples.unwrap_or(SAMPLES)))
                .add(took);
        }
    }
}

impl Policies {
    /// An id for an attempt, none that is in use.
    fn new_attempt(&mut self, used: impl Fn(CallId) -> bool) -> CallId {
        loop {
            let id = CallId(self.next_attempt);
            self.next_attempt += 1;
            if self.next_attempt == header::CALLBACK_ID {
                self.next_attempt = FIRST_ATTEMPT;
            }
            if !used(id) && !self.attempts.contains_key(&id) {
                return id;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::policies::PolicyConfig;

    #[test]
    fn an_attempt_gets_an_id_that_nobody_has_and_no_callback_may_have() {
        let mut policies = Policies::new(&PolicyConfig::default());
        let of_call = CallId(FIRST_ATTEMPT);
        let of_attempt = CallId(FIRST_ATTEMPT + 1);
        policies.attempts.insert(of_attempt, CallId(7));
        let free = CallId(FIRST_ATTEMPT + 2);
        assert_eq!(policies.new_attempt(|id| id == of_call), free);
        policies.next_attempt = header::CALLBACK_ID - 1;
        let last = CallId(header::CALLBACK_ID - 1);
        assert_eq!(policies.new_attempt(|_| false), last);
        assert_eq!(policies.new_attempt(|_| false), of_call);
    }
}
