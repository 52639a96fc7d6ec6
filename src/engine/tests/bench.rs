//! An engine that a test feeds input by input.

use std::time::Duration;

use serde_json::{Value, json};

use crate::engine::{
    Actions, CallOptions, Command, Config, Engine, Event, Exit, InSession, Nested, Overrides,
    Received, SettledKind, Submission,
};
use crate::error::Failure;
use crate::ids::{CallId, CallbackId, WorkerId};
use crate::protocol::decoder::{self, Decoded};
use crate::protocol::header::{Header, Kind};
use crate::protocol::{Limits, VERSION, message};
use crate::time::Time;

pub(super) const ONE: WorkerId = WorkerId(1);
pub(super) const TWO: WorkerId = WorkerId(2);
pub(super) const THREE: WorkerId = WorkerId(3);

/// No calls, or no workers.
pub(super) const NONE: [u32; 0] = [];

/// An engine and what the last input led to.
pub(super) struct Bench {
    pub(super) engine: Engine,
    pub(super) actions: Actions,
    pub(super) now: Time,
}

/// A pool of so many workers.
pub(super) fn pool(workers: u32) -> Config {
    Config {
        workers,
        ..Config::default()
    }
}

impl Bench {
    /// Its first workers are starting.
    pub(super) fn starting(config: Config) -> Self {
        let mut bench = Self {
            engine: Engine::new(config),
            actions: Actions::default(),
            now: Time::ZERO,
        };
        bench.engine.start(bench.now, &mut bench.actions);
        bench
    }

    /// Its first workers are ready.
    pub(super) fn ready(config: Config) -> Self {
        let workers = config.workers;
        let mut bench = Self::starting(config);
        for id in 1..=workers {
            bench.hello(WorkerId(id));
        }
        bench.actions.clear();
        bench
    }

    fn input<Answer>(
        &mut self,
        input: impl FnOnce(&mut Engine, Time, &mut Actions) -> Answer,
    ) -> Answer {
        self.actions.clear();
        let answer = input(&mut self.engine, self.now, &mut self.actions);
        self.engine.review(self.now, &mut self.actions);
        answer
    }

    /// A worker gets ready. It has one handler, `main`, which is the default one.
    pub(super) fn hello(&mut self, worker: WorkerId) {
        self.hello_with(worker, &json!({}));
    }

    /// The same; the worker says `more` as well.
    pub(super) fn hello_with(&mut self, worker: WorkerId, more: &Value) {
        let mut hello = json!({
            "protocol": VERSION, "mode": "synapse", "pid": 9, "python": "3.12.1", "default": 0,
            "handlers": [{"name": "main"}],
        });
        for (key, value) in more.as_object().unwrap() {
            hello[key] = value.clone();
        }
        self.control(worker, Kind::Hello, &hello);
    }

    pub(super) fn control(&mut self, worker: WorkerId, kind: Kind, body: &Value) {
        let frame = message::frame(kind, 0, body).unwrap();
        self.input(|engine, now, actions| engine.control(now, worker, &frame, actions));
    }

    /// Time passes.
    pub(super) fn wait(&mut self, ms: u64) {
        self.now = self.now + Duration::from_millis(ms);
        self.input(Engine::tick);
    }

    /// Milliseconds until the engine wants to be woken.
    pub(super) fn wakes_in(&mut self) -> Option<u128> {
        let due = self.engine.next_wake();
        due.map(|due| due.since(self.now).as_millis())
    }

    pub(super) fn submit(&mut self, id: u32) {
        self.submit_with(id, CallOptions::default());
    }

    pub(super) fn submit_with(&mut self, id: u32, options: CallOptions) {
        self.submit_frame(id, 0, &[], options);
    }

    /// A call with these flags and this payload.
    pub(super) fn submit_frame(
        &mut self,
        id: u32,
        flags: u8,
        payload: &[u8],
        options: CallOptions,
    ) {
        let frame = request(id, flags, payload);
        let call = submission(id, &frame, options);
        self.input(|engine, now, actions| engine.submit(now, &call, actions));
    }

    /// A call of a session.
    pub(super) fn submit_in(&mut self, id: u32, session: InSession<'_>) {
        self.submit_in_with(id, session, CallOptions::default());
    }

    pub(super) fn submit_in_with(&mut self, id: u32, session: InSession<'_>, options: CallOptions) {
        let frame = request(id, 0, &[]);
        let mut call = submission(id, &frame, options);
        self.input(|engine, now, actions| {
            if engine.join(now, &mut call, session, actions) {
                engine.submit(now, &call, actions);
            }
        });
    }

    /// A call with policies of its own.
    pub(super) fn submit_guarded(&mut self, id: u32, overrides: &Overrides) {
        let frame = request(id, 0, &[1]);
        let call = submission(id, &frame, CallOptions::default());
        self.input(|engine, now, actions| {
            engine.submit_guarded(now, &call, None, overrides, actions);
        });
    }

