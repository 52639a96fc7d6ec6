//! What must hold, by what can be seen from outside: what was written, who was told what.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use synapse::engine::{Event, PolicyConfig, PolicyHoldings, PolicySet};
use synapse::error::{ErrorCode, Failure};
use synapse::ids::CallId;
use synapse::time::Time;

use crate::simulation::ledger::{Verdict, ensure};

/// A caller's call.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts that are independent of each other"
)]
pub(crate) struct Record {
    /// What must come back: the handler and the argument.
    pub(crate) asks: (u8, u8),
    pub(crate) set: PolicySet,
    pub(crate) idempotent: bool,
    pub(crate) stream: bool,
    /// It belongs to a session.
    pub(crate) in_session: bool,
    /// A worker waits for it: no bulkhead holds it up.
    pub(crate) nested: bool,
    pub(crate) deadline: Option<Time>,
    /// Requests of it that were written.
    pub(crate) writes: u32,
    pub(crate) seen_item: bool,
    pub(crate) told: bool,
}

/// A breaker, as its events tell.
#[derive(Debug, Clone, Copy)]
struct Shown {
    state: &'static str,
    since: Time,
}

#[derive(Debug)]
pub(crate) struct Ledger {
    config: PolicyConfig,
    pub(crate) calls: BTreeMap<CallId, Record>,
    breakers: BTreeMap<String, Shown>,
    /// When a result of a call was last received.
    results: BTreeMap<(u8, u8), Time>,
    /// Calls let through by rate limits, by handler.
    admitted: BTreeMap<u8, u32>,
    repeated: u32,
    pub(crate) stopped: bool,
    pub(crate) seen: BTreeSet<&'static str>,
}

impl Ledger {
    pub(crate) fn new(config: &PolicyConfig) -> Self {
        Self {
            config: config.clone(),
            calls: BTreeMap::new(),
            breakers: BTreeMap::new(),
            results: BTreeMap::new(),
            admitted: BTreeMap::new(),
            repeated: 0,
            stopped: false,
            seen: BTreeSet::new(),
        }
    }

    /// Whether a call's caller has been told of its end, or it was never made.
    pub(crate) fn is_over(&self, call: CallId) -> bool {
        self.calls.get(&call).is_none_or(|record| record.told)
    }

    fn open(&mut self, call: CallId) -> Result<&mut Record, String> {
        let record = self.calls.get_mut(&call);
        let record = record.ok_or_else(|| format!("call {call} was never made"))?;
        ensure!(!record.told, "call {call} was told twice");
        Ok(record)
    }

    /// Whether the breaker of a handler must refuse a call now.
    pub(crate) fn must_refuse(&self, now: Time, handler: &str, set: &PolicySet) -> bool {
        let shown = self.breakers.get(handler);
        shown.zip(set.breaker).is_some_and(|(shown, policy)| {
            shown.state == "open" && now.since(shown.since) < policy.reset
        })
    }

    /// A request was written.
    pub(crate) fn wrote(&mut self, now: Time, call: CallId, in_session: bool) -> Verdict {
        let record = self.calls.get_mut(&call);
        let record = record.ok_or_else(|| format!("call {call} was never made"))?;
        ensure!(
            !record.told,
            "call {call} was written after its caller was told"
        );
        ensure!(
            record.in_session == in_session,
            "call {call} carries a session: {in_session}"
        );
        ensure!(
            record.writes == 0 || record.idempotent,
            "call {call} must not run twice and was written again"
        );
        ensure!(
            !record.seen_item,
            "call {call} was written again after its first item"
        );
        ensure!(
            record
                .deadline
                .is_none_or(|deadline| now <= deadline + Duration::from_millis(4)),
            "call {call} was written after its deadline"
        );
        record.writes += 1;
        let copies = record.set.hedge.map_or(0, |hedge| hedge.copies);
        // Without a policy of its own an idempotent call is sent again once if its worker dies.
        let most = match &record.set.retry {
            Some(retry) => 1 + retry.retries + copies,
            None => (1 + copies) * 2,
        };
        ensure!(
            record.writes <= most,
            "call {call} was written {} times, {most} allowed",
            record.writes
        );
        Ok(())
    }

    /// A caller was answered.
    pub(crate) fn answered(&mut self, now: Time, call: CallId, reply: (u8, u8)) -> Verdict {
        let record = self.open(call)?;
        ensure!(
            record.writes > 0,
            "call {call} was answered and never written"
        );
        ensure!(
            reply == record.asks,
            "call {call} got the answer to {reply:?}"
        );
        record.told = true;
        self.results.insert(reply, now);
        self.seen.insert("answered");
        Ok(())
    }

    /// A caller got an exception, or the end of its stream.
    pub(crate) fn ended(&mut self, call: CallId, how: &'static str) -> Verdict {
        self.open(call)?.told = true;
        self.seen.insert(how);
        Ok(())
    }

    /// A caller got an item of its stream.
    pub(crate) fn item(&mut self, call: CallId) -> Verdict {
        let record = self.open(call)?;
        ensure!(record.stream, "call {call} got an item");
        record.seen_item = true;
        self.seen.insert("item");
        Ok(())
    }

    /// A caller got a reply that was kept.
    pub(crate) fn kept(&mut self, now: Time, call: CallId, reply: (u8, u8)) -> Verdict {
        let kept = self.results.get(&reply).copied();
        let record = self.open(call)?;
        ensure!(
            reply == record.asks,
            "call {call} got the kept answer to {reply:?}"
        );
        let policy = record.set.cache;
        let policy =
            policy.ok_or_else(|| format!("call {call} has no cache and got a kept reply"))?;
        ensure!(
            !record.stream && !record.in_session && !policy.ttl.is_zero(),
            "call {call} must not be cached"
        );
        let age = kept.map(|kept| now.since(kept));
        let fresh = age.is_some_and(|age| age < policy.ttl);
        let stale = age.is_some_and(|age| age < policy.ttl + policy.stale);
        ensure!(
            fresh || stale,
            "call {call} got a reply that is {age:?} old"
        );
        record.told = true;
        self.seen.insert(if fresh { "kept" } else { "stale" });
        Ok(())
    }

