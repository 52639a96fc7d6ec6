//! The invariants: what must hold between two inputs, and when everything is over.

use std::time::Duration;

use synapse::engine::{Holdings, Load, PoolRequest};
use synapse::error::ErrorCode;
use synapse::ids::{CallId, WorkerId};
use synapse::session::SessionHoldings;
use synapse::time::Time;

use crate::simulation::ledger::{Ledger, Record, Told, Verdict, ensure};

/// How long the pipes of a dead worker may be waited for.
const DRAIN: Duration = Duration::from_millis(50);
/// How long the exit of a killed worker may be waited for beyond that.
const UNDEAD: Duration = Duration::from_secs(1);
/// How long it may take until a worker has seen that a call is withdrawn.
const SEEN: Duration = Duration::from_millis(2);
/// How often a worker is looked at that a cancelled call waits in.
const LOOK: Duration = Duration::from_millis(100);
/// How long calls may wait before an elastic pool grows, ticks being late.
const GROWTH: Duration = Duration::from_millis(20);
/// How late the world may be with a tick, and a bit.
const SLACK: Duration = Duration::from_millis(5);

impl Ledger {
    /// Checks all that must hold between two inputs.
    pub(crate) fn check(&mut self, now: Time, ticked: bool, held: &Holdings) -> Verdict {
        if let Some(breach) = self.breach.take() {
            return Err(breach);
        }
        self.check_restarts(now, held)?;
        self.check_counts(held)?;
        self.check_order()?;
        self.check_overdue(now, if ticked { Duration::ZERO } else { SLACK }, held)?;
        if self.spawned && !self.stop_asked {
            self.check_size(now, held)?;
        }
        Ok(())
    }

    /// Replacements are started when they are due, in order.
    fn check_restarts(&mut self, now: Time, held: &Holdings) -> Verdict {
        self.restarts.sort_unstable();
        ensure!(
            held.restarts <= self.restarts.len(),
            "{} replacements wait, {} were announced",
            held.restarts,
            self.restarts.len()
        );
        if std::mem::take(&mut self.resized) || self.stop_asked || self.spawn_failed {
            // Those that are due last are not needed any more, or none waits any longer.
            self.restarts.truncate(held.restarts);
        }
        while self.restarts.len() > held.restarts {
            let due = self.restarts.remove(0);
            ensure!(due <= now, "a replacement started early");
        }
        Ok(())
    }

