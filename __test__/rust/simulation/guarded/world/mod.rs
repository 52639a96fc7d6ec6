//! Callers, workers and the clock around one engine with policies.

mod callbacks;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::time::Duration;

use synapse::engine::{
    Actions, Affinity, CallOptions, Command, Engine, Exit, InSession, Nested, PolicyHoldings,
    SettledKind, Submission,
};
use synapse::ids::{CallId, WorkerId};
use synapse::protocol::header::{self, Header, Kind};
use synapse::protocol::journal::Journal;
use synapse::protocol::message::{self, Handler, Hello, Mode};
use synapse::session::TimeToLive;
use synapse::time::Time;

use crate::simulation::guarded::ledger::{Ledger, Record};
use crate::simulation::guarded::scenario::{Scenario, overrides};
use crate::simulation::ledger::{Verdict, ensure};
use crate::simulation::random::Random;

/// The last says of itself that it is idempotent.
const HANDLERS: [&str; 3] = ["main", "add", "safe"];
const SAFE: u8 = 2;
/// Extras that are no part of a call's identity: here they tell whose attempt a request is.
const EXTRAS: &[u8] = b"\x81\xabtraceparent\xce";
/// What the engine puts before that where it knows a deadline, and a float of 64 bits.
const REMAINING: &[u8] = b"\xa9remaining\xcb";

/// What the engine adds to them for a call in the one session that there is.
const SESSION: &[u8] = b"\xa7session\x82\xa2id\xa1s\xa4data\x80";

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    Call,
    Cancel(CallId),
    Grant(CallId),
    Ready(WorkerId),
    Finish(WorkerId, CallId),
    Yield(WorkerId, CallId),
    Die(WorkerId),
    Host(u32),
    Reset,
    Clear,
    Stop,
}

/// What a worker has to do.
#[derive(Debug, Clone, Copy)]
struct Task {
    asks: (u8, u8),
    stream: bool,
}

#[derive(Debug, Default)]
pub(super) struct Worker {
    tasks: BTreeMap<CallId, Task>,
    dead: bool,
    /// The engine has had it stopped or killed, or has heard of its death.
    pub(super) doomed: bool,
}

pub(crate) struct World {
    pub(super) scenario: Scenario,
    pub(super) random: Random,
    pub(super) now: Time,
    pub(super) engine: Engine,
    pub(super) actions: Actions,
    pub(super) ledger: Ledger,
    workers: BTreeMap<WorkerId, Worker>,
    callbacks: callbacks::Callbacks,
    agenda: BinaryHeap<Reverse<(Time, u64, What)>>,
    planned: u64,
    made: u32,
    stop_asked: bool,
    trace: bool,
}

impl World {
    pub(crate) fn new(seed: u64, trace: bool) -> Self {
        let mut random = Random::new(seed);
        let scenario = Scenario::new(&mut random);
        let mut engine = Engine::new(scenario.config.clone());
        engine.set_policies(&scenario.policies);
        Self {
            engine,
            ledger: Ledger::new(&scenario.policies),
            scenario,
            random,
            now: Time(1_000),
            actions: Actions::default(),
            workers: BTreeMap::new(),
            callbacks: callbacks::Callbacks::default(),
            agenda: BinaryHeap::new(),
            planned: 0,
            made: 0,
            stop_asked: false,
            trace,
        }
    }

