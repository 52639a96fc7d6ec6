//! Which calls are refused because workers died with them.
//!
//! A call is known by its fingerprint: its handler and its arguments. Each death of a worker counts
//! for the calls that it ran; an answer absolves a call, so that one which only ran beside the
//! culprit is not taken for it. After so many deaths within the window the call is refused, until
//! the window since the last of them is over.

use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::time::Time;

/// Suspects that are kept; beyond that the oldest is forgotten.
const MOST: usize = 1024;

/// After how many deaths a call is refused, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoisonPolicy {
    /// Deaths; 0 refuses nothing.
    pub deaths: u32,
    /// The window.
    pub window: Duration,
}

impl Default for PoisonPolicy {
    fn default() -> Self {
        Self {
            deaths: 5,
            window: Duration::from_secs(60),
        }
    }
}

/// The calls that workers died with.
#[derive(Debug, Default)]
pub struct Suspects {
    deaths: FxHashMap<u64, (u32, Time)>,
}

impl Suspects {
    /// Whether there is none, so that nothing else need be asked.
    pub fn is_empty(&self) -> bool {
        self.deaths.is_empty()
    }

    /// A worker died while it ran this call.
    pub fn blame(&mut self, policy: PoisonPolicy, fingerprint: u64, now: Time) {
        if policy.deaths == 0 {
            return;
        }
        self.deaths
            .retain(|_, (_, last)| now.since(*last) < policy.window);
        if self.deaths.len() >= MOST
            && let Some(oldest) = self
                .deaths
                .iter()
                .min_by_key(|(_, (_, last))| *last)
                .map(|(fingerprint, _)| *fingerprint)
        {
            self.deaths.remove(&oldest);
        }
        let (deaths, last) = self.deaths.entry(fingerprint).or_insert((0, now));
        *deaths += 1;
        *last = now;
    }

    /// A worker answered this call and lives.
    pub fn absolve(&mut self, fingerprint: u64) {
        self.deaths.remove(&fingerprint);
    }

    /// How many workers died with this call, if it is to be refused.
    pub fn refused(&self, policy: PoisonPolicy, fingerprint: u64, now: Time) -> Option<u32> {
        let (deaths, last) = self.deaths.get(&fingerprint)?;
        (policy.deaths > 0 && *deaths >= policy.deaths && now.since(*last) < policy.window)
            .then_some(*deaths)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: PoisonPolicy = PoisonPolicy {
        deaths: 2,
        window: Duration::from_secs(1),
    };

    #[test]
    fn a_call_is_refused_after_its_deaths_and_for_the_window_only() {
        let mut suspects = Suspects::default();
        suspects.blame(POLICY, 7, Time(0));
        assert_eq!(suspects.refused(POLICY, 7, Time(0)), None);
        suspects.blame(POLICY, 7, Time(500_000));
        assert_eq!(suspects.refused(POLICY, 7, Time(1_499_999)), Some(2));
        assert_eq!(suspects.refused(POLICY, 8, Time(500_000)), None);
        assert_eq!(suspects.refused(POLICY, 7, Time(1_500_000)), None);
        // What is long past does not count any more.
        suspects.blame(POLICY, 7, Time(2_000_000));
        assert_eq!(suspects.refused(POLICY, 7, Time(2_000_000)), None);
    }

    #[test]
    fn an_answer_absolves() {
        let mut suspects = Suspects::default();
        suspects.blame(POLICY, 7, Time(0));
        suspects.absolve(7);
        assert!(suspects.is_empty());
        suspects.blame(POLICY, 7, Time(0));
        assert_eq!(suspects.refused(POLICY, 7, Time(0)), None);
    }

    #[test]
    fn none_means_never_and_memory_is_bounded() {
        let mut suspects = Suspects::default();
        let never = PoisonPolicy {
            deaths: 0,
            ..POLICY
        };
        suspects.blame(never, 7, Time(0));
        assert!(suspects.is_empty());
        for fingerprint in 0..2_000 {
            suspects.blame(POLICY, fingerprint, Time(fingerprint));
        }
        assert_eq!(suspects.deaths.len(), MOST);
    }

    #[test]
    fn a_death_counts_until_the_window_is_over_and_never_for_a_policy_of_none() {
        let mut suspects = Suspects::default();
        suspects.blame(POLICY, 7, Time(0));
        assert!(!suspects.is_empty());
        suspects.blame(POLICY, 7, Time(1_000_000));
        assert_eq!(suspects.refused(POLICY, 7, Time(1_000_000)), None);
        suspects.blame(POLICY, 7, Time(1_999_999));
        assert_eq!(suspects.refused(POLICY, 7, Time(1_999_999)), Some(2));
        let never = PoisonPolicy {
            deaths: 0,
            ..POLICY
        };
        assert_eq!(suspects.refused(never, 7, Time(1_999_999)), None);
    }
}
