//! The policies as the facade hands them over: those of `spawn`, and those that one call says for
//! itself.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use crate::engine::{Overrides, PolicyConfig, PolicySet};
use crate::error::ErrorCode;
use crate::policy::adaptive::AdaptivePolicy;
use crate::policy::backoff::Backoff;
use crate::policy::breaker::{BreakerPolicy, COUNTED};
use crate::policy::budget::BudgetPolicy;
use crate::policy::bulkhead::BulkheadPolicy;
use crate::policy::cache::{Bounds, CachePolicy};
use crate::policy::codes::Codes;
use crate::policy::hedge::HedgePolicy;
use crate::policy::rate_limit::RateLimitPolicy;
use crate::policy::retry::{Delays, RetryPolicy};

/// Failures that are tried again unless others are named: those that pass.
const RETRIED: &[ErrorCode] = &[
    ErrorCode::Timeout,
    ErrorCode::WorkerExited,
    ErrorCode::QueueFull,
];

/// The policies of `spawn`. Mirrors `ts/options/policies.ts`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each is documented at the option of its name in ts/options"
)]
pub struct Policies {
    pub retry: Option<Retry>,
    pub breaker: Option<Breaker>,
    pub adaptive_timeout: Option<AdaptiveTimeout>,
    pub cache: Option<Cache>,
    pub bulkhead: Option<Bulkhead>,
    pub rate_limit: Option<RateLimit>,
    pub hedge: Option<Hedge>,
}

/// The policies that one call says for itself: what is absent is that of `spawn`, null is none.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each is documented at the option of its name in ts/options"
)]
pub struct CallPolicies {
    #[serde(default, deserialize_with = "given")]
    pub retry: Option<Option<Retry>>,
    #[serde(default, deserialize_with = "given")]
    pub cache: Option<Option<Cache>>,
    #[serde(default, deserialize_with = "given")]
    pub hedge: Option<Option<Hedge>>,
}

/// The option `retry`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(missing_docs, reason = "documented at the option in ts/options")]
pub struct Retry {
    pub retries: u32,
    pub backoff: RetryBackoff,
    pub jitter: f64,
    pub codes: Option<Vec<String>>,
    #[serde(default)]
    pub budget: Option<RetryBudget>,
}

/// The option `retry.backoff`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
#[expect(missing_docs, reason = "documented at the option in ts/options")]
pub enum RetryBackoff {
    List(Vec<f64>),
    #[serde(rename_all = "camelCase")]
    Exponential {
        initial_ms: f64,
        factor: f64,
        max_ms: f64,
    },
}

/// The option `retry.budget`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(missing_docs, reason = "documented at the option in ts/options")]
pub struct RetryBudget {
    pub ratio: f64,
    pub per_second: f64,
}

/// The option `breaker`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(missing_docs, reason = "documented at the option in ts/options")]
pub struct Breaker {
    pub failures: u32,
    pub decay: u32,
    pub reset_ms: f64,
    pub probes: u32,
    pub successes: u32,
    pub codes: Option<Vec<String>>,
}

/// The option `adaptiveTimeout`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(missing_docs, reason = "documented at the option in ts/options")]
pub struct AdaptiveTimeout {
    pub base: f64,
    pub min: f64,
    pub max: f64,
    pub factor: f64,
    pub samples: usize,
}

/// The option `cache`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(missing_docs, reason = "documented at the option in ts/options")]
pub struct Cache {
    pub ttl_ms: f64,
    pub stale_ms: f64,
    pub max: usize,
    pub bytes: usize,
}

/// The option `bulkhead`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(missing_docs, reason = "documented at the option in ts/options")]
pub struct Bulkhead {
    pub limit: u32,
    pub queue: usize,
    pub timeout_ms: Option<f64>,
}

/// The option `rateLimit`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(missing_docs, reason = "documented at the option in ts/options")]
pub struct RateLimit {
    pub calls: f64,
    pub interval_ms: f64,
    pub burst: f64,
}

/// The option `hedge`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(missing_docs, reason = "documented at the option in ts/options")]
pub struct Hedge {
    pub after_ms: Option<f64>,
    pub copies: u32,
}

impl Policies {
    /// What the engine needs to know of them.
    pub fn engine(&self) -> PolicyConfig {
        let bounds = self.cache.map(|cache| Bounds {
            entries: cache.max,
            bytes: cache.bytes,
        });
        PolicyConfig {
            defaults: PolicySet {
                retry: self.retry.as_ref().map(Retry::policy),
                breaker: self.breaker.as_ref().map(Breaker::policy),
                adaptive: self.adaptive_timeout.map(AdaptiveTimeout::policy),
                cache: self.cache.map(Cache::policy),
                bulkhead: self.bulkhead.map(|bulkhead| BulkheadPolicy {
                    limit: bulkhead.limit,
                    queue: bulkhead.queue,
                    timeout: bulkhead.timeout_ms.map(millis),
                }),
                rate_limit: self.rate_limit.map(|limit| RateLimitPolicy {
                    calls: limit.calls,
                    interval: millis(limit.interval_ms),
                    burst: limit.burst,
                }),
                hedge: self.hedge.map(Hedge::policy),
            },
            budget: match &self.retry {
                Some(retry) => retry.budget.map(|budget| BudgetPolicy {
                    ratio: budget.ratio,
                    per_second: budget.per_second,
                }),
                None => Some(BudgetPolicy::default()),
            },
            cache: bounds.unwrap_or_default(),
            seed: seed(),
        }
    }
}

