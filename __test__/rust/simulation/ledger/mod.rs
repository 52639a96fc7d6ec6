//! What the engine has promised, by what can be seen from outside: who wrote what to whom, who was
//! told what. After every input the invariants are checked against it.

mod calls;
mod check;
mod events;
pub(crate) mod sessions;
mod workers;

use std::collections::{BTreeMap, BTreeSet};
use synapse::engine::{CallOptions, Config, PoolRequest};
use synapse::error::ErrorCode;
use synapse::ids::{CallId, WorkerId};
use synapse::protocol::message::Mode;
use synapse::time::Time;

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
    /// When it was made, or came back from a worker that died.
    queued: Time,
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

    /// It is with the worker that waits for it; with another one it is a call like any other.
    fn runs_on_top(&self) -> bool {
        self.nested.is_some() && self.writes.len() == 1
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
    /// Whether it can withdraw what has not begun.
    withdraws: bool,
    /// Calls whose callers were told that they had waited for too long.
    never: BTreeSet<CallId>,
    /// A rule that a worker has seen broken.
    breach: Option<String>,
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
    pub(crate) fn new(config: &Config, mode: Mode, keeps_journals: bool, heeds: bool) -> Self {
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
            withdraws: keeps_journals && heeds,
            never: BTreeSet::new(),
            breach: None,
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

    /// The next input begins.
    pub(crate) fn begin(&mut self) {
        let waiting = self
            .calls
            .iter()
            .filter(|(_, record)| record.waits.is_some());
        self.waited = waiting.map(|(id, _)| *id).collect();
        self.written.clear();
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

    /// Whether any worker is.
    pub(crate) fn any_serves(&self) -> bool {
        self.workers.keys().any(|worker| self.serves(*worker))
    }

    /// Workers that are ready and were not told to go.
    fn serving(&self) -> u32 {
        let serves = |w: &&Standing| w.ready && !w.dropped && !w.leaving && w.gone.is_none();
        u32::try_from(self.workers.values().filter(serves).count()).unwrap()
    }

    /// Calls written to a worker and not answered, in order of writing.
    pub(crate) fn owed(&self, worker: WorkerId) -> &[CallId] {
        &self.workers[&worker].owed
    }

    /// Whether a call was written to a worker.
    pub(crate) fn was_written(&self, call: CallId, worker: WorkerId) -> bool {
        self.record(call)
            .is_some_and(|record| record.writes.contains(&worker))
    }

    /// Whether a worker waited for a call.
    pub(crate) fn is_nested(&self, call: CallId) -> bool {
        self.record(call)
            .is_some_and(|record| record.nested.is_some())
    }

    /// The only worker that a call may run on, if it waits for that.
    pub(crate) fn waits_for(&self, call: CallId) -> Option<WorkerId> {
        let record = self.calls.get(&call);
        record.filter(|r| r.waits.is_some())?.options.worker
    }

    /// Whether this input wrote a call for the second time.
    pub(crate) fn wrote_again(&self) -> bool {
        let twice = |call: &CallId| self.record(*call).is_some_and(|r| r.writes.len() == 2);
        self.written.values().flatten().any(twice)
    }

    /// Whether the engine has found a worker able to answer, and not given it up.
    pub(crate) fn is_active(&self, worker: WorkerId) -> bool {
        self.workers
            .get(&worker)
            .is_some_and(|w| w.ready && !w.dropped && w.gone.is_none())
    }

    /// Whether the engine still reads what a worker sends.
    pub(crate) fn heeded(&self, worker: WorkerId) -> bool {
        !self.buried.contains(&worker) && !self.workers[&worker].unheard
    }

    /// Whether a call may have begun at any of the workers that it was written to.
    fn has_begun(&self, call: CallId, record: &Record) -> bool {
        record
            .writes
            .iter()
            .any(|worker| self.begun.contains_key(&(*worker, call)))
    }

    /// Whether a call has begun at the last of them.
    fn begun_at_last(&self, call: CallId, record: &Record) -> bool {
        let last = record.writes.last();
        last.is_some_and(|worker| self.begun.contains_key(&(*worker, call)))
    }

    fn record(&self, call: CallId) -> Option<&Record> {
        self.calls.get(&call).or_else(|| self.done.get(&call))
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

    fn tell(&mut self, now: Time, call: CallId, told: Told) {
        if let Some(record) = self.calls.get_mut(&call) {
            record.told = Some((told, now));
            record.waits = None;
        }
        self.retire(call);
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
}
