//! Time passes: deadlines, grace times and whatever else was set for later.

use crate::engine::action::{Actions, Event};
use crate::engine::call::{Call, CallState};
use crate::engine::timers::Timer;
use crate::engine::worker::{Cause, Worker, WorkerState};
use crate::engine::{Engine, Phase};
use crate::error::{ErrorCode, Failure};
use crate::ids::{CallId, WorkerId};
use crate::time::Time;

/// A time of a call that can be over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    /// From the call to its end.
    Deadline,
    /// From the call to its beginning in a worker.
    Queue,
}

impl Limit {
    /// What users know it by.
    fn name(self) -> &'static str {
        match self {
            Self::Deadline => "deadline",
            Self::Queue => "queue.timeout",
        }
    }
}

impl Engine {
    /// Time has passed: whatever is due happens.
    pub fn tick(&mut self, now: Time, actions: &mut Actions) {
        while let Some(timer) = self.timers.due(now) {
            match timer {
                Timer::Deadline { call, sequence } => {
                    self.expire(now, call, sequence, Limit::Deadline, actions);
                }
                Timer::QueueTimeout { call, sequence } => {
                    self.queue_time_is_over(now, call, sequence, actions);
                }
                Timer::Withdrawn { call, sequence } => {
                    self.withdrawal_is_seen(call, sequence, actions);
                }
                Timer::Grace { call, sequence } => self.grace_is_over(call, sequence, actions),
                Timer::Start { worker } => self.start_is_late(now, worker, actions),
                Timer::Drained { worker } => self.drained_or_dead(now, worker, actions),
                Timer::Sweep => self.sweep_sessions(now),
                Timer::Restart => self.restart_is_due(now, actions),
                Timer::Grow => self.grow(now, actions),
                Timer::Batch => self.launch_batch(now, actions),
                Timer::Idle { worker } => self.idle_is_due(now, worker, actions),
                Timer::Age { worker } => self.age_is_due(now, worker, actions),
                Timer::Renew { worker } => self.renewal_is_due(now, worker, actions),
                Timer::Beat { worker } => self.beat_is_due(now, worker, actions),
                Timer::Frame { worker } => self.frame_is_due(now, worker, actions),
            }
        }
        if self.policies.is_some() {
            self.tick_policies(now, actions);
        }
        self.settle_operations(actions);
    }

    /// When [`Engine::tick`] is next due.
    pub fn next_wake(&mut self) -> Option<Time> {
        let Some(policies) = &mut self.policies else {
            return self.next_timer();
        };
        let due = policies.next_wake();
        [due, self.next_timer()].into_iter().flatten().min()
    }

    fn next_timer(&mut self) -> Option<Time> {
        let (calls, workers) = (&self.calls, &self.workers);
        let restarts = !self.restarts_due.is_empty();
        let sweeps = self.phase != Phase::Stopping;
        let (grows, batches) = (self.pool.grow_set, self.pool.unlaunched > 0);
        self.timers.next(|timer| match timer {
            Timer::Deadline { call, sequence }
            | Timer::QueueTimeout { call, sequence }
            | Timer::Withdrawn { call, sequence }
            | Timer::Grace { call, sequence } => calls
                .get(call)
                .is_some_and(|call| call.sequence == *sequence),
            Timer::Start { worker } => workers
                .get(worker)
                .is_some_and(|worker| worker.state == WorkerState::Starting),
            Timer::Drained { worker } => workers.contains_key(worker),
            Timer::Sweep => sweeps,
            Timer::Restart => restarts,
            Timer::Grow => grows,
            Timer::Batch => batches,
            Timer::Beat { worker } => workers
                .get(worker)
                .is_some_and(|worker| worker.state == WorkerState::Ready),
            Timer::Frame { worker } => workers.get(worker).is_some_and(Worker::is_heard),
            Timer::Idle { worker } | Timer::Age { worker } | Timer::Renew { worker } => {
                workers.get(worker).is_some_and(|worker| {
                    worker.state == WorkerState::Ready && worker.leaving.is_none()
                })
            }
        })
    }

    /// A time of a call is over: its caller is told, and nobody waits for it any more. One that is
    /// with a worker when its time in the queue is over must be certain not to begin.
    pub(super) fn expire(
        &mut self,
        now: Time,
        id: CallId,
        sequence: u64,
        limit: Limit,
        actions: &mut Actions,
    ) {
        let is_it = |call: &Call| call.sequence == sequence;
        if self.calls.get(&id).is_some_and(is_it) {
            self.tell_expired(now, id, limit, actions);
            self.abandon(now, id, actions);
        }
    }

    /// Tells a caller that a time of its call is over.
    pub(super) fn tell_expired(
        &mut self,
        now: Time,
        id: CallId,
        limit: Limit,
        actions: &mut Actions,
    ) {
        let Some(call) = self.calls.get(&id) else {
            return;
        };
        let worker = match call.state {
            CallState::Queued => None,
            CallState::Sent(worker) => Some(worker),
            CallState::Abandoned(_) => return,
        };
        let runs = worker.is_some() && limit == Limit::Deadline;
        let waited = now.since(call.submitted).as_millis();
        let (phase, doing) = match worker {
            None => ("queue", "waiting for a worker".to_owned()),
            Some(_) if runs => ("run", "running".to_owned()),
            Some(worker) => ("queue", format!("waiting in worker {worker}")),
        };
        let limit = limit.name();
        let message = format!("the call passed its {limit} after {waited} ms while {doing}");
        // One that waits may have come back from a worker that died with it.
        let may_have_executed = runs || call.deaths > 0;
        let mut failure = Failure::new(ErrorCode::Timeout, message)
            .with("phase", phase)
            .with("mayHaveExecuted", may_have_executed)
            .with("callId", id.0);
        if let Some(name) = self.handlers.name(call.handler) {
            failure = failure.with("handler", name);
        }
        if let Some(worker) = worker {
            failure = failure.with("worker", worker.0);
        }
        if !runs {
            self.past.timeouts += 1;
            self.queue_timeouts += 1;
        } else if let Some(worker) = worker.and_then(|id| self.workers.get_mut(&id)) {
            worker.counters.timeouts += 1;
        }
        actions.events.push(Event::Failed { id, failure });
    }

    pub(super) fn start_is_late(&mut self, now: Time, id: WorkerId, actions: &mut Actions) {
        let Some(worker) = self.workers.get(&id) else {
            return;
        };
        if worker.state != WorkerState::Starting {
            return;
        }
        let limit = self.config.start_timeout.unwrap_or_default().as_millis();
        let message = format!(
            "worker {id} was not ready after {limit} ms; raise startTimeout if its imports or \
             on_start take longer"
        );
        let failure = Failure::new(ErrorCode::Timeout, message)
            .with("phase", "start")
            .with("worker", id.0);
        self.kill(now, id, Cause::Start(failure), actions);
    }
}
