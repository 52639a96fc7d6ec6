//! Which policies hold: for all calls of an engine, and for one of them.

use crate::policy::adaptive::AdaptivePolicy;
use crate::policy::breaker::BreakerPolicy;
use crate::policy::budget::BudgetPolicy;
use crate::policy::bulkhead::BulkheadPolicy;
use crate::policy::cache::{Bounds, CachePolicy};
use crate::policy::hedge::HedgePolicy;
use crate::policy::rate_limit::RateLimitPolicy;
use crate::policy::retry::RetryPolicy;

/// The policies of a call, each on its own.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PolicySet {
    /// Whether it is made again when it fails.
    pub retry: Option<RetryPolicy>,
    /// Whether it is made at all while others fail.
    pub breaker: Option<BreakerPolicy>,
    /// How long an attempt may take.
    pub adaptive: Option<AdaptivePolicy>,
    /// Whether its reply answers the same call again.
    pub cache: Option<CachePolicy>,
    /// How many of its handler's run at once.
    pub bulkhead: Option<BulkheadPolicy>,
    /// How many of its handler's are made in a time.
    pub rate_limit: Option<RateLimitPolicy>,
    /// Whether a second copy is sent when it is slow.
    pub hedge: Option<HedgePolicy>,
}

/// The policies of an engine.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PolicyConfig {
    /// For calls that say nothing else.
    pub defaults: PolicySet,
    /// How many repetitions there may be in all; `None` for any number.
    pub budget: Option<BudgetPolicy>,
    /// How many replies are kept.
    pub cache: Bounds,
    /// Where random numbers begin.
    pub seed: u64,
}

/// What one call says for itself. The outer `None`: nothing; the inner: not for this call.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Overrides {
    /// In place of [`PolicySet::retry`].
    pub retry: Option<Option<RetryPolicy>>,
    /// In place of [`PolicySet::cache`].
    pub cache: Option<Option<CachePolicy>>,
    /// In place of [`PolicySet::hedge`].
    pub hedge: Option<Option<HedgePolicy>>,
}

impl PolicySet {
    /// These policies, but for what a call says for itself.
    #[must_use]
    pub fn with(&self, overrides: &Overrides) -> Self {
        let mut set = self.clone();
        if let Some(retry) = &overrides.retry {
            set.retry.clone_from(retry);
        }
        if let Some(cache) = overrides.cache {
            set.cache = cache;
        }
        if let Some(hedge) = overrides.hedge {
            set.hedge = hedge;
        }
        set
    }
}
