//! What the engine has promised, by what can be seen from outside: who wrote what to whom, who was
//! told what. After every input the invariants are checked against it.

mod check;
pub(crate) mod sessions;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use synapse::engine::{CallOptions, Command, Config, Event, Holdings, PoolRequest, SettledKind};
use synapse::error::{ErrorCode, Failure};
use synapse::ids::{CallId, WorkerId};
use synapse::protocol::message::Mode;
use synapse::time::Time;

use crate::simulation::process::Request;

/// What is wrong, if something is.
pub(crate) type Verdict = Result<(), String>;

/// Answers `Err` with a sentence unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($sentence:tt)+) => {
        if !$condition {
            return Err(format!($($sentence)+));
        }
    };
}
pub(crate) use ensure;

/// How a caller was told that its call is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// By an answer of a worker.
    Answer,
    /// By an error of the engine.
    Error(ErrorCode),
    /// It had taken the call back itself.
    Cancelled,
}

/// What must become of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Intake {
    Taken,
    Refused(ErrorCode),
    /// With the code of the death that made the engine unhealthy.
    RefusedAsUnhealthy,
}

#[derive(Debug)]
struct Record {
    options: CallOptions,
    handler: Option<&'static str>,
    /// Order of submission.
    sequence: u64,
    /// Since when it waits for a worker; `None` while it is with one.
    waits: Option<Time>,
    /// With which worker it is, unanswered.
    at: Option<WorkerId>,
    writes: Vec<WorkerId>,
    /// Its caller has got an item of its stream.
    streamed: bool,
    /// Sequence number of the last item that its caller has, or 0.
    seen: u64,
    /// Items that may come before more are granted.
    credit: u32,
    /// Which of the writes brought its last item.
    fresh: usize,
    told: Option<(Told, Time)>,
    /// A worker waits for it, and runs it on top of another call.
    nested: Option<WorkerId>,
}

impl Record {
    fn rank(&self) -> (i32, u64) {
        (self.options.priority, self.sequence)
    }

    /// A stream begins where its caller is, with the credit that its caller has given.
    fn check_beginning(&self, call: CallId, credit: u32, resume_from: u64) -> Verdict {
        ensure!(
            credit == self.credit,
            "call {call} was given credit {credit} instead of {}",
            self.credit
        );
        ensure!(
            resume_from == self.seen,
            "call {call} goes on from {resume_from}, its caller has {}",
            self.seen
        );
        Ok(())
    }

    fn may_run_on(&self, worker: WorkerId) -> bool {
        self.options.worker.is_none_or(|pin| pin == worker)
    }

    /// One that leaves takes no more than what nobody else may.
    fn may_go_to(&self, worker: WorkerId, leaving: bool) -> bool {
        self.may_run_on(worker) && (!leaving || self.options.worker.is_some())
    }
}

/// What the engine has been told of a worker, and has said of it.
#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts that are independent of each other"
)]
pub(crate) struct Standing {
    pub(crate) ready: bool,
    pub(crate) handlers: Vec<&'static str>,
    /// It has not taken what was written.
    pub(crate) stuck: bool,
    /// It was told to go.
    pub(crate) dropped: bool,
    /// What it sends is ignored.
    unheard: bool,
    /// When the engine first heard of its death or of its end of file.
    pub(crate) gone: Option<Time>,
    pub(crate) exited: bool,
    /// It takes no new calls and is to go.
    leaving: bool,
    /// The engine said that it is frozen.
    frozen: bool,
    /// Since when it gives no signs of life, and whether it does nothing else either.
    pub(crate) silent: Option<(Time, bool)>,
    /// When it last went on after it had been frozen.
    pub(crate) thawed: Option<Time>,
    /// Its last sign of life, once they are to be expected.
    beat: Option<Time>,
    /// Calls written to it and not answered, in order of writing.
    owed: Vec<CallId>,
}