    pub(crate) fn run(mut self) -> Result<BTreeSet<&'static str>, String> {
        self.note(&format!("{:?}", self.scenario));
        self.engine.start(self.now, &mut self.actions);
        self.carry_out(&[])?;
        self.plan(5_000, What::Call);
        if self.random.chance(20) {
            let after = self.random.within(0..=100_000);
            self.plan(after, What::Stop);
        }
        for _ in 0..100_000 {
            // All that is further off is the sweep of sessions, which goes on while a call is in one.
            let horizon = self.now + Duration::from_secs(10);
            let wake = self.engine.next_wake().filter(|at| *at < horizon);
            let next = self.agenda.peek().map(|Reverse((at, ..))| *at);
            let late = self.random.pick(&[0, 0, 0, 2_000]);
            if let Some(wake) = wake.map(|at| at + Duration::from_micros(late))
                && next.is_none_or(|at| wake <= at)
            {
                self.now = self.now.max(wake);
                self.note("tick");
                self.engine.tick(self.now, &mut self.actions);
                self.carry_out(&[])?;
            } else if let Some(Reverse((at, _, what))) = self.agenda.pop() {
                self.now = self.now.max(at);
                self.note(&format!("{what:?}"));
                self.happen(what)?;
            } else if self.stop_asked {
                return self.end();
            } else {
                self.plan(0, What::Stop);
            }
        }
        Err("does not come to an end".to_owned())
    }

    fn end(mut self) -> Result<BTreeSet<&'static str>, String> {
        ensure!(self.ledger.stopped, "never stopped");
        self.ledger.finish()?;
        let held = self.engine.policy_holdings();
        ensure!(held == PolicyHoldings::default(), "left behind: {held:?}");
        let in_sessions = self.engine.holdings().sessions.calls;
        ensure!(
            in_sessions == 0,
            "{in_sessions} calls are in sessions still"
        );
        if let Some(stats) = self.engine.stats(self.now).policies {
            let marks = [
                ("recovered", stats.retry.recovered),
                ("over budget", stats.retry.over_budget),
                ("copied", stats.hedge.sent),
                ("copy won", stats.hedge.won),
            ];
            let happened = marks.into_iter().filter(|(_, count)| *count > 0);
            self.ledger.seen.extend(happened.map(|(name, _)| name));
        }
        Ok(self.ledger.seen)
    }

    pub(super) fn plan(&mut self, after: u64, what: What) {
        self.planned += 1;
        let at = self.now + Duration::from_micros(after);
        self.agenda.push(Reverse((at, self.planned, what)));
    }

    #[expect(clippy::print_stdout, reason = "a seed is replayed to read this")]
    fn note(&self, line: &str) {
        if self.trace {
            println!("{:>10} µs  {line}", self.now.0);
        }
    }

    fn happen(&mut self, what: What) -> Verdict {
        let now = self.now;
        match what {
            What::Call => return self.call(None),
            What::Host(callback) => return self.host(callback),
            What::Cancel(call) => {
                if self.ledger.is_over(call) {
                    return Ok(());
                }
                self.ledger.cancelled(call);
                self.engine.cancel(now, call, &mut self.actions);
            }
            What::Grant(call) => {
                if self.ledger.is_over(call) {
                    return Ok(());
                }
                self.engine.grant(call, 1, &mut self.actions);
            }
            What::Ready(worker) => {
                if !self.engine.wants(worker) {
                    return Ok(());
                }
                let hello = hello();
                self.engine.control(now, worker, &hello, &mut self.actions);
            }
            What::Finish(worker, attempt) => return self.finish(worker, attempt),
            What::Yield(worker, attempt) => {
                let there = self.worker(worker).tasks.remove(&attempt).is_some();
                if there && !self.worker(worker).dead {
                    let mut bytes = self.give_up(attempt);
                    bytes.extend(answer(attempt, Kind::Error, b"\x80"));
                    return self.receive(worker, &bytes);
                }
            }
            What::Die(worker) => return self.die(worker),
            What::Reset => {
                self.ledger.seen.insert("reset");
                self.engine.reset_breaker(now, None, &mut self.actions);
            }
            What::Clear => self.engine.clear_cache(Some(HANDLERS[0])),
            What::Stop => {
                self.stop_asked = true;
                self.engine.stop(now, &mut self.actions);
            }
        }
        self.carry_out(&[])
    }

    pub(super) fn worker(&mut self, worker: WorkerId) -> &mut Worker {
        self.workers.entry(worker).or_default()
    }

    /// A caller makes a call, or the host does on behalf of a callback.
    pub(super) fn call(&mut self, nested: Option<Nested>) -> Verdict {
        self.made += 1;
        let call = CallId(self.made);
        if nested.is_none() && self.made < self.scenario.calls {
            let after = self.random.within(0..=self.scenario.pace);
            self.plan(after, What::Call);
        }
        let random = &mut self.random;
        let handler = u8::try_from(random.index(3)).unwrap();
        let stream = random.chance(15);
        let options = CallOptions {
            deadline: random
                .chance(30)
                .then(|| self.now + random.micros(0..=60_000)),
            idempotent: random.chance(50),
            credit: u32::from(stream) * 2,
            ..CallOptions::default()
        };
        let affinity = random
            .chance(20)
            .then(|| random.pick(&[Affinity::Hint, Affinity::StrictQueue, Affinity::StrictFail]));
        let own = random.chance(25).then(|| overrides(random));
        let defaults = &self.scenario.policies.defaults;
        let set = own
            .as_ref()
            .map_or_else(|| defaults.clone(), |own| defaults.with(own));
        let arg = u8::try_from(random.index(4)).unwrap();
        let refuses = self
            .ledger
            .must_refuse(self.now, HANDLERS[usize::from(handler)], &set);
        let limited = set.rate_limit.is_some();
        self.ledger.calls.insert(
            call,
            Record {
                asks: (handler, arg),
                idempotent: options.idempotent || handler == SAFE,
                set,
                stream,
                in_session: affinity.is_some(),
                nested: nested.is_some(),
                deadline: options.deadline,
                writes: 0,
                seen_item: false,
                told: false,
            },
        );
        if random.chance(10) {
            let after = random.within(0..=30_000);
            self.plan(after, What::Cancel(call));
        }
        for (what, percent) in [(What::Reset, 2), (What::Clear, 2)] {
            if self.random.chance(percent) {
                self.plan(0, what);
            }
        }
        if let Some(nested) = nested {
            let strict = affinity.is_some_and(|affinity| affinity != Affinity::Hint);
            self.nest(call, nested, strict);
        }
        let mut frame = request(call, handler, arg, stream);
        frame[5] |= if nested.is_some() { header::NESTED } else { 0 };
        let mut submission = Submission {
            id: call,
            handler: u16::from(handler),
            frame: &frame,
            options,
        };
        self.note(&format!("{call} {options:?} {own:?}"));
        if let Some(affinity) = affinity {
            // Often shorter than what a call takes with all its attempts, which keeps it all the same.
            let lives = self.random.micros(1..=8_000);
            let (id, ttl) = ("s", TimeToLive::For(lives));
            let session = InSession { id, affinity, ttl };
            let joined = self
                .engine
                .join(self.now, &mut submission, session, &mut self.actions);
            ensure!(joined, "call {call} has no session");
            self.nest_in_session(call);
        }
        let (engine, now, actions) = (&mut self.engine, self.now, &mut self.actions);
        match (&own, nested) {
            (None, None) => engine.submit(now, &submission, actions),
            (None, Some(nested)) => engine.submit_nested(now, &submission, nested, actions),
            (Some(own), nested) => engine.submit_guarded(now, &submission, nested, own, actions),
        }
        let kept = self.actions.kept.iter().any(|kept| kept.call == call);
        let at_once = self.runs_at_once(call);
        self.carry_out(&[])?;
        self.callbacks.bound = None;
        let record = &self.ledger.calls[&call];
        ensure!(
            !refuses || record.told && record.writes == 0,
            "call {call} went through an open breaker"
        );
        ensure!(
            !at_once || record.told || record.writes > 0,
            "call {call}, for which a worker waits, is held up"
        );
        if limited && !kept && (!record.told || record.writes > 0) {
            self.ledger.admitted(handler);
        }
        Ok(())
    }

    /// A worker is done with a task, and perhaps with another at the same time.
    fn finish(&mut self, worker: WorkerId, attempt: CallId) -> Verdict {
        let mut attempts = vec![attempt];
        if self.random.chance(30) {
            attempts.extend(
                self.worker(worker)
                    .tasks
                    .keys()
                    .find(|other| **other != attempt),
            );
        }
        let mut bytes = Vec::new();
        for attempt in attempts {
            if self.worker(worker).dead {
                break;
            }
            let Some(task) = self.worker(worker).tasks.get(&attempt).copied() else {
                continue;
            };
            if self.waits(attempt) {
                continue;
            }
            if self.random.chance(self.scenario.never) {
                continue;
            }
            if self.random.chance(self.scenario.crash) {
                self.receive(worker, &bytes)?;
                return self.die(worker);
            }
            if let Some(asking) = self.asks(worker, attempt) {
                bytes.extend(asking);
                continue;
            }
            if task.stream && self.random.chance(50) {
                bytes.extend(answer(attempt, Kind::Item, b"\xc0"));
                let after = self.random.within(1..=self.scenario.service);
                self.plan(after, What::Finish(worker, attempt));
                continue;
            }
            self.worker(worker).tasks.remove(&attempt);
            let (handler, arg) = task.asks;
            bytes.extend(if self.random.chance(self.scenario.raise) {
                answer(attempt, Kind::Error, b"\x81\xa4code\xacPYTHON_ERROR")
            } else if task.stream {
                answer(attempt, Kind::End, b"")
            } else {
                answer(attempt, Kind::Response, &[0x92, handler, arg])
            });
        }
        self.receive(worker, &bytes)
    }

    fn receive(&mut self, worker: WorkerId, bytes: &[u8]) -> Verdict {
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = self.random.pick(&[1, 100]);
            let done = self
                .engine
                .received(self.now, worker, rest, room, &mut self.actions);
            self.carry_out(rest)?;
            rest = &rest[done.consumed..];
        }
        Ok(())
    }

    fn die(&mut self, worker: WorkerId) -> Verdict {
        if std::mem::replace(&mut self.worker(worker).dead, true) {
            return Ok(());
        }
        self.worker(worker).tasks.clear();
        self.worker(worker).doomed = true;
        self.engine.closed(self.now, worker, &mut self.actions);
        self.carry_out(&[])?;
        let exit = Exit::default();
        self.engine
            .exited(self.now, worker, exit, &mut self.actions);
        self.carry_out(&[])
    }

    /// Does what the engine asks for, as a driver does, and hands its words to the ledger.
    pub(super) fn carry_out(&mut self, chunk: &[u8]) -> Verdict {
        for entry in std::mem::take(&mut self.actions.settled) {
            let body = chunk.get(entry.start..entry.end).unwrap_or_default();
            match entry.kind {
                SettledKind::Response => {
                    self.ledger.answered(self.now, entry.call, reply(body)?)?;
                }
                SettledKind::Error => self.ledger.ended(entry.call, "PYTHON_ERROR")?,
                SettledKind::End => self.ledger.ended(entry.call, "answered")?,
                SettledKind::Item => {
                    self.ledger.item(entry.call)?;
                    self.plan(100, What::Grant(entry.call));
                }
                SettledKind::Callback => self.asked(entry.call.0)?,
                SettledKind::Cancel => self.given_up(entry.call.0),
                other => return Err(format!("{other:?} out of nowhere")),
            }
        }
        loop {
            self.engine.review(self.now, &mut self.actions);
            let commands = std::mem::take(&mut self.actions.commands);
            let dirty = std::mem::take(&mut self.actions.dirty);
            if commands.is_empty() && dirty.is_empty() {
                break;
            }
            for command in &commands {
                if let Command::Stop(worker) | Command::Kill(worker) = command {
                    self.worker(*worker).doomed = true;
                }
            }
            for worker in dirty {
                self.flush(worker)?;
            }
            for command in commands {
                self.command(command);
            }
        }
        for event in std::mem::take(&mut self.actions.events) {
            self.note(&format!("{event:?}"));
            self.ledger.event(self.now, &event)?;
        }
        for kept in std::mem::take(&mut self.actions.kept) {
            self.note(&format!("{} gets a kept reply", kept.call));
            self.ledger.kept(self.now, kept.call, reply(&kept.reply)?)?;
        }
        self.ledger.check(self.now, &self.engine.policy_holdings())
    }

    fn flush(&mut self, worker: WorkerId) -> Verdict {
        let Some(outbox) = self.engine.outbox(worker) else {
            return Ok(());
        };
        let bytes = std::mem::take(outbox);
        let mut rest = bytes.as_slice();
        while let Some((length, _)) = rest.split_first_chunk::<4>() {
            let (frame, next) = rest.split_at(u32::from_le_bytes(*length) as usize + 4);
            rest = next;
            if frame[4] != Kind::Request as u8 {
                continue;
            }
            let id = CallId(u32::from_le_bytes(*frame[8..].first_chunk().unwrap()));
            // How many extras there are, then the time that remains, its session, and the rest.
            let mut body = &frame[header::LEN + 1..];
            if let Some(timed) = body.strip_prefix(REMAINING) {
                body = &timed[8..];
            }
            let session = body.strip_prefix(SESSION);
            let in_session = session.is_some();
            let body = session.unwrap_or(body).strip_prefix(&EXTRAS[1..]).unwrap();
            let call = CallId(u32::from_be_bytes(*body.first_chunk().unwrap()));
            let asks = (frame[6], body[5]);
            let stream = frame[5] & header::STREAM != 0;
            self.note(&format!("{call} is written to worker {worker} as {id}"));
            ensure!(
                id == call || id.0 >= 1 << 30,
                "call {call} goes by the name of {id}"
            );
            self.ledger.wrote(self.now, call, in_session)?;
            self.wrote_nested(worker, call, frame[5] & header::NESTED != 0)?;
            let task = Task { asks, stream };
            ensure!(
                self.worker(worker).tasks.insert(id, task).is_none(),
                "two attempts at once are {id}"
            );
            let after = self.random.within(1..=self.scenario.service);
            self.plan(after, What::Finish(worker, id));
        }
        Ok(())
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Start(worker) => {
                let after = self.random.within(0..=4_000);
                self.plan(after, What::Ready(worker));
            }
            Command::Control(worker, frame) => {
                let attempt = CallId(u32::from_le_bytes(*frame[8..].first_chunk().unwrap()));
                if !self.random.chance(self.scenario.stubborn) {
                    let after = self.random.within(0..=500);
                    self.plan(after, What::Yield(worker, attempt));
                }
            }
            Command::Inspect(worker) => {
                // All that was written has begun.
                let (engine, actions) = (&mut self.engine, &mut self.actions);
                engine.inspected(self.now, worker, &Journal::Unknown, actions);
            }
            // No worker here offers to heed them.
            Command::Withdraw(..) | Command::Restore(..) => {}
            Command::Look(worker) => {
                let (engine, actions) = (&mut self.engine, &mut self.actions);
                engine.looked(self.now, worker, None, actions);
            }
            Command::LookMidFrame(worker) => {
                let (engine, actions) = (&mut self.engine, &mut self.actions);
                engine.looked_mid_frame(self.now, worker, None, actions);
            }
            Command::Stop(worker) | Command::Kill(worker) => {
                let after = self.random.within(0..=1_000);
                self.plan(after, What::Die(worker));
            }
        }
    }
}

