//! Workers start, die, are replaced, and are told to go.

use std::time::Duration;

use crate::engine::action::{Actions, Command, Event};
use crate::engine::timers::Timer;
use crate::engine::worker::{Cause, Exit, Reason, Worker, WorkerState};
use crate::engine::{Engine, Phase};
use crate::error::{ErrorCode, Failure};
use crate::ids::WorkerId;
use crate::policy::crash::Crash;
use crate::policy::restart::Verdict;
use crate::time::Time;

/// How long the pipes of a dead process are read before its calls are given up. A grandchild may
/// hold them open for ever.
const DRAIN: Duration = Duration::from_millis(50);

/// How long the exit of a killed process is waited for before its calls are given up. Only one that
/// the kernel itself holds takes so long.
const UNDEAD: Duration = Duration::from_secs(1);

impl Engine {
    /// Starts the first workers. [`Event::Spawned`] or [`Event::SpawnFailed`] follows.
    pub fn start(&mut self, now: Time, actions: &mut Actions) {
        self.phase = Phase::Starting;
        self.pool.unlaunched = self.pool.min;
        self.launch_batch(now, actions);
    }

    /// Whether a worker's process, just started, is still wanted.
    pub fn wants(&self, id: WorkerId) -> bool {
        self.workers
            .get(&id)
            .is_some_and(|worker| worker.state == WorkerState::Starting)
    }