#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts that are independent of each other"
)]
pub(crate) struct Ledger {
    config: Config,
    mode: Mode,
    queue_max: Option<usize>,
    /// Calls that somebody waits for or that a worker owes an answer for.
    calls: BTreeMap<CallId, Record>,
    /// All others.
    done: BTreeMap<CallId, Record>,
    pub(crate) workers: BTreeMap<WorkerId, Standing>,
    buried: BTreeSet<WorkerId>,
    /// Which worker has begun which call, and when.
    begun: BTreeMap<(WorkerId, CallId), Time>,
    /// Whether the engine can know that.
    keeps_journals: bool,
    /// The calls that waited before this input.
    waited: BTreeSet<CallId>,
    /// What this input wrote, by worker, in order.
    written: BTreeMap<WorkerId, Vec<CallId>>,
    /// How many workers there are to be.
    min: u32,
    max: u32,
    /// Since when calls wait and the pool could grow, and does not.
    small_since: Option<Time>,
    /// Operations that are not over, and the workers that are to be gone then.
    operations: BTreeMap<u32, (PoolRequest, Vec<WorkerId>)>,
    /// This input changed the size of the pool or started what waited.
    resized: bool,
    /// When announced replacements are due.
    restarts: Vec<Time>,
    pub(crate) stop_asked: bool,
    /// Since when the clock has not jumped.
    unbroken_since: Time,
    spawned: bool,
    spawn_failed: bool,
    pub(crate) stopped: bool,
    unhealthy: bool,
}

impl Ledger {
    pub(crate) fn new(config: &Config, mode: Mode, keeps_journals: bool) -> Self {
        Self {
            config: config.clone(),
            mode,
            queue_max: config.queue_max,
            calls: BTreeMap::new(),
            done: BTreeMap::new(),
            workers: BTreeMap::new(),
            buried: BTreeSet::new(),
            begun: BTreeMap::new(),
            keeps_journals,
            waited: BTreeSet::new(),
            written: BTreeMap::new(),
            min: config.workers,
            max: config.most_workers.unwrap_or(0).max(config.workers),
            small_since: None,
            operations: BTreeMap::new(),
            resized: false,
            restarts: Vec::new(),
            stop_asked: false,
            unbroken_since: Time(1_000),
            spawned: false,
            spawn_failed: false,
            stopped: false,
            unhealthy: false,
        }
    }

    /// The calls whose callers still wait.
    pub(crate) fn open(&self) -> Vec<CallId> {
        let open = self
            .calls
            .iter()
            .filter(|(_, record)| record.told.is_none());
        open.map(|(id, _)| *id).collect()
    }

    /// How a call was settled.
    pub(crate) fn told(&self, call: CallId) -> Option<Told> {
        self.record(call)
            .and_then(|record| record.told)
            .map(|(told, _)| told)
    }

    /// Whether anybody waits for a call, or a worker owes an answer for it.
    pub(crate) fn holds(&self, call: CallId) -> bool {
        self.calls.contains_key(&call)
    }

    /// With which worker a call is, unanswered.
    pub(crate) fn at(&self, call: CallId) -> Option<WorkerId> {
        self.calls.get(&call)?.at
    }

    /// Whether a worker is one that calls may be bound to.
    pub(crate) fn serves(&self, worker: WorkerId) -> bool {
        self.workers
            .get(&worker)
            .is_some_and(|w| !w.dropped && !w.leaving && w.gone.is_none())
    }

    /// Calls written to a worker and not answered, in order of writing.
    pub(crate) fn owed(&self, worker: WorkerId) -> &[CallId] {
        &self.workers[&worker].owed
    }

    /// A call runs at once on a worker that waits for it.
    pub(crate) fn nest(&mut self, call: CallId, worker: WorkerId) {
        if let Some(record) = self.calls.get_mut(&call) {
            record.nested = Some(worker);
        }
    }

    /// Whether a call was written to a worker.
    pub(crate) fn was_written(&self, call: CallId, worker: WorkerId) -> bool {
        self.record(call)
            .is_some_and(|record| record.writes.contains(&worker))
    }

    /// Whether the engine has found a worker able to answer, and not given it up.
    pub(crate) fn is_active(&self, worker: WorkerId) -> bool {
        self.workers
            .get(&worker)
            .is_some_and(|w| w.ready && !w.dropped && w.gone.is_none())
    }

    /// A call may run on one worker only, as the engine has decided.
    pub(crate) fn pin(&mut self, call: CallId, worker: WorkerId) {
        if let Some(record) = self.calls.get_mut(&call) {
            record.options.worker = Some(worker);
        }
    }