fn request(call: CallId, handler: u8, arg: u8, stream: bool) -> Vec<u8> {
    let id = call.0.to_be_bytes();
    let payload = [EXTRAS, &id, &[0x91, arg]].concat();
    let header = Header {
        payload: u32::try_from(payload.len()).unwrap(),
        kind: Kind::Request,
        flags: header::EXTRAS | 1 | if stream { header::STREAM } else { 0 },
        handler: u16::from(handler),
        id: call.0,
    };
    [&header.to_bytes()[..], &payload].concat()
}

fn answer(attempt: CallId, kind: Kind, body: &[u8]) -> Vec<u8> {
    let header = Header {
        payload: u32::try_from(body.len()).unwrap(),
        kind,
        flags: 0,
        handler: 0,
        id: attempt.0,
    };
    [&header.to_bytes()[..], body].concat()
}

fn reply(body: &[u8]) -> Result<(u8, u8), String> {
    match body {
        [0x92, handler, arg] => Ok((*handler, *arg)),
        other => Err(format!("{other:?} is no reply")),
    }
}

fn hello() -> Vec<u8> {
    let handlers = HANDLERS.iter().zip(0u8..).map(|(name, number)| {
        let mut about = serde_json::Map::new();
        about.insert("idempotent".to_owned(), (number == SAFE).into());
        let name = (*name).to_owned();
        Handler { name, about }
    });
    let hello = Hello {
        protocol: synapse::protocol::VERSION,
        mode: Mode::Synapse,
        pid: 4_000,
        python: String::new(),
        executable: String::new(),
        sdk: String::new(),
        default: Some(0),
        heartbeat: 0,
        shared: false,
        withdrawals: false,
        handlers: handlers.collect(),
    };
    message::frame(Kind::Hello, 0, &hello).unwrap()
}
