//! An engine that a test drives by hand, input by input.

use std::time::Duration;

use synapse::engine::{Actions, CallOptions, Command, Config, Engine, Event, Exit, Submission};
use synapse::error::ErrorCode;
use synapse::ids::{CallId, WorkerId};
use synapse::policy::restart::RestartPolicy;
use synapse::protocol::header::{DEFAULT_HANDLER, Header, Kind};
use synapse::protocol::journal::Journal;
use synapse::protocol::message::{self, Mode};
use synapse::time::Time;

use crate::simulation::frames::written;

pub(crate) const ONE: WorkerId = WorkerId(1);
pub(crate) const TWO: WorkerId = WorkerId(2);

/// An engine and what it has said since it was last asked.
pub(crate) struct Harness {
    pub(crate) engine: Engine,
    pub(crate) actions: Actions,
}

impl Harness {
    /// With workers that have been asked for.
    pub(crate) fn starting(config: Config) -> Self {
        let mut harness = Self {
            engine: Engine::new(config),
            actions: Actions::default(),
        };
        harness.engine.start(Time(0), &mut harness.actions);
        harness
    }

    /// With workers that are ready; what they said of it is forgotten.
    pub(crate) fn ready(config: Config) -> Self {
        let workers = config.workers;
        let mut harness = Self::starting(config);
        for worker in 1..=workers {
            harness.hello(worker);
        }
        harness.actions.clear();
        harness
    }

    pub(crate) fn hello(&mut self, worker: u32) {
        let hello = serde_json::json!({
            "protocol": 1, "mode": "synapse", "pid": 1, "python": "3.11.7", "default": 0,
            "withdrawals": true,
            "handlers": [{"name": "main"}],
        });
        let bytes = message::frame(Kind::Hello, 0, &hello).unwrap();
        self.engine
            .control(Time(0), WorkerId(worker), &bytes, &mut self.actions);
    }

    pub(crate) fn submit(&mut self, now: u64, id: u32, options: CallOptions) {
        let handler = DEFAULT_HANDLER;
        let header = Header {
            payload: 5,
            kind: Kind::Request,
            flags: 0,
            handler,
            id,
        };
        let [a, b, c, d] = id.to_be_bytes();
        let frame = [&header.to_bytes()[..], &[0xce, a, b, c, d]].concat();
        let submission = Submission {
            id: CallId(id),
            handler,
            frame: &frame,
            options,
        };
        self.engine
            .submit(Time(now), &submission, &mut self.actions);
    }

    pub(crate) fn cancel(&mut self, now: u64, id: u32) {
        self.engine.cancel(Time(now), CallId(id), &mut self.actions);
    }

    pub(crate) fn answer(&mut self, now: u64, worker: WorkerId, bytes: &[u8]) {
        self.engine
            .received(Time(now), worker, bytes, 100, &mut self.actions);
    }

    /// What would be written to a worker now.
    pub(crate) fn written(&mut self, worker: WorkerId) -> Vec<u32> {
        let bytes = self
            .engine
            .outbox(worker)
            .map(std::mem::take)
            .unwrap_or_default();
        written(Mode::Synapse, &bytes)
            .requests
            .iter()
            .map(|request| request.call.0)
            .collect()
    }

    pub(crate) fn exit(&mut self, now: u64, worker: WorkerId) {
        self.exit_with(now, worker, Journal::Unknown);
    }

    pub(crate) fn exit_with(&mut self, now: u64, worker: WorkerId, journal: Journal) {
        let exit = Exit {
            journal,
            ..Exit::default()
        };
        self.engine
            .exited(Time(now), worker, exit, &mut self.actions);
    }

    /// How often a worker has been killed so far.
    pub(crate) fn kills(&self, worker: WorkerId) -> usize {
        let commands = self.actions.commands.iter();
        commands.filter(|c| **c == Command::Kill(worker)).count()
    }

    /// The calls whose cancels were sent to a worker since the last time.
    pub(crate) fn cancels(&mut self, worker: WorkerId) -> Vec<u32> {
        let commands = std::mem::take(&mut self.actions.commands);
        let cancels = commands.iter().filter_map(|command| match command {
            Command::Control(id, frame) if *id == worker && frame[4] == Kind::Cancel as u8 => {
                Some(u32::from_le_bytes(*frame[8..].first_chunk()?))
            }
            _ => None,
        });
        cancels.collect()
    }

    /// What a call was told about whether it may have run.
    pub(crate) fn may_have_executed(&self, call: u32) -> Option<bool> {
        self.actions.events.iter().find_map(|event| match event {
            Event::Failed { id, failure } if id.0 == call => {
                failure.details.get("mayHaveExecuted")?.as_bool()
            }
            _ => None,
        })
    }

    pub(crate) fn close(&mut self, now: u64, worker: WorkerId) {
        self.engine.closed(Time(now), worker, &mut self.actions);
    }

    pub(crate) fn tick(&mut self, now: u64) {
        self.tick_with(now, &Journal::Unknown);
    }

    /// A tick, and what the engine asks to read of a worker after it.
    pub(crate) fn tick_with(&mut self, now: u64, journal: &Journal) {
        self.engine.tick(Time(now), &mut self.actions);
        let commands = std::mem::take(&mut self.actions.commands);
        for command in commands {
            if let Command::Inspect(worker) = command {
                self.engine
                    .inspected(Time(now), worker, journal, &mut self.actions);
            } else {
                self.actions.commands.push(command);
            }
        }
    }

    /// How calls have failed so far.
    pub(crate) fn failed(&self) -> Vec<(u32, ErrorCode)> {
        let failures = self.actions.events.iter().filter_map(|event| match event {
            Event::Failed { id, failure } => Some((id.0, failure.code)),
            _ => None,
        });
        failures.collect()
    }

    pub(crate) fn count(&self, wanted: impl Fn(&Event) -> bool) -> usize {
        self.actions
            .events
            .iter()
            .filter(|event| wanted(event))
            .count()
    }
}

pub(crate) fn pool(workers: u32) -> Config {
    Config {
        workers,
        ..Config::default()
    }
}

pub(crate) fn pinned(worker: WorkerId) -> CallOptions {
    CallOptions {
        worker: Some(worker),
        ..CallOptions::default()
    }
}

pub(crate) fn idempotent() -> CallOptions {
    CallOptions {
        idempotent: true,
        ..CallOptions::default()
    }
}

/// One worker, told to go on without a replacement for an hour, that has been found so quick that
/// calls are written to it ahead.
pub(crate) fn quick() -> Harness {
    let mut harness = Harness::ready(Config {
        grace: Duration::from_millis(1),
        restart: Some(RestartPolicy::default()),
        ..pool(1)
    });
    harness.submit(1, 1, CallOptions::default());
    harness.written(ONE);
    harness.answer(2, ONE, &Header::bare(Kind::Response, 1));
    harness.actions.clear();
    harness
}

/// The journal of a worker that began this call last.
pub(crate) fn began(last: u32) -> Journal {
    Journal::InOrder { last }
}

pub(crate) fn started(harness: &Harness) -> usize {
    let starts = harness.actions.commands.iter();
    starts
        .filter(|command| matches!(command, Command::Start(_)))
        .count()
}
