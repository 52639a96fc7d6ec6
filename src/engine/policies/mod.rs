//! Policies around calls: what is cached, refused, held back, repeated and copied.
//!
//! A call under policies is *guarded*: it stands in [`Policies::guarded`], and one or more *attempts*
//! at it are calls of the engine like any other. Its first attempt has the call's own id; further
//! ones get ids from the upper half of the numbers of calls, so a late answer to one attempt is never
//! taken for that of another. Whoever made the call sees its own id only.
//!
//! The order, outermost first, with the reasons in `docs/resilience.md`: cache, breaker, rate limit,
//! bulkhead, retry, hedge, adaptive timeout. (Fallback is outermost of all, in the facade.)
//!
//! There is one hook at each end. `guard.rs`: a call comes in. `review.rs`: answers are looked at where
//! they are read ([`Engine::received`]), failures where the driver asks for it ([`Engine::review`]). An
//! engine without policies pays one branch at each.

mod attempt;
mod config;
mod guard;
mod guarded;
mod report;
mod review;
mod settle;

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;

pub use crate::engine::policies::config::{Overrides, PolicyConfig, PolicySet};
pub use crate::engine::policies::report::{
    BreakerStats, BulkheadStats, CacheStats, HedgeStats, PolicyHoldings, PolicyStats, RetryStats,
};

use crate::engine::policies::guarded::{Due, Guarded};
use crate::engine::policies::report::Counts;
use crate::engine::timers::Timers;
use crate::ids::CallId;
use crate::policy::adaptive::Durations;
use crate::policy::breaker::Breaker;
use crate::policy::budget::Budget;
use crate::policy::bulkhead::Bulkhead;
use crate::policy::cache::Cache;
use crate::policy::random::Random;
use crate::policy::rate_limit::RateLimiter;
use crate::time::Time;

/// Ids from here on, up to those of callbacks, are for attempts that the engine makes itself.
const FIRST_ATTEMPT: u32 = 1 << 30;

/// All state of the policies of one engine. Handlers are named by the engine's numbers.
#[derive(Debug)]
pub(super) struct Policies {
    /// For calls that say nothing else; `None` where there are none.
    defaults: Option<Arc<PolicySet>>,
    guarded: FxHashMap<CallId, Guarded>,
    /// Whose the attempts are that have an id of their own.
    attempts: FxHashMap<CallId, CallId>,
    /// Calls that are over although the attempt with their own id may still have an event.
    over: Vec<CallId>,
    /// Calls whose next attempt is made when the input has been dealt with: calls that wait in the
    /// engine's queue come first.
    ready: Vec<(CallId, u64)>,
    timers: Timers<Due>,
    breakers: BTreeMap<u16, Breaker>,
    limiters: FxHashMap<u16, RateLimiter>,
    bulkheads: BTreeMap<u16, Bulkhead<CallId>>,
    durations: FxHashMap<u16, Durations>,
    cache: Cache,
    /// `None` for any number of repetitions.
    budget: Option<Budget>,
    random: Random,
    next_attempt: u32,
    next_sequence: u64,
    counts: Counts,
}

impl Policies {
    pub(super) fn new(config: &PolicyConfig) -> Self {
        Self {
            defaults: (config.defaults != PolicySet::default())
                .then(|| Arc::new(config.defaults.clone())),
            guarded: FxHashMap::default(),
            attempts: FxHashMap::default(),
            over: Vec::new(),
            ready: Vec::new(),
            timers: Timers::default(),
            breakers: BTreeMap::new(),
            limiters: FxHashMap::default(),
            bulkheads: BTreeMap::new(),
            durations: FxHashMap::default(),
            cache: Cache::new(config.cache),
            budget: config.budget.map(|policy| Budget::new(policy, Time::ZERO)),
            random: Random::new(config.seed),
            next_attempt: FIRST_ATTEMPT,
            next_sequence: 0,
            counts: Counts::default(),
        }
    }

    /// The call that the caller knows, for one that may be an attempt at it.
    pub(super) fn caller_of(&self, attempt: CallId) -> CallId {
        self.owner(attempt).unwrap_or(attempt)
    }

    /// The call that an attempt is made for.
    fn owner(&self, attempt: CallId) -> Option<CallId> {
        if let Some(call) = self.attempts.get(&attempt) {
            return Some(*call);
        }
        let guarded = self.guarded.get(&attempt)?;
        guarded.attempts_with(attempt).then_some(attempt)
    }

    /// When the next of the policies' timers is due.
    pub(super) fn next_wake(&mut self) -> Option<Time> {
        let guarded = &self.guarded;
        self.timers.next(|due| due.is_live(guarded))
    }
}
