//! What scripted workers do: start or not, answer or not, die in every way.

use std::collections::BTreeSet;
use std::time::Duration;

use synapse::ids::{CallId, WorkerId};
use synapse::policy::liveness::Vitals;
use synapse::protocol::header::{Header, Kind};
use synapse::protocol::message::{self, Mode};
use synapse::protocol::stdio;

use crate::simulation::ledger::Verdict;
use crate::simulation::process::{HANDLERS, Journaling, Process};
use crate::simulation::world::{Happening, World};

/// Bytes that are no frame in either framing: the length is above every limit.
const GARBAGE: [u8; 12] = [0xff; 12];
/// An id that no caller has used.
const NOBODY: CallId = CallId(1_000_000);

impl World {
    /// A process is asked for.
    pub(crate) fn start(&mut self, worker: WorkerId) {
        let mut handlers = HANDLERS.to_vec();
        let turn = self.random.index(handlers.len());
        handlers.rotate_left(turn);
        if self.random.chance(self.scenario.faults.lacking) {
            handlers.pop();
        }
        let mut process = Process::new(self.scenario.mode, handlers);
        process.journaling = match (self.scenario.mode, self.scenario.config.concurrency) {
            _ if !self.scenario.journals => Journaling::None,
            (Mode::Stdio, _) => Journaling::None,
            (Mode::Synapse, 1) => Journaling::InOrder,
            (Mode::Synapse, _) => Journaling::ByNumber,
        };
        self.processes.insert(worker, process);
        let after = self.random.within(0..=20_000);
        let fails = self.random.chance(self.scenario.faults.start / 4);
        let started = if fails {
            Happening::NotStarted(worker)
        } else {
            Happening::Started(worker)
        };
        self.plan(after, started);
    }

    /// A process is there and gets ready, or does not.
    pub(crate) fn prepare(&mut self, worker: WorkerId) {
        let after = self.random.within(0..=30_000);
        if self.random.chance(self.scenario.faults.sudden) {
            let when = self.random.within(0..=400_000);
            let manner = self.manner();
            self.plan(when, Happening::Die(worker, manner));
        }
        let mut hello = self.hello(worker);
        if self.random.chance(self.scenario.faults.start) {
            match self.random.within(0..=6) {
                // Nothing is ever heard of it: the time limit or the stop ends it. Without a
                // limit it dies in the end.
                0 => {
                    self.plan(600_000, Happening::Die(worker, 0));
                    return;
                }
                1 => {
                    let manner = self.manner();
                    self.plan(after, Happening::Die(worker, manner));
                    return;
                }
                2 => {
                    let fault = serde_json::json!({"phase": "start", "error": {"message": "no"}});
                    let fault = message::frame(Kind::Fault, 0, &fault).unwrap();
                    self.plan(after, Happening::Control(worker, fault));
                    let when = after + self.random.within(0..=50_000);
                    self.plan(when, Happening::Die(worker, 0));
                    return;
                }
                3 => {
                    self.plan(after, Happening::Control(worker, GARBAGE.to_vec()));
                    return;
                }
                4 => {
                    // A kind that has no place there, and a hello after it, which is too late.
                    let stray = Header::bare(Kind::Response, 1).to_vec();
                    self.plan(after, Happening::Control(worker, stray));
                }
                // Very late: perhaps after its time limit.
                5 => {
                    let late = self.random.within(0..=500_000);
                    self.plan(late, Happening::Control(worker, hello));
                    self.plan(late + 10_000, Happening::Beat(worker));
                    return;
                }
                // Twice: the second says nothing new.
                _ => hello = [hello.clone(), hello].concat(),
            }
        }
        self.plan(after, Happening::Control(worker, hello));
        self.plan(after + 10_000, Happening::Beat(worker));
        if self.random.chance(self.scenario.faults.stall) {
            let when = self.random.within(0..=300_000);
            let kind = self.random.pick(&[0, 0, 1]);
            self.plan(after + when, Happening::Stall(worker, kind));
        }
    }

    /// A sign of life is due.
    pub(crate) fn beat(&mut self, worker: WorkerId) -> Verdict {
        let process = self.process(worker);
        if process.dead || process.deaf {
            return Ok(());
        }
        let silent = process.frozen || process.computes.is_some();
        let cpu = process.cpu.as_secs_f64();
        if let Some(policy) = &self.scenario.config.heartbeat {
            let interval = u64::try_from(policy.interval.as_micros()).unwrap();
            self.plan(interval, Happening::Beat(worker));
        }
        if silent {
            return Ok(());
        }
        let rss = self.random.pick(&[1_000, 1_000, 1_000, 10_000]);
        let beat = serde_json::json!({"rss": rss, "cpu": cpu, "lag": 1.5, "calls": 1});
        let beat = message::frame(Kind::Heartbeat, 0, &beat).unwrap();
        self.ledger.beat(self.now, worker);
        self.control(worker, &beat)
    }

