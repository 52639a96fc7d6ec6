//! The world around one engine: a clock that jumps, workers that follow a script, callers without
//! patience. It carries out what the engine asks for as a driver does.

mod callbacks;
mod driver;
mod errands;
mod sessions;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::time::Duration;

use synapse::engine::{Actions, CallOptions, Engine, Exit, PoolRequest, Submission};
use synapse::ids::{CallId, WorkerId};
use synapse::protocol::header::{self, DEFAULT_HANDLER, Header, Kind};
use synapse::protocol::message::{self, Handler, Hello, Mode};
use synapse::time::Time;

use crate::simulation::frames::payload_of;
use crate::simulation::ledger::sessions::Book;
use crate::simulation::ledger::{Intake, Ledger, Told, Verdict, ensure};
use crate::simulation::process::{HANDLERS, Process};
use crate::simulation::random::Random;
use crate::simulation::scenario::Scenario;
use crate::simulation::world::errands::Errands;

/// Something that happens by itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Happening {
    /// A caller makes its next call.
    Call,
    /// A caller takes a call back.
    Cancel(CallId),
    /// A caller has taken an item of its stream.
    Grant(CallId),
    /// The callers dispose of the engine.
    Dispose,
    /// A process is there.
    Started(WorkerId),
    /// A process could not be started.
    NotStarted(WorkerId),
    /// Bytes arrive on the control channel.
    Control(WorkerId, Vec<u8>),
    /// Bytes arrive on the data channel.
    Data(WorkerId),
    /// A call is done.
    Finish(WorkerId, CallId),
    /// A worker takes what was written.
    Unstick(WorkerId),
    /// A worker notices a cancellation.
    Yield(WorkerId, CallId),
    /// A process dies; the number chooses how.
    Die(WorkerId, u8),
    /// A worker gives a sign of life, if it can.
    Beat(WorkerId),
    /// A worker stops giving signs of life; the number chooses why.
    Stall(WorkerId, u8),
    /// And goes on.
    Thaw(WorkerId),
    /// Somebody does something to the pool as a whole.
    Operate,
    /// Somebody does something to a session.
    Session,
    /// The host deals with a callback.
    Host(WorkerId, u32),
    /// The clock jumps.
    Jump(u64),
    /// The engine hears of an exit.
    Exited(WorkerId),
    /// The engine hears of an end of file.
    Closed(WorkerId),
}

pub(crate) struct World {
    pub(crate) scenario: Scenario,
    pub(crate) random: Random,
    pub(crate) now: Time,
    pub(crate) processes: BTreeMap<WorkerId, Process>,
    engine: Engine,
    actions: Actions,
    pub(crate) ledger: Ledger,
    pub(crate) book: Book,
    /// The table of names by which the facade numbers handlers.
    names: Vec<String>,
    agenda: BinaryHeap<Reverse<(Time, u64, Happening)>>,
    planned: u64,
    calls_made: u32,
    tickets: u32,
    /// Callbacks that the host has been told of and that nobody has closed.
    callbacks: BTreeSet<(WorkerId, u32)>,
    errands: Errands,
    /// The worker that a call in a session must go to, if this input writes it.
    preferred: Option<(CallId, WorkerId)>,
    /// What has happened at least once.
    pub(crate) seen: BTreeSet<&'static str>,
    /// Ticks since something else happened.
    ticks: u32,
    /// Told of every step, where somebody looks.
    trace: bool,
}

/// Ticks with nothing else to come after which nothing will.
const TICKS: u32 = 500;

/// More steps than any world takes that comes to an end.
const STEPS: u32 = 200_000;

impl World {
    pub(crate) fn new(seed: u64, trace: bool) -> Self {
        let mut random = Random::new(seed);
        let scenario = Scenario::new(&mut random);
        Self {
            book: Book::new(scenario.config.sessions),
            engine: Engine::new(scenario.config.clone()),
            ledger: Ledger::new(
                &scenario.config,
                scenario.mode,
                scenario.journals && scenario.mode == Mode::Synapse,
                scenario.heeds,
            ),
            scenario,
            random,
            now: Time(1_000),
            processes: BTreeMap::new(),
            actions: Actions::default(),
            names: Vec::new(),
            agenda: BinaryHeap::new(),
            planned: 0,
            calls_made: 0,
            tickets: 0,
            callbacks: BTreeSet::new(),
            errands: Errands::new(),
            preferred: None,
            seen: BTreeSet::new(),
            ticks: 0,
            trace,
        }
    }

