//! What comes back is looked at before the facade sees it: answers where they are read, failures when
//! the driver asks.

use std::sync::Arc;

use serde::Deserialize;

use crate::engine::action::{Actions, Event, Settled, SettledKind};
use crate::engine::callbacks::has_flag;
use crate::engine::policies::FIRST_ATTEMPT;
use crate::engine::policies::settle::Failed;
use crate::engine::{Engine, Phase};
use crate::error::{ErrorCode, Failure};
use crate::ids::CallId;
use crate::policy::breaker::Outcome;
use crate::protocol::header::{self, Kind};
use crate::protocol::message;
use crate::time::Time;

/// Whose an attempt is.
enum Owner {
    /// A guarded call's.
    Call(CallId),
    /// Nobody's any more: its call is over.
    Gone,
    /// It is an ordinary call.
    Itself,
}

/// What is read of an exception.
#[derive(Deserialize)]
struct Coded {
    #[serde(default)]
    code: String,
}

impl Engine {
    /// Lets the policies look at what the last input led to. The driver calls it after every input,
    /// before it carries the actions out, and again after each command that was an input itself.
    pub fn review(&mut self, now: Time, actions: &mut Actions) {
        if self.policies.is_some() {
            self.review_events(now, actions);
            self.settle_operations(actions);
        }
    }

    fn review_events(&mut self, now: Time, actions: &mut Actions) {
        if self.phase == Phase::Stopping {
            self.dismiss(now, actions);
        }
        let mut passed = Vec::new();
        loop {
            for event in std::mem::take(&mut actions.events) {
                passed.extend(self.review_event(now, event, actions));
            }
            self.make_ready_attempts(now, actions);
            if actions.events.is_empty() {
                break;
            }
        }
        actions.events = passed;
        if let Some(policies) = &mut self.policies {
            policies.over.clear();
        }
    }

    fn review_event(&mut self, now: Time, event: Event, actions: &mut Actions) -> Option<Event> {
        match event {
            Event::Failed { id, failure } => match self.owner_of(id) {
                Owner::Itself => Some(Event::Failed { id, failure }),
                Owner::Gone => None,
                Owner::Call(call) => self.attempt_failed(now, call, id, failure, actions),
            },
            Event::Placed { id, worker } => {
                let call = match self.owner_of(id) {
                    Owner::Call(call) => call,
                    Owner::Gone | Owner::Itself => id,
                };
                Some(Event::Placed { id: call, worker })
            }
            Event::Log {
                worker,
                stream,
                text,
                call_id: Some(id),
                about,
            } => {
                let call = match self.owner_of(id) {
                    Owner::Call(call) => call,
                    Owner::Gone | Owner::Itself => id,
                };
                Some(Event::Log {
                    worker,
                    stream,
                    text,
                    call_id: Some(call),
                    about,
                })
            }
            other => Some(other),
        }
    }

    fn make_ready_attempts(&mut self, now: Time, actions: &mut Actions) {
        let ready = self
            .policies
            .as_mut()
            .map(|policies| std::mem::take(&mut policies.ready));
        for (call, sequence) in ready.unwrap_or_default() {
            let still = self.policies.as_ref().is_some_and(|policies| {
                let guarded = policies.guarded.get(&call);
                guarded.is_some_and(|guarded| guarded.sequence == sequence)
            });
            if still {
                self.attempt(now, call, None, actions);
            }
        }
    }

    /// Calls that wait or rest have no attempt that the stop would have failed.
    fn dismiss(&mut self, now: Time, actions: &mut Actions) {
        let Some(policies) = &mut self.policies else {
            return;
        };
        let idle = policies.guarded.iter().filter(|(_, g)| g.live.is_empty());
        let mut idle: Vec<(u64, CallId)> = idle.map(|(id, g)| (g.sequence, *id)).collect();
        idle.sort_unstable();
        for (_, call) in idle {
            let taken = self
                .policies
                .as_mut()
                .and_then(|policies| policies.guarded.remove(&call));
            if let Some(guarded) = taken {
                let failure = Failure::new(ErrorCode::Disposed, "the instance was disposed of");
                self.settle_failed(now, call, &guarded, failure, actions);
            }
        }
    }

    fn owner_of(&self, id: CallId) -> Owner {
        let Some(policies) = &self.policies else {
            return Owner::Itself;
        };
        match policies.owner(id) {
            Some(call) => Owner::Call(call),
            None if id.0 >= FIRST_ATTEMPT || policies.over.contains(&id) => Owner::Gone,
            None => Owner::Itself,
        }
    }

    /// An attempt failed without an answer from Python.
    fn attempt_failed(
        &mut self,
        now: Time,
        call: CallId,
        id: CallId,
        failure: Failure,
        actions: &mut Actions,
    ) -> Option<Event> {
        let policies = self.policies.as_mut()?;
        policies.attempts.remove(&id);
        let guarded = policies.guarded.get_mut(&call)?;
        let attempt = guarded.ended(id)?;
        // Another copy may still be answered.
        if !guarded.live.is_empty() {
            return None;
        }
        let failed = Failed {
            code: failure.code,
            may_have_run: !attempt.refused && may_have_run(&failure),
            never_written: attempt.refused || ran_out_in_queue(&failure),
        };
        // One that says so itself is final: a call that has killed too many workers.
        let is_final = failure
            .details
            .get("retryable")
            .and_then(serde_json::Value::as_bool)
            == Some(false);
        if !is_final && self.again(now, call, failed, actions) {
            return None;
        }
        let guarded = self.policies.as_mut()?.guarded.remove(&call)?;
        self.failed_for_good(now, call, &guarded, failure, actions)
    }

