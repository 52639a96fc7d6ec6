//! Whether a worker that has written a part of a frame has stopped in the middle of it.
//!
//! The limit counts from the last byte, in a few steps, and at the end of each the process is looked
//! at. A step does not count at whose end the host looked too late, for it was busy or suspended
//! itself; nor one in which the process computed: the thread that writes may wait for the
//! interpreter's lock, or for its turn. When enough of them are over, the host looks once more a moment
//! later: what had come while it did something else has been read by then.

use std::time::Duration;

use crate::policy::liveness::Vitals;
use crate::time::Time;

/// Silent steps after which the frame is given up.
const STEPS: u32 = 4;
/// From then to the last look.
const MOMENT: Duration = Duration::from_millis(1);
/// A process that has used more than one in so many parts of a step has computed.
const BUSY_SHARE: u32 = 10;

/// What is to be done now that time has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Nothing waits for its rest: nothing is to be done until something does.
    Nothing,
    /// It is to be asked again then.
    At(Time),
    /// The process is to be looked at.
    Look,
}

/// What is known of the frame of which a part has come.
#[derive(Debug, Clone, Default)]
pub struct Stall {
    /// A part of a frame waits for its rest.
    waits: bool,
    /// Somebody will ask again when it is due.
    watched: bool,
    /// When the last byte came.
    last: Time,
    due: Time,
    /// Steps in a row that count.
    silent: u32,
    /// Processor time by the last look since the last byte.
    cpu: Option<Duration>,
}

impl Stall {
    /// Everything that has come was whole.
    pub fn whole(&mut self) {
        self.waits = false;
    }

    /// Bytes have come, and the last of them belong to a frame that is not whole. Answers when to
    /// ask, unless somebody will already.
    pub fn part(&mut self, limit: Duration, now: Time) -> Option<Time> {
        (self.waits, self.last, self.silent, self.cpu) = (true, now, 0, None);
        if std::mem::replace(&mut self.watched, true) {
            return None;
        }
        self.due = now + limit / STEPS;
        Some(self.due)
    }

    /// How long nothing has come.
    pub fn silence(&self, now: Time) -> Duration {
        now.since(self.last)
    }

    /// Time has passed.
    pub fn check(&mut self, limit: Duration, now: Time) -> Due {
        if !self.waits {
            self.watched = false;
            return Due::Nothing;
        }
        let step = limit / STEPS;
        let late = now.since(self.due) > step / 2;
        let over = self.last + step;
        if late || now < over {
            self.due = if late { now + step } else { over };
            return Due::At(self.due);
        }
        Due::Look
    }

