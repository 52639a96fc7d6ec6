//! A call comes in: it is answered from the cache, refused, held back, or made.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::Engine;
use crate::engine::action::{Actions, Event, Kept};
use crate::engine::call::{Nested, Submission};
use crate::engine::policies::Policies;
use crate::engine::policies::config::{Overrides, PolicyConfig, PolicySet};
use crate::engine::policies::guarded::{Due, Guarded, Stage};
use crate::error::{ErrorCode, Failure};
use crate::policy::breaker::{Admission, Breaker, Permit, State};
use crate::policy::bulkhead::{Bulkhead, Entry};
use crate::policy::cache::key;
use crate::policy::rate_limit::RateLimiter;
use crate::protocol::header;
use crate::time::Time;

impl Engine {
    /// Sets the policies. To be called before any call is made.
    pub fn set_policies(&mut self, config: &PolicyConfig) {
        self.policies = Some(Box::new(Policies::new(config)));
    }

    /// Whether there are policies, if only those of single calls.
    pub fn has_policies(&self) -> bool {
        self.policies.is_some()
    }

    /// A call that has policies of its own.
    pub fn submit_guarded(
        &mut self,
        now: Time,
        call: &Submission<'_>,
        nested: Option<Nested>,
        overrides: &Overrides,
        actions: &mut Actions,
    ) {
        self.policies
            .get_or_insert_with(|| Box::new(Policies::new(&PolicyConfig::default())));
        if self.guard(now, call, nested, Some(overrides), actions) {
            return;
        }
        let amended = self.handlers.amend(now, call.handler, call.options);
        let options = amended.unwrap_or(call.options);
        let call = Submission { options, ..*call };
        match nested {
            None => self.submit_plain(now, &call, actions),
            Some(nested) => self.submit_nested_plain(now, &call, nested, actions),
        }
    }

    /// The hook at the intake: whether a call has policies, and thereby is dealt with.
    pub(in crate::engine) fn guard(
        &mut self,
        now: Time,
        call: &Submission<'_>,
        nested: Option<Nested>,
        overrides: Option<&Overrides>,
        actions: &mut Actions,
    ) -> bool {
        let Some(policies) = &mut self.policies else {
            return false;
        };
        let set = match (&policies.defaults, overrides) {
            (None, None) => return false,
            (Some(defaults), None) => Arc::clone(defaults),
            (Some(defaults), Some(overrides)) => Arc::new(defaults.with(overrides)),
            (None, Some(overrides)) => Arc::new(PolicySet::default().with(overrides)),
        };
        if *set == PolicySet::default() {
            return false;
        }
        let handler = self.handlers.resolve(call.handler);
        let amended = self.handlers.amend(now, handler, call.options);
        let mut options = amended.unwrap_or(call.options);
        if set.adaptive.is_some() && options.credit == 0 {
            // There the handler's own timeout is what each attempt begins with.
            options.deadline = call.options.deadline;
        }
        let sequence = policies.next_sequence;
        policies.next_sequence += 1;
        let mut guarded = Guarded {
            handler,
            called: call.handler,
            options,
            nested,
            frame: None,
            sequence,
            stage: Stage::Waits,
            live: Vec::new(),
            repeated: 0,
            copies: 0,
            begun: false,
            streamed: false,
            permit: None,
            in_bulkhead: false,
            key: cache_key(call, handler, &set),
            set,
        };
        if let (Some(key), Some(policy)) = (&guarded.key, guarded.set.cache) {
            if let Some(reply) = policies.cache.get(key, policy, now) {
                policies.counts.hits += 1;
                let id = call.id;
                actions.kept.push(Kept { call: id, reply });
                return true;
            }
            policies.counts.misses += 1;
        }
        // Until it is released: its session outlives the rests between its attempts.
        self.enter_session(now, guarded.options.session);
        if let Some(breaker) = guarded.set.breaker {
            let outcome = self.admit(now, handler, breaker, actions);
            match outcome {
                Ok(permit) => guarded.permit = Some(permit),
                Err(failure) => {
                    self.settle_failed(now, call.id, &guarded, failure, actions);
                    return true;
                }
            }
        }
        if let Err(failure) = self.take_token(now, &guarded) {
            self.settle_failed(now, call.id, &guarded, failure, actions);
            return true;
        }
        self.enter_bulkhead(now, call, guarded, actions);
        true
    }

    /// Asks the handler's breaker.
    fn admit(
        &mut self,
        now: Time,
        handler: u16,
        policy: crate::policy::breaker::BreakerPolicy,
        actions: &mut Actions,
    ) -> Result<Permit, Failure> {
        let admission = self.with_breaker(now, handler, policy, actions, |breaker| {
            (breaker.admit(now), breaker.entered())
        });
        match admission {
            None => Err(Failure::new(ErrorCode::CircuitOpen, "there is no breaker")),
            Some((Admission::Granted(permit), _)) => Ok(permit),
            Some((Admission::Refused(after), state)) => {
                Err(self.circuit_open(handler, after, state))
            }
        }
    }