    /// From the start to the end. Answers what has happened on the way.
    pub(crate) fn run(mut self) -> Result<BTreeSet<&'static str>, String> {
        self.note(&format!("{:?}", self.scenario));
        self.input(false, Engine::start)?;
        self.plan(0, Happening::Call);
        let whole = self.scenario.pace * u64::from(self.scenario.calls) + 50_000;
        for _ in 0..self.scenario.operations {
            let after = self.random.within(0..=whole);
            self.plan(after, Happening::Operate);
        }
        if self.scenario.sessions > 0 {
            for _ in 0..self.random.within(0..=6) {
                let after = self.random.within(0..=whole);
                self.plan(after, Happening::Session);
            }
        }
        if self.scenario.jumps {
            let after = self.random.within(0..=whole);
            let length = self.random.pick(&[1_000, 300_000, 3_600_000_000]);
            self.plan(after, Happening::Jump(length));
        }
        // Signs of life never end by themselves.
        self.plan(whole + 700_000, Happening::Dispose);
        if self.scenario.hasty {
            let after = self.random.within(0..=whole);
            self.plan(after, Happening::Dispose);
        }
        for _ in 0..STEPS {
            if !self.step()? {
                if self.ledger.stop_asked {
                    let held = self.engine.holdings();
                    self.ledger.finish(&held)?;
                    ensure!(
                        self.engine.next_wake().is_none(),
                        "a timer outlived the end"
                    );
                    let active = self.engine.stats(self.now).requests_active;
                    ensure!(active == 0, "{active} requests active at the end");
                    self.seen.extend(&self.book.seen);
                    return Ok(self.seen);
                }
                self.plan(0, Happening::Dispose);
            }
        }
        Err("does not come to an end".to_owned())
    }

    /// The next thing happens: a tick that is due, or what comes first on the agenda. Answers
    /// whether there was any.
    fn step(&mut self) -> Result<bool, String> {
        let lateness = if self.random.chance(20) {
            self.random.within(0..=3_000)
        } else {
            0
        };
        let wake = self
            .engine
            .next_wake()
            .map(|at| at + Duration::from_micros(lateness));
        let next = self.agenda.peek().map(|Reverse((at, _, _))| *at);
        // A dead world needs no ticks: what is left are timers of calls that nobody will settle.
        // Behind a call that never ends the engine looks after a cancelled one again and again.
        let goes_on = next.is_some() || self.ticks < TICKS;
        if let Some(wake) = wake
            && goes_on
            && next.is_none_or(|at| wake <= at)
        {
            self.ticks += 1;
            self.now = self.now.max(wake);
            self.note("tick");
            self.input(true, Engine::tick)?;
            return Ok(true);
        }
        let Some(Reverse((at, _, happening))) = self.agenda.pop() else {
            return Ok(false);
        };
        self.ticks = 0;
        self.now = self.now.max(at);
        self.note(&format!("{happening:?}"));
        self.happen(happening)?;
        Ok(true)
    }

    /// Puts something on the agenda, so many microseconds from now.
    pub(crate) fn plan(&mut self, after: u64, happening: Happening) {
        let at = self.now + Duration::from_micros(after);
        self.planned += 1;
        self.agenda.push(Reverse((at, self.planned, happening)));
    }

    #[expect(clippy::print_stdout, reason = "a seed is replayed to read this")]
    fn note(&self, line: &str) {
        if self.trace {
            println!("{:>10} µs  {line}", self.now.0);
        }
    }

    fn happen(&mut self, happening: Happening) -> Verdict {
        match happening {
            Happening::Call => self.call(),
            Happening::Cancel(call) => self.cancel(call),
            Happening::Grant(call) => {
                self.ledger.allowed(call, 1);
                self.input(false, |engine, _, actions| engine.grant(call, 1, actions))
            }
            Happening::Dispose if self.ledger.stop_asked => Ok(()),
            Happening::Dispose => {
                self.ledger.stop_asked = true;
                self.input(false, Engine::stop)
            }
            Happening::Started(worker) => {
                self.process(worker).started = true;
                if self.engine.wants(worker) {
                    self.prepare(worker);
                } else {
                    self.kill(worker);
                }
                Ok(())
            }
            Happening::NotStarted(worker) => {
                self.ledger.gone(self.now, worker);
                self.ledger.workers.entry(worker).or_default().exited = true;
                self.input(false, |engine, now, actions| {
                    engine.start_failed(now, worker, "no more processes", actions);
                })
            }
            Happening::Control(worker, bytes) => self.control(worker, &bytes),
            Happening::Data(worker) => self.data(worker),
            Happening::Unstick(worker) => {
                if self.process(worker).dead {
                    return Ok(());
                }
                self.process(worker).stuck = false;
                self.process(worker).read_requests();
                self.ledger.workers.entry(worker).or_default().stuck = false;
                self.input(false, |engine, now, actions| {
                    engine.drained(now, worker, actions);
                })?;
                self.work(worker);
                Ok(())
            }
            Happening::Exited(worker) => {
                self.ledger.exited(self.now, worker);
                let mut exit = Exit {
                    journal: self.process(worker).journal(),
                    ..Exit::default()
                };
                if self.random.chance(50) {
                    exit.code = Some(1);
                } else {
                    exit.signal = Some("SIGKILL".to_owned());
                }
                self.input(false, |engine, now, actions| {
                    engine.exited(now, worker, exit, actions);
                })
            }
            Happening::Closed(worker) => {
                self.ledger.gone(self.now, worker);
                self.input(false, |engine, now, actions| {
                    engine.closed(now, worker, actions);
                })
            }
            Happening::Finish(worker, call) => {
                self.finish(worker, call);
                Ok(())
            }
            Happening::Yield(worker, call) => {
                self.yield_call(worker, call);
                Ok(())
            }
            Happening::Beat(worker) => self.beat(worker),
            Happening::Stall(worker, kind) => {
                self.stall(worker, kind);
                Ok(())
            }
            Happening::Thaw(worker) => {
                self.thaw(worker);
                Ok(())
            }
            Happening::Operate => self.operate(),
            Happening::Host(worker, callback) => self.host(worker, callback),
            Happening::Session => self.use_session(),
            Happening::Jump(length) => {
                self.now = self.now + Duration::from_micros(length);
                self.ledger.jumped(self.now);
                self.input(true, Engine::tick)
            }
            Happening::Die(worker, manner) => {
                self.die(worker, manner);
                Ok(())
            }
        }
    }

    /// A worker has begun a call.
    pub(crate) fn began(&mut self, worker: WorkerId, call: CallId) {
        self.ledger.began(self.now, worker, call);
    }

    pub(crate) fn process(&mut self, worker: WorkerId) -> &mut Process {
        self.processes.get_mut(&worker).unwrap()
    }

    fn call(&mut self) -> Verdict {
        self.calls_made += 1;
        let id = CallId(self.calls_made);
        if self.calls_made < self.scenario.calls {
            let after = self.random.within(0..=self.scenario.pace);
            self.plan(after, Happening::Call);
        }
        let random = &mut self.random;
        let handler = match self.names.len() {
            known if known > 0 && random.chance(80) => random.index(known),
            _ => usize::from(DEFAULT_HANDLER),
        };
        let newest = self.processes.len() as u64 + 1;
        let credit = if random.chance(25) {
            u32::try_from(random.within(1..=3)).unwrap()
        } else {
            0
        };
        let resumable = credit > 0 && random.chance(60);
        let session = self.session_of_a_call();
        let random = &mut self.random;
        let options = CallOptions {
            own_deadline: false,
            deadline: random
                .chance(30)
                .then(|| self.now + random.micros(0..=150_000)),
            priority: random.pick(&[0, 0, 0, -1, 5]),
            worker: random
                .chance(if session.is_some() { 0 } else { 15 })
                .then(|| WorkerId(u32::try_from(random.within(1..=newest)).unwrap())),
            idempotent: random.chance(30),
            credit,
            resumable,
            resume_from: if resumable {
                random.pick(&[0, 0, 57])
            } else {
                0
            },
            session: None,
        };
        if random.chance(15) {
            let after = random.within(0..=80_000);
            self.plan(after, Happening::Cancel(id));
        }
        let handler = u16::try_from(handler).unwrap();
        let header = Header {
            payload: 5,
            kind: Kind::Request,
            flags: if credit > 0 { header::STREAM } else { 0 },
            handler,
            id: id.0,
        };
        let frame = request(header, id, session.is_some());
        let name = self.names.get(usize::from(handler)).map(String::as_str);
        let name = HANDLERS.into_iter().find(|handler| Some(*handler) == name);
        self.ledger.begin();
        self.ledger.submitted(self.now, id, name, options);
        let mut submission = Submission {
            id,
            handler,
            frame: &frame,
            options,
        };
        let intake = if let Some(session) = session {
            self.submit_in_session(&mut submission, &session, None)?
        } else {
            let intake = self.ledger.intake(options, &self.engine.holdings());
            self.note(&format!("{id} {options:?}: {intake:?}"));
            self.engine.submit(self.now, &submission, &mut self.actions);
            intake
        };
        self.carry_out(None, false)?;
        let told = self.ledger.told(id);
        let lacking = Told::Error(synapse::error::ErrorCode::HandlerNotFound);
        let right = match intake {
            Intake::Taken => told.is_none_or(|told| told == lacking),
            Intake::Refused(code) => told == Some(Told::Error(code)),
            Intake::RefusedAsUnhealthy => matches!(told, Some(Told::Error(_))),
        };
        ensure!(right, "call {id} should have been {intake:?}, but {told:?}");
        Ok(())
    }

    /// Somebody does something to the pool as a whole.
    fn operate(&mut self) -> Verdict {
        self.tickets += 1;
        let ticket = self.tickets;
        let random = &mut self.random;
        let few = |random: &mut Random| u32::try_from(random.within(1..=4)).unwrap();
        let newest = self.processes.len() as u64 + 1;
        let request = match random.within(0..=9) {
            0 => PoolRequest::Ready { min: None },
            1 => PoolRequest::Ready {
                min: Some(few(random)),
            },
            2..=3 => {
                let min = few(random);
                let max = min + random.pick(&[0, 0, 1, 3]);
                PoolRequest::Scale { min, max }
            }
            4 => PoolRequest::Restart { worker: None },
            5 => PoolRequest::Restart {
                worker: Some(u32::try_from(random.within(1..=newest)).unwrap()),
            },
            6..=7 => PoolRequest::Reload,
            _ => PoolRequest::Drain,
        };
        self.note(&format!("{ticket} {request:?}"));
        let held = self.engine.holdings();
        self.ledger.operates(ticket, request, &held);
        self.input(false, |engine, now, actions| {
            engine.operate(now, ticket, request, actions);
        })
    }

    fn cancel(&mut self, call: CallId) -> Verdict {
        if self.ledger.told(call).is_some() {
            // The facade forgets a call when it settles; one in a hundred slips through.
            if !self.random.chance(1) {
                return Ok(());
            }
        } else {
            self.ledger.cancelled(self.now, call);
        }
        self.input(false, |engine, now, actions| {
            engine.cancel(now, call, actions);
        })
    }

    pub(crate) fn control(&mut self, worker: WorkerId, bytes: &[u8]) -> Verdict {
        if bytes.get(4) == Some(&(Kind::Hello as u8)) {
            self.ledger.ready(self.now, worker);
        }
        // Cut in two now and then, with other inputs between the halves.
        if bytes.len() > 1 && self.random.chance(10) {
            let (first, second) = bytes.split_at(1 + self.random.index(bytes.len() - 1));
            let (first, second) = (first.to_vec(), second.to_vec());
            if bytes.get(4) != Some(&(Kind::Hello as u8)) {
                self.plan(0, Happening::Control(worker, second));
                return self.input(false, |engine, now, actions| {
                    engine.control(now, worker, &first, actions);
                });
            }
        }
        self.input(false, |engine, now, actions| {
            engine.control(now, worker, bytes, actions);
        })
    }

    /// Some of the bytes in a worker's pipe arrive.
    fn data(&mut self, worker: WorkerId) -> Verdict {
        let whole = self.random.chance(70);
        let length = self.process(worker).pipe.len();
        if length == 0 {
            self.end_of_pipe(worker);
            return Ok(());
        }
        let count = if whole {
            length
        } else {
            1 + self.random.index(length)
        };
        let process = self.process(worker);
        let chunk: Vec<u8> = process.pipe.drain(..count).collect();
        process.arrived.extend(chunk);
        if process.arrived.len() >= process.need {
            self.read(worker)?;
        }
        if !self.process(worker).pipe.is_empty() {
            let after = self.random.within(0..=200);
            self.plan(after, Happening::Data(worker));
            return Ok(());
        }
        self.end_of_pipe(worker);
        Ok(())
    }

    fn end_of_pipe(&mut self, worker: WorkerId) {
        if std::mem::take(&mut self.process(worker).closing) {
            let after = self.random.within(0..=2_000);
            self.plan(after, Happening::Closed(worker));
        }
    }

    /// The hello of a worker.
    pub(crate) fn hello(&mut self, worker: WorkerId) -> Vec<u8> {
        let mode = self.scenario.mode;
        let handlers = match mode {
            Mode::Stdio => Vec::new(),
            Mode::Synapse => self.process(worker).handlers.clone(),
        };
        self.ledger
            .workers
            .entry(worker)
            .or_default()
            .handlers
            .clone_from(&handlers);
        let default = handlers.iter().position(|name| *name == "main");
        let hello = Hello {
            protocol: synapse::protocol::VERSION,
            mode,
            pid: 4_000 + worker.0,
            python: "3.11.7".to_owned(),
            executable: String::new(),
            sdk: String::new(),
            shared: false,
            withdrawals: self.scenario.heeds && self.scenario.journals,
            default: default.map(|number| u16::try_from(number).unwrap()),
            heartbeat: u64::from(self.random.chance(80)),
            handlers: handlers
                .into_iter()
                .map(|name| Handler {
                    name: name.to_owned(),
                    about: serde_json::Map::new(),
                })
                .collect(),
        };
        message::frame(Kind::Hello, 0, &hello).unwrap()
    }
}

/// The frame of a call; its argument names it.
fn request(mut header: Header, id: CallId, extras: bool) -> Vec<u8> {
    if extras {
        header.payload += 1;
        header.flags |= header::EXTRAS;
    }
    let none: &[u8] = if extras { &[0x80] } else { &[] };
    [&header.to_bytes(), none, &payload_of(id)].concat()
}