    /// The process was looked at; `None` where the system does not tell. Answers when to ask again,
    /// or `None` if the frame is given up.
    pub fn look(&mut self, limit: Duration, vitals: Option<Vitals>, now: Time) -> Option<Time> {
        let step = limit / STEPS;
        let computed = |seen: &Vitals| {
            let used = |before| seen.cpu.saturating_sub(before) > step / BUSY_SHARE;
            seen.running || self.cpu.is_some_and(used)
        };
        let busy = vitals.is_some_and(|seen| !seen.stopped && computed(&seen));
        self.cpu = vitals.map(|seen| seen.cpu);
        self.silent = if busy { 0 } else { self.silent + 1 };
        if self.silent > STEPS {
            return None;
        }
        let last_look = self.silent == STEPS;
        self.due = now + if last_look { MOMENT } else { step };
        Some(self.due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(8);
    const STEP: Duration = Duration::from_secs(2);
    /// An idle process whose processor time is known.
    const IDLE: Option<Vitals> = Some(Vitals {
        stopped: false,
        running: false,
        cpu: Duration::from_secs(7),
    });

    /// A frame whose first part has come at the beginning of time.
    fn stalled() -> Stall {
        let mut stall = Stall::default();
        assert_eq!(stall.part(LIMIT, Time::ZERO), Some(Time::ZERO + STEP));
        stall
    }

    /// Asks and looks whenever it is due. Answers when the frame was given up, if it was within so
    /// many times.
    fn given_up(stall: &mut Stall, times: u32, vitals: Option<Vitals>) -> Option<Time> {
        let mut now = stall.due;
        for _ in 0..times {
            now = match stall.check(LIMIT, now) {
                Due::Nothing => return None,
                Due::At(later) => later,
                Due::Look => match stall.look(LIMIT, vitals, now) {
                    Some(later) => later,
                    None => return Some(now),
                },
            };
        }
        None
    }

    #[test]
    fn silence_is_over_at_the_limit_and_a_moment() {
        for vitals in [None, IDLE] {
            let end = given_up(&mut stalled(), 9, vitals);
            assert_eq!(end, Some(Time::ZERO + LIMIT + MOMENT));
        }
        let stopped = IDLE.map(|seen| Vitals {
            stopped: true,
            running: true,
            ..seen
        });
        assert!(given_up(&mut stalled(), 9, stopped).is_some());
        assert_eq!(stalled().silence(Time::ZERO + STEP), STEP);
    }

    #[test]
    fn the_limit_counts_from_the_last_byte() {
        let mut stall = stalled();
        let mut now = Time::ZERO;
        // A byte a second for a minute.
        for _ in 0..60 {
            now = now + STEP / 2;
            assert_eq!(stall.part(LIMIT, now), None, "it is watched already");
            if now >= stall.due {
                assert!(matches!(stall.check(LIMIT, now), Due::At(_)));
            }
        }
        assert_eq!(given_up(&mut stall, 9, IDLE), Some(now + LIMIT + MOMENT));
    }

    #[test]
    fn a_byte_between_the_last_two_looks_begins_anew() {
        let mut stall = stalled();
        let mut now = stall.due;
        for _ in 0..STEPS {
            assert_eq!(stall.check(LIMIT, now), Due::Look);
            now = stall.look(LIMIT, IDLE, now).unwrap();
        }
        assert_eq!(now, Time::ZERO + LIMIT + MOMENT);
        stall.part(LIMIT, now);
        assert_eq!(stall.check(LIMIT, now), Due::At(now + STEP));
        assert_eq!(given_up(&mut stall, 9, IDLE), Some(now + LIMIT + MOMENT));
    }

    #[test]
    fn what_has_become_whole_is_not_watched_until_another_part_comes() {
        let mut stall = stalled();
        stall.whole();
        let due = stall.due;
        assert_eq!(stall.check(LIMIT, due), Due::Nothing);
        assert_eq!(stall.part(LIMIT, due), Some(due + STEP));
    }

    #[test]
    fn a_process_that_computes_may_take_any_time() {
        let running = IDLE.map(|seen| Vitals {
            running: true,
            ..seen
        });
        assert_eq!(given_up(&mut stalled(), 1_000, running), None);
        let mut stall = stalled();
        let mut now = stall.due;
        for used in 1..1_000 {
            let cpu = STEP / BUSY_SHARE * used + Duration::from_millis(1) * used;
            let vitals = Vitals {
                stopped: false,
                running: false,
                cpu,
            };
            assert_eq!(stall.check(LIMIT, now), Due::Look);
            now = stall.look(LIMIT, Some(vitals), now).unwrap();
        }
    }

    #[test]
    fn one_whose_other_threads_tick_along_does_not_compute() {
        let mut stall = stalled();
        let mut now = stall.due;
        let mut looks = 0;
        loop {
            assert_eq!(stall.check(LIMIT, now), Due::Look);
            let vitals = IDLE.map(|seen| Vitals {
                cpu: seen.cpu + STEP / BUSY_SHARE * looks,
                ..seen
            });
            looks += 1;
            match stall.look(LIMIT, vitals, now) {
                Some(later) => now = later,
                None => break,
            }
        }
        assert_eq!(looks, STEPS + 1);
    }

    #[test]
    fn a_host_that_looks_too_late_counts_nothing() {
        let mut stall = stalled();
        let mut now = stall.due;
        for _ in 0..100 {
            let late = now + STEP / 2 + Duration::from_micros(1);
            assert_eq!(stall.check(LIMIT, late), Due::At(late + STEP));
            now = late + STEP;
        }
        let late = now + STEP / 2;
        assert_eq!(stall.check(LIMIT, late), Due::Look, "no later than it may");
    }
}
