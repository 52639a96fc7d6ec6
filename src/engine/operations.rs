//! What users do to the pool as a whole: wait until it is ready or done, scale, restart and reload
//! it. Each operation has a number of its caller's and ends with one [`Event::Done`].

use serde::Deserialize;

use crate::engine::action::{Actions, Event};
use crate::engine::worker::{Reason, WorkerState};
use crate::engine::{Engine, Phase};
use crate::error::{ErrorCode, Failure};
use crate::ids::WorkerId;
use crate::time::Time;

/// An operation on the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum PoolRequest {
    /// Done when so many workers are ready; `None`: as many as the pool keeps.
    Ready {
        /// How many.
        min: Option<u32>,
    },
    /// Changes the size; done when all workers are ready and none is surplus.
    Scale {
        /// Workers that are always kept.
        min: u32,
        /// Workers that are started at most.
        max: u32,
    },
    /// Replaces one worker or all, each after it has answered what it has; done when the old ones
    /// are gone and the new ones ready.
    Restart {
        /// Which; `None`: all.
        worker: Option<u32>,
    },
    /// Replaces all workers, a few at a time, each when its successor is ready; done when all old
    /// ones are gone.
    Reload,
    /// Done when no call is in flight and none waits.
    Drain,
}

/// An operation that is under way.
#[derive(Debug)]
pub(super) struct Operation {
    ticket: u32,
    waits: Wait,
}

#[derive(Debug)]
enum Wait {
    Ready(u32),
    Size,
    Gone(Vec<WorkerId>),
    Drained,
}

impl Engine {
    /// Begins an operation. [`Event::Done`] with the same `ticket` follows, perhaps at once.
    pub fn operate(&mut self, now: Time, ticket: u32, request: PoolRequest, actions: &mut Actions) {
        let waits = match self.begin(now, request, actions) {
            Ok(waits) => waits,
            Err(failure) => {
                let failure = Some(failure);
                actions.events.push(Event::Done { ticket, failure });
                return;
            }
        };
        self.operations.push(Operation { ticket, waits });
        self.settle_operations(actions);
    }

    fn begin(
        &mut self,
        now: Time,
        request: PoolRequest,
        actions: &mut Actions,
    ) -> Result<Wait, Failure> {
        match (&self.phase, request) {
            (Phase::Idle, request) if !matches!(request, PoolRequest::Ready { .. }) => {
                let message = "there are no workers before spawn";
                return Err(Failure::new(ErrorCode::NotSpawned, message));
            }
            (Phase::Stopping, _) => {
                let message = "the instance is being disposed of";
                return Err(Failure::new(ErrorCode::Disposed, message));
            }
            // Before `Starting` the environment is being prepared.
            (Phase::Starting, PoolRequest::Ready { .. } | PoolRequest::Drain)
            | (Phase::Idle | Phase::Running | Phase::Unhealthy(_), _) => {}
            (Phase::Starting, _) => {
                let message = "the first workers are still starting";
                return Err(Failure::new(ErrorCode::NotSpawned, message));
            }
        }
        match request {
            PoolRequest::Ready { min } => Ok(Wait::Ready(min.unwrap_or(self.pool.min))),
            PoolRequest::Drain => Ok(Wait::Drained),
            PoolRequest::Scale { min, max } => {
                self.resize(now, min.max(1), max, actions);
                Ok(Wait::Size)
            }
            PoolRequest::Restart { worker } => {
                let ids = self.restarted(now, worker.map(WorkerId), actions)?;
                Ok(Wait::Gone(ids))
            }
            PoolRequest::Reload => {
                let current = self.workers.values().filter(|worker| {
                    worker.leaving.is_none()
                        && matches!(worker.state, WorkerState::Starting | WorkerState::Ready)
                });
                let ids: Vec<WorkerId> = current.map(|worker| worker.id).collect();
                for id in &ids {
                    if let Some(worker) = self.workers.get_mut(id)
                        && worker.successor.is_some()
                    {
                        // That one has loaded the old code: it is replaced in its turn.
                        continue;
                    }
                    self.renew(now, *id, Reason::Reloaded, actions);
                }
                Ok(Wait::Gone(ids))
            }
        }
    }