    /// The hook where answers are read: before the worker that is free now gets more, for that may be
    /// a copy of what has just been answered.
    pub(in crate::engine) fn review_answers(
        &mut self,
        now: Time,
        bytes: &[u8],
        actions: &mut Actions,
    ) {
        let idle = self
            .policies
            .as_ref()
            .is_none_or(|policies| policies.guarded.is_empty() && policies.over.is_empty());
        if idle {
            return;
        }
        let entries = std::mem::take(&mut actions.settled);
        let mut passed = Vec::with_capacity(entries.len());
        for entry in entries {
            if entry.kind as u32 >= SettledKind::Callback as u32 {
                passed.push(entry);
                continue;
            }
            match self.owner_of(entry.call) {
                Owner::Itself => passed.push(entry),
                // What it refers to is to be let go all the same.
                Owner::Gone if refers_to_memory(bytes, entry) => {
                    let kind = SettledKind::Unwanted;
                    passed.push(Settled { kind, ..entry });
                }
                Owner::Gone => {}
                Owner::Call(call) => {
                    if self.answered_attempt(now, call, entry, bytes, actions) {
                        passed.push(Settled { call, ..entry });
                    }
                }
            }
        }
        actions.settled = passed;
    }

    /// An attempt was answered, in whole or in part; whether the caller gets that.
    fn answered_attempt(
        &mut self,
        now: Time,
        call: CallId,
        entry: Settled,
        bytes: &[u8],
        actions: &mut Actions,
    ) -> bool {
        let body = bytes.get(entry.start..entry.end).unwrap_or_default();
        let Some(policies) = &mut self.policies else {
            return true;
        };
        let Some(guarded) = policies.guarded.get_mut(&call) else {
            return true;
        };
        if matches!(entry.kind, SettledKind::Item | SettledKind::Progress) {
            guarded.streamed |= entry.kind == SettledKind::Item;
            return true;
        }
        policies.attempts.remove(&entry.call);
        let Some(attempt) = guarded.ended(entry.call) else {
            return true;
        };
        let (handler, set) = (guarded.handler, Arc::clone(&guarded.set));
        if set.adaptive.is_some() || set.hedge.is_some() {
            let samples = set.adaptive.map(|adaptive| adaptive.samples);
            self.took(handler, samples, now.since(attempt.since));
        }
        let mut outcome = Outcome::Success;
        if entry.kind == SettledKind::Error {
            let code = self.code_of(body);
            let failed = Failed {
                code,
                may_have_run: true,
                never_written: false,
            };
            let alone = self.policies.as_ref().is_some_and(|policies| {
                policies
                    .guarded
                    .get(&call)
                    .is_some_and(|g| g.live.is_empty())
            });
            if alone && self.again(now, call, failed, actions) {
                return false;
            }
            let counts = set.breaker.is_some_and(|breaker| breaker.codes.holds(code));
            outcome = if counts {
                Outcome::Failure
            } else {
                Outcome::Exception
            };
        }
        let Some(policies) = &mut self.policies else {
            return true;
        };
        let Some(guarded) = policies.guarded.remove(&call) else {
            return true;
        };
        policies.counts.copies_won += u64::from(attempt.is_copy);
        if entry.kind == SettledKind::Response
            && let Some(key) = &guarded.key
            && !refers_to_memory(bytes, entry)
        {
            policies.cache.put(Arc::clone(key), body, now);
        }
        self.release(now, call, &guarded, outcome, actions);
        true
    }

    /// The code of an exception; one that is not ours is the user's.
    fn code_of(&self, body: &[u8]) -> ErrorCode {
        let coded = message::read::<Coded>(Kind::Error, body, self.config.limits);
        let code = coded.map(|coded| coded.code).unwrap_or_default();
        let known = ErrorCode::ALL.iter().find(|known| known.as_str() == code);
        known.copied().unwrap_or(ErrorCode::PythonError)
    }
}

/// Whether an answer refers to shared memory, which it can do once only. Its frame's header stands
/// before it.
fn refers_to_memory(bytes: &[u8], entry: Settled) -> bool {
    let start = entry.start.checked_sub(header::LEN);
    start
        .filter(|_| entry.kind != SettledKind::Reply)
        .and_then(|start| bytes.get(start..))
        .is_some_and(|frame| has_flag(frame, header::SHARED))
}

/// Whether a worker may have begun to run a call that failed so. What fails on its way to one says
/// nothing of that.
fn may_have_run(failure: &Failure) -> bool {
    match failure.details.get("mayHaveExecuted") {
        Some(known) => known.as_bool() != Some(false),
        None => !matches!(failure.code, ErrorCode::HandlerNotFound | ErrorCode::Encode),
    }
}

/// Whether a call's time was over before a worker had taken it.
fn ran_out_in_queue(failure: &Failure) -> bool {
    let phase = failure
        .details
        .get("phase")
        .and_then(|phase| phase.as_str());
    failure.code == ErrorCode::Timeout && phase == Some("queue")
}
