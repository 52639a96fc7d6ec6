//! Whether a worker that is not heard of is frozen or merely busy.
//!
//! Signs of life come from a thread of the worker's own, so a busy handler does not hold them up,
//! unless it runs C code that holds the interpreter's lock. Such a worker uses the processor or waits
//! for it: a beat that such a process misses is not held against it. One that was
//! stopped (SIGSTOP), or that neither beats nor computes, is frozen.
//!
//! A host that was itself suspended, or too busy to look in time, counts no miss.

use std::time::Duration;

use crate::time::Time;

/// Less processor time than this between two looks is none: it is measured in hundredths of a
/// second.
const IDLE: Duration = Duration::from_millis(20);

/// The option `heartbeat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeartbeatPolicy {
    /// Between two signs of life.
    pub interval: Duration,
    /// Signs in a row after whose lack a worker is frozen.
    pub misses: u32,
    /// Whether a frozen worker is killed and replaced.
    pub restart: bool,
}

/// What the system says of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vitals {
    /// It was stopped by a signal.
    pub stopped: bool,
    /// It has a processor, or waits for one only.
    pub running: bool,
    /// Processor time that it has used.
    pub cpu: Duration,
}

/// What a look at a silent worker has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Beats missed in a row.
    pub missed: u32,
    /// It computes.
    pub busy: bool,
    /// It is frozen, and was not at the last look.
    pub freezes: bool,
}

/// What is known of one worker's life.
#[derive(Debug, Clone, Default)]
pub struct Liveness {
    /// Whether signs of life are to be expected at all: it has promised them or given one.
    pub expected: bool,
    /// When the next miss is due.
    due: Time,
    missed: u32,
    /// Misses in a row in which it did not compute either.
    silent: u32,
    cpu: Duration,
    frozen: bool,
}

impl Liveness {
    /// The worker beats from now on.
    pub fn begin(&mut self, policy: &HeartbeatPolicy, now: Time) {
        self.due = now + policy.interval + policy.interval / 2;
    }

    /// A sign of life. Answers whether it was frozen before.
    pub fn beat(&mut self, policy: &HeartbeatPolicy, cpu: Duration, now: Time) -> bool {
        self.expected = true;
        self.cpu = self.cpu.max(cpu);
        (self.missed, self.silent) = (0, 0);
        self.begin(policy, now);
        std::mem::take(&mut self.frozen)
    }

    /// When the next miss is due.
    pub fn due(&self) -> Time {
        self.due
    }

    /// Whether it is frozen.
    pub fn is_frozen(&self) -> bool {
        self.frozen
    }

    /// A sign of life was due and has not come. Answers whether the process is to be looked at.
    pub fn miss(&mut self, policy: &HeartbeatPolicy, now: Time) -> bool {
        let late = now.since(self.due) > policy.interval / 2;
        self.due = now + policy.interval;
        if !late {
            self.missed = self.missed.saturating_add(1);
        }
        !late && self.expected
    }

    /// The process was looked at; `None` where the system does not tell.
    pub fn look(&mut self, policy: &HeartbeatPolicy, vitals: Option<Vitals>) -> Look {
        let computes = |seen: &Vitals| seen.running || seen.cpu > self.cpu + IDLE;
        let busy = vitals.filter(|seen| !seen.stopped && computes(seen));
        if let Some(seen) = busy {
            self.cpu = self.cpu.max(seen.cpu);
        }
        let busy = busy.is_some();
        self.silent = if busy {
            0
        } else {
            self.silent.saturating_add(1)
        };
        let frozen = self.silent >= policy.misses;
        let freezes = frozen && !self.frozen;
        self.frozen |= frozen;
        Look {
            missed: self.missed,
            busy,
            freezes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: HeartbeatPolicy = HeartbeatPolicy {
        interval: Duration::from_secs(1),
        misses: 3,
        restart: true,
    };

    #[expect(
        clippy::unnecessary_wraps,
        reason = "it stands for what may be unknown"
    )]
    fn seen(stopped: bool, cpu_ms: u64) -> Option<Vitals> {
        let cpu = Duration::from_millis(cpu_ms);
        Some(Vitals {
            stopped,
            running: false,
            cpu,
        })
    }

