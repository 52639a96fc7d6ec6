//! How long an attempt may take, by how long those before it took.
//!
//! The newest durations of a handler are kept; below ten of them the base holds. Then it is the 95th
//! percentile times a factor, never above twice the base or the maximum, never below the minimum. An
//! attempt that ran out of time is no sample: otherwise one bad minute would teach the timeout to
//! wait for it.

use std::collections::VecDeque;
use std::time::Duration;

/// The option `adaptiveTimeout`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdaptivePolicy {
    /// The timeout while little is known.
    pub base: Duration,
    /// It is never shorter.
    pub min: Duration,
    /// It is never longer.
    pub max: Duration,
    /// What the percentile is multiplied by.
    pub factor: f64,
    /// Durations that are remembered.
    pub samples: usize,
}

/// Samples below which nothing is concluded from them.
const FEWEST: usize = 10;
/// The percentile.
const SHARE: f64 = 0.95;

/// How long the calls of one handler took, for [`AdaptivePolicy::timeout`] and for hedging.
#[derive(Debug, Clone)]
pub struct Durations {
    recent: VecDeque<Duration>,
    most: usize,
    /// The percentile of `recent`, until one is added.
    percentile: Option<Duration>,
}

impl Durations {
    /// No durations yet, and never more than `most`.
    pub fn new(most: usize) -> Self {
        Self {
            recent: VecDeque::new(),
            most: most.max(FEWEST),
            percentile: None,
        }
    }

    /// An attempt was answered after so long.
    pub fn add(&mut self, took: Duration) {
        if self.recent.len() == self.most {
            self.recent.pop_front();
        }
        self.recent.push_back(took);
        self.percentile = None;
    }

    /// The 95th percentile, once ten are known: of `n` in order, the one at `floor(0.95 n)`.
    pub fn p95(&mut self) -> Option<Duration> {
        if self.recent.len() < FEWEST {
            return None;
        }
        if self.percentile.is_none() {
            let mut sorted: Vec<Duration> = self.recent.iter().copied().collect();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "an index among a few thousand"
            )]
            let index = (sorted.len() as f64 * SHARE) as usize;
            let (_, at, _) = sorted.select_nth_unstable(index);
            self.percentile = Some(*at);
        }
        self.percentile
    }
}

impl AdaptivePolicy {
    /// How long the next attempt may take. `base`: what its handler asks for, if it does.
    pub fn timeout(&self, durations: &mut Durations, base: Option<Duration>) -> Duration {
        let base = base.unwrap_or(self.base).min(self.max).max(self.min);
        let Some(p95) = durations.p95() else {
            return base;
        };
        let scaled = p95.as_secs_f64() * self.factor;
        let wanted = Duration::try_from_secs_f64(scaled).unwrap_or(Duration::MAX);
        wanted
            .min(self.max)
            .min(base.saturating_mul(2))
            .max(self.min)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECONDS: fn(u64) -> Duration = Duration::from_secs;

    fn policy() -> AdaptivePolicy {
        AdaptivePolicy {
            base: SECONDS(30),
            min: SECONDS(5),
            max: SECONDS(120),
            factor: 1.5,
            samples: 100,
        }
    }

    fn of(durations: impl IntoIterator<Item = u64>) -> Durations {
        let mut all = Durations::new(100);
        durations.into_iter().for_each(|s| all.add(SECONDS(s)));
        all
    }

    #[test]
    fn below_ten_samples_the_base_holds_within_the_bounds() {
        let mut nine = of(0..9);
        assert_eq!(policy().timeout(&mut nine, None), SECONDS(30));
        assert_eq!(policy().timeout(&mut nine, Some(SECONDS(60))), SECONDS(60));
        assert_eq!(policy().timeout(&mut nine, Some(SECONDS(1))), SECONDS(5));
        assert_eq!(
            policy().timeout(&mut nine, Some(SECONDS(900))),
            SECONDS(120)
        );
    }

    #[test]
    fn then_it_is_the_percentile_times_the_factor_within_twice_the_base() {
        assert_eq!(of(1..=20).p95(), Some(SECONDS(20)));
        assert_eq!(of(1..=100).p95(), Some(SECONDS(96)));
        assert_eq!(policy().timeout(&mut of(1..=20), None), SECONDS(30));
        assert_eq!(
            policy().timeout(&mut of(1..=30), None),
            Duration::from_millis(43_500)
        );
        assert_eq!(policy().timeout(&mut of([0; 10]), None), SECONDS(5));
        assert_eq!(policy().timeout(&mut of([50; 10]), None), SECONDS(60));
        assert_eq!(
            policy().timeout(&mut of([500; 10]), Some(SECONDS(100))),
            SECONDS(120)
        );
    }

    #[test]
    fn only_the_newest_are_remembered() {
        let mut durations = of([100; 100]);
        (0..100).for_each(|_| durations.add(SECONDS(6)));
        assert_eq!(policy().timeout(&mut durations, None), SECONDS(9));
    }

    proptest! {
        #[test]
        fn it_stays_between_the_bounds(
            millis in prop::collection::vec(0u64..10_000_000, 0..300),
            base in prop::option::of(0u64..10_000_000),
        ) {
            let mut durations = Durations::new(100);
            for ms in millis {
                durations.add(Duration::from_millis(ms));
            }
            let timeout = policy().timeout(&mut durations, base.map(Duration::from_millis));
            prop_assert!(timeout >= policy().min && timeout <= policy().max);
        }
    }
}
