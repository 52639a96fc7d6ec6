//! How many calls in a time: a bucket of tokens that fills at a steady rate. A call takes one token, so
//! a burst may empty the bucket and the average holds (Turner's token bucket, 1986).

use std::time::Duration;

use crate::time::Time;

/// The option `rateLimit`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateLimitPolicy {
    /// Calls in each `interval`; above 0.
    pub calls: f64,
    /// The time in which so many are made.
    pub interval: Duration,
    /// Calls that may come at once after a quiet time; at least 1.
    pub burst: f64,
}

/// The bucket of one handler.
#[derive(Debug, Clone)]
pub struct RateLimiter {
    policy: RateLimitPolicy,
    tokens: f64,
    filled: Time,
}

impl RateLimiter {
    /// A full bucket.
    pub fn new(policy: RateLimitPolicy, now: Time) -> Self {
        Self {
            tokens: policy.burst.max(1.0),
            policy,
            filled: now,
        }
    }

    /// Takes a token. If there is none: how long until there is.
    pub fn take(&mut self, now: Time) -> Result<(), Duration> {
        let per_second = self.policy.calls / self.policy.interval.as_secs_f64().max(1e-6);
        let gained = now.since(self.filled).as_secs_f64() * per_second;
        self.filled = self.filled.max(now);
        self.tokens = (self.tokens + gained).min(self.policy.burst.max(1.0));
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        let wait = (1.0 - self.tokens) / per_second;
        Err(Duration::try_from_secs_f64(wait).unwrap_or(Duration::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ten_a_second(burst: f64) -> RateLimiter {
        let policy = RateLimitPolicy {
            calls: 10.0,
            interval: Duration::from_secs(1),
            burst,
        };
        RateLimiter::new(policy, Time::ZERO)
    }

    #[test]
    fn a_burst_then_the_rate_and_the_wait_is_told() {
        let mut limiter = ten_a_second(3.0);
        assert_eq!((0..3).filter(|_| limiter.take(Time(0)).is_ok()).count(), 3);
        assert_eq!(limiter.take(Time(0)), Err(Duration::from_millis(100)));
        assert_eq!(limiter.take(Time(50_000)), Err(Duration::from_millis(50)));
        assert_eq!(limiter.take(Time(100_001)), Ok(()));
        assert!(limiter.take(Time(100_001)).is_err());
    }

    #[test]
    fn a_quiet_time_saves_no_more_than_a_burst() {
        let mut limiter = ten_a_second(3.0);
        let later = Time(3_600_000_000);
        assert_eq!((0..9).filter(|_| limiter.take(later).is_ok()).count(), 3);
    }

    #[test]
    fn the_rate_is_that_of_the_interval_whatever_its_length() {
        let policy = RateLimitPolicy {
            calls: 5.0,
            interval: Duration::from_millis(250),
            burst: 1.0,
        };
        let mut limiter = RateLimiter::new(policy, Time::ZERO);
        assert_eq!(limiter.take(Time(0)), Ok(()));
        assert_eq!(limiter.take(Time(0)), Err(Duration::from_millis(50)));
    }

    proptest! {
        #[test]
        fn the_average_holds(gaps in prop::collection::vec(0u64..300_000, 1..300)) {
            let mut limiter = ten_a_second(5.0);
            let (mut now, mut taken) = (0, 0.0);
            for gap in gaps {
                now += gap;
                if limiter.take(Time(now)).is_ok() {
                    taken += 1.0;
                }
            }
            let seconds = Duration::from_micros(now).as_secs_f64();
            prop_assert!(taken <= 5.0 + 10.0 * seconds + 1e-6);
        }

        #[test]
        fn who_waits_as_long_as_told_gets_in(drain in 1usize..50, gap in 0u64..500_000) {
            let mut limiter = ten_a_second(5.0);
            let mut now = Time::ZERO;
            for _ in 0..drain {
                now = now + Duration::from_micros(gap);
                if let Err(wait) = limiter.take(now) {
                    now = now + wait + Duration::from_micros(2);
                    prop_assert_eq!(limiter.take(now), Ok(()));
                }
            }
        }
    }
}