    /// A worker stops giving signs of life: it freezes, or its one thread computes.
    pub(crate) fn stall(&mut self, worker: WorkerId, kind: u8) {
        let now = self.now;
        let process = self.process(worker);
        if process.dead {
            return;
        }
        if kind == 0 {
            process.frozen = true;
        } else {
            process.computes = Some(now);
        }
        self.ledger.workers.entry(worker).or_default().silent = Some((now, kind == 0));
        if self.random.chance(60) {
            let after = self.random.within(0..=400_000);
            self.plan(after, Happening::Thaw(worker));
        }
    }

    /// And goes on.
    pub(crate) fn thaw(&mut self, worker: WorkerId) {
        let now = self.now;
        let process = self.process(worker);
        process.frozen = false;
        if let Some(since) = process.computes.take() {
            process.cpu += 100 * now.since(since);
        }
        let standing = self.ledger.workers.entry(worker).or_default();
        if let Some((_, true)) = standing.silent.take() {
            standing.thawed = Some(now);
        }
        for call in std::mem::take(&mut self.process(worker).held_up) {
            self.plan(1, Happening::Finish(worker, call));
        }
        self.work(worker);
    }

    /// What the system says of a process.
    pub(crate) fn vitals(&mut self, worker: WorkerId) -> Vitals {
        let now = self.now;
        let shows = self.random.chance(50);
        let process = self.process(worker);
        // A hundred threads, for the world is faster than the system's clock of processor time.
        let since = process.computes.map_or(Duration::ZERO, |at| now.since(at));
        Vitals {
            stopped: process.frozen && shows,
            running: false,
            cpu: process.cpu + 100 * since,
        }
    }

    /// Begins what can be begun.
    pub(crate) fn work(&mut self, worker: WorkerId) {
        self.feed(worker);
        self.run_nested(worker);
        let concurrency = self.scenario.config.concurrency as usize;
        let now = self.now;
        while !self.process(worker).deaf
            && !self.process(worker).frozen
            && !self.process(worker).dead
            && self.process(worker).running.len() < concurrency
        {
            let process = self.process(worker);
            let Some(call) = process.waiting.pop_front() else {
                return;
            };
            if process.finds_withdrawn(now, call) {
                process.refuse(call);
                self.send(worker);
                self.seen.insert("refused as withdrawn");
                continue;
            }
            process.begin(call, true);
            self.began(worker, call);
            let after = self.random.within(1..=self.scenario.service);
            self.plan(after, Happening::Finish(worker, call));
        }
    }

    /// A call is done, one way or another.
    pub(crate) fn finish(&mut self, worker: WorkerId, call: CallId) {
        let faults = self.scenario.faults;
        let process = self.process(worker);
        let waits = process.asks.values().any(|asking| *asking == call);
        if process.dead || waits || !process.running.contains(&call) {
            return;
        }
        if process.frozen {
            process.held_up.push(call);
            return;
        }
        if self.random.chance(faults.never) {
            return;
        }
        if self.random.chance(faults.crash) {
            self.process(worker).give_up(call);
            if self.random.chance(30) {
                // Half an answer is in the pipe already.
                self.process(worker).answer(call, Kind::Response);
                let process = self.process(worker);
                let length = process.pipe.len();
                process.pipe.truncate(length - 3);
            }
            let manner = self.manner();
            self.die(worker, manner);
            self.send(worker);
            return;
        }
        if self.asks_first(worker, call) {
            return;
        }
        if self.stream_goes_on(worker, call) || self.session_first(worker, call) {
            return;
        }
        self.process(worker).give_up(call);
        if self.random.chance(faults.garbage) {
            self.process(worker).pipe.extend(GARBAGE);
        } else if self.random.chance(faults.surplus) {
            self.surplus(worker, call);
        }
        let kind = match self.process(worker).credit.remove(&call) {
            _ if self.random.chance(10) => Kind::Error,
            Some(_) => Kind::End,
            None => Kind::Response,
        };
        self.process(worker).answer(call, kind);
        self.send(worker);
        self.work(worker);
    }

    /// Sends the next item of a stream, or waits for credit; not, if the call has none or ends.
    fn stream_goes_on(&mut self, worker: WorkerId, call: CallId) -> bool {
        if !self.process(worker).credit.contains_key(&call) || self.random.chance(30) {
            return false;
        }
        let service = self.scenario.service;
        let process = self.process(worker);
        let credit = process.credit.entry(call).or_default();
        if *credit == 0 {
            process.starved.insert(call);
            return true;
        }
        *credit -= 1;
        process.answer(call, Kind::Item);
        self.send(worker);
        let after = self.random.within(1..=service);
        self.plan(after, Happening::Finish(worker, call));
        true
    }

