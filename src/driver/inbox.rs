//! What happened on other threads: the environment is prepared, a process has started, said
//! something or ended.

use std::os::fd::IntoRawFd;
use std::sync::Arc;

use crate::driver::news::News;
use crate::driver::node::{NodeDriver, Running};
use crate::driver::output::Utf8;
use crate::driver::post::Message;
use crate::driver::signals;
use crate::engine::{Engine, Event, Exit};
use crate::error::Failure;
use crate::ids::WorkerId;
use crate::process::{Child, ExitReport, ProcessEvent};

impl NodeDriver {
    /// Something happened on another thread.
    pub(super) fn take(&mut self, message: Message) {
        match message {
            Message::Progress(step) => self.tell(&News::Setup { step }),
            Message::Prepared(Ok(prepared)) => {
                self.preparing = None;
                self.tell(&News::Prepared {
                    environment: prepared.describe(),
                });
                self.prepared = Some(Arc::new(prepared));
                self.with_engine(Engine::start);
            }
            Message::Prepared(Err(failure)) | Message::Restored(Err(failure)) => {
                self.not_prepared(failure);
            }
            Message::Restored(Ok((store, sessions))) => {
                let now = self.now();
                if let Some(engine) = &mut self.engine {
                    for (id, record) in sessions {
                        engine.sessions().restore(now, &id, record);
                    }
                    engine.sweep_later(now);
                }
                self.store = Some(store);
            }
            Message::StoreFailed(message) => self.tell(&News::StoreFailed { message }),
            Message::StoreClosed => {
                self.closing = false;
                self.report_stopped();
            }
            Message::Started(worker, outcome) => self.started(worker, outcome),
            Message::Process(worker, event) => self.process(worker, event),
        }
    }

    fn not_prepared(&mut self, failure: Failure) {
        self.preparing = None;
        self.actions.events.push(Event::SpawnFailed { failure });
        self.with_engine(Engine::stop);
    }

    fn started(&mut self, worker: WorkerId, outcome: std::io::Result<Child>) {
        self.starting -= 1;
        let mut child = match outcome {
            Ok(child) => child,
            Err(error) => {
                let reason = match &self.prepared {
                    Some(prepared) => prepared.explain(&error),
                    None => error.to_string(),
                };
                self.with_engine(|engine, now, actions| {
                    engine.start_failed(now, worker, &reason, actions);
                });
                return;
            }
        };
        if let Some(fd) = child.data.take_read_fd() {
            let (pid, fd) = (child.pid(), fd.into_raw_fd());
            self.tell(&News::WorkerStart { worker, pid, fd });
        }
        // Told to go before it was there: the engine's command has found no process.
        let wanted = self
            .engine
            .as_ref()
            .is_some_and(|engine| engine.wants(worker));
        if !wanted {
            child.kill();
        }
        let running = Running {
            child,
            stdout: Utf8::default(),
            stderr: Utf8::default(),
        };
        self.children.insert(worker, running);
    }

    fn process(&mut self, worker: WorkerId, event: ProcessEvent) {
        match event {
            ProcessEvent::Control(bytes) => {
                self.with_engine(|engine, now, actions| {
                    engine.control(now, worker, &bytes, actions);
                });
            }
            // The exit that follows says more.
            ProcessEvent::ControlClosed | ProcessEvent::LinkBroken => {}
            ProcessEvent::Output { stream, bytes } => self.output(worker, stream, &bytes),
            ProcessEvent::OutputDropped { stream, bytes } => {
                let text =
                    format!("[{bytes} bytes of output were dropped: the listener is too slow]\n");
                self.log(worker, stream, text);
            }
            ProcessEvent::Drained => {
                self.with_engine(|engine, now, actions| engine.drained(now, worker, actions));
            }
            ProcessEvent::Exited(report) => {
                self.flush_output(worker);
                let exit = exit_of(report);
                self.with_engine(|engine, now, actions| engine.exited(now, worker, exit, actions));
            }
            ProcessEvent::Gone => {
                self.children.remove(&worker);
                self.memory.gone(worker);
                self.report_stopped();
            }
        }
    }
}

fn exit_of(report: ExitReport) -> Exit {
    Exit {
        code: report.code,
        signal: report.signal.map(signals::name),
        stderr_tail: report.stderr_tail,
        journal: report.journal,
    }
}