    /// The driver could not start a worker's process.
    pub fn start_failed(&mut self, now: Time, id: WorkerId, reason: &str, actions: &mut Actions) {
        let message = format!("the worker's process could not be started: {reason}");
        let failure = Failure::new(ErrorCode::StartFailed, message).with("worker", id.0);
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.cause.get_or_insert(Cause::Start(failure));
            worker.exit = Some(Exit::default());
            worker.closed = true;
        }
        self.bury(now, id, actions);
    }

    /// A worker's process is gone and reaped.
    pub fn exited(&mut self, now: Time, id: WorkerId, exit: Exit, actions: &mut Actions) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        worker.exit = Some(exit);
        self.dying(now, id, actions);
    }

    /// A worker's data channel is at its end.
    pub fn closed(&mut self, now: Time, id: WorkerId, actions: &mut Actions) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        worker.closed = true;
        self.dying(now, id, actions);
    }

    /// Exit and end of file are different events, and either may come long before the other. The
    /// first starts a short wait for the second; then the calls are given up.
    fn dying(&mut self, now: Time, id: WorkerId, actions: &mut Actions) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        let stopping = worker.state == WorkerState::Stopping;
        if worker.exit.is_some() && (worker.closed || stopping || worker.in_flight == 0) {
            self.bury(now, id, actions);
            return;
        }
        if worker.state == WorkerState::Dying && !worker.killed {
            return;
        }
        if worker.killed && worker.exit.is_none() {
            return;
        }
        if !stopping {
            worker.state = WorkerState::Dying;
            Self::place(&mut self.placement, worker);
            self.census();
        }
        self.timers.set(now + DRAIN, Timer::Drained { worker: id });
    }

    /// The wait for the rest of a dead worker's bytes is over.
    pub(super) fn drained_or_dead(&mut self, now: Time, id: WorkerId, actions: &mut Actions) {
        let Some(worker) = self.workers.get(&id) else {
            return;
        };
        if worker.exit.is_some() {
            self.bury(now, id, actions);
            return;
        }
        // It closed its channel and lives: as good as dead. It is killed, unless it goes already,
        // and its exit buries it; only then its journal can be relied upon.
        let failure = match &worker.cause {
            Some(Cause::Protocol(failure)) => failure.clone(),
            _ => Failure::new(
                ErrorCode::WorkerExited,
                format!("worker {id} closed its data channel without exiting"),
            ),
        };
        if worker.killed || worker.state == WorkerState::Stopping {
            self.settle_all_of(now, id, &failure, actions);
        } else {
            self.kill(now, id, Cause::Closed(failure), actions);
        }
    }

    /// Kills a worker that is not on its way out yet. What it has answered counts, unless it has broken
    /// the protocol before, and what it has not begun goes elsewhere when it is dead.
    pub(super) fn kill(&mut self, now: Time, id: WorkerId, cause: Cause, actions: &mut Actions) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        if worker.state == WorkerState::Stopping {
            return;
        }
        // Whose calls are settled when it is gone, by what it had begun.
        let serves = matches!(worker.state, WorkerState::Ready | WorkerState::Dying);
        let waits = match cause {
            Cause::Hung | Cause::Closed(_) | Cause::Frozen(_) => true,
            Cause::Protocol(_) => serves,
            Cause::Asked(_) | Cause::Start(_) => false,
        };
        worker.cause.get_or_insert(cause);
        let is_killed = std::mem::replace(&mut worker.killed, true);
        worker.state = if waits {
            self.timers.set(now + UNDEAD, Timer::Drained { worker: id });
            WorkerState::Dying
        } else {
            WorkerState::Stopping
        };
        worker.outbox.clear();
        Self::place(&mut self.placement, worker);
        // It may have exited before what it had written was read.
        let exited = worker.exit.is_some();
        if exited {
            self.bury(now, id, actions);
        } else if !is_killed {
            actions.commands.push(Command::Kill(id));
        }
        self.census();
        self.settle_operations(actions);
    }

    /// A dead worker leaves: its calls are settled or sent elsewhere, and it is replaced.
    fn bury(&mut self, now: Time, id: WorkerId, actions: &mut Actions) {
        let Some(mut worker) = self.workers.remove(&id) else {
            return;
        };
        self.placement.remove(&mut worker);
        let mut exit = worker.exit.take().unwrap_or_default();
        worker.last_words.push(exit.stderr_tail.as_bytes());
        exit.stderr_tail = worker.last_words.text();
        let failure = obituary(&worker, &exit, self.config.grace);
        let (reason, unplanned) = match &worker.cause {
            None | Some(Cause::Closed(_)) => ("exited", true),
            Some(Cause::Asked(reason)) => (reason.as_str(), false),
            Some(Cause::Protocol(_)) => ("protocol", true),
            Some(Cause::Hung) => ("hung", true),
            Some(Cause::Start(_)) => ("start", true),
            Some(Cause::Frozen(_)) => ("frozen", true),
        };
        self.past.add(&worker.counters);
        let crash = match worker.cause {
            None => Crash::of(exit.code, exit.signal.as_deref()),
            Some(_) => None,
        };
        if crash.is_some() {
            self.blame(now, &worker, &exit.journal);
        }
        self.settle_sent(now, &worker, &exit.journal, &failure, actions);
        self.settle_pinned(now, &worker, &failure, actions);
        actions.events.push(Event::WorkerExit {
            worker: id,
            code: exit.code,
            signal: exit.signal,
            reason,
            crash: crash.map(Crash::as_str),
            stderr_tail: exit.stderr_tail,
        });
        self.census();
        let started = worker.pid != 0;
        match &self.phase {
            Phase::Starting => {
                let enough = self.config.min_ready.unwrap_or(self.pool.min);
                let possible = self.pool.ready + self.pool.starting + self.pool.unlaunched;
                if self.was_replaced(now, &worker) {
                    // Another one is there for it.
                } else if possible < enough.min(self.pool.min) {
                    self.spawn_has_failed(now, failure, actions);
                } else {
                    self.replace(now, id, crash, failure, actions);
                }
            }
            Phase::Running | Phase::Unhealthy(_) if unplanned => {
                // First: a reload that fails by this lets go of those without a successor.
                let was_replaced = self.was_replaced(now, &worker);
                if !started {
                    self.start_has_failed(&failure, actions);
                }
                if !was_replaced {
                    self.replace(now, id, crash, failure, actions);
                }
            }
            Phase::Stopping if self.workers.is_empty() => actions.events.push(Event::Stopped),
            Phase::Idle | Phase::Running | Phase::Unhealthy(_) | Phase::Stopping => {}
        }
        self.departed(now, actions);
        self.settle_operations(actions);
    }

    fn spawn_has_failed(&mut self, now: Time, failure: Failure, actions: &mut Actions) {
        self.settle_queued(now, &failure, actions);
        actions.events.push(Event::SpawnFailed { failure });
        self.stop(now, actions);
    }

    fn replace(
        &mut self,
        now: Time,
        id: WorkerId,
        crash: Option<Crash>,
        failure: Failure,
        actions: &mut Actions,
    ) {
        let Some(policy) = self.config.restart else {
            // The pool is smaller from now on, and does not grow back by itself.
            self.pool.max = self.pool.members.max(self.pool.max.saturating_sub(1));
            self.pool.min = self.pool.min.min(self.pool.max);
            if self.pool.ready + self.pool.starting == 0 {
                self.fail_fast(now, failure, actions);
            }
            return;
        };
        let delay = match self.restarts.judge(&policy, now) {
            Verdict::Replace(delay) => delay,
            Verdict::Unhealthy(_) if self.phase == Phase::Starting => {
                self.spawn_has_failed(now, failure, actions);
                return;
            }
            Verdict::Unhealthy(delay) => {
                // As long as one worker serves the pool does, only smaller.
                if self.pool.ready == 0 {
                    self.fail_fast(now, failure, actions);
                }
                delay
            }
        };
        let delay = delay.max(policy.pause(crash));
        self.restart_count += 1;
        let ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        actions.events.push(Event::WorkerRestart {
            worker: id,
            delay: ms,
        });
        self.replace_at(now + delay);
    }

    /// Nobody can run a call: those that wait are told why, and so are later ones.
    fn fail_fast(&mut self, now: Time, failure: Failure, actions: &mut Actions) {
        self.settle_queued(now, &failure, actions);
        if !matches!(self.phase, Phase::Unhealthy(_)) {
            actions.events.push(Event::Unhealthy {
                failure: failure.clone(),
            });
        }
        self.phase = Phase::Unhealthy(failure);
        // What waited for those that leave waits no more.
        let ids: Vec<WorkerId> = self.workers.keys().copied().collect();
        for id in ids {
            self.let_go(id, actions);
        }
    }

    /// Every call is rejected and every worker told to go. [`Event::Stopped`] follows.
    pub fn stop(&mut self, now: Time, actions: &mut Actions) {
        if self.phase == Phase::Stopping {
            return;
        }
        self.phase = Phase::Stopping;
        self.restarts_due.clear();
        self.pool.unlaunched = 0;
        let failure = Failure::new(ErrorCode::Disposed, "the instance was disposed of");
        self.settle_queued(now, &failure, actions);
        let ids: Vec<WorkerId> = self.workers.keys().copied().collect();
        if ids.is_empty() {
            actions.events.push(Event::Stopped);
        }
        for id in ids {
            self.settle_all_of(now, id, &failure, actions);
            let Some(worker) = self.workers.get_mut(&id) else {
                continue;
            };
            worker.state = WorkerState::Stopping;
            worker.outbox.clear();
            Self::place(&mut self.placement, worker);
            if worker.exit.is_some() {
                // It died by itself just before: there is nobody to tell.
                self.bury(now, id, actions);
            } else {
                worker.cause.get_or_insert(Cause::Asked(Reason::Stopped));
                actions.commands.push(Command::Stop(id));
            }
        }
        self.settle_operations(actions);
    }
}