    pub(crate) fn cancelled(&mut self, call: CallId) {
        if let Some(record) = self.calls.get_mut(&call) {
            record.told = true;
            self.seen.insert("cancelled");
        }
    }

    /// The engine says something.
    pub(crate) fn event(&mut self, now: Time, event: &Event) -> Verdict {
        match event {
            Event::Failed { id, failure } => self.failed(*id, failure)?,
            Event::Breaker {
                handler,
                state,
                previous,
                ..
            } => {
                let before = self
                    .breakers
                    .get(handler)
                    .map_or("closed", |shown| shown.state);
                ensure!(
                    before == *previous,
                    "the breaker of {handler} was {before}, not {previous}"
                );
                let legal = matches!(
                    (*previous, *state),
                    ("closed" | "half-open", "open") | ("open", "half-open") | (_, "closed")
                );
                ensure!(
                    legal,
                    "the breaker of {handler} went from {previous} to {state}"
                );
                self.seen.insert(state);
                let shown = Shown { state, since: now };
                self.breakers.insert(handler.clone(), shown);
            }
            Event::Retry {
                call_id, attempt, ..
            } => {
                let record = self.open(*call_id)?;
                let most = record.set.retry.as_ref().map_or(0, |retry| retry.retries);
                ensure!(
                    *attempt <= most + 1,
                    "attempt {attempt} at call {call_id}, {most} retries"
                );
                self.repeated += 1;
                self.seen.insert("retried");
            }
            Event::Stopped => self.stopped = true,
            _ => {}
        }
        Ok(())
    }

    fn failed(&mut self, call: CallId, failure: &Failure) -> Verdict {
        ensure!(call.0 < 1 << 30, "the caller of {call} knows no such call");
        let named = failure
            .details
            .get("callId")
            .and_then(serde_json::Value::as_u64);
        ensure!(
            named.is_none_or(|named| named == u64::from(call.0)),
            "call {call} is told of call {named:?}"
        );
        let record = self.open(call)?;
        record.told = true;
        let known = failure.details.get("mayHaveExecuted");
        if known.and_then(serde_json::Value::as_bool) == Some(false) {
            // Of the last attempt; one before it may have run only if that does no harm.
            ensure!(
                record.writes == 0 || record.idempotent,
                "call {call} was written"
            );
        }
        if matches!(
            failure.code,
            ErrorCode::CircuitOpen | ErrorCode::RateLimited
        ) {
            ensure!(
                record.writes == 0,
                "call {call} was written and then refused"
            );
        }
        if failure.code == ErrorCode::CircuitOpen {
            ensure!(record.set.breaker.is_some(), "call {call} has no breaker");
        }
        self.seen.insert(failure.code.as_str());
        Ok(())
    }

    /// A call passed its rate limit: it was neither refused there nor before.
    pub(crate) fn admitted(&mut self, handler: u8) {
        *self.admitted.entry(handler).or_default() += 1;
    }

    /// Checks all that must hold between two inputs.
    pub(crate) fn check(&self, now: Time, held: &PolicyHoldings) -> Verdict {
        let open: Vec<&Record> = self.calls.values().filter(|record| !record.told).collect();
        let under = open
            .iter()
            .filter(|record| record.set != PolicySet::default())
            .count();
        ensure!(
            held.guarded == under,
            "{} guarded, {under} open",
            held.guarded
        );
        if under == 0 {
            let nothing = PolicyHoldings::default();
            ensure!(*held == nothing, "nobody waits and {held:?} is held");
        }
        if let Some(bulkhead) = self.config.defaults.bulkhead {
            for handler in 0..3 {
                let out = open
                    .iter()
                    .filter(|r| r.asks.0 == handler && r.writes > 0 && !r.nested)
                    .count();
                ensure!(
                    out <= bulkhead.limit as usize,
                    "{out} calls in one bulkhead"
                );
            }
            ensure!(held.waiting <= 3 * bulkhead.queue, "{} wait", held.waiting);
        }
        if let Some(breaker) = self.config.defaults.breaker {
            ensure!(
                held.probing <= 3 * breaker.probes,
                "{} probes",
                held.probing
            );
        }
        if let Some(limit) = self.config.defaults.rate_limit {
            for (handler, count) in &self.admitted {
                let most = limit.burst + limit.calls * now.since(Time::ZERO).as_secs_f64();
                let too_many = f64::from(*count) > most + 1e-3;
                ensure!(!too_many, "{count} calls of {handler} by {now:?}");
            }
        }
        if let Some(budget) = self.config.budget {
            let seconds = now.since(Time::ZERO).as_secs_f64() + 10.0;
            let calls = f64::from(u32::try_from(self.calls.len()).unwrap());
            let most = budget.per_second * seconds + budget.ratio * calls;
            let too_many = f64::from(self.repeated) > most + 1e-3;
            ensure!(!too_many, "{} repetitions", self.repeated);
        }
        Ok(())
    }

    /// When all is over nobody waits.
    pub(crate) fn finish(&self) -> Verdict {
        let lost: Vec<&CallId> = self
            .calls
            .iter()
            .filter(|(_, record)| !record.told)
            .map(|(call, _)| call)
            .collect();
        ensure!(lost.is_empty(), "calls {lost:?} were lost");
        Ok(())
    }
}