    fn looks(vitals: [Option<Vitals>; 4]) -> [Look; 4] {
        let mut life = Liveness::default();
        life.beat(&POLICY, Duration::from_millis(500), Time(0));
        vitals.map(|vitals| {
            life.miss(&POLICY, life.due());
            life.look(&POLICY, vitals)
        })
    }

    #[test]
    fn a_process_that_neither_beats_nor_computes_freezes_once_at_the_last_miss() {
        let found = looks([seen(false, 510); 4]);
        assert_eq!(found.map(|look| look.missed), [1, 2, 3, 4]);
        assert_eq!(found.map(|look| look.freezes), [false, false, true, false]);
        assert_eq!(
            looks([None; 4]).map(|look| look.freezes),
            found.map(|l| l.freezes)
        );
    }

    #[test]
    fn one_that_computes_is_busy_for_as_long_as_it_does() {
        let found = looks([
            seen(false, 600),
            seen(false, 700),
            seen(false, 800),
            seen(false, 900),
        ]);
        assert!(found.iter().all(|look| look.busy && !look.freezes));
    }

    #[test]
    fn one_that_waits_for_a_processor_is_busy_however_little_it_gets() {
        let mut starved = seen(false, 500);
        starved.as_mut().unwrap().running = true;
        let found = looks([starved; 4]);
        assert!(found.iter().all(|look| look.busy && !look.freezes));
        // What is too little between two looks is enough between more of them.
        let found = looks([505, 515, 525, 526].map(|cpu| seen(false, cpu)));
        assert_eq!(found.map(|look| look.busy), [false, false, true, false]);
    }

    #[test]
    fn one_that_was_stopped_is_not_busy_whatever_it_did_before() {
        let found = looks([
            seen(true, 900),
            seen(true, 900),
            seen(true, 900),
            seen(true, 900),
        ]);
        assert_eq!(found.map(|look| look.freezes), [false, false, true, false]);
    }

    #[test]
    fn a_host_that_looks_too_late_counts_no_miss() {
        let mut life = Liveness::default();
        life.beat(&POLICY, Duration::ZERO, Time(0));
        assert!(!life.miss(&POLICY, Time(3_600_000_000)));
        assert!(life.miss(&POLICY, Time(3_601_000_000)));
        assert_eq!(life.look(&POLICY, None).missed, 1);
    }

    #[test]
    fn a_sign_of_life_forgives_everything() {
        let mut life = Liveness::default();
        life.begin(&POLICY, Time(0));
        assert_eq!(life.due(), Time(1_500_000));
        for _ in 0..3 {
            life.miss(&POLICY, life.due());
            life.look(&POLICY, None);
        }
        assert!(life.is_frozen());
        assert!(life.beat(&POLICY, Duration::ZERO, Time(9_000_000)));
        assert!(!life.is_frozen());
        assert_eq!(life.due(), Time(10_500_000));
        assert!(!life.beat(&POLICY, Duration::ZERO, Time(9_000_001)));
    }

    #[test]
    fn a_look_is_too_late_beyond_half_an_interval_and_not_before() {
        for (late, counts) in [(0, true), (500_000, true), (500_001, false)] {
            let mut life = Liveness::default();
            life.beat(&POLICY, Duration::ZERO, Time(0));
            let at = Time(life.due().0 + late);
            assert_eq!(life.miss(&POLICY, at), counts, "{late} µs late");
        }
    }

    #[test]
    fn to_have_idled_is_not_to_have_computed() {
        let mut life = Liveness::default();
        life.beat(&POLICY, Duration::ZERO, Time(0));
        let vitals = |cpu| {
            Some(Vitals {
                stopped: false,
                running: false,
                cpu,
            })
        };
        assert!(!life.look(&POLICY, vitals(IDLE)).busy);
        assert!(
            life.look(&POLICY, vitals(IDLE + Duration::from_micros(1)))
                .busy
        );
    }
}
