//! Carries out what the engine asks for, as a driver does, and hands its words to the ledger.

use synapse::engine::{Actions, Command, Engine, Event, Settled, SettledKind};
use synapse::ids::WorkerId;
use synapse::protocol::header;
use synapse::time::Time;

use crate::simulation::frames::{Written, answers, call_of, heard, written};
use crate::simulation::ledger::{Verdict, ensure};
use crate::simulation::world::{Happening, World};

impl World {
    /// Hands what has arrived to the engine, as often as it asks for.
    pub(super) fn read(&mut self, worker: WorkerId) -> Verdict {
        loop {
            let bytes = std::mem::take(&mut self.process(worker).arrived);
            let room = if self.random.chance(20) { 1 } else { 100 };
            self.ledger.begin();
            let received = self
                .engine
                .received(self.now, worker, &bytes, room, &mut self.actions);
            self.hear(worker, &bytes, received.consumed);
            let killed = self.actions.commands.contains(&Command::Kill(worker));
            if !killed && self.ledger.heeded(worker) {
                let consumed = answers(self.scenario.mode, &bytes[..received.consumed]);
                self.ledger.answered(worker, &consumed);
            }
            self.process(worker).arrived = bytes[received.consumed..].to_vec();
            self.process(worker).need = received.need;
            self.carry_out(Some((worker, &bytes)), false)?;
            if received.need > 0 {
                return Ok(());
            }
        }
    }

    /// What the engine has read of what a worker said about sessions.
    fn hear(&mut self, worker: WorkerId, bytes: &[u8], consumed: usize) {
        if self.ledger.heeded(worker) {
            let owed = self.ledger.owed(worker);
            let heard = heard(self.scenario.mode, &bytes[..consumed], owed);
            self.book.heard(self.now, worker, &heard, &self.ledger);
        }
    }

    /// One input to the engine, and all that follows from it.
    pub(super) fn input(
        &mut self,
        tick: bool,
        act: impl FnOnce(&mut Engine, Time, &mut Actions),
    ) -> Verdict {
        self.ledger.begin();
        act(&mut self.engine, self.now, &mut self.actions);
        self.carry_out(None, tick)
    }

    /// Does what the engine asks for, then looks at what it has said and whether all is well.
    pub(super) fn carry_out(&mut self, chunk: Option<(WorkerId, &[u8])>, ticked: bool) -> Verdict {
        for Settled {
            call,
            kind,
            start,
            end,
        } in std::mem::take(&mut self.actions.settled)
        {
            let Some((worker, bytes)) = chunk else {
                return Err(format!("call {call} was settled by bytes that nobody sent"));
            };
            if kind == SettledKind::End {
                ensure!(start == end, "the end of a stream carries something");
            } else {
                let named = call_of(&bytes[start..end]);
                ensure!(named == call, "call {call} got the answer of call {named}");
            }
            if call.0 & header::CALLBACK_ID != 0 {
                self.asked(worker, call.0, kind)?;
                continue;
            }
            if let SettledKind::Item | SettledKind::Progress = kind {
                self.ledger.part(call, worker, kind)?;
                if kind == SettledKind::Item {
                    self.seen.insert("item");
                    let after = self.random.within(0..=5_000);
                    self.plan(after, Happening::Grant(call));
                }
                continue;
            }
            self.note(&format!("call {call} is answered"));
            self.ledger.settled(self.now, call, worker)?;
            self.book.settled(call)?;
        }
        loop {
            let commands = std::mem::take(&mut self.actions.commands);
            let dirty = std::mem::take(&mut self.actions.dirty);
            if commands.is_empty() && dirty.is_empty() {
                break;
            }
            for worker in dirty {
                self.flush(worker)?;
            }
            for command in commands {
                self.note(&format!("{command:?}"));
                self.ledger.command(&command, ticked)?;
                self.command(command);
            }
        }
        let held = self.engine.holdings();
        for event in std::mem::take(&mut self.actions.events) {
            self.note(&format!("{event:?}"));
            self.ledger.event(self.now, &event, &held)?;
            self.book.event(self.now, &event)?;
            self.seen.insert(name_of(&event));
            if let Event::Handlers { names, .. } = event {
                self.names = names;
            }
        }
        let held = self.engine.holdings();
        self.ledger.check(self.now, ticked, &held)?;
        self.preferred = None;
        let sessions = self.engine.sessions();
        self.book.check(self.now, &self.ledger, &held, sessions)?;
        if self.ledger.wrote_again() {
            self.seen.insert("written again");
        }
        Ok(())
    }