    fn restarted(
        &mut self,
        now: Time,
        worker: Option<WorkerId>,
        actions: &mut Actions,
    ) -> Result<Vec<WorkerId>, Failure> {
        let current = |engine: &Self, id: &WorkerId| {
            engine.workers.get(id).is_some_and(|worker| {
                worker.is_member()
                    && matches!(worker.state, WorkerState::Starting | WorkerState::Ready)
            })
        };
        let ids: Vec<WorkerId> = match worker {
            None => self.workers.keys().copied().collect(),
            Some(id) => vec![id],
        };
        let ids: Vec<WorkerId> = ids.into_iter().filter(|id| current(self, id)).collect();
        if let Some(id) = worker.filter(|_| ids.is_empty()) {
            let message = format!("worker {id} is not running");
            return Err(Failure::new(ErrorCode::WorkerExited, message).with("worker", id.0));
        }
        for id in &ids {
            let members = self.pool.members;
            self.leave(now, *id, Reason::Restarted, actions);
            // Its successor, if it has one already, has become a member.
            if self.pool.members < members {
                self.launch(now, actions);
            }
        }
        if worker.is_none() {
            // Those that wait for their backoff need not wait any longer.
            for _ in std::mem::take(&mut self.restarts_due) {
                self.launch_replacement(now, actions);
            }
        }
        Ok(ids)
    }

    /// Ends the operations that are over. To be called after every input that may have ended one.
    pub(super) fn settle_operations(&mut self, actions: &mut Actions) {
        if self.refused_calls && self.is_drained() {
            self.refused_calls = false;
            actions.events.push(Event::Drain);
        }
        if self.operations.is_empty() {
            return;
        }
        let mut at = 0;
        while let Some(operation) = self.operations.get(at) {
            let outcome = match (&operation.waits, &self.phase) {
                (Wait::Drained, _) => self.is_drained().then_some(None),
                (_, Phase::Stopping) => {
                    let message = "the instance was disposed of";
                    Some(Some(Failure::new(ErrorCode::Disposed, message)))
                }
                (_, Phase::Unhealthy(failure)) => Some(Some(failure.clone())),
                (Wait::Ready(min), _) => (self.pool.ready >= *min).then_some(None),
                (Wait::Size, _) => {
                    let settled = self.is_settled() && self.pool.ready >= self.pool.min;
                    settled.then_some(None)
                }
                (Wait::Gone(ids), _) => {
                    let gone = ids.iter().all(|id| !self.workers.contains_key(id));
                    (gone && self.pool.starting == 0 && self.restarts_due.is_empty())
                        .then_some(None)
                }
            };
            let Some(failure) = outcome else {
                at += 1;
                continue;
            };
            let drained = matches!(operation.waits, Wait::Drained);
            let ticket = operation.ticket;
            self.operations.remove(at);
            if drained {
                self.refused_calls = false;
                actions.events.push(Event::Drain);
            }
            actions.events.push(Event::Done { ticket, failure });
        }
    }

    /// A worker could not get ready: those who wait for new workers are told why.
    pub(super) fn start_has_failed(&mut self, failure: &Failure, actions: &mut Actions) {
        let (failed, others) = std::mem::take(&mut self.operations)
            .into_iter()
            .partition(|operation| matches!(operation.waits, Wait::Size | Wait::Gone(_)));
        self.operations = others;
        let failed: Vec<Operation> = failed;
        for Operation { ticket, .. } in &failed {
            let (ticket, failure) = (*ticket, Some(failure.clone()));
            actions.events.push(Event::Done { ticket, failure });
        }
        if !failed.is_empty() {
            self.give_up_reload();
        }
    }

    /// Workers that were only to be reloaded go on.
    fn give_up_reload(&mut self) {
        for worker in self.workers.values_mut() {
            if worker.renewal == Some(Reason::Reloaded) && worker.successor.is_none() {
                worker.renewal = None;
            }
        }
    }

    /// Whether no call is in flight, waits, or is to be tried again.
    fn is_drained(&self) -> bool {
        self.calls.is_empty() && self.policy_holdings().guarded == 0
    }

    /// Whether no worker is on its way in or out.
    fn is_settled(&self) -> bool {
        self.pool.starting == 0
            && self.restarts_due.is_empty()
            && self.workers.values().all(|worker| worker.leaving.is_none())
    }
}
