//! What the engine asks for: frames and commands go to the processes, events and answers to the
//! facade.

use std::sync::Arc;

use crate::driver::news::json;
use crate::driver::node::NodeDriver;
use crate::driver::post::{ChildObserver, Message};
use crate::driver::vitals;
use crate::engine::{Command, Engine, Event, Kept};
use crate::ids::WorkerId;
use crate::policy::liveness::Vitals;
use crate::process::{StopPlan, WriteState, begin};
use crate::protocol::header::{Header, Kind};
use crate::time::Time;

/// Bytes from which an outbox is handed over instead of copied.
const HAND_OVER: usize = 256 * 1024;

impl NodeDriver {
    /// Does what the engine asks for. What it leads to may ask for more.
    pub(super) fn carry_out(&mut self, now: Time) {
        loop {
            if let Some(engine) = &mut self.engine {
                engine.review(now, &mut self.actions);
                self.memory.note(engine, &self.actions.events, now);
            }
            if self.actions.commands.is_empty() && self.actions.dirty.is_empty() {
                break;
            }
            let commands = std::mem::take(&mut self.actions.commands);
            let mut dirty = std::mem::take(&mut self.actions.dirty);
            for worker in dirty.drain(..) {
                self.flush(now, worker);
            }
            for command in commands {
                self.command(now, command);
            }
            // Its memory is used again: every call makes a worker dirty.
            if self.actions.dirty.is_empty() {
                self.actions.dirty = dirty;
            }
        }
        self.memory.forget();
        for event in self.actions.events.drain(..) {
            if event == Event::Stopped {
                self.stopped = true;
            } else {
                self.news.push(json(&event));
            }
        }
        for Kept { call, reply } in self.actions.kept.drain(..) {
            self.kept.extend(call.0.to_le_bytes());
            let length = u32::try_from(reply.len()).unwrap_or(u32::MAX);
            self.kept.extend(length.to_le_bytes());
            self.kept.extend_from_slice(&reply);
        }
        self.write_sessions();
        self.report_stopped();
    }

    /// The facade hears that all is over when no process of ours is left.
    pub(super) fn report_stopped(&mut self) {
        if self.stopped && self.children.is_empty() && self.starting == 0 && !self.closing {
            self.write_sessions();
            if self.store.take().is_some() {
                self.closing = true;
                return;
            }
            self.stopped = false;
            self.news.push(json(&Event::Stopped));
        }
    }

    fn flush(&mut self, now: Time, worker: WorkerId) {
        let Some(engine) = &mut self.engine else {
            return;
        };
        let Some(outbox) = engine.outbox(worker) else {
            return;
        };
        let Some(running) = self.children.get(&worker) else {
            return;
        };
        if outbox.is_empty() {
            return;
        }
        let written = if outbox.len() >= HAND_OVER {
            running
                .child
                .data
                .write_owned(Box::new(std::mem::take(outbox)))
        } else {
            let written = running.child.data.write(outbox);
            outbox.clear();
            written
        };
        match written {
            Ok(WriteState::Written) => {}
            Ok(WriteState::Backlogged) => engine.backlogged(worker),
            // The worker has closed its end: it is dying, and its exit says why.
            Err(_) => engine.closed(now, worker, &mut self.actions),
        }
    }

    fn command(&mut self, now: Time, command: Command) {
        match command {
            Command::Start(worker) => self.launch(now, worker),
            Command::Control(worker, bytes) => {
                if let Some(running) = self.children.get(&worker) {
                    // A worker that does not take it is dying or will be killed at the grace.
                    drop(running.child.control(&bytes));
                }
            }
            Command::Stop(worker) => {
                let grace = self.engine.as_ref().map(Engine::grace).unwrap_or_default();
                if let Some(running) = self.children.get(&worker) {
                    drop(running.child.control(&Header::bare(Kind::Shutdown, 0)));
                    running.child.stop(StopPlan::new(grace));
                }
            }
            Command::Kill(worker) => {
                if let Some(running) = self.children.get(&worker) {
                    running.child.kill();
                }
            }
            Command::Inspect(worker) => {
                if let Some(running) = self.children.get(&worker)
                    && let Some(engine) = &mut self.engine
                {
                    let journal = running.child.journal();
                    engine.inspected(now, worker, &journal, &mut self.actions);
                }
            }
            Command::Withdraw(worker, call) => {
                if let Some(running) = self.children.get(&worker)
                    && running.child.withdraw(call.0).is_ok()
                {
                    // Not the time of the input that asked for it: what comes next relies on when
                    // it was written.
                    let now = self.now();
                    if let Some(engine) = &mut self.engine {
                        engine.withdrawn(now, worker, call);
                    }
                }
            }
            Command::Restore(worker, call) => {
                if let Some(running) = self.children.get(&worker) {
                    // It has been written to before, or there is nothing to take back.
                    drop(running.child.restore(call.0));
                }
            }
            Command::Look(worker) => {
                let vitals = self.vitals(worker);
                if let Some(engine) = &mut self.engine {
                    engine.looked(now, worker, vitals, &mut self.actions);
                }
            }
            Command::LookMidFrame(worker) => {
                let vitals = self.vitals(worker);
                if let Some(engine) = &mut self.engine {
                    engine.looked_mid_frame(now, worker, vitals, &mut self.actions);
                }
            }
        }
    }

    /// What the system says of a worker's process.
    fn vitals(&self, worker: WorkerId) -> Option<Vitals> {
        vitals::of(self.children.get(&worker)?.child.pid())
    }

    fn launch(&mut self, now: Time, worker: WorkerId) {
        let Some(prepared) = &self.prepared else {
            if let Some(engine) = &mut self.engine {
                engine.start_failed(now, worker, "there is no environment", &mut self.actions);
            }
            return;
        };
        self.starting += 1;
        let observer = Arc::new(ChildObserver::new(worker, self.post.clone()));
        let post = self.post.clone();
        let launch = prepared.launch(self.owner, self.memory.prepare(worker));
        begin(launch, observer, move |outcome| {
            post.put(Message::Started(worker, outcome));
        });
    }
}
