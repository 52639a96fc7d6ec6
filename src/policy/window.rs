//! How many calls may lie in a worker's pipe at once.
//!
//! Pipelining is worth more than everything else for calls of microseconds, and harmful for calls
//! of milliseconds: what lies in a pipe cannot be reordered, taken back unseen, or given to an idle
//! neighbour. So the window follows the measured service time: about a millisecond of work, never
//! less than the worker's concurrency. A worker that has not been measured gets its concurrency
//! and nothing more.

use std::time::Duration;

use crate::time::Time;

/// How much work may wait in the pipe.
const AHEAD: Duration = Duration::from_millis(1);
/// The largest window, in calls.
const MAX: u32 = 2048;
/// Weight of a new sample.
const WEIGHT: f64 = 0.3;

/// The window of one worker.
#[derive(Debug, Clone)]
pub struct Window {
    concurrency: u32,
    /// Moving average of the time between replies while busy, in microseconds.
    service: Option<f64>,
    /// When the worker last made progress: it got busy or it replied.
    progress: Time,
    limit: u32,
}

impl Window {
    /// The window of a worker that runs `concurrency` calls at once.
    pub fn new(concurrency: u32) -> Self {
        let concurrency = concurrency.max(1);
        Self {
            concurrency,
            service: None,
            progress: Time::ZERO,
            limit: concurrency,
        }
    }

    /// How many calls may be in flight.
    pub fn limit(&self) -> u32 {
        self.limit
    }

    /// Average time between replies while busy, in microseconds, once there has been one.
    pub fn service(&self) -> Option<f64> {
        self.service
    }

    /// The worker went from idle to busy.
    pub fn busy(&mut self, now: Time) {
        self.progress = now;
    }

    /// The worker answered `replies` calls since its last progress.
    pub fn replied(&mut self, replies: u32, now: Time) {
        if replies == 0 {
            return;
        }
        let elapsed = u32::try_from(now.since(self.progress).as_micros()).unwrap_or(u32::MAX);
        let sample = f64::from(elapsed) / f64::from(replies);
        self.progress = now;
        let service = match self.service {
            // A slow reply counts at once: one call of a second after a thousand of a microsecond
            // must not meet a full pipe.
            Some(average) if sample < average || sample < 1_000.0 => {
                average + WEIGHT * (sample - average)
            }
            _ => sample,
        };
        self.service = Some(service);
        let ahead = AHEAD.as_secs_f64() * 1e6 / service.max(1.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to the range of u32 first"
        )]
        let calls = ahead.clamp(0.0, f64::from(MAX)) as u32;
        self.limit = calls.max(self.concurrency);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unmeasured_worker_gets_its_concurrency() {
        assert_eq!(Window::new(1).limit(), 1);
        assert_eq!(Window::new(8).limit(), 8);
    }

    #[test]
    fn fast_replies_open_it_and_one_slow_reply_closes_it() {
        let mut window = Window::new(1);
        let mut now = Time(0);
        for _ in 0..40 {
            now = Time(now.0 + 64);
            window.replied(32, now);
        }
        assert!(window.limit() > 300, "limit is {}", window.limit());
        now = Time(now.0 + 1_000_000);
        window.replied(1, now);
        assert_eq!(window.limit(), 1);
    }

    #[test]
    fn it_stays_between_the_concurrency_and_the_most_that_may_wait() {
        for concurrency in [0, 1, 8, 1_000] {
            let mut window = Window::new(concurrency);
            let mut now = Time(0);
            // From nothing at all to minutes, up and down.
            for step in (0..30).chain((0..30).rev()) {
                now = Time(now.0 + (1 << step));
                window.replied(1, now);
                let least = concurrency.max(1);
                assert!(window.limit() >= least && window.limit() <= least.max(MAX));
            }
        }
    }

    #[test]
    fn time_without_calls_is_no_service_time() {
        let mut window = Window::new(1);
        window.replied(1, Time(10));
        let open = window.limit();
        assert!(open > 1);
        window.busy(Time(60_000_000));
        window.replied(1, Time(60_000_010));
        assert_eq!(window.limit(), open);
    }

    #[test]
    fn no_replies_change_nothing() {
        let mut window = Window::new(2);
        window.replied(0, Time(1_000_000));
        assert_eq!((window.limit(), window.service), (2, None));
    }

    #[test]
    fn the_service_time_moves_slowly_but_for_a_slow_reply() {
        let mut window = Window::new(1);
        assert!(window.service().is_none());
        let mut now = Time(0);
        // Each sample in microseconds, and what the average and the limit are then.
        for (sample, average, limit) in [
            (10, 10.0, 100),
            (20, 13.0, 76),
            (999, 308.8, 3),
            (1_000, 1_000.0, 1),
            (2_000, 2_000.0, 1),
            (1_500, 1_850.0, 1),
        ] {
            now = Time(now.0 + sample);
            window.replied(1, now);
            let service = window.service().unwrap_or_default();
            assert!((service - average).abs() < 1e-9, "{service} after {sample}");
            assert_eq!(window.limit(), limit);
        }
    }
}
