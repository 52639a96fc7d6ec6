//! Whether a dead worker is replaced, and when.
//!
//! The budget is that of an Erlang supervisor: so many restarts within a window. Within it the
//! first replacement starts at once and later ones back off. Above it the pool is unhealthy: it
//! fails fast, and a replacement is tried at the window's pace until one lives.

use std::collections::VecDeque;
use std::time::Duration;

use crate::policy::backoff::Backoff;
use crate::policy::crash::Crash;
use crate::time::Time;

/// The option `restart`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RestartPolicy {
    /// Restarts allowed within the window.
    pub max: u32,
    /// The window.
    pub window: Duration,
    /// Delays between restarts within the window.
    pub backoff: Backoff,
    /// How long the place of a worker that crashed stays empty; none if no longer than that.
    pub taint: Option<Taint>,
}

/// The option `restart.taint`: a worker that crashed in a way which the next one may repeat, for want
/// of memory or by a driver in disorder, leaves a place that gets no work for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taint {
    /// How long.
    pub pause: Duration,
    /// By which crashes.
    pub crashes: Crashes,
}

/// A set of kinds of crashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Crashes(u8);

impl Crashes {
    /// Whether it holds that kind.
    pub fn contains(self, crash: Crash) -> bool {
        self.0 & (1 << crash as u8) != 0
    }
}

impl FromIterator<Crash> for Crashes {
    fn from_iter<Kinds: IntoIterator<Item = Crash>>(kinds: Kinds) -> Self {
        Self(
            kinds
                .into_iter()
                .fold(0, |set, crash| set | (1 << crash as u8)),
        )
    }
}

impl RestartPolicy {
    /// How long the place of a worker that died so stays empty at least.
    pub fn pause(&self, crash: Option<Crash>) -> Duration {
        match (self.taint, crash) {
            (Some(taint), Some(crash)) if taint.crashes.contains(crash) => taint.pause,
            _ => Duration::ZERO,
        }
    }
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self {
            max: 5,
            window: Duration::from_secs(60),
            backoff: Backoff::default(),
            taint: None,
        }
    }
}

/// What to do about a worker that died unasked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Start a replacement after the delay.
    Replace(Duration),
    /// The budget is spent: fail calls fast, and try again after the delay.
    Unhealthy(Duration),
}

/// The restarts of one engine.
#[derive(Debug, Clone, Default)]
pub struct Restarts {
    recent: VecDeque<Time>,
}

impl Restarts {
    /// Judges a death at `now` and counts the restart that follows from it.
    pub fn judge(&mut self, policy: &RestartPolicy, now: Time) -> Verdict {
        while self
            .recent
            .front()
            .is_some_and(|at| now.since(*at) >= policy.window)
        {
            self.recent.pop_front();
        }
        let used = u32::try_from(self.recent.len()).unwrap_or(u32::MAX);
        // At most one entry above the budget is kept: a long outage does not grow the record.
        if used <= policy.max {
            self.recent.push_back(now);
        }
        if used >= policy.max {
            return Verdict::Unhealthy(policy.backoff.delay(used).max(policy.backoff.initial));
        }
        Verdict::Replace(match used {
            0 => Duration::ZERO,
            later => policy.backoff.delay(later - 1),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_at_once_then_backoff_then_unhealthy_and_the_window_forgives() {
        let policy = RestartPolicy::default();
        let mut restarts = Restarts::default();
        let verdicts: Vec<_> = (0..6)
            .map(|second| restarts.judge(&policy, Time(second * 1_000_000)))
            .collect();
        let ms = Duration::from_millis;
        assert_eq!(
            verdicts,
            [
                Verdict::Replace(ms(0)),
                Verdict::Replace(ms(100)),
                Verdict::Replace(ms(200)),
                Verdict::Replace(ms(400)),
                Verdict::Replace(ms(800)),
                Verdict::Unhealthy(ms(3200)),
            ]
        );
        assert_eq!(
            restarts.judge(&policy, Time(120_000_000)),
            Verdict::Replace(ms(0))
        );
    }

    #[test]
    fn a_budget_of_none_is_unhealthy_at_once() {
        let policy = RestartPolicy {
            max: 0,
            ..RestartPolicy::default()
        };
        let mut restarts = Restarts::default();
        let verdict = restarts.judge(&policy, Time(0));
        assert_eq!(verdict, Verdict::Unhealthy(policy.backoff.initial));
    }

    #[test]
    fn a_long_outage_grows_neither_the_record_nor_the_delay() {
        let policy = RestartPolicy::default();
        let mut restarts = Restarts::default();
        for _ in 0..10_000 {
            let (Verdict::Replace(delay) | Verdict::Unhealthy(delay)) =
                restarts.judge(&policy, Time(1));
            assert!(delay <= policy.backoff.ceiling);
        }
        assert_eq!(restarts.recent.len(), 6);
    }

    #[test]
    fn a_place_is_tainted_by_the_named_crashes_only() {
        let second = Duration::from_secs(1);
        let policy = RestartPolicy {
            taint: Some(Taint {
                pause: second,
                crashes: [Crash::Segfault, Crash::Abort].into_iter().collect(),
            }),
            ..RestartPolicy::default()
        };
        for (crash, pause) in [
            (Some(Crash::Segfault), second),
            (Some(Crash::Abort), second),
            (Some(Crash::OutOfMemory), Duration::ZERO),
            (Some(Crash::Exit), Duration::ZERO),
            (None, Duration::ZERO),
        ] {
            assert_eq!(policy.pause(crash), pause, "{crash:?}");
        }
        let none = RestartPolicy::default().pause(Some(Crash::Segfault));
        assert_eq!(none, Duration::ZERO);
    }

    #[test]
    fn a_death_counts_for_exactly_the_window() {
        let policy = RestartPolicy {
            max: 1,
            ..RestartPolicy::default()
        };
        let mut restarts = Restarts::default();
        restarts.judge(&policy, Time(0));
        let window = Time(0) + policy.window;
        let before = restarts.clone().judge(&policy, Time(window.0 - 1));
        assert!(matches!(before, Verdict::Unhealthy(_)), "{before:?}");
        assert_eq!(
            restarts.judge(&policy, window),
            Verdict::Replace(Duration::ZERO)
        );
    }

    #[test]
    fn naming_a_crash_twice_is_naming_it() {
        let twice: Crashes = [Crash::Abort, Crash::Abort].into_iter().collect();
        assert!(twice.contains(Crash::Abort));
        assert!(!twice.contains(Crash::Segfault));
    }
}
