//! When a healthy worker is replaced by a fresh one: after so many calls, at an age, after so long
//! without a call, or above so much memory. Each limit is off unless set.

use std::time::Duration;

use crate::policy::random::Random;

/// The option `recycle`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RecyclePolicy {
    /// Calls that a worker answers.
    pub calls: Option<u64>,
    /// Time since it got ready.
    pub age: Option<Duration>,
    /// Time without a call. A worker that never had one is as fresh as its replacement would be.
    pub idle: Option<Duration>,
    /// Resident memory, in bytes.
    pub rss: Option<u64>,
    /// How far `calls` and `age` vary from worker to worker, from 0 to 1: workers that started
    /// together do not all go together.
    pub jitter: f64,
}

/// The limits of one worker, jitter applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Calls that it answers; `u64::MAX` for any number.
    pub calls: u64,
    /// How old it gets.
    pub age: Option<Duration>,
}

impl RecyclePolicy {
    /// The limits of the next worker.
    pub fn lease(&self, random: &mut Random) -> Lease {
        let mut factor = || {
            if self.jitter > 0.0 {
                1.0 + self.jitter.min(1.0) * (2.0 * random.uniform() - 1.0)
            } else {
                1.0
            }
        };
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a limit that varies anyway; the cast saturates"
        )]
        let vary = |calls: u64, factor: f64| ((calls as f64 * factor).round() as u64).max(1);
        Lease {
            calls: self.calls.map_or(u64::MAX, |calls| match factor() {
                1.0 => calls,
                factor => vary(calls, factor),
            }),
            age: self.age.map(|age| {
                let varied = Duration::try_from_secs_f64(age.as_secs_f64() * factor());
                varied.unwrap_or(age).max(Duration::from_millis(1))
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_jitter_the_limits_are_exact() {
        let policy = RecyclePolicy {
            calls: Some(3),
            age: Some(Duration::from_secs(60)),
            ..RecyclePolicy::default()
        };
        let lease = policy.lease(&mut Random::new(1));
        assert_eq!((lease.calls, lease.age), (3, Some(Duration::from_secs(60))));
        let none = RecyclePolicy::default().lease(&mut Random::new(1));
        assert_eq!((none.calls, none.age), (u64::MAX, None));
    }

    #[test]
    fn jitter_spreads_both_ways_and_never_reaches_zero() {
        let policy = RecyclePolicy {
            calls: Some(1_000),
            age: Some(Duration::from_secs(1_000)),
            jitter: 0.2,
            ..RecyclePolicy::default()
        };
        let mut random = Random::new(1);
        let leases: Vec<Lease> = (0..1_000).map(|_| policy.lease(&mut random)).collect();
        let calls = || leases.iter().map(|lease| lease.calls);
        assert!(calls().min() < Some(820) && calls().min() >= Some(800));
        assert!(calls().max() > Some(1_180) && calls().max() <= Some(1_200));
        let age = |lease: &Lease| lease.age.unwrap().as_secs();
        assert!(
            leases
                .iter()
                .all(|lease| (800..=1_200).contains(&age(lease)))
        );
        let wild = RecyclePolicy {
            calls: Some(1),
            jitter: 1.0,
            ..policy
        };
        assert!((0..100).all(|_| wild.lease(&mut random).calls >= 1));
    }
}
