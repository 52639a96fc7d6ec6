//! Frames of the control channel: hello, fault, heartbeat, log.

use serde_json::Value;

use crate::engine::action::{Actions, Event};
use crate::engine::replies::broken_rule;
use crate::engine::worker::{Cause, WorkerState};
use crate::engine::{Engine, Phase};
use crate::error::{ErrorCode, Failure};
use crate::ids::WorkerId;
use crate::protocol::decoder::{self, Decoded};
use crate::protocol::header::Kind;
use crate::protocol::message::{self, Fault, Heartbeat, Hello, Mode};
use crate::protocol::{Malformed, VERSION};
use crate::time::Time;

impl Engine {
    /// Bytes that a worker sent over its control channel.
    pub fn control(&mut self, now: Time, id: WorkerId, bytes: &[u8], actions: &mut Actions) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        if worker.has_broken_protocol() {
            return;
        }
        worker.control.extend_from_slice(bytes);
        let pending = std::mem::take(&mut worker.control);
        let mut at = 0;
        loop {
            match decoder::decode(&pending, at, self.config.limits) {
                Ok(Decoded::NeedMore(_)) => break,
                Ok(Decoded::Frame(frame)) => {
                    at = frame.payload.end;
                    let body = pending.get(frame.payload).unwrap_or_default();
                    if let Err(broken) = self.control_frame(
                        now,
                        id,
                        frame.header.kind,
                        frame.header.id,
                        body,
                        actions,
                    ) {
                        self.kill(now, id, Cause::Protocol(broken_rule(&broken)), actions);
                        return;
                    }
                }
                Err(broken) => {
                    self.kill(now, id, Cause::Protocol(broken_rule(&broken)), actions);
                    return;
                }
            }
        }
        if let Some(worker) = self.workers.get_mut(&id) {
            worker
                .control
                .extend_from_slice(pending.get(at..).unwrap_or_default());
        }
    }

    fn control_frame(
        &mut self,
        now: Time,
        id: WorkerId,
        kind: Kind,
        call: u32,
        body: &[u8],
        actions: &mut Actions,
    ) -> Result<(), Malformed> {
        let limits = self.config.limits;
        match kind {
            Kind::Hello => {
                let hello = message::read::<Hello>(kind, body, limits)?;
                self.hello(now, id, &hello, actions);
            }
            Kind::Fault => {
                let fault = message::read::<Fault>(kind, body, limits)?;
                self.kill(now, id, Cause::Start(start_failure(id, &fault)), actions);
            }
            Kind::Heartbeat => {
                let beat = message::read::<Heartbeat>(kind, body, limits)?;
                self.beat(now, id, &beat, actions);
            }
            Kind::Log => self.log(id, call, body, actions)?,
            other => return Err(Malformed::Misplaced(other)),
        }
        Ok(())
    }

    fn hello(&mut self, now: Time, id: WorkerId, hello: &Hello, actions: &mut Actions) {
        if hello.protocol != VERSION {
            let message = format!(
                "worker {id} speaks protocol {} and this package speaks {VERSION}: the worker's SDK \
                 must fit the package",
                hello.protocol
            );
            let failure = Failure::new(ErrorCode::ProtocolMismatch, message);
            self.kill(now, id, Cause::Start(failure), actions);
            return;
        }
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        if worker.state != WorkerState::Starting {
            return;
        }
        worker.state = WorkerState::Ready;
        worker.mode = hello.mode;
        worker.pid = hello.pid;
        worker.python.clone_from(&hello.python);
        worker.last_activity = now;
        worker.numbering = self.handlers.learn(hello);
        worker.liveness.expected |= hello.heartbeat > 0;
        worker.heeds = hello.withdrawals && hello.mode == Mode::Synapse;
        self.arrived(now, id, actions);
        if let Some(worker) = self.workers.get_mut(&id) {
            Self::place(&mut self.placement, worker);
        }
        if hello.mode == Mode::Stdio && !self.config.queue_max_given {
            // 1.4 queued without bound, and its scripts' callers rely on it.
            self.queue_max = None;
        }
        let default = hello.default.and_then(|number| {
            hello
                .handlers
                .get(usize::from(number))
                .map(|handler| handler.name.clone())
        });
        let about = hello
            .handlers
            .iter()
            .map(|handler| serde_json::to_value(handler).unwrap_or(Value::Null))
            .collect();
        let names = self.handlers.names().to_vec();
        actions.events.push(Event::Handlers {
            names,
            about,
            default,
        });
        actions.events.push(Event::WorkerReady {
            worker: id,
            pid: hello.pid,
            python: hello.python.clone(),
            executable: hello.executable.clone(),
            protocol: match hello.mode {
                Mode::Synapse => "synapse",
                Mode::Stdio => "stdio",
            },
            shared: hello.shared && hello.mode == Mode::Synapse,
        });
        self.worker_is_ready(actions);
        self.fill(now, id, actions);
        self.grow_soon(now);
        self.settle_operations(actions);
    }

    fn worker_is_ready(&mut self, actions: &mut Actions) {
        match self.phase {
            Phase::Starting => {
                // One that has failed already is still there until it has exited.
                let enough = self.config.min_ready.unwrap_or(self.pool.min);
                if self.pool.ready >= enough.min(self.pool.min) {
                    self.phase = Phase::Running;
                    actions.events.push(Event::Spawned);
                }
            }
            Phase::Unhealthy(_) => {
                self.phase = Phase::Running;
                actions.events.push(Event::Healthy);
            }
            Phase::Idle | Phase::Running | Phase::Stopping => {}
        }
    }
}

/// Why a worker could not get ready, from what it said itself.
fn start_failure(id: WorkerId, fault: &Fault) -> Failure {
    let text = |key: &str| {
        fault
            .error
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let code = [ErrorCode::ModuleNotFound, ErrorCode::FunctionNotFound]
        .into_iter()
        .find(|code| code.as_str() == text("code"))
        .unwrap_or(ErrorCode::StartFailed);
    let message = match text("type") {
        "" => text("message").to_owned(),
        name => {
            let runtime = fault.runtime.as_deref().unwrap_or("Python");
            format!("{runtime} did not start: {name}: {}", text("message"))
        }
    };
    let python = !text("type").is_empty();
    let mut failure = Failure::new(code, message)
        .with("phase", fault.phase.clone())
        .with("worker", id.0)
        .with("traceback", text("traceback"));
    if python {
        failure = failure.with("pythonError", Value::Object(fault.error.clone()));
    }
    failure
}
