//! Whether a dead worker is replaced, and when.
//!
//! The budget is that of an Erlang supervisor: so many restarts within a window. Within it the
//! first replacement starts at once and later ones back off. Above it the pool is unhealthy: it
//! fails fast, and a replacement is tried at the window's pace until one lives.

use std::collections::VecDeque;
use std::time::Duration;

use crate::policy::backoff::Backoff;
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
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self {
            max: 5,
            window: Duration::from_secs(60),
            backoff: Backoff::default(),
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
}
