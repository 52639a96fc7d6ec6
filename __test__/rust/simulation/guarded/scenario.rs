//! What a seed decides before anything happens.

use std::time::Duration;

use synapse::engine::{Config, Overrides, PolicyConfig, PolicySet};
use synapse::error::ErrorCode;
use synapse::policy::adaptive::AdaptivePolicy;
use synapse::policy::backoff::Backoff;
use synapse::policy::breaker::{BreakerPolicy, COUNTED};
use synapse::policy::budget::BudgetPolicy;
use synapse::policy::bulkhead::BulkheadPolicy;
use synapse::policy::cache::{Bounds, CachePolicy};
use synapse::policy::codes::Codes;
use synapse::policy::hedge::HedgePolicy;
use synapse::policy::rate_limit::RateLimitPolicy;
use synapse::policy::restart::RestartPolicy;
use synapse::policy::retry::{Delays, RetryPolicy};

use crate::simulation::random::Random;

#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(crate) config: Config,
    pub(crate) policies: PolicyConfig,
    pub(crate) calls: u32,
    /// Microseconds between them, at most.
    pub(crate) pace: u64,
    /// Microseconds that a call takes, at most.
    pub(crate) service: u64,
    /// Chances in a hundred that a call kills its worker, raises, and is never answered.
    pub(crate) crash: u64,
    pub(crate) raise: u64,
    pub(crate) never: u64,
    /// That a worker does not yield to a cancellation.
    pub(crate) stubborn: u64,
    /// That a call makes a callback instead of being done.
    pub(crate) callbacks: u64,
}

pub(crate) fn retry(random: &mut Random) -> RetryPolicy {
    let mut codes = vec![ErrorCode::Timeout, ErrorCode::WorkerExited];
    if random.chance(60) {
        codes.push(ErrorCode::QueueFull);
    }
    if random.chance(40) {
        codes.push(ErrorCode::PythonError);
    }
    let delays = if random.chance(50) {
        let some = random.within(0..=3);
        Delays::List((0..some).map(|_| random.micros(0..=10_000)).collect())
    } else {
        Delays::Exponential(Backoff {
            initial: random.micros(0..=5_000),
            factor: 2.0,
            ceiling: Duration::from_millis(20),
        })
    };
    RetryPolicy {
        retries: u32::try_from(random.within(0..=4)).unwrap(),
        delays,
        jitter: random.pick(&[0.0, 0.2, 1.0]),
        codes: Codes::of(&codes),
    }
}

pub(crate) fn cache(random: &mut Random) -> CachePolicy {
    CachePolicy {
        ttl: random.micros(0..=50_000),
        stale: random.pick(&[Duration::ZERO, Duration::from_millis(30)]),
    }
}

pub(crate) fn hedge(random: &mut Random) -> HedgePolicy {
    HedgePolicy {
        after: random.chance(70).then(|| random.micros(0..=8_000)),
        copies: u32::try_from(random.within(1..=2)).unwrap(),
    }
}

/// What a call says for itself.
pub(crate) fn overrides(random: &mut Random) -> Overrides {
    Overrides {
        retry: random
            .chance(40)
            .then(|| random.chance(70).then(|| retry(random))),
        cache: random
            .chance(30)
            .then(|| random.chance(50).then(|| cache(random))),
        hedge: random
            .chance(30)
            .then(|| random.chance(50).then(|| hedge(random))),
    }
}

impl Scenario {
    pub(crate) fn new(random: &mut Random) -> Self {
        let config = Config {
            workers: random.pick(&[1, 2, 3]),
            concurrency: random.pick(&[1, 2, 8]),
            queue_max: random.chance(30).then_some(3),
            queue_timeout: random.chance(20).then(|| random.micros(1_000..=20_000)),
            restart: Some(RestartPolicy {
                max: random.pick(&[3, 1_000]),
                window: Duration::from_millis(50),
                backoff: Backoff {
                    initial: Duration::from_millis(1),
                    factor: 2.0,
                    ceiling: Duration::from_millis(5),
                },
                ..RestartPolicy::default()
            }),
            grace: random.micros(1_000..=10_000),
            ..Config::default()
        };
        let defaults = PolicySet {
            retry: random.chance(60).then(|| retry(random)),
            breaker: random.chance(50).then(|| BreakerPolicy {
                failures: u32::try_from(random.within(1..=4)).unwrap(),
                decay: random.pick(&[0, 1, u32::MAX]),
                reset: random.micros(500..=20_000),
                probes: u32::try_from(random.within(1..=3)).unwrap(),
                successes: u32::try_from(random.within(1..=2)).unwrap(),
                codes: Codes::of(COUNTED),
            }),
            adaptive: random.chance(30).then(|| AdaptivePolicy {
                base: Duration::from_millis(20),
                min: Duration::from_millis(1),
                max: Duration::from_millis(60),
                factor: 1.5,
                samples: 20,
            }),
            cache: random.chance(40).then(|| cache(random)),
            bulkhead: random.chance(40).then(|| BulkheadPolicy {
                limit: u32::try_from(random.within(1..=3)).unwrap(),
                queue: random.index(5),
                timeout: random.chance(50).then(|| random.micros(0..=20_000)),
            }),
            rate_limit: random.chance(25).then(|| RateLimitPolicy {
                calls: 500.0,
                interval: Duration::from_secs(1),
                burst: 5.0,
            }),
            hedge: random.chance(35).then(|| hedge(random)),
        };
        let policies = PolicyConfig {
            defaults,
            budget: random.chance(60).then(|| BudgetPolicy {
                ratio: 0.1,
                per_second: random.pick(&[0.1, 0.5, 100.0]),
            }),
            cache: Bounds {
                entries: random.pick(&[1, 5, 100]),
                bytes: random.pick(&[30, 10_000]),
            },
            seed: random.next(),
        };
        let mut fault = |most| {
            if random.chance(40) {
                0
            } else {
                random.within(0..=most)
            }
        };
        let (crash, raise, never, stubborn) = (fault(25), fault(30), fault(10), fault(50));
        Self {
            config,
            policies,
            calls: u32::try_from(random.within(1..=60)).unwrap(),
            pace: random.pick(&[1, 100, 2_000, 10_000]),
            service: random.pick(&[50, 1_000, 10_000]),
            crash,
            raise,
            never,
            stubborn,
            callbacks: random.pick(&[0, 0, 20]),
        }
    }
}
