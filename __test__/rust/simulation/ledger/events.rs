//! What the engine says beside answers, and what is done to the pool as a whole.

use std::time::Duration;

use synapse::engine::{Event, Holdings, PoolRequest};
use synapse::error::Failure;
use synapse::ids::WorkerId;
use synapse::time::Time;

use crate::simulation::ledger::{Ledger, Verdict, ensure};

impl Ledger {
    /// Something is done to the pool as a whole.
    pub(crate) fn operates(&mut self, ticket: u32, request: PoolRequest, held: &Holdings) {
        let possible = self.spawned && !self.stop_asked;
        let waited_for = match request {
            PoolRequest::Scale { min, max } if possible => {
                (self.min, self.max) = (min, max);
                self.resized = true;
                Vec::new()
            }
            PoolRequest::Restart { worker } => {
                self.resized |= possible && worker.is_none();
                worker.map(WorkerId).into_iter().collect()
            }
            PoolRequest::Reload => {
                let current = held.workers.iter().filter(|load| {
                    let standing = &self.workers[&load.worker];
                    !standing.leaving && !standing.dropped && standing.gone.is_none()
                });
                current.map(|load| load.worker).collect()
            }
            PoolRequest::Ready { .. } | PoolRequest::Scale { .. } | PoolRequest::Drain => {
                Vec::new()
            }
        };
        let request = match request {
            PoolRequest::Ready { min } => PoolRequest::Ready {
                min: Some(min.unwrap_or(self.min)),
            },
            other => other,
        };
        self.operations.insert(ticket, (request, waited_for));
    }

    /// The engine says something.
    pub(crate) fn event(&mut self, now: Time, event: &Event, held: &Holdings) -> Verdict {
        match event {
            Event::Failed { id, failure } => self.failed(now, *id, failure)?,
            Event::Spawned => {
                ensure!(
                    !self.spawned && !self.spawn_failed,
                    "spawned after a verdict"
                );
                let wanted = self.config.min_ready.unwrap_or(self.config.workers);
                ensure!(
                    self.serving() >= wanted.min(self.config.workers),
                    "spawned although not all workers are ready"
                );
                self.spawned = true;
            }
            Event::SpawnFailed { .. } => {
                ensure!(
                    !self.spawned && !self.spawn_failed,
                    "spawn failed after a verdict"
                );
                ensure!(!self.stop_asked, "spawn failed after a stop");
                self.spawn_failed = true;
            }
            Event::Stopped => {
                ensure!(!self.stopped, "stopped twice");
                ensure!(self.stop_asked || self.spawn_failed, "stopped unasked");
                ensure!(held.workers.is_empty(), "stopped with workers");
                self.stopped = true;
            }
            Event::WorkerExit { worker, .. } => {
                ensure!(self.buried.insert(*worker), "worker {worker} exited twice");
                self.bury(now, *worker);
            }
            Event::WorkerRestart { delay, .. } => {
                ensure!(self.config.restart.is_some(), "a restart without a policy");
                self.restarts.push(now + Duration::from_millis(*delay));
            }
            Event::Unhealthy { .. } => {
                ensure!(!self.unhealthy, "unhealthy twice");
                self.unhealthy = true;
            }
            Event::Healthy => {
                ensure!(self.unhealthy, "healthy twice");
                self.unhealthy = false;
            }
            Event::Resumed {
                id, resume_from, ..
            } => {
                let record = self.open_record(*id)?;
                ensure!(
                    record.seen == *resume_from,
                    "call {id} is said to go on from {resume_from}"
                );
            }
            Event::WorkerDrain { worker, .. } => {
                if let Some(standing) = self.workers.get_mut(worker) {
                    ensure!(
                        !standing.leaving || standing.dropped,
                        "worker {worker} drains twice"
                    );
                    standing.leaving = true;
                }
            }
            Event::WorkerUnhealthy { worker, .. } => {
                let Some(standing) = self.workers.get_mut(worker) else {
                    return Err(format!("worker {worker} froze before it was started"));
                };
                // One that goes on again may not have been heard yet.
                let interval = self.config.heartbeat.map_or(Duration::ZERO, |h| h.interval);
                let was = standing.thawed.is_some_and(|at| now <= at + 2 * interval);
                ensure!(
                    was || standing.silent.is_some_and(|(_, frozen)| frozen),
                    "worker {worker} lives and is taken for frozen"
                );
                standing.frozen = true;
            }
            Event::WorkerHealthy { worker } => {
                if let Some(standing) = self.workers.get_mut(worker) {
                    ensure!(standing.frozen, "worker {worker} is healthy twice");
                    standing.frozen = false;
                }
            }
            Event::Done { ticket, failure } => self.done(*ticket, failure.as_ref(), held)?,
            Event::Drain
            | Event::HeartbeatMissed { .. }
            | Event::Handlers { .. }
            | Event::WorkerReady { .. }
            | Event::Log { .. }
            | Event::Heartbeat { .. }
            | Event::Placed { .. }
            | Event::Breaker { .. }
            | Event::SessionsHigh { .. }
            | Event::SessionLost { .. }
            | Event::Retry { .. } => {}
        }
        Ok(())
    }

    /// An operation is over.
    pub(super) fn done(
        &mut self,
        ticket: u32,
        failure: Option<&Failure>,
        held: &Holdings,
    ) -> Verdict {
        let Some((request, waited_for)) = self.operations.remove(&ticket) else {
            return Err(format!("operation {ticket} is over and was never begun"));
        };
        if failure.is_some() {
            return Ok(());
        }
        let gone = |id: &WorkerId| held.workers.iter().all(|load| load.worker != *id);
        ensure!(
            waited_for.iter().all(gone),
            "{request:?} is over and one of {waited_for:?} is there"
        );
        match request {
            PoolRequest::Drain => ensure!(held.calls == 0, "drained with {} calls", held.calls),
            PoolRequest::Ready { min } => {
                let ready = self.serving();
                let wanted = min.unwrap_or(self.min);
                // Without restarts the pool gets smaller.
                let shrinks = self.config.restart.is_none();
                ensure!(
                    ready >= wanted || shrinks,
                    "ready with {ready} workers of {wanted}"
                );
            }
            PoolRequest::Scale { .. } => {
                let going = held.workers.iter().any(|load| load.leaving);
                ensure!(!going, "scaled while workers go");
            }
            PoolRequest::Restart { .. } | PoolRequest::Reload => {}
        }
        Ok(())
    }
}