    /// The pool has its size, nobody has two successors, and whoever is to go goes.
    fn check_size(&mut self, now: Time, held: &Holdings) -> Verdict {
        let counts = |load: &&Load| {
            let standing = &self.workers[&load.worker];
            // One that was dying when its successor came was never told to leave.
            let succeeded = load.leaving && (standing.dropped || standing.gone.is_some());
            load.succeeds.is_none() && !standing.leaving && !succeeded
        };
        let members = held.workers.iter().filter(counts).count();
        let total = u32::try_from(members + held.restarts).unwrap();
        let late = self.config.batch.is_some_and(|(_, pause)| {
            now <= self.unbroken_since + (pause + SLACK) * self.config.workers
        });
        let replaced = self.config.restart.is_some();
        ensure!(
            (total >= self.min || late || !replaced) && total <= self.max,
            "{members} workers and {} replacements for {} to {}",
            held.restarts,
            self.min,
            self.max
        );
        let replaced: Vec<WorkerId> = held.workers.iter().filter_map(|l| l.succeeds).collect();
        ensure!(
            replaced.len() <= 1 + members / 8,
            "{} workers are replaced at once",
            replaced.len()
        );
        for old in &replaced {
            let twice = replaced.iter().filter(|other| *other == old).count() > 1;
            ensure!(!twice, "worker {old} has two successors");
            let serves = held
                .workers
                .iter()
                .any(|load| load.worker == *old && !load.leaving);
            ensure!(serves, "worker {old} does not serve and has a successor");
        }
        let starting = |load: &&Load| counts(load) && !self.workers[&load.worker].ready;
        let coming = held.workers.iter().filter(starting).count() + held.restarts;
        let waits = |record: &Record| record.options.worker.is_none() && record.waits.is_some();
        let small = coming == 0
            && total < self.max
            && !(self.unhealthy || late || self.config.restart.is_none())
            && self.calls.values().any(waits);
        self.small_since = small.then(|| self.small_since.unwrap_or(now));
        ensure!(
            self.small_since.is_none_or(|since| since + GROWTH >= now),
            "calls wait and the pool of {total} does not grow to {}",
            self.max
        );
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
        ensure!(
            held.errands <= held.calls,
            "{} errands of {} calls",
            held.errands,
            held.calls
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
            let room =
                active && !standing.stuck && !standing.frozen && load.in_flight < load.window;
            if active && standing.leaving {
                let pinned = waiting
                    .iter()
                    .any(|record| record.options.worker == Some(worker));
                ensure!(
                    !(room && pinned),
                    "a call waits for worker {worker}, which leaves and idles"
                );
                ensure!(
                    load.in_flight > 0 || pinned,
                    "worker {worker} owes nothing, is to leave and stays"
                );
            }
            ensure!(
                load.takes == (room && !standing.leaving),
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
            let leaving = self.workers[worker].leaving;
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
                        && record.may_go_to(*worker, leaving)
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

    fn check_overdue(&self, now: Time, slack: Duration, held: &Holdings) -> Verdict {
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
            if let (Some(worker), Some(limit)) = (record.at, self.config.queue_timeout)
                && self.withdraws
                && !record.runs_on_top()
                && self.is_active(worker)
                && !self.begun.contains_key(&(worker, *call))
            {
                let since = (record.queued + limit).max(self.unbroken_since);
                ensure!(
                    since + SEEN + 2 * SLACK >= now,
                    "call {call} has waited too long in worker {worker}"
                );
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
        if let Some(policy) = &self.config.heartbeat
            && !self.stop_asked
        {
            for (worker, standing) in &self.workers {
                let Some(beat) = standing.beat.filter(|_| standing.ready && !standing.frozen)
                else {
                    continue;
                };
                let silent = standing.silent.is_some_and(|(_, frozen)| frozen);
                let lateness = SLACK * (policy.misses + 2);
                let limit = policy.interval * (policy.misses + 1) + lateness;
                let here = !standing.dropped && standing.gone.is_none();
                // One that computed was given time until it froze.
                let since = standing.silent.map_or(beat, |(since, _)| since.max(beat));
                ensure!(
                    !(silent && here && past(since + limit)),
                    "worker {worker} is frozen and nobody notices"
                );
            }
        }
        ensure!(
            self.stop_asked || held.calls > 0 || !self.drains(),
            "nothing is in flight and the drain is not over"
        );
        let millisecond = Duration::from_millis(1);
        ensure!(
            self.stop_asked || !self.restarts.iter().any(|due| past(*due + millisecond)),
            "a replacement is overdue"
        );
        Ok(())
    }

    fn drains(&self) -> bool {
        let mut requests = self.operations.values().map(|(request, _)| request);
        requests.any(|request| *request == PoolRequest::Drain)
    }

    /// Checks all that must hold when everything is over.
    pub(crate) fn finish(&self, held: &Holdings) -> Verdict {
        ensure!(self.stopped, "never stopped");
        let open = self.open();
        ensure!(open.is_empty(), "calls {open:?} were lost");
        let running = &self.operations;
        ensure!(running.is_empty(), "never over: {running:?}");
        let empty = Holdings {
            timers: held.timers,
            restarts: 0,
            operations: 0,
            sessions: SessionHoldings {
                calls: 0,
                ..held.sessions
            },
            calls: 0,
            queued: 0,
            errands: 0,
            workers: Vec::new(),
        };
        ensure!(*held == empty, "left behind: {held:?}");
        Ok(())
    }
}