    fn record(&self, call: CallId) -> Option<&Record> {
        self.calls.get(&call).or_else(|| self.done.get(&call))
    }

    /// Puts a call away when it is over for its caller and for its worker.
    fn retire(&mut self, call: CallId) {
        if self
            .calls
            .get(&call)
            .is_some_and(|record| record.told.is_some() && record.at.is_none())
        {
            self.done.extend(self.calls.remove_entry(&call));
        }
    }

    /// The next input begins.
    pub(crate) fn begin(&mut self) {
        let waiting = self
            .calls
            .iter()
            .filter(|(_, record)| record.waits.is_some());
        self.waited = waiting.map(|(id, _)| *id).collect();
        self.written.clear();
    }

    /// What must become of a call that is handed in now.
    pub(crate) fn intake(&self, options: CallOptions, held: &Holdings) -> Intake {
        if self.stop_asked || self.spawn_failed {
            return Intake::Refused(ErrorCode::Disposed);
        }
        if self.unhealthy {
            return Intake::RefusedAsUnhealthy;
        }
        if options.worker.is_some_and(|pin| !self.serves(pin)) {
            return Intake::Refused(ErrorCode::WorkerExited);
        }
        let free = held
            .workers
            .iter()
            .any(|load| load.takes && options.worker.is_none_or(|pin| pin == load.worker));
        let full = self.queue_max.is_some_and(|max| held.queued >= max);
        if full && !free {
            Intake::Refused(ErrorCode::QueueFull)
        } else {
            Intake::Taken
        }
    }

    /// A call is handed in.
    pub(crate) fn submitted(
        &mut self,
        now: Time,
        call: CallId,
        handler: Option<&'static str>,
        options: CallOptions,
    ) {
        let sequence = (self.calls.len() + self.done.len()) as u64;
        let (waits, at, told) = (Some(now), None, None);
        let writes = Vec::new();
        self.calls.insert(
            call,
            Record {
                options,
                handler,
                sequence,
                waits,
                at,
                writes,
                streamed: false,
                seen: options.resume_from,
                credit: options.credit,
                fresh: 0,
                told,
                nested: None,
            },
        );
    }

    /// The caller took a call back.
    pub(crate) fn cancelled(&mut self, now: Time, call: CallId) {
        self.tell(now, call, Told::Cancelled);
    }

    fn tell(&mut self, now: Time, call: CallId, told: Told) {
        if let Some(record) = self.calls.get_mut(&call) {
            record.told = Some((told, now));
            record.waits = None;
        }
        self.retire(call);
    }

    /// A worker gave a sign of life.
    pub(crate) fn beat(&mut self, now: Time, worker: WorkerId) {
        if let Some(standing) = self.workers.get_mut(&worker) {
            standing.beat = Some(now);
        }
    }

    /// The clock has jumped: what was missed meanwhile is nobody's fault.
    pub(crate) fn jumped(&mut self, now: Time) {
        self.unbroken_since = now;
        for standing in self.workers.values_mut() {
            standing.beat = standing.beat.map(|_| now);
            standing.gone = standing.gone.map(|_| now);
        }
    }

    /// Something is done to the pool as a whole.
    pub(crate) fn operates(&mut self, ticket: u32, request: PoolRequest, held: &Holdings) {
        let possible = self.spawned && !self.stop_asked;
        let waited_for = match request {
            PoolRequest::Scale { min, max } if possible => {
                (self.min, self.max) = (min, max);
                self.resized = true;
                Vec::new()
            }
            PoolRequest::Restart { worker } => {
                self.resized |= possible && worker.is_none();
                worker.map(WorkerId).into_iter().collect()
            }
            PoolRequest::Reload => {
                let current = held.workers.iter().filter(|load| {
                    let standing = &self.workers[&load.worker];
                    !standing.leaving && !standing.dropped && standing.gone.is_none()
                });
                current.map(|load| load.worker).collect()
            }
            PoolRequest::Ready { .. } | PoolRequest::Scale { .. } | PoolRequest::Drain => {
                Vec::new()
            }
        };
        let request = match request {
            PoolRequest::Ready { min } => PoolRequest::Ready {
                min: Some(min.unwrap_or(self.min)),
            },
            other => other,
        };
        self.operations.insert(ticket, (request, waited_for));
    }