    /// Streams that have got credit go on.
    fn feed(&mut self, worker: WorkerId) {
        let process = self.process(worker);
        let starved = std::mem::take(&mut process.starved);
        let (fed, left): (BTreeSet<CallId>, BTreeSet<CallId>) = starved
            .into_iter()
            .partition(|call| process.credit.get(call).is_some_and(|n| *n > 0));
        process.starved = left;
        for call in fed {
            self.plan(1, Happening::Finish(worker, call));
        }
    }

    /// More than was asked for: another's answer, a log line, a mark.
    fn surplus(&mut self, worker: WorkerId, call: CallId) {
        let process = self.process(worker);
        match process.mode {
            // The reply that follows is dropped: the mark has settled the call.
            Mode::Stdio => {
                let text = format!("[ERROR] {call}\n");
                let mark = serde_json::json!({"replies": process.replies, "text": text});
                let mark = message::frame(Kind::Mark, 0, &mark).unwrap();
                process.pipe.extend(stdio::ESCAPE.to_le_bytes());
                process.pipe.extend(mark);
            }
            Mode::Synapse => {
                process.answer(call, Kind::Progress);
                process.answer(call, Kind::Response);
                process.answer(call, Kind::Item);
                process.answer(NOBODY, Kind::Error);
                let log = serde_json::json!({"stream": "stdout", "text": "hi"});
                process
                    .pipe
                    .extend(message::frame(Kind::Log, call.0, &log).unwrap());
            }
        }
    }

    /// What a worker has written is on its way.
    pub(crate) fn send(&mut self, worker: WorkerId) {
        let after = self.random.within(0..=100);
        self.plan(after, Happening::Data(worker));
    }

    /// A frame for a worker's control channel: the engine sends nothing but cancellations there.
    pub(crate) fn cancelled(&mut self, worker: WorkerId, bytes: &[u8]) {
        assert_eq!((bytes.len(), bytes[4]), (12, Kind::Cancel as u8));
        let call = CallId(u32::from_le_bytes(*bytes[8..].first_chunk().unwrap()));
        if !self.random.chance(self.scenario.faults.stubborn) {
            let after = self.random.within(0..=2_000);
            self.plan(after, Happening::Yield(worker, call));
        }
    }

    /// A worker notices that a call is not wanted any more.
    pub(crate) fn yield_call(&mut self, worker: WorkerId, call: CallId) {
        let process = self.process(worker);
        if process.dead || process.deaf || process.stuck || process.frozen || !process.give_up(call)
        {
            return;
        }
        process.answer(call, Kind::Error);
        let asks: Vec<u32> = process
            .asks
            .iter()
            .filter(|(_, asking)| **asking == call)
            .map(|(callback, _)| *callback)
            .collect();
        for callback in asks {
            process.asks.remove(&callback);
            process.ask(callback, Kind::Cancel);
        }
        self.send(worker);
        self.work(worker);
    }

    fn manner(&mut self) -> u8 {
        self.random.pick(&[0, 0, 0, 1, 2, 3])
    }

    /// A process dies. Its exit and its end of file are heard of in any order, or the latter never.
    pub(crate) fn die(&mut self, worker: WorkerId, manner: u8) {
        let process = self.process(worker);
        if process.dead {
            return;
        }
        if manner == 3 {
            // It closes its channel and lives on, deaf.
            process.deaf = true;
            process.closing = true;
            process.running.clear();
            process.nested.clear();
            process.waiting.clear();
            self.send(worker);
            return;
        }
        process.dead = true;
        // A grandchild may hold the pipe open for ever.
        process.closing = manner != 1;
        let (exit, close) = match manner {
            2 => (self.random.within(0..=100_000), 0),
            _ => (
                self.random.within(0..=1_000),
                self.random.within(0..=80_000),
            ),
        };
        self.plan(exit, Happening::Exited(worker));
        self.plan(close, Happening::Data(worker));
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self, worker: WorkerId) {
        if self.process(worker).started {
            let manner = self.random.pick(&[0, 0, 1]);
            self.die(worker, manner);
        }
    }

    /// The stop ladder: within the grace the process is gone.
    pub(crate) fn ask_to_stop(&mut self, worker: WorkerId) {
        if self.process(worker).started {
            let grace = u64::try_from(self.scenario.config.grace.as_micros()).unwrap();
            let after = self.random.within(0..=grace);
            self.plan(after, Happening::Die(worker, 0));
        }
    }
}
