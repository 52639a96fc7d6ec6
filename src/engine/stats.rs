//! Counters and durations of one worker, or of all.

use std::time::Duration;

use serde::Serialize;

/// Weight of the newest duration in the moving average.
const WEIGHT: f64 = 0.2;
/// Buckets a doubling: a quantile is off by at most a sixteenth.
const STEPS: u32 = 8;
/// Durations from 1 µs to 2^36 µs (19 hours).
const BUCKETS: usize = 37 * STEPS as usize;

/// What has been counted.
#[derive(Debug, Clone)]
pub(super) struct Counters {
    pub(super) handled: u64,
    pub(super) errors: u64,
    pub(super) timeouts: u64,
    pub(super) strays: u64,
    average_us: Option<f64>,
    histogram: Box<[u32]>,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            handled: 0,
            errors: 0,
            timeouts: 0,
            strays: 0,
            average_us: None,
            histogram: vec![0; BUCKETS].into_boxed_slice(),
        }
    }
}

/// Durations of answered calls, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct Durations {
    /// Moving average, the newest weighing 0.2.
    pub average_response_time: f64,
    /// Half of the calls took at most so long.
    pub p50: f64,
    /// 95 of a hundred.
    pub p95: f64,
    /// 99 of a hundred.
    pub p99: f64,
}

impl Counters {
    /// A call was answered after so long.
    pub(super) fn answered(&mut self, took: Duration, failed: bool) {
        self.handled += 1;
        self.errors += u64::from(failed);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        #[expect(
            clippy::cast_precision_loss,
            reason = "an average of durations needs no more"
        )]
        let sample = micros as f64;
        self.average_us = Some(match self.average_us {
            None => sample,
            Some(average) => average + WEIGHT * (sample - average),
        });
        if let Some(count) = self.histogram.get_mut(bucket(micros)) {
            *count = count.saturating_add(1);
        }
    }

    /// Adds what another has counted.
    pub(super) fn add(&mut self, other: &Self) {
        self.average_us = match (self.average_us, other.average_us) {
            (Some(a), Some(b)) => {
                #[expect(clippy::cast_precision_loss, reason = "weights of an average")]
                let (m, n) = (self.handled as f64, other.handled as f64);
                Some((a * m + b * n) / (m + n).max(1.0))
            }
            (a, b) => a.or(b),
        };
        self.handled += other.handled;
        self.errors += other.errors;
        self.timeouts += other.timeouts;
        self.strays += other.strays;
        for (mine, theirs) in self.histogram.iter_mut().zip(&other.histogram) {
            *mine = mine.saturating_add(*theirs);
        }
    }

    pub(super) fn durations(&self) -> Durations {
        Durations {
            average_response_time: self.average_us.unwrap_or(0.0) / 1e3,
            p50: self.quantile(0.50),
            p95: self.quantile(0.95),
            p99: self.quantile(0.99),
        }
    }

    fn quantile(&self, share: f64) -> f64 {
        let total: u64 = self.histogram.iter().map(|count| u64::from(*count)).sum();
        #[expect(clippy::cast_precision_loss, reason = "a rank among counts")]
        let wanted = total as f64 * share;
        let mut seen = 0.0;
        for (index, count) in self.histogram.iter().enumerate() {
            seen += f64::from(*count);
            if *count > 0 && seen >= wanted {
                return upper_edge_us(index) / 1e3;
            }
        }
        0.0
    }
}

/// Log-linear: the position of the highest bit, then the three bits below it.
fn bucket(micros: u64) -> usize {
    let value = micros.max(1);
    let exponent = value.ilog2();
    let step = if exponent >= 3 {
        value >> (exponent - 3) & 7
    } else {
        value << (3 - exponent) & 7
    };
    let bucket = usize::try_from(u64::from(exponent * STEPS) + step);
    bucket.unwrap_or(usize::MAX).min(BUCKETS - 1)
}

fn upper_edge_us(index: usize) -> f64 {
    let steps = STEPS as usize;
    let exponent = i32::try_from(index / steps).unwrap_or(i32::MAX);
    let step = u32::try_from(index % steps).unwrap_or(0);
    2f64.powi(exponent) * (1.0 + f64::from(step + 1) / f64::from(STEPS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_average_is_an_ema_of_a_fifth_and_the_first_sample_counts_as_is() {
        let mut counters = Counters::default();
        counters.answered(Duration::from_millis(10), false);
        counters.answered(Duration::from_millis(20), true);
        assert!((counters.durations().average_response_time - 12.0).abs() < 1e-9);
        assert_eq!((counters.handled, counters.errors), (2, 1));
    }

    #[test]
    fn quantiles_are_within_an_eighth() {
        let mut counters = Counters::default();
        for ms in 1..=1000 {
            counters.answered(Duration::from_millis(ms), false);
        }
        let Durations { p50, p95, p99, .. } = counters.durations();
        for (found, exact) in [(p50, 500.0), (p95, 950.0), (p99, 990.0)] {
            assert!(
                found >= exact && found <= exact * 1.125,
                "{found} for {exact}"
            );
        }
    }
    #[test]
    fn every_duration_is_in_a_bucket_that_ends_above_it_by_an_eighth_at_most() {
        let long = (0..36).flat_map(|exponent| [1_u64 << exponent, (1 << exponent) + 1]);
        for micros in (1..=200).chain(long) {
            let mut counters = Counters::default();
            counters.answered(Duration::from_micros(micros), false);
            let found = counters.durations().p50 * 1e3;
            #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
            let exact = micros as f64;
            assert!(
                found > exact && found <= exact * 1.125 + 1e-6,
                "{found} for {exact} µs"
            );
        }
    }

    #[test]
    fn what_takes_longer_than_there_are_buckets_counts_as_the_longest() {
        let mut counters = Counters::default();
        counters.answered(Duration::from_hours(100), false);
        let hours = counters.durations().p99 / 3_600e3;
        assert!(hours > 37.0 && hours < 39.0, "{hours} h");
    }

    #[test]
    fn without_an_answer_there_are_no_durations() {
        assert_eq!(Counters::default().durations(), Durations::default());
    }

    #[test]
    fn two_are_added_with_the_weight_of_what_each_has_answered() {
        let counted = |answers: u64, ms| {
            let mut counters = Counters::default();
            for _ in 0..answers {
                counters.answered(Duration::from_millis(ms), true);
            }
            counters.timeouts = answers;
            counters
        };
        let mut sum = counted(2, 10);
        sum.add(&counted(3, 20));
        assert_eq!((sum.handled, sum.errors, sum.timeouts), (5, 5, 5));
        let Durations {
            average_response_time: average,
            p50,
            ..
        } = sum.durations();
        assert!((average - 16.0).abs() < 1e-9, "{average} ms");
        assert!((20.0..22.5).contains(&p50), "{p50} ms");
        let mut none = Counters::default();
        none.add(&sum);
        assert!((none.durations().average_response_time - 16.0).abs() < 1e-9);
    }
}