    /// An operation is over.
    fn done(&mut self, ticket: u32, failure: Option<&Failure>, held: &Holdings) -> Verdict {
        let Some((request, waited_for)) = self.operations.remove(&ticket) else {
            return Err(format!("operation {ticket} is over and was never begun"));
        };
        if failure.is_some() {
            return Ok(());
        }
        let gone = |id: &WorkerId| held.workers.iter().all(|load| load.worker != *id);
        ensure!(
            waited_for.iter().all(gone),
            "{request:?} is over and one of {waited_for:?} is there"
        );
        match request {
            PoolRequest::Drain => ensure!(held.calls == 0, "drained with {} calls", held.calls),
            PoolRequest::Ready { min } => {
                let ready = self.serving();
                let wanted = min.unwrap_or(self.min);
                // Without restarts the pool gets smaller.
                let shrinks = self.config.restart.is_none();
                ensure!(
                    ready >= wanted || shrinks,
                    "ready with {ready} workers of {wanted}"
                );
            }
            PoolRequest::Scale { .. } => {
                let going = held.workers.iter().any(|load| load.leaving);
                ensure!(!going, "scaled while workers go");
            }
            PoolRequest::Restart { .. } | PoolRequest::Reload => {}
        }
        Ok(())
    }

    /// Workers that are ready and were not told to go.
    fn serving(&self) -> u32 {
        let serves = |w: &&Standing| w.ready && !w.dropped && !w.leaving && w.gone.is_none();
        u32::try_from(self.workers.values().filter(serves).count()).unwrap()
    }

    /// A worker said hello.
    pub(crate) fn ready(&mut self, now: Time, worker: WorkerId) {
        let mode = self.mode;
        if let Some(standing) = self.workers.get_mut(&worker)
            && !standing.dropped
            && standing.gone.is_none()
        {
            standing.ready = true;
            standing.beat = standing.beat.map(|_| now);
            if mode == Mode::Stdio && !self.config.queue_max_given {
                self.queue_max = None;
            }
        }
    }

    /// The engine was told of a worker's exit or of its end of file.
    pub(crate) fn gone(&mut self, now: Time, worker: WorkerId) {
        if let Some(standing) = self.workers.get_mut(&worker) {
            standing.gone.get_or_insert(now);
        }
    }

    /// The engine was told of a worker's exit.
    pub(crate) fn exited(&mut self, now: Time, worker: WorkerId) {
        let standing = self.workers.entry(worker).or_default();
        standing.exited = true;
        standing.gone = Some(now);
    }

    /// A worker has begun a call.
    pub(crate) fn began(&mut self, now: Time, worker: WorkerId, call: CallId) {
        self.begun.insert((worker, call), now);
    }

    /// Whether a call may have begun at any of the workers that it was written to.
    fn has_begun(&self, call: CallId, record: &Record) -> bool {
        record
            .writes
            .iter()
            .any(|worker| self.begun.contains_key(&(*worker, call)))
    }

    /// Whether the engine still reads what a worker sends.
    pub(crate) fn heeded(&self, worker: WorkerId) -> bool {
        !self.buried.contains(&worker) && !self.workers[&worker].unheard
    }

    /// The engine has consumed answers of a worker.
    pub(crate) fn answered(&mut self, worker: WorkerId, answers: &[Option<CallId>]) {
        let Some(standing) = self.workers.get_mut(&worker) else {
            return;
        };
        let mut answered = Vec::new();
        for answer in answers {
            let place = match answer {
                Some(call) => standing.owed.iter().position(|owed| owed == call),
                None => (!standing.owed.is_empty()).then_some(0),
            };
            let Some(place) = place else { continue };
            let call = standing.owed.remove(place);
            answered.push(call);
            if let Some(record) = self.calls.get_mut(&call) {
                record.at = None;
            }
        }
        for call in answered {
            self.retire(call);
        }
    }