    /// A call that a handler in Node makes for a callback of a worker.
    pub(super) fn submit_nested(&mut self, id: u32, nested: Nested, options: CallOptions) {
        let frame = request(id, 0, &[]);
        let call = submission(id, &frame, options);
        self.input(|engine, now, actions| engine.submit_nested(now, &call, nested, actions));
    }

    /// A worker asks Node something.
    pub(super) fn ask(&mut self, worker: WorkerId, callback: u32) -> Nested {
        self.reply(worker, Kind::Callback, callback);
        let callback = CallbackId(callback);
        Nested {
            worker,
            callback,
            of_call: true,
        }
    }

    /// A worker sends a frame without a payload.
    pub(super) fn reply(&mut self, worker: WorkerId, kind: Kind, id: u32) -> Received {
        self.receive(worker, &Header::bare(kind, id))
    }

    pub(super) fn receive(&mut self, worker: WorkerId, bytes: &[u8]) -> Received {
        self.input(|engine, now, actions| engine.received(now, worker, bytes, 100, actions))
    }

    pub(super) fn cancel(&mut self, id: u32) {
        self.input(|engine, now, actions| engine.cancel(now, CallId(id), actions));
    }

    /// A worker dies by itself.
    pub(super) fn die(&mut self, worker: WorkerId) {
        let code = Some(1);
        self.die_as(
            worker,
            Exit {
                code,
                ..Exit::default()
            },
        );
    }

    pub(super) fn die_as(&mut self, worker: WorkerId, exit: Exit) {
        self.input(|engine, now, actions| {
            engine.exited(now, worker, exit, actions);
            engine.closed(now, worker, actions);
        });
    }

    /// What has been written to a worker since the last time: kinds and ids.
    pub(super) fn written(&mut self, worker: WorkerId) -> Vec<(Kind, u32)> {
        let outbox = std::mem::take(self.engine.outbox(worker).unwrap());
        let mut at = 0;
        let mut frames = Vec::new();
        while let Ok(Decoded::Frame(frame)) = decoder::decode(&outbox, at, Limits::default()) {
            at = frame.payload.end;
            frames.push((frame.header.kind, frame.header.id));
        }
        assert_eq!(at, outbox.len(), "whole frames");
        frames
    }

    /// Ids of the requests that have been written to a worker since the last time.
    pub(super) fn requests(&mut self, worker: WorkerId) -> Vec<u32> {
        let frames = self.written(worker).into_iter();
        frames
            .filter(|(kind, _)| *kind == Kind::Request)
            .map(|(_, id)| id)
            .collect()
    }

    /// The calls that the last input has settled.
    pub(super) fn settled(&self) -> Vec<(u32, SettledKind)> {
        let entries = self.actions.settled.iter();
        entries.map(|entry| (entry.call.0, entry.kind)).collect()
    }

    /// Ids of the calls that the last input has made fail.
    pub(super) fn failed(&self) -> Vec<u32> {
        let events = self.actions.events.iter();
        events
            .filter_map(|event| match event {
                Event::Failed { id, .. } => Some(id.0),
                _ => None,
            })
            .collect()
    }

    /// How a call failed by the last input.
    pub(super) fn failure(&self, call: u32) -> &Failure {
        let mut events = self.actions.events.iter();
        let failure = events.find_map(|event| match event {
            Event::Failed { id, failure } if id.0 == call => Some(failure),
            _ => None,
        });
        failure.unwrap_or_else(|| panic!("call {call} has not failed: {:?}", self.actions))
    }

    /// The processes that the last input has started.
    pub(super) fn started(&self) -> Vec<u32> {
        let commands = self.actions.commands.iter();
        commands
            .filter_map(|command| match command {
                Command::Start(worker) => Some(worker.0),
                _ => None,
            })
            .collect()
    }

    /// Whether the last input has led to this.
    pub(super) fn told(&self, event: &Event) -> bool {
        self.actions.events.contains(event)
    }

    /// Whether the last input wants this done.
    pub(super) fn wants(&self, command: &Command) -> bool {
        self.actions.commands.contains(command)
    }

    /// Begins an operation on the pool.
    pub(super) fn operate(&mut self, ticket: u32, request: crate::engine::PoolRequest) {
        self.input(|engine, now, actions| engine.operate(now, ticket, request, actions));
    }

    /// The operations that the last input has ended, each with whether it succeeded.
    pub(super) fn done(&self) -> Vec<(u32, bool)> {
        let events = self.actions.events.iter();
        events
            .filter_map(|event| match event {
                Event::Done { ticket, failure } => Some((*ticket, failure.is_none())),
                _ => None,
            })
            .collect()
    }
}

/// A request frame.
pub(super) fn request(id: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let header = Header {
        payload: u32::try_from(payload.len()).unwrap(),
        kind: Kind::Request,
        flags,
        handler: 0,
        id,
    };
    let mut frame = header.to_bytes().to_vec();
    frame.extend_from_slice(payload);
    frame
}

pub(super) fn submission(id: u32, frame: &[u8], options: CallOptions) -> Submission<'_> {
    Submission {
        id: CallId(id),
        handler: 0,
        frame,
        options,
    }
}