    pub(super) fn circuit_open(&self, handler: u16, after: Duration, state: State) -> Failure {
        let name = self.handlers.shown(handler);
        let after = millis(after);
        let message = if state == State::HalfOpen {
            format!("the circuit breaker of \"{name}\" is half open and its probes are out")
        } else {
            format!("the circuit breaker of \"{name}\" is open: try again in {after} ms")
        };
        Failure::new(ErrorCode::CircuitOpen, message)
            .with("retryAfter", after)
            .with("handler", name)
    }

    /// Does something to a handler's breaker, and tells when that changes its state.
    pub(super) fn with_breaker<Answer>(
        &mut self,
        now: Time,
        handler: u16,
        policy: crate::policy::breaker::BreakerPolicy,
        actions: &mut Actions,
        act: impl FnOnce(&mut Breaker) -> Answer,
    ) -> Option<Answer> {
        let policies = self.policies.as_mut()?;
        let breaker = policies
            .breakers
            .entry(handler)
            .or_insert_with(|| Breaker::new(policy));
        let before = breaker.entered();
        let failures = breaker.failures();
        let answer = act(breaker);
        let after = breaker.entered();
        if after != before {
            actions.events.push(Event::Breaker {
                handler: self.handlers.shown(handler),
                state: after.name(),
                previous: before.name(),
                failures: breaker.failures().max(failures),
                retry_after: millis(breaker.left(now)),
            });
        }
        Some(answer)
    }

    /// Pays the handler's rate limiter.
    fn take_token(&mut self, now: Time, guarded: &Guarded) -> Result<(), Failure> {
        let (Some(policy), Some(policies)) = (guarded.set.rate_limit, &mut self.policies) else {
            return Ok(());
        };
        let limiter = policies
            .limiters
            .entry(guarded.handler)
            .or_insert_with(|| RateLimiter::new(policy, now));
        let Err(after) = limiter.take(now) else {
            return Ok(());
        };
        policies.counts.rate_limited += 1;
        let name = self.handlers.shown(guarded.handler);
        // Whoever comes back after this time must not be refused for a fraction of it.
        let after = millis(after) + 1;
        let message = format!(
            "the rate limit of \"{name}\" is reached: {} calls in {} ms; try again in {after} ms",
            policy.calls,
            policy.interval.as_millis()
        );
        Err(Failure::new(ErrorCode::RateLimited, message)
            .with("retryAfter", after)
            .with("handler", name))
    }

    /// The call runs if its compartment has room, or waits before it. A call that a handler in Node
    /// makes for a callback belongs to a call that runs already: waiting for it would be a deadlock.
    fn enter_bulkhead(
        &mut self,
        now: Time,
        call: &Submission<'_>,
        mut guarded: Guarded,
        actions: &mut Actions,
    ) {
        let Some(policies) = &mut self.policies else {
            return;
        };
        let policy = guarded.set.bulkhead.filter(|_| guarded.nested.is_none());
        let sequence = guarded.sequence;
        let entry = match policy {
            None => Entry::Runs,
            Some(policy) => {
                guarded.in_bulkhead = true;
                policies
                    .bulkheads
                    .entry(guarded.handler)
                    .or_insert_with(|| Bulkhead::new(policy))
                    .enter(call.id)
            }
        };
        match (entry, policy) {
            (Entry::Waits, Some(policy)) => {
                guarded.frame = Some(call.frame.into());
                let limit = policy.timeout.map(|limit| now + limit);
                let until = [limit, guarded.options.deadline]
                    .into_iter()
                    .flatten()
                    .min();
                if let Some(at) = until {
                    let call = call.id;
                    policies.timers.set(at, Due::Wait { call, sequence });
                }
                policies.guarded.insert(call.id, guarded);
            }
            (Entry::Full, Some(policy)) => {
                policies.counts.bulkhead_refused += 1;
                guarded.in_bulkhead = false;
                let name = self.handlers.shown(guarded.handler);
                let message = format!(
                    "the bulkhead of \"{name}\" is full: {} calls run and {} wait already",
                    policy.limit, policy.queue
                );
                let failure = Failure::new(ErrorCode::QueueFull, message)
                    .with("max", policy.queue)
                    .with("handler", name);
                self.settle_failed(now, call.id, &guarded, failure, actions);
            }
            _ => {
                let again = guarded.set.retry.is_some() || guarded.set.hedge.is_some();
                guarded.frame = again.then(|| call.frame.into());
                if again && let Some(budget) = &mut policies.budget {
                    budget.deposit();
                }
                policies.guarded.insert(call.id, guarded);
                self.attempt(now, call.id, Some(call.frame), actions);
            }
        }
    }
}

/// Under what a call's reply is looked for and kept; `None` if it is not.
fn cache_key(
    call: &Submission<'_>,
    handler: u16,
    set: &PolicySet,
) -> Option<crate::policy::cache::Key> {
    let policy = set.cache?;
    let flags = *call.frame.get(5)?;
    // What arguments refer to is another thing the next time.
    let plain = flags & (header::STREAM | header::FUNCTIONS | header::SHARED) == 0;
    // What a session holds is part of what its calls answer.
    let shared = call.options.session.is_none();
    if policy.ttl.is_zero() || call.options.credit > 0 || !plain || !shared {
        return None;
    }
    key::of(key::Request {
        handler,
        form: flags & header::ARGUMENTS,
        extras: flags & header::EXTRAS != 0,
        payload: call.frame.get(header::LEN..)?,
    })
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX)
}
