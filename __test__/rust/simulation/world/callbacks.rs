//! Workers that ask their host for something, and a host that calls them in turn before it answers.

use synapse::engine::{CallOptions, Nested, SettledKind, Submission};
use synapse::error::ErrorCode;
use synapse::ids::{CallId, CallbackId, WorkerId};
use synapse::protocol::header::{self, DEFAULT_HANDLER, Header, Kind};

use crate::simulation::ledger::{Intake, Told, Verdict, ensure};
use crate::simulation::world::{Happening, World, request};

/// Ids of calls that the host makes on behalf of callbacks begin here.
const NESTED: u32 = 100_000;
/// Callbacks that one worker makes at most.
const MOST: u32 = 20;

impl World {
    /// A call makes a callback instead of being done. Answers whether it does.
    pub(crate) fn asks_first(&mut self, worker: WorkerId, call: CallId) -> bool {
        let percent = self.scenario.callbacks;
        let process = self.process(worker);
        if process.deaf || process.asked >= MOST || !self.random.chance(percent) {
            return false;
        }
        let (credit, gives_up, releases) = (
            self.random.chance(20),
            self.random.chance(10),
            self.random.chance(10),
        );
        let process = self.process(worker);
        process.asked += 1;
        let callback = header::CALLBACK_ID | process.asked;
        process.asks.insert(callback, call);
        process.ask(callback, Kind::Callback);
        if credit {
            process.ask(callback, Kind::Credit);
        }
        if releases {
            process.ask(callback, Kind::Release);
        }
        if gives_up {
            process.asks.remove(&callback);
            process.ask(callback, Kind::Cancel);
            self.plan(1, Happening::Finish(worker, call));
        }
        self.send(worker);
        true
    }

    /// A worker runs what it waits for, whatever else it has to do.
    pub(crate) fn run_nested(&mut self, worker: WorkerId) {
        let service = self.scenario.service;
        let process = self.process(worker);
        if process.deaf || process.dead || process.frozen {
            return;
        }
        let nested = std::mem::take(&mut process.nested);
        let mut going_on = std::mem::take(&mut process.resumed);
        for call in nested {
            self.process(worker).begin(call, false);
            self.began(worker, call);
            going_on.push(call);
        }
        for call in going_on {
            let after = self.random.within(1..=service);
            self.plan(after, Happening::Finish(worker, call));
        }
    }

    /// The host hears of a callback.
    pub(super) fn asked(&mut self, worker: WorkerId, callback: u32, kind: SettledKind) -> Verdict {
        let key = (worker, callback);
        match kind {
            SettledKind::Callback => {
                ensure!(
                    self.callbacks.insert(key),
                    "callback {callback} of worker {worker} is open already"
                );
                self.seen.insert("callback");
                let after = self.random.within(0..=3_000);
                self.plan(after, Happening::Host(worker, callback));
            }
            SettledKind::Cancel => {
                ensure!(
                    self.callbacks.remove(&key),
                    "callback {callback} of worker {worker} is given up and not open"
                );
                self.seen.insert("callback given up");
            }
            SettledKind::Grant => ensure!(
                self.callbacks.contains(&key),
                "credit for callback {callback} of worker {worker}, which is not open"
            ),
            SettledKind::Release => {}
            other => return Err(format!("callback {callback} is {other:?}")),
        }
        Ok(())
    }

    /// The host answers a callback, now or later, or calls the worker in turn first.
    pub(super) fn host(&mut self, worker: WorkerId, callback: u32) -> Verdict {
        match self.random.within(0..=9) {
            0..=3 => self.reply(worker, callback, Kind::Response),
            4 => self.reply(worker, callback, Kind::Error),
            5 => {
                self.reply(worker, callback, Kind::Item)?;
                self.reply(worker, callback, Kind::End)
            }
            6..=8 => {
                let after = self.random.within(0..=20_000);
                self.plan(after, Happening::Host(worker, callback));
                self.call_back(worker, callback)
            }
            _ => {
                let after = self.random.within(0..=200_000);
                self.plan(after, Happening::Host(worker, callback));
                Ok(())
            }
        }
    }