/// What a dead worker's calls are told.
fn obituary(worker: &Worker, exit: &Exit, grace: Duration) -> Failure {
    let id = worker.id;
    let failure = match &worker.cause {
        // It was killed for that: how it ended says nothing, and would only mislead.
        Some(Cause::Start(failure) | Cause::Protocol(failure)) => {
            return failure
                .clone()
                .with("worker", id.0)
                .with("stderrTail", exit.stderr_tail.clone());
        }
        Some(Cause::Closed(failure)) => failure.clone(),
        Some(Cause::Hung) => {
            let message = format!(
                "worker {id} was killed because a cancelled call had not yielded after {} ms",
                grace.as_millis()
            );
            Failure::new(ErrorCode::WorkerExited, message).with("retryable", true)
        }
        Some(Cause::Frozen(silence)) => {
            let message = format!(
                "worker {id} was killed because it gave no sign of life for {} ms and did not \
                 compute",
                silence.as_millis()
            );
            Failure::new(ErrorCode::WorkerExited, message).with("retryable", true)
        }
        None | Some(Cause::Asked(_)) => {
            let how = match (exit.code, &exit.signal) {
                (_, Some(signal)) => {
                    let hint = Crash::of(None, Some(signal)).map_or("", Crash::hint);
                    format!("was ended by {signal}{hint}")
                }
                (Some(code), None) => format!("exited with code {code}"),
                (None, None) => "is gone".to_owned(),
            };
            if worker.state == WorkerState::Starting || worker.pid == 0 {
                let message = format!("worker {id} {how} before it was ready");
                Failure::new(ErrorCode::StartFailed, message)
            } else {
                let message = format!("worker {id} {how}");
                Failure::new(ErrorCode::WorkerExited, message).with("retryable", true)
            }
        }
    };
    failure
        .with("worker", worker.id.0)
        .with("exitCode", exit.code)
        .with("signal", exit.signal.clone())
        .with("stderrTail", exit.stderr_tail.clone())
}
