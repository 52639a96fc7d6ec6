//! How long to wait before the next attempt: exponential, with a ceiling.

use std::time::Duration;

/// Delays that grow by a factor. Attempt 0 waits `initial`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    /// The first delay.
    pub initial: Duration,
    /// What each delay is multiplied by for the next; at least 1.
    pub factor: f64,
    /// No delay is longer.
    pub ceiling: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            initial: Duration::from_millis(100),
            factor: 2.0,
            ceiling: Duration::from_secs(30),
        }
    }
}

impl Backoff {
    /// The delay before attempt number `attempt`, counted from 0.
    pub fn delay(&self, attempt: u32) -> Duration {
        let exponent = i32::try_from(attempt).unwrap_or(i32::MAX);
        let seconds = self.initial.as_secs_f64() * self.factor.max(1.0).powi(exponent);
        Duration::try_from_secs_f64(seconds).map_or(self.ceiling, |delay| delay.min(self.ceiling))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_ceiling() {
        let backoff = Backoff::default();
        let delays: Vec<_> = (0..10)
            .map(|attempt| backoff.delay(attempt).as_millis())
            .collect();
        assert_eq!(
            delays,
            [100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000]
        );
    }

    #[test]
    fn never_overflows() {
        assert_eq!(Backoff::default().delay(u32::MAX), Duration::from_secs(30));
    }

    #[test]
    fn a_factor_below_one_does_not_shrink_the_delay() {
        let backoff = Backoff {
            factor: 0.5,
            ..Backoff::default()
        };
        assert_eq!(backoff.delay(9), backoff.initial);
        let backoff = Backoff {
            factor: f64::NAN,
            ..Backoff::default()
        };
        assert_eq!(backoff.delay(9), backoff.initial);
    }

    #[test]
    fn an_initial_delay_above_the_ceiling_is_cut() {
        let backoff = Backoff {
            initial: Duration::from_secs(60),
            ..Backoff::default()
        };
        assert_eq!(backoff.delay(0), backoff.ceiling);
    }
}
