//! When the engine wants to be woken. A timer that has lost its meaning stays until it comes to the
//! front or until such outnumber the others; so settling a call costs nothing here, and memory
//! stays in proportion.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::ids::{CallId, WorkerId};
use crate::time::Time;

/// What to look at when the time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A call's deadline.
    Deadline { call: CallId, sequence: u64 },
    /// A call's time in the queue is over.
    QueueTimeout { call: CallId, sequence: u64 },
    /// A worker has seen by now that a call was withdrawn.
    Withdrawn { call: CallId, sequence: u64 },
    /// An abandoned call has had its grace.
    Grace { call: CallId, sequence: u64 },
    /// A worker should be ready by now.
    Start { worker: WorkerId },
    /// A worker is gone and what was left in its pipes has been waited for.
    Drained { worker: WorkerId },
    /// A replacement is due.
    Restart,
    /// Sessions that are over are looked for.
    Sweep,
    /// Calls have waited long enough for an elastic pool to grow.
    Grow,
    /// The next of the first workers are to start.
    Batch,
    /// A worker may have been idle for too long.
    Idle { worker: WorkerId },
    /// A worker has reached its age.
    Age { worker: WorkerId },
    /// Another successor for a worker, after one could not get ready.
    Renew { worker: WorkerId },
    /// A worker should have given a sign of life by now.
    Beat { worker: WorkerId },
    /// A worker should have written more of a frame by now.
    Frame { worker: WorkerId },
}

/// The pending timers, earliest first.
#[derive(Debug)]
pub(super) struct Timers<What = Timer> {
    heap: BinaryHeap<Reverse<(Time, What)>>,
    /// How many there are after the last sweep.
    swept: usize,
}

impl<What: Ord> Default for Timers<What> {
    fn default() -> Self {
        Self {
            heap: BinaryHeap::new(),
            swept: 0,
        }
    }
}

impl<What: Ord> Timers<What> {
    pub(super) fn set(&mut self, at: Time, timer: What) {
        self.heap.push(Reverse((at, timer)));
    }

    /// How many there are, those that have lost their meaning included.
    pub(super) fn len(&self) -> usize {
        self.heap.len()
    }

    /// The next timer that is due.
    pub(super) fn due(&mut self, now: Time) -> Option<What> {
        let Reverse((at, _)) = self.heap.peek()?;
        if *at > now {
            return None;
        }
        self.heap.pop().map(|Reverse((_, timer))| timer)
    }

    /// When the next one is due. Drops those at the front that `is_live` does not want, and all
    /// such when there may be more of them than of others.
    pub(super) fn next(&mut self, is_live: impl Fn(&What) -> bool) -> Option<Time> {
        if self.heap.len() > 2 * self.swept + 64 {
            self.heap.retain(|Reverse((_, timer))| is_live(timer));
            self.swept = self.heap.len();
        }
        while let Some(Reverse((at, timer))) = self.heap.peek() {
            if is_live(timer) {
                return Some(*at);
            }
            self.heap.pop();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_call(id: u32) -> Timer {
        Timer::Grace {
            call: CallId(id),
            sequence: 0,
        }
    }

    #[test]
    fn timers_fire_in_order_and_not_before_their_time() {
        let mut timers = Timers::default();
        for (at, id) in [(30, 3), (10, 1), (20, 2)] {
            timers.set(Time(at), of_call(id));
        }
        assert_eq!(timers.due(Time(9)), None);
        assert_eq!(timers.due(Time(20)), Some(of_call(1)));
        assert_eq!(timers.due(Time(20)), Some(of_call(2)));
        assert_eq!(timers.due(Time(20)), None);
        assert_eq!(timers.next(|_| true), Some(Time(30)));
    }

    #[test]
    fn what_has_lost_its_meaning_wakes_nobody() {
        let mut timers = Timers::default();
        timers.set(Time(10), of_call(1));
        timers.set(Time(20), of_call(2));
        assert_eq!(timers.next(|timer| *timer != of_call(1)), Some(Time(20)));
        assert_eq!(timers.next(|_| false), None);
        assert_eq!(timers.len(), 0);
    }

    #[test]
    fn a_sweep_keeps_what_is_still_wanted() {
        let mut timers = Timers::default();
        for id in 0..1_000 {
            timers.set(Time(u64::from(id)), of_call(id));
        }
        let wanted = |timer: &Timer| (0..1_000).step_by(100).any(|id| *timer == of_call(id));
        assert_eq!(timers.next(wanted), Some(Time(0)));
        assert_eq!(timers.len(), 10);
    }
    #[test]
    fn the_dead_are_swept_when_they_may_outnumber_the_living_by_64() {
        let mut timers = Timers::default();
        timers.set(Time(1), of_call(0));
        let is_live = |timer: &Timer| *timer == of_call(0);
        let mut dead = 1..;
        // The first sweep comes above 64, and the next above twice what that has left and 64.
        for most in [64, 66] {
            while timers.len() < most {
                timers.set(Time(2), of_call(dead.next().unwrap()));
            }
            timers.next(is_live);
            assert_eq!(timers.len(), most);
            timers.set(Time(2), of_call(dead.next().unwrap()));
            assert_eq!(timers.next(is_live), Some(Time(1)));
            assert_eq!(timers.len(), 1);
        }
    }
}
