//! What becomes of workers: ready, frozen, told to go, gone.

use synapse::engine::Command;
use synapse::ids::{CallId, WorkerId};
use synapse::protocol::message::Mode;
use synapse::time::Time;

use crate::simulation::ledger::{Ledger, Standing, Verdict, ensure};

impl Ledger {
    /// A worker said hello.
    pub(crate) fn ready(&mut self, now: Time, worker: WorkerId) {
        let mode = self.mode;
        if let Some(standing) = self.workers.get_mut(&worker)
            && !standing.dropped
            && standing.gone.is_none()
        {
            standing.ready = true;
            standing.beat = standing.beat.map(|_| now);
            if mode == Mode::Stdio && !self.config.queue_max_given {
                self.queue_max = None;
            }
        }
    }

    /// A worker gave a sign of life.
    pub(crate) fn beat(&mut self, now: Time, worker: WorkerId) {
        if let Some(standing) = self.workers.get_mut(&worker) {
            standing.beat = Some(now);
        }
    }

    /// The clock has jumped: what was missed meanwhile is nobody's fault.
    pub(crate) fn jumped(&mut self, now: Time) {
        self.unbroken_since = now;
        for standing in self.workers.values_mut() {
            standing.beat = standing.beat.map(|_| now);
            standing.gone = standing.gone.map(|_| now);
        }
    }

    /// A worker has begun a call.
    pub(crate) fn began(&mut self, now: Time, worker: WorkerId, call: CallId) {
        self.begun.insert((worker, call), now);
        if self.never.contains(&call) {
            self.breach.get_or_insert(format!(
                "call {call} began in worker {worker} after its caller was told that it will not"
            ));
        }
    }

    /// The engine was told of a worker's exit or of its end of file.
    pub(crate) fn gone(&mut self, now: Time, worker: WorkerId) {
        if let Some(standing) = self.workers.get_mut(&worker) {
            standing.gone.get_or_insert(now);
        }
    }

    /// The engine was told of a worker's exit.
    pub(crate) fn exited(&mut self, now: Time, worker: WorkerId) {
        let standing = self.workers.entry(worker).or_default();
        standing.exited = true;
        standing.gone = Some(now);
    }

    /// The engine asks for something.
    pub(crate) fn command(&mut self, command: &Command, ticked: bool) -> Verdict {
        let (Command::Start(worker)
        | Command::Control(worker, _)
        | Command::Stop(worker)
        | Command::Inspect(worker)
        | Command::Withdraw(worker, _)
        | Command::Restore(worker, _)
        | Command::Look(worker)
        | Command::LookMidFrame(worker)
        | Command::Kill(worker)) = command;
        if let Command::Start(_) = command {
            let fresh = self.workers.insert(*worker, Standing::default()).is_none();
            ensure!(fresh, "worker {worker} was started twice");
            ensure!(
                !self.stop_asked,
                "worker {worker} was started after the stop"
            );
            return Ok(());
        }
        let Some(standing) = self.workers.get_mut(worker) else {
            return Err(format!("{command:?} before the worker was started"));
        };
        ensure!(!standing.exited, "{command:?} for a worker that has exited");
        if matches!(command, Command::Stop(_)) {
            let owed = &standing.owed;
            ensure!(
                self.stop_asked || !self.spawned || owed.is_empty(),
                "worker {worker} was stopped while it owes {owed:?}"
            );
            standing.leaving |= self.spawned;
        }
        if matches!(command, Command::Stop(_) | Command::Kill(_)) {
            standing.dropped = true;
            // One that is killed because time has passed is no liar: what it has said counts.
            standing.unheard |= !ticked || matches!(command, Command::Stop(_));
        }
        Ok(())
    }

    /// The calls that a dead worker held and that were not failed wait again.
    pub(super) fn bury(&mut self, now: Time, worker: WorkerId) {
        if let Some(standing) = self.workers.get_mut(&worker) {
            standing.owed.clear();
        }
        let mut over = Vec::new();
        for (call, record) in &mut self.calls {
            if record.at != Some(worker) {
                continue;
            }
            record.at = None;
            if record.told.is_none() {
                record.waits = Some(now);
                record.queued = now;
            } else {
                over.push(*call);
            }
        }
        for call in over {
            self.retire(call);
        }
    }
}
