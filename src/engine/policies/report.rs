//! What the policies tell about themselves when asked, and how they are reset by hand.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::engine::Engine;
use crate::engine::action::Actions;
use crate::engine::policies::guard::millis;
use crate::engine::policies::guarded::Stage;
use crate::policy::breaker::Breaker;
use crate::policy::bulkhead::Bulkhead;
use crate::policy::cache::key;
use crate::time::Time;

/// What is counted on the way.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) repeated: u64,
    pub(super) recovered: u64,
    pub(super) over_budget: u64,
    pub(super) copies: u64,
    pub(super) copies_won: u64,
    pub(super) hits: u64,
    pub(super) misses: u64,
    pub(super) stale: u64,
    pub(super) rate_limited: u64,
    pub(super) bulkhead_refused: u64,
}

/// What `stats()` says of policies.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyStats {
    /// Repetitions.
    pub retry: RetryStats,
    /// Breakers, by handler.
    pub breakers: BTreeMap<String, BreakerStats>,
    /// How long the next attempt may take, in ms, by handler.
    pub timeouts: BTreeMap<String, f64>,
    /// Kept replies.
    pub cache: CacheStats,
    /// Bulkheads, by handler.
    pub bulkheads: BTreeMap<String, BulkheadStats>,
    /// Calls that a bulkhead refused.
    pub bulkhead_refused: u64,
    /// Calls that a rate limit refused.
    pub rate_limited: u64,
    /// Copies.
    pub hedge: HedgeStats,
}

/// Repetitions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RetryStats {
    /// Attempts after a first one.
    pub attempts: u64,
    /// Calls that succeeded by one.
    pub recovered: u64,
    /// Attempts that the budget did not allow.
    pub over_budget: u64,
}

/// One breaker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BreakerStats {
    /// `closed`, `open` or `half-open`.
    pub state: &'static str,
    /// The count of failures.
    pub failures: u32,
    /// Calls that it refused.
    pub refused: u64,
    /// Probes that are out.
    pub probing: u32,
    /// How long until a call may go, in ms.
    pub retry_after: u64,
}

/// Kept replies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CacheStats {
    /// Calls that were answered from it.
    pub hits: u64,
    /// Calls that were not.
    pub misses: u64,
    /// Calls that failed and got an old reply.
    pub stale: u64,
    /// Replies that are kept.
    pub entries: usize,
    /// Bytes of those and of their keys.
    pub bytes: usize,
}

/// One bulkhead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BulkheadStats {
    /// Calls that run.
    pub running: u32,
    /// Calls that wait.
    pub waiting: usize,
}

/// Copies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HedgeStats {
    /// Copies that were sent.
    pub sent: u64,
    /// Copies that were answered first.
    pub won: u64,
}

/// What the policies keep in memory, for tests that look for leaks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PolicyHoldings {
    /// Calls under policies.
    pub guarded: usize,
    /// Of those: calls that no worker and no queue has, because they wait or rest.
    pub idle: usize,
    /// Attempts with an id of their own.
    pub attempts: usize,
    /// Probes of half-open breakers that are out.
    pub probing: u32,
    /// Calls that run in bulkheads.
    pub running: u32,
    /// Calls that wait before bulkheads.
    pub waiting: usize,
}

impl Engine {
    /// What the policies keep in memory.
    pub fn policy_holdings(&self) -> PolicyHoldings {
        let Some(policies) = &self.policies else {
            return PolicyHoldings::default();
        };
        let idle = policies
            .guarded
            .values()
            .filter(|guarded| guarded.stage != Stage::Runs);
        PolicyHoldings {
            guarded: policies.guarded.len(),
            idle: idle.count(),
            attempts: policies.attempts.len(),
            probing: policies.breakers.values().map(Breaker::probing).sum(),
            running: policies.bulkheads.values().map(Bulkhead::running).sum(),
            waiting: policies.bulkheads.values().map(Bulkhead::waiting).sum(),
        }
    }

    /// Closes breakers by hand: that of a handler, or all.
    pub fn reset_breaker(&mut self, now: Time, handler: Option<&str>, actions: &mut Actions) {
        let Some(policies) = &self.policies else {
            return;
        };
        let all = policies.breakers.iter();
        let chosen: Vec<_> = all
            .filter(|(number, _)| handler.is_none_or(|name| self.handlers.shown(**number) == name))
            .map(|(number, breaker)| (*number, *breaker.policy()))
            .collect();
        for (number, policy) in chosen {
            let _told = self.with_breaker(now, number, policy, actions, Breaker::reset);
        }
    }

    /// Forgets kept replies: those of a handler, or all.
    pub fn clear_cache(&mut self, handler: Option<&str>) {
        let handlers = &self.handlers;
        let Some(policies) = &mut self.policies else {
            return;
        };
        policies.cache.forget(|kept| {
            handler.is_none_or(|name| {
                key::handler(kept).is_some_and(|number| handlers.shown(number) == name)
            })
        });
    }

    /// What the policies have counted; `None` without any.
    pub(in crate::engine) fn policy_stats(&self, now: Time) -> Option<PolicyStats> {
        let policies = self.policies.as_ref()?;
        let counts = &policies.counts;
        let breakers = policies.breakers.iter().map(|(number, breaker)| {
            let stats = BreakerStats {
                state: breaker.state(now).name(),
                failures: breaker.failures(),
                refused: breaker.refused(),
                probing: breaker.probing(),
                retry_after: millis(breaker.left(now)),
            };
            (self.handlers.shown(*number), stats)
        });
        let adaptive = policies.defaults.as_ref().and_then(|set| set.adaptive);
        let timeouts = policies.durations.iter().filter_map(|(number, durations)| {
            let base = self.handlers.about(*number).timeout;
            let timeout = adaptive?.timeout(&mut durations.clone(), base);
            Some((self.handlers.shown(*number), timeout.as_secs_f64() * 1e3))
        });
        let bulkheads = policies.bulkheads.iter().map(|(number, bulkhead)| {
            let stats = BulkheadStats {
                running: bulkhead.running(),
                waiting: bulkhead.waiting(),
            };
            (self.handlers.shown(*number), stats)
        });
        Some(PolicyStats {
            retry: RetryStats {
                attempts: counts.repeated,
                recovered: counts.recovered,
                over_budget: counts.over_budget,
            },
            breakers: breakers.collect(),
            timeouts: timeouts.collect(),
            cache: CacheStats {
                hits: counts.hits,
                misses: counts.misses,
                stale: counts.stale,
                entries: policies.cache.len(),
                bytes: policies.cache.bytes(),
            },
            bulkheads: bulkheads.collect(),
            bulkhead_refused: counts.bulkhead_refused,
            rate_limited: counts.rate_limited,
            hedge: HedgeStats {
                sent: counts.copies,
                won: counts.copies_won,
            },
        })
    }
}