/// The policies of an engine for whose calls `spawn` says nothing.
pub fn without_defaults() -> PolicyConfig {
    PolicyConfig {
        budget: Some(BudgetPolicy::default()),
        seed: seed(),
        ..PolicyConfig::default()
    }
}

impl CallPolicies {
    /// What the engine needs to know of them.
    pub fn engine(&self) -> Overrides {
        let retry = self.retry.as_ref();
        Overrides {
            retry: retry.map(|retry| retry.as_ref().map(Retry::policy)),
            cache: self.cache.map(|cache| cache.map(Cache::policy)),
            hedge: self.hedge.map(|hedge| hedge.map(Hedge::policy)),
        }
    }
}

impl Retry {
    fn policy(&self) -> RetryPolicy {
        RetryPolicy {
            retries: self.retries,
            delays: match &self.backoff {
                RetryBackoff::List(delays) => {
                    Delays::List(delays.iter().map(|ms| millis(*ms)).collect())
                }
                RetryBackoff::Exponential {
                    initial_ms,
                    factor,
                    max_ms,
                } => Delays::Exponential(Backoff {
                    initial: millis(*initial_ms),
                    factor: *factor,
                    ceiling: millis(*max_ms),
                }),
            },
            jitter: self.jitter,
            codes: codes(self.codes.as_deref(), RETRIED),
        }
    }
}

impl Breaker {
    fn policy(&self) -> BreakerPolicy {
        BreakerPolicy {
            failures: self.failures,
            decay: self.decay,
            reset: millis(self.reset_ms),
            probes: self.probes,
            successes: self.successes,
            codes: codes(self.codes.as_deref(), COUNTED),
        }
    }
}

impl AdaptiveTimeout {
    fn policy(self) -> AdaptivePolicy {
        AdaptivePolicy {
            base: millis(self.base),
            min: millis(self.min),
            max: millis(self.max),
            factor: self.factor,
            samples: self.samples,
        }
    }
}

impl Cache {
    fn policy(self) -> CachePolicy {
        CachePolicy {
            ttl: millis(self.ttl_ms),
            stale: millis(self.stale_ms),
        }
    }
}

impl Hedge {
    fn policy(self) -> HedgePolicy {
        HedgePolicy {
            after: self.after_ms.map(millis),
            copies: self.copies,
        }
    }
}

/// The set of some codes by name, which the facade has checked.
fn codes(names: Option<&[String]>, default: &[ErrorCode]) -> Codes {
    let Some(names) = names else {
        return Codes::of(default);
    };
    let is_listed = |code: &&ErrorCode| names.iter().any(|name| name == code.as_str());
    Codes::of(
        &ErrorCode::ALL
            .iter()
            .filter(is_listed)
            .copied()
            .collect::<Vec<_>>(),
    )
}

/// Present, be it null.
#[expect(clippy::option_option, reason = "absent and null differ")]
fn given<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

/// The engine has no randomness of its own.
fn seed() -> u64 {
    RandomState::new().hash_one(0)
}

fn millis(ms: f64) -> Duration {
    Duration::try_from_secs_f64(ms / 1e3).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_is_that_of_spawn_and_null_is_none() {
        let text = r#"{"retry": null, "cache": {"ttlMs": 5, "staleMs": 0, "max": 1, "bytes": 2}}"#;
        let overrides = serde_json::from_str::<CallPolicies>(text).unwrap().engine();
        assert_eq!(overrides.retry, Some(None));
        assert_eq!(overrides.hedge, None);
        let ttl = overrides.cache.flatten().map(|cache| cache.ttl);
        assert_eq!(ttl, Some(Duration::from_millis(5)));
    }

    #[test]
    fn named_codes_replace_those_that_count_by_default() {
        let default = codes(None, RETRIED);
        let named = codes(Some(&["PYTHON_ERROR".to_owned()]), RETRIED);
        for code in ErrorCode::ALL {
            assert_eq!(default.holds(*code), RETRIED.contains(code));
            assert_eq!(named.holds(*code), *code == ErrorCode::PythonError);
        }
    }

    #[test]
    fn delays_are_a_list_or_grow() {
        let retry = |backoff: &str| {
            let text = format!(
                r#"{{"retries": 1, "backoff": {backoff}, "jitter": 0, "codes": null, "budget": null}}"#
            );
            serde_json::from_str::<Retry>(&text)
                .unwrap()
                .policy()
                .delays
        };
        let list = retry("[1, 2]");
        assert_eq!(list.delay(5), Duration::from_millis(2));
        let growing = retry(r#"{"initialMs": 1, "factor": 2, "maxMs": 100}"#);
        assert_eq!(growing.delay(3), Duration::from_millis(8));
    }
}