    fn flush(&mut self, worker: WorkerId) -> Verdict {
        let Some(outbox) = self.engine.outbox(worker) else {
            return Ok(());
        };
        let bytes = std::mem::take(outbox);
        if bytes.is_empty() {
            return Ok(());
        }
        self.note(&format!("{} bytes for worker {worker}", bytes.len()));
        let Written {
            requests,
            grants,
            answers: _,
        } = written(self.scenario.mode, &bytes);
        self.ledger.wrote(self.now, worker, &requests)?;
        for request in &requests {
            self.book.wrote(self.now, worker, request)?;
            if let Some((_, wanted)) = self.preferred.filter(|(call, _)| *call == request.call) {
                ensure!(
                    worker == wanted,
                    "call {} left its free worker {wanted}",
                    request.call
                );
            }
        }
        for (call, _) in grants {
            self.ledger.granted(worker, call)?;
        }
        let (gets_stuck, broken) = (
            self.random.chance(self.scenario.faults.stuck),
            self.random.chance(50),
        );
        let process = self.process(worker);
        if process.dead {
            if broken {
                // The pipe has no reader any more: the driver learns it by writing.
                self.plan(0, Happening::Closed(worker));
            }
            return Ok(());
        }
        process.inbox.extend(bytes);
        if process.stuck {
            return Ok(());
        }
        if gets_stuck {
            process.stuck = true;
            self.engine.backlogged(worker);
            self.ledger.workers.entry(worker).or_default().stuck = true;
            let after = self.random.within(0..=300_000);
            self.plan(after, Happening::Unstick(worker));
        } else {
            process.read_requests();
            self.work(worker);
        }
        Ok(())
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Start(worker) => self.start(worker),
            Command::Control(worker, bytes) => self.cancelled(worker, &bytes),
            Command::Stop(worker) => self.ask_to_stop(worker),
            Command::Kill(worker) => self.kill(worker),
            Command::Inspect(worker) => {
                let journal = self.process(worker).journal();
                self.engine
                    .inspected(self.now, worker, &journal, &mut self.actions);
            }
            Command::Withdraw(worker, call) => {
                let seen = self.now + self.random.micros(0..=1_500);
                self.process(worker).withdrawn.insert(call, seen);
                self.engine.withdrawn(self.now, worker, call);
            }
            Command::Restore(worker, call) => {
                self.process(worker).withdrawn.remove(&call);
            }
            Command::Look(worker) => {
                let vitals = Some(self.vitals(worker));
                self.engine
                    .looked(self.now, worker, vitals, &mut self.actions);
            }
            Command::LookMidFrame(worker) => {
                let vitals = Some(self.vitals(worker));
                self.engine
                    .looked_mid_frame(self.now, worker, vitals, &mut self.actions);
            }
        }
    }
}

/// What an event is, for the list of what has been seen.
fn name_of(event: &Event) -> &'static str {
    match event {
        Event::Failed { failure, .. } => {
            match failure
                .details
                .get("phase")
                .and_then(serde_json::Value::as_str)
            {
                Some("queue") if failure.details.contains_key("worker") => "TIMEOUT in a worker",
                Some("queue") => "TIMEOUT in the queue",
                Some("run") => "TIMEOUT while running",
                _ => failure.code.as_str(),
            }
        }
        Event::WorkerExit { reason, .. } => reason,
        Event::Spawned => "spawned",
        Event::SpawnFailed { .. } => "spawn failed",
        Event::Stopped => "all gone",
        Event::Unhealthy { .. } => "unhealthy",
        Event::Healthy => "healthy",
        Event::WorkerRestart { .. } => "restart",
        Event::WorkerReady { .. } => "ready",
        Event::Handlers { .. } => "handlers",
        Event::Log { .. } => "log",
        Event::Heartbeat { .. } => "heartbeat",
        Event::Placed { .. } => "placed",
        Event::Breaker { .. } => "breaker",
        Event::Retry { .. } => "retry",
        Event::SessionsHigh { .. } => "many sessions",
        Event::SessionLost { .. } => "session lost",
        Event::WorkerDrain { .. } => "drains",
        Event::WorkerUnhealthy { .. } => "freezes",
        Event::WorkerHealthy { .. } => "thaws",
        Event::HeartbeatMissed { busy: true, .. } => "misses while busy",
        Event::HeartbeatMissed { .. } => "misses",
        Event::Done { failure: None, .. } => "done",
        Event::Done { .. } => "not done",
        Event::Drain => "drained",
        Event::Resumed { .. } => "resumed",
    }
}
