//! When a second copy of a call is sent although the first has not failed.
//!
//! The slowest calls of many are slow for reasons of their own place: a busy worker, a page that was
//! swapped out. A copy elsewhere is soon done, and the first answer wins (Dean, Barroso: "The tail at
//! scale", 2013). Sent after the 95th percentile, copies add a twentieth to the load.

use std::time::Duration;

use crate::policy::adaptive::Durations;

/// The option `hedge`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HedgePolicy {
    /// How long the first copy gets; `None`: the 95th percentile of the handler's calls, as soon as
    /// ten are known.
    pub after: Option<Duration>,
    /// Copies beside the first.
    pub copies: u32,
}

impl HedgePolicy {
    /// When the next copy is due, after one was sent with `sent` before it; `None`: never.
    pub fn next(&self, sent: u32, durations: Option<&mut Durations>) -> Option<Duration> {
        if sent >= self.copies {
            return None;
        }
        self.after.or_else(|| durations?.p95())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_fixed_time_until_all_copies_are_out() {
        let after = Some(Duration::from_millis(50));
        let hedge = HedgePolicy { after, copies: 2 };
        assert_eq!(
            [0, 1, 2].map(|sent| hedge.next(sent, None)),
            [after, after, None]
        );
    }

    #[test]
    fn after_the_percentile_once_it_is_known() {
        let hedge = HedgePolicy {
            after: None,
            copies: 1,
        };
        let mut durations = Durations::new(100);
        assert_eq!(hedge.next(0, Some(&mut durations)), None);
        assert_eq!(hedge.next(0, None), None);
        for ms in 1..=20 {
            durations.add(Duration::from_millis(ms));
        }
        let due = hedge.next(0, Some(&mut durations));
        assert_eq!(due, Some(Duration::from_millis(20)));
        assert_eq!(hedge.next(1, Some(&mut durations)), None);
    }
}