    fn reply(&mut self, worker: WorkerId, callback: u32, kind: Kind) -> Verdict {
        let frame = Header::bare(kind, callback).to_vec();
        let waits = self.waits(worker, callback);
        self.ledger.begin();
        let sent = self.engine.answer(worker, &frame, &mut self.actions);
        ensure!(
            sent == waits,
            "an answer to callback {callback} of worker {worker} was sent: {sent}"
        );
        if kind != Kind::Item {
            self.callbacks.remove(&(worker, callback));
        }
        self.seen.insert(if sent {
            "callback answered"
        } else {
            "answered too late"
        });
        self.carry_out(None, false)
    }

    /// Whether a worker waits for the answer to a callback, as far as the engine can know.
    pub(super) fn waits(&self, worker: WorkerId, callback: u32) -> bool {
        self.callbacks.contains(&(worker, callback)) && self.ledger.is_active(worker)
    }

    /// A call on behalf of a callback.
    fn call_back(&mut self, worker: WorkerId, callback: u32) -> Verdict {
        self.calls_made += 1;
        let id = CallId(NESTED + self.calls_made);
        let handler = DEFAULT_HANDLER;
        let nested = Nested {
            worker,
            callback: CallbackId(callback),
            of_call: self.random.chance(90),
        };
        let session = self.session_of_a_nested_call(nested);
        let random = &mut self.random;
        let options = CallOptions {
            deadline: random
                .chance(20)
                .then(|| self.now + random.micros(0..=150_000)),
            idempotent: random.chance(30),
            ..CallOptions::default()
        };
        if random.chance(10) {
            let after = random.within(0..=80_000);
            self.plan(after, Happening::Cancel(id));
        }
        let header = Header {
            payload: 5,
            kind: Kind::Request,
            flags: header::NESTED,
            handler,
            id: id.0,
        };
        let frame = request(header, id, session.is_some());
        let waits = self.waits(worker, callback);
        self.ledger.begin();
        self.ledger.submitted(self.now, id, None, options);
        let mut submission = Submission {
            id,
            handler,
            frame: &frame,
            options,
        };
        let intake = if let Some(session) = session {
            self.submit_in_session(&mut submission, &session, Some(nested))?
        } else {
            self.submit_nested(&submission, nested, waits)
        };
        self.carry_out(None, false)?;
        ensure!(
            !waits || self.ledger.waits_for(id) != Some(worker),
            "call {id} waits for worker {worker}, which waits for it"
        );
        let told = self.ledger.told(id);
        let lacks = told == Some(Told::Error(ErrorCode::HandlerNotFound));
        let right = match intake {
            Intake::Taken if self.ledger.is_nested(id) => {
                lacks || self.ledger.was_written(id, worker)
            }
            Intake::Taken => lacks || told.is_none(),
            Intake::Refused(code) => told == Some(Told::Error(code)),
            Intake::RefusedAsUnhealthy => matches!(told, Some(Told::Error(_))),
        };
        ensure!(
            right,
            "call {id}, for which worker {worker} waits: {waits}, should have been {intake:?}, \
             but {told:?}"
        );
        self.seen
            .insert(if waits { "nested" } else { "nested too late" });
        Ok(())
    }

    /// The same without a session.
    fn submit_nested(&mut self, call: &Submission<'_>, nested: Nested, waits: bool) -> Intake {
        let mut intake = self.ledger.intake(call.options, &self.engine.holdings());
        if waits {
            self.ledger.nest(call.id, nested.worker);
            // There is always room for it.
            if intake == Intake::Refused(ErrorCode::QueueFull) {
                intake = Intake::Taken;
            }
        }
        self.engine
            .submit_nested(self.now, call, nested, &mut self.actions);
        intake
    }
}
