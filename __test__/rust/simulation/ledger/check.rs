//! The invariants: what must hold between two inputs, and when everything is over.

use std::time::Duration;

use synapse::engine::Holdings;
use synapse::error::ErrorCode;
use synapse::ids::CallId;
use synapse::time::Time;

use crate::simulation::ledger::{Ledger, Record, Told, Verdict, ensure};

/// How long the pipes of a dead worker may be waited for.
const DRAIN: Duration = Duration::from_millis(50);
/// How long the exit of a killed worker may be waited for beyond that.
const UNDEAD: Duration = Duration::from_secs(1);
/// How often a worker is looked at that a cancelled call waits in.
const LOOK: Duration = Duration::from_millis(100);
/// How late the world may be with a tick, and a bit.
const SLACK: Duration = Duration::from_millis(5);

impl Ledger {
    /// Checks all that must hold between two inputs.
    pub(crate) fn check(&mut self, now: Time, ticked: bool, held: &Holdings) -> Verdict {
        // Timers fire in order: a replacement is the one that is due first.
        self.restarts.sort_unstable();
        for _ in 0..std::mem::take(&mut self.replacements) {
            ensure!(
                !self.restarts.is_empty(),
                "a worker was started that replaces nobody"
            );
            self.restarts.remove(0);
        }
        self.check_counts(held)?;
        self.check_order()?;
        self.check_overdue(now, if ticked { Duration::ZERO } else { SLACK })?;
        if self.spawned && !self.stop_asked && self.config.restart.is_some() {
            let there = held.workers.len() + self.restarts.len();
            ensure!(
                there == self.config.workers as usize,
                "{} workers and {} replacements for {}",
                held.workers.len(),
                self.restarts.len(),
                self.config.workers
            );
        }
        Ok(())
    }

    fn check_counts(&self, held: &Holdings) -> Verdict {
        let waiting: Vec<&Record> = self.calls.values().filter(|r| r.waits.is_some()).collect();
        ensure!(
            held.queued == waiting.len(),
            "{} queued, {} wait",
            held.queued,
            waiting.len()
        );
        let open = self
            .calls
            .values()
            .filter(|record| record.told.is_none())
            .count();
        let owed: usize = self
            .workers
            .values()
            .flat_map(|standing| &standing.owed)
            .filter(|call| self.told(**call).is_some())
            .count();
        ensure!(
            (open..=open + owed).contains(&held.calls),
            "{} calls held, {open} open and {owed} abandoned",
            held.calls
        );
        for load in &held.workers {
            let worker = load.worker;
            ensure!(
                load.outbox == 0,
                "{} bytes for worker {worker} lie about",
                load.outbox
            );
            let Some(standing) = self.workers.get(&worker) else {
                return Err(format!("worker {worker} was never started"));
            };
            let active = standing.ready && !standing.dropped && standing.gone.is_none();
            ensure!(
                active || !load.takes,
                "worker {worker} takes calls and should not"
            );
            if active {
                let owed = standing.owed.len();
                ensure!(
                    load.in_flight as usize == owed,
                    "{} in flight, {owed} owed",
                    load.in_flight
                );
            }
            let room = active && !standing.stuck && load.in_flight < load.window;
            ensure!(
                load.takes == room,
                "worker {worker} takes calls: {}",
                load.takes
            );
            ensure!(
                load.window >= self.config.concurrency,
                "window below concurrency"
            );
            if self.written.contains_key(&worker) && active {
                ensure!(
                    load.in_flight <= load.window,
                    "{} in flight, window {}",
                    load.in_flight,
                    load.window
                );
            }
            ensure!(
                !load.takes || !waiting.iter().any(|record| record.may_run_on(worker)),
                "worker {worker} idles while a call waits that it may take"
            );
        }
        Ok(())
    }

    /// By priority, then in order of submission, for what one worker may take.
    fn check_order(&self) -> Verdict {
        for (worker, calls) in &self.written {
            let mut highest: Option<CallId> = None;
            for call in calls {
                let rank = |call: &CallId| self.record(*call).map(Record::rank);
                let writes = self.record(*call).map_or(&[][..], |record| &record.writes);
                let earlier = writes.split_last().map_or(&[][..], |(_, earlier)| earlier);
                ensure!(
                    earlier.iter().all(|worker| self.buried.contains(worker)),
                    "call {call} was written again while one of {earlier:?} has it"
                );
                if let Some(other) = highest {
                    ensure!(
                        rank(&other) < rank(call) || !self.waited.contains(call),
                        "call {other} was written before call {call}"
                    );
                }
                if highest.is_none_or(|other| rank(&other) < rank(call)) {
                    highest = Some(*call);
                }
                let passed = self.calls.iter().find(|(waiting, record)| {
                    record.waits.is_some()
                        && self.waited.contains(waiting)
                        && record.may_run_on(*worker)
                        && rank(waiting) < rank(call)
                });
                ensure!(
                    passed.is_none(),
                    "call {call} was written before {passed:?}"
                );
            }
        }
        Ok(())
    }

    fn check_overdue(&self, now: Time, slack: Duration) -> Verdict {
        let past = |at: Time| at + slack < now || (slack.is_zero() && at <= now);
        for (call, record) in &self.calls {
            if let Some((told, when)) = record.told {
                let marked = told == Told::Error(ErrorCode::PythonError);
                if let Some(worker) = record.at.filter(|_| !marked)
                    && let Some(standing) = self.workers.get(&worker)
                    && !standing.dropped
                    && standing.gone.is_none()
                {
                    let grace = self.config.grace;
                    let due = match self.begun.get(&(worker, *call)) {
                        _ if !self.keeps_journals => when + grace,
                        // It waits behind others, or hangs together with them.
                        None => continue,
                        Some(began) if *began <= when + grace => when + grace,
                        Some(began) => *began + grace.max(LOOK),
                    };
                    ensure!(
                        !past(due),
                        "call {call} does not yield and worker {worker} is not killed"
                    );
                }
                continue;
            }
            if let Some(deadline) = record.options.deadline {
                ensure!(!past(deadline), "call {call} is past its deadline");
            }
            if let (Some(since), Some(limit)) = (record.waits, self.config.queue_timeout) {
                ensure!(!past(since + limit), "call {call} has waited too long");
            }
            let standing = record.at.map(|worker| &self.workers[&worker]);
            if let Some(standing) = standing
                && let Some(gone) = standing.gone
            {
                let patience = if standing.exited {
                    DRAIN
                } else {
                    DRAIN + UNDEAD
                };
                ensure!(!past(gone + patience), "call {call} hangs on a dead worker");
            }
        }
        let millisecond = Duration::from_millis(1);
        ensure!(
            self.stop_asked || !self.restarts.iter().any(|due| past(*due + millisecond)),
            "a replacement is overdue"
        );
        Ok(())
    }

    /// Checks all that must hold when everything is over.
    pub(crate) fn finish(&self, held: &Holdings) -> Verdict {
        ensure!(self.stopped, "never stopped");
        let open = self.open();
        ensure!(open.is_empty(), "calls {open:?} were lost");
        let empty = Holdings {
            timers: held.timers,
            calls: 0,
            queued: 0,
            workers: Vec::new(),
        };
        ensure!(*held == empty, "left behind: {held:?}");
        Ok(())
    }
}