    /// Requests went out to a worker.
    #[expect(
        clippy::too_many_lines,
        reason = "one rule after the other, in the order of the engine"
    )]
    pub(crate) fn wrote(&mut self, now: Time, worker: WorkerId, requests: &[Request]) -> Verdict {
        if requests.is_empty() {
            return Ok(());
        }
        let Some(standing) = self.workers.get_mut(&worker) else {
            return Err(format!(
                "worker {worker} was written to before it was started"
            ));
        };
        ensure!(
            standing.ready,
            "worker {worker} was written to before its hello"
        );
        let only_nested = requests.iter().all(|request| request.nested);
        ensure!(
            !standing.stuck || only_nested,
            "worker {worker} was written to although it is backlogged"
        );
        ensure!(
            !standing.dropped && standing.gone.is_none() && !self.buried.contains(&worker),
            "worker {worker} was written to although it goes or is gone"
        );
        for Request {
            call,
            handler,
            credit,
            resume_from,
            nested,
            ..
        } in requests
        {
            let call = *call;
            let Some(record) = self
                .calls
                .get_mut(&call)
                .filter(|record| record.told.is_none())
            else {
                return Err(format!("call {call} was written after its caller was told"));
            };
            ensure!(
                record.may_run_on(worker),
                "call {call} was written to worker {worker}"
            );
            ensure!(
                *nested == (record.nested == Some(worker) && record.writes.is_empty()),
                "call {call} was written as nested: {nested}"
            );
            ensure!(
                !standing.leaving || *nested || record.options.worker == Some(worker),
                "call {call} was written to worker {worker}, which leaves"
            );
            ensure!(
                !standing.frozen || *nested || standing.beat == Some(now),
                "call {call} was written to worker {worker}, which is frozen"
            );
            ensure!(
                !record.writes.contains(&worker),
                "call {call} was written to worker {worker} twice"
            );
            if self.mode == Mode::Synapse {
                record.check_beginning(call, *credit, *resume_from)?;
            }
            if record.options.resumable {
                let tries = self.config.restart.unwrap_or_default().max as usize;
                let begun = |worker: &&WorkerId| {
                    !self.keeps_journals || self.begun.contains_key(&(**worker, call))
                };
                let deaths = record.writes[record.fresh..].iter().filter(begun).count();
                ensure!(
                    deaths <= tries,
                    "{deaths} workers died with call {call} between two items"
                );
            } else if !record.writes.is_empty() {
                ensure!(
                    !record.streamed,
                    "call {call} was written again after its first item"
                );
                let begun = |worker: &&WorkerId| self.begun.contains_key(&(**worker, call));
                let deaths = record.writes.iter().filter(begun).count();
                if self.keeps_journals {
                    ensure!(
                        deaths == 0 || record.options.idempotent,
                        "call {call} was written again although it had begun"
                    );
                } else {
                    ensure!(record.options.idempotent, "call {call} was written twice");
                    ensure!(
                        record.writes.len() < 2,
                        "call {call} was written more than twice"
                    );
                }
                ensure!(deaths < 2, "call {call} was begun more than twice");
            }
            if let (Some(number), Some(name)) = (handler, record.handler) {
                let found = standing.handlers.get(usize::from(*number));
                ensure!(
                    found == Some(&name),
                    "call {call} of {name} was written as {found:?}"
                );
            }
            record.writes.push(worker);
            record.at = Some(worker);
            record.waits = None;
            standing.owed.push(call);
            if !nested {
                self.written.entry(worker).or_default().push(call);
            }
        }
        Ok(())
    }

    /// The caller takes further items.
    pub(crate) fn allowed(&mut self, call: CallId, items: u32) {
        if let Some(record) = self.calls.get_mut(&call) {
            record.credit += items;
        }
    }

    /// Credit went out to a worker.
    pub(crate) fn granted(&self, worker: WorkerId, call: CallId) -> Verdict {
        let record = self.record(call).filter(|record| record.told.is_none());
        let there = record.is_some_and(|record| record.at == Some(worker));
        ensure!(
            there,
            "credit for call {call}, which is not with worker {worker}"
        );
        Ok(())
    }

    /// A part of a worker's answer reached a caller.
    pub(crate) fn part(&mut self, call: CallId, by: WorkerId, kind: SettledKind) -> Verdict {
        let record = self.open_record(call)?;
        ensure!(
            record.writes.last() == Some(&by),
            "a part of call {call} came from worker {by}"
        );
        if let Some(record) = self.calls.get_mut(&call)
            && kind == SettledKind::Item
        {
            ensure!(record.credit > 0, "call {call} got an item without credit");
            record.streamed = true;
            record.seen += 1;
            record.credit -= 1;
            record.fresh = record.writes.len() - 1;
        }
        Ok(())
    }

    /// A worker's answer reached a caller.
    pub(crate) fn settled(&mut self, now: Time, call: CallId, by: WorkerId) -> Verdict {
        let record = self.open_record(call)?;
        ensure!(
            record.writes.last() == Some(&by),
            "call {call} was answered by worker {by}, written to {:?}",
            record.writes
        );
        self.tell(now, call, Told::Answer);
        Ok(())
    }

    fn open_record(&self, call: CallId) -> Result<&Record, String> {
        let record = self
            .record(call)
            .ok_or(format!("call {call} settled and never made"))?;
        ensure!(
            record.told.is_none(),
            "call {call} settled twice, first by {:?}",
            record.told
        );
        Ok(record)
    }

    /// The engine failed a call.
    fn failed(&mut self, now: Time, call: CallId, failure: &Failure) -> Verdict {
        let record = self.open_record(call)?;
        let detail = |name: &str| failure.details.get(name);
        if failure.code == ErrorCode::Timeout && detail("phase").is_some_and(|p| p != "start") {
            let waited_out = self
                .config
                .queue_timeout
                .is_some_and(|limit| record.waits.is_some_and(|since| since + limit <= now));
            let due = record
                .options
                .deadline
                .is_some_and(|deadline| deadline <= now);
            ensure!(
                due || waited_out,
                "call {call} timed out too early: {failure:?}"
            );
            let phase = if record.waits.is_some() {
                "queue"
            } else {
                "run"
            };
            ensure!(
                detail("phase").unwrap() == phase,
                "call {call} timed out in {failure:?}"
            );
        }
        if failure.code == ErrorCode::PythonError {
            ensure!(
                failure.message == format!("[ERROR] {call}"),
                "call {call} was rejected by another's mark: {}",
                failure.message
            );
        }
        if detail("mayHaveExecuted").is_some_and(|value| value == false) {
            ensure!(
                !self.has_begun(call, record),
                "call {call} may have run, and its caller was told that it has not"
            );
        }
        if detail("mayHaveExecuted").is_some_and(|value| value == true)
            && failure.code == ErrorCode::WorkerExited
            && self.keeps_journals
            && record.nested.is_none()
        {
            ensure!(
                self.has_begun(call, record),
                "call {call} never began, and its caller was told that it may have run"
            );
        }
        self.tell(now, call, Told::Error(failure.code));
        Ok(())
    }

    /// The engine asks for something.
    pub(crate) fn command(&mut self, command: &Command, ticked: bool) -> Verdict {
        let (Command::Start(worker)
        | Command::Control(worker, _)
        | Command::Stop(worker)
        | Command::Inspect(worker)
        | Command::Look(worker)
        | Command::Kill(worker)) = command;
        if let Command::Start(_) = command {
            let fresh = self.workers.insert(*worker, Standing::default()).is_none();
            ensure!(fresh, "worker {worker} was started twice");
            ensure!(
                !self.stop_asked,
                "worker {worker} was started after the stop"
            );
            return Ok(());
        }
        let Some(standing) = self.workers.get_mut(worker) else {
            return Err(format!("{command:?} before the worker was started"));
        };
        ensure!(!standing.exited, "{command:?} for a worker that has exited");
        if matches!(command, Command::Stop(_)) {
            let owed = &standing.owed;
            ensure!(
                self.stop_asked || !self.spawned || owed.is_empty(),
                "worker {worker} was stopped while it owes {owed:?}"
            );
            standing.leaving |= self.spawned;
        }
        if matches!(command, Command::Stop(_) | Command::Kill(_)) {
            standing.dropped = true;
            // One that is killed because time has passed is no liar: what it has said counts.
            standing.unheard |= !ticked || matches!(command, Command::Stop(_));
        }
        Ok(())
    }

    /// The engine says something.
    pub(crate) fn event(&mut self, now: Time, event: &Event, held: &Holdings) -> Verdict {
        match event {
            Event::Failed { id, failure } => self.failed(now, *id, failure)?,
            Event::Spawned => {
                ensure!(
                    !self.spawned && !self.spawn_failed,
                    "spawned after a verdict"
                );
                let wanted = self.config.min_ready.unwrap_or(self.config.workers);
                ensure!(
                    self.serving() >= wanted.min(self.config.workers),
                    "spawned although not all workers are ready"
                );
                self.spawned = true;
            }
            Event::SpawnFailed { .. } => {
                ensure!(
                    !self.spawned && !self.spawn_failed,
                    "spawn failed after a verdict"
                );
                ensure!(!self.stop_asked, "spawn failed after a stop");
                self.spawn_failed = true;
            }
            Event::Stopped => {
                ensure!(!self.stopped, "stopped twice");
                ensure!(self.stop_asked || self.spawn_failed, "stopped unasked");
                ensure!(held.workers.is_empty(), "stopped with workers");
                self.stopped = true;
            }
            Event::WorkerExit { worker, .. } => {
                ensure!(self.buried.insert(*worker), "worker {worker} exited twice");
                self.bury(now, *worker);
            }
            Event::WorkerRestart { delay, .. } => {
                ensure!(self.config.restart.is_some(), "a restart without a policy");
                self.restarts.push(now + Duration::from_millis(*delay));
            }
            Event::Unhealthy { .. } => {
                ensure!(!self.unhealthy, "unhealthy twice");
                self.unhealthy = true;
            }
            Event::Healthy => {
                ensure!(self.unhealthy, "healthy twice");
                self.unhealthy = false;
            }
            Event::Resumed {
                id, resume_from, ..
            } => {
                let record = self.open_record(*id)?;
                ensure!(
                    record.seen == *resume_from,
                    "call {id} is said to go on from {resume_from}"
                );
            }
            Event::WorkerDrain { worker, .. } => {
                if let Some(standing) = self.workers.get_mut(worker) {
                    ensure!(
                        !standing.leaving || standing.dropped,
                        "worker {worker} drains twice"
                    );
                    standing.leaving = true;
                }
            }
            Event::WorkerUnhealthy { worker, .. } => {
                let Some(standing) = self.workers.get_mut(worker) else {
                    return Err(format!("worker {worker} froze before it was started"));
                };
                // One that goes on again may not have been heard yet.
                let interval = self.config.heartbeat.map_or(Duration::ZERO, |h| h.interval);
                let was = standing.thawed.is_some_and(|at| now <= at + 2 * interval);
                ensure!(
                    was || standing.silent.is_some_and(|(_, frozen)| frozen),
                    "worker {worker} lives and is taken for frozen"
                );
                standing.frozen = true;
            }
            Event::WorkerHealthy { worker } => {
                if let Some(standing) = self.workers.get_mut(worker) {
                    ensure!(standing.frozen, "worker {worker} is healthy twice");
                    standing.frozen = false;
                }
            }
            Event::Done { ticket, failure } => self.done(*ticket, failure.as_ref(), held)?,
            Event::Drain
            | Event::HeartbeatMissed { .. }
            | Event::Handlers { .. }
            | Event::WorkerReady { .. }
            | Event::Log { .. }
            | Event::Heartbeat { .. }
            | Event::Placed { .. }
            | Event::Breaker { .. }
            | Event::SessionsHigh { .. }
            | Event::SessionLost { .. }
            | Event::Retry { .. } => {}
        }
        Ok(())
    }

    /// The calls that a dead worker held and that were not failed wait again.
    fn bury(&mut self, now: Time, worker: WorkerId) {
        if let Some(standing) = self.workers.get_mut(&worker) {
            standing.owed.clear();
        }
        let mut over = Vec::new();
        for (call, record) in &mut self.calls {
            if record.at != Some(worker) {
                continue;
            }
            record.at = None;
            if record.told.is_none() {
                record.waits = Some(now);
            } else {
                over.push(*call);
            }
        }
        for call in over {
            self.retire(call);
        }
    }

    /// Whether this input wrote a call for the second time.
    pub(crate) fn wrote_again(&self) -> bool {
        let twice = |call: &CallId| self.record(*call).is_some_and(|r| r.writes.len() == 2);
        self.written.values().flatten().any(twice)
    }
}
