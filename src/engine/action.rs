//! What the engine asks its driver to do, and what it tells the facade.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::{ErrorCode, Failure};
use crate::ids::{CallId, WorkerId};

/// Everything that one input led to. The driver carries it out and clears it.
#[derive(Debug, Default)]
pub struct Actions {
    /// Calls answered by bytes of the chunk that was handed in.
    pub settled: Vec<Settled>,
    /// Calls answered by a reply that was kept.
    pub kept: Vec<Kept>,
    /// What the facade is told, in order.
    pub events: Vec<Event>,
    /// What the driver does, in order.
    pub commands: Vec<Command>,
    /// Workers whose outbox holds bytes to write.
    pub dirty: Vec<WorkerId>,
}

impl Actions {
    /// Forgets all of it, keeping the memory.
    pub fn clear(&mut self) {
        self.settled.clear();
        self.kept.clear();
        self.events.clear();
        self.commands.clear();
        self.dirty.clear();
    }
}

/// A call that is answered by the reply to an earlier one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The call.
    pub call: CallId,
    /// The payload of the reply.
    pub reply: Arc<[u8]>,
}

/// A call that a worker answered, in whole or in part; or something about a callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// The call, the callback or the function reference.
    pub call: CallId,
    /// How.
    pub kind: SettledKind,
    /// Where its payload begins in the chunk.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}

/// How a worker answered. The numbers are the facade's (`ts/wire/table.ts`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum SettledKind {
    /// With a result.
    Response = 0,
    /// With an exception.
    Error = 1,
    /// With a result in the framing of 1.4.
    Reply = 2,
    /// With an item of its stream: more will come.
    Item = 3,
    /// With the end of its stream.
    End = 4,
    /// With how far it is: more will come.
    Progress = 5,
    /// Not at all: the id is that of a callback, which the worker makes.
    Callback = 6,
    /// Not at all: the worker takes so many more items of the answer to a callback.
    Grant = 7,
    /// Not at all: the worker does not want the answer to a callback any more.
    Cancel = 8,
    /// Not at all: the id is that of a function reference, which the worker does not need any more.
    Release = 9,
    /// Nobody wants the answer, but it refers to shared memory, which is to be let go.
    Unwanted = 10,
}

/// Something for the driver to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Start a process for this worker.
    Start(WorkerId),
    /// Write these bytes to the worker's control channel.
    Control(WorkerId, Vec<u8>),
    /// Stop it by the ladder: shutdown frame, end of file, SIGTERM, SIGKILL at the grace.
    Stop(WorkerId),
    /// SIGKILL to it and its group.
    Kill(WorkerId),
    /// Read its journal; [`crate::engine::Engine::inspected`] is told.
    Inspect(WorkerId),
    /// Tell it, by its journal, not to begin this call; [`crate::engine::Engine::withdrawn`] is told
    /// when that is written.
    Withdraw(WorkerId, CallId),
    /// That call is over: its id may be used again.
    Restore(WorkerId, CallId),
    /// See what its process does, and answer by [`crate::engine::Engine::looked`].
    Look(WorkerId),
    /// The same, of a worker that has stopped in the middle of a frame, and answer by
    /// [`crate::engine::Engine::looked_mid_frame`].
    LookMidFrame(WorkerId),
}

/// Something for the facade to know.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub enum Event {
    /// A call failed without an answer from Python.
    #[serde(rename = "failed")]
    Failed {
        /// The call.
        id: CallId,
        /// Why.
        failure: Failure,
    },
    /// A call whose arguments hold function references, or refer to shared memory, was written to a
    /// worker.
    #[serde(rename = "placed")]
    Placed {
        /// The call.
        id: CallId,
        /// The worker, to which the references belong from now on.
        worker: WorkerId,
    },
    /// A worker died with a resumable stream, which goes on with another.
    #[serde(rename = "resumed")]
    Resumed {
        /// The call.
        id: CallId,
        /// The worker that died.
        worker: WorkerId,
        /// Sequence number of the last item that its caller has, or 0.
        resume_from: u64,
    },
    /// The first workers are all ready.
    #[serde(rename = "spawned")]
    Spawned,
    /// One of the first workers did not get ready.
    #[serde(rename = "spawn-failed")]
    SpawnFailed {
        /// Why.
        failure: Failure,
    },
    /// Every worker is gone.
    #[serde(rename = "stopped")]
    Stopped,
    /// The names by which handlers are called, index by index; grows only.
    #[serde(rename = "handlers")]
    Handlers {
        /// All names so far.
        names: Vec<String>,
        /// What the newest worker said of each of its handlers.
        about: Vec<Value>,
        /// Name of the default handler.
        default: Option<String>,
    },
    /// A worker is ready to take a call.
    #[serde(rename = "worker:ready")]
    WorkerReady {
        /// The worker.
        worker: WorkerId,
        /// Its process.
        pid: u32,
        /// Python's version.
        python: String,
        /// Path of the interpreter.
        executable: String,
        /// `synapse` or `stdio`.
        protocol: &'static str,
        /// Whether it reads and writes shared memory.
        shared: bool,
    },
    /// A worker's process is gone.
    #[serde(rename = "worker:exit")]
    WorkerExit {
        /// The worker.
        worker: WorkerId,
        /// Its exit code.
        code: Option<i32>,
        /// The signal that ended it.
        signal: Option<String>,
        /// `stopped`, `scaled`, `idle`, `restarted`, `reloaded`, `recycle:…`, `exited`, `protocol`,
        /// `hung`, `frozen` or `start`.
        reason: &'static str,
        /// What a process that ended by itself has probably died of: `segfault`, `oom`, `abort`,
        /// `cpu-limit`, `signal` or `exit`.
        #[serde(skip_serializing_if = "Option::is_none")]
        crash: Option<&'static str>,
        /// The last lines of its stderr.
        stderr_tail: String,
    },
    /// A worker takes no new calls and goes when it has answered those that it has.
    #[serde(rename = "worker:drain")]
    WorkerDrain {
        /// The worker.
        worker: WorkerId,
        /// Why, as [`Event::WorkerExit`] will say.
        reason: &'static str,
    },
    /// A worker neither gives signs of life nor computes: it gets no calls.
    #[serde(rename = "worker:unhealthy")]
    WorkerUnhealthy {
        /// The worker.
        worker: WorkerId,
        /// Milliseconds since its last sign of life.
        silent: u64,
    },
    /// It gives signs of life again.
    #[serde(rename = "worker:healthy")]
    WorkerHealthy {
        /// The worker.
        worker: WorkerId,
    },
    /// A sign of life did not come.
    #[serde(rename = "heartbeat:missed")]
    HeartbeatMissed {
        /// The worker.
        worker: WorkerId,
        /// How many in a row.
        missed: u32,
        /// Whether its process computes.
        busy: bool,
        /// Milliseconds since its last sign of life.
        silent: u64,
    },
    /// An operation on the pool is over.
    #[serde(rename = "done")]
    Done {
        /// The caller's number for it.
        ticket: u32,
        /// Why it failed, if it did.
        failure: Option<Failure>,
    },
    /// Nothing is in flight or waits, after `drain()` or after the queue was full.
    #[serde(rename = "drain")]
    Drain,
    /// A replacement will be started.
    #[serde(rename = "worker:restart")]
    WorkerRestart {
        /// The worker that died.
        worker: WorkerId,
        /// Milliseconds until the replacement starts.
        delay: u64,
    },
    /// The restart budget is spent: calls fail fast.
    #[serde(rename = "unhealthy")]
    Unhealthy {
        /// What the last worker died of.
        failure: Failure,
    },
    /// A worker started after all.
    #[serde(rename = "healthy")]
    Healthy,
    /// A circuit breaker went into another state.
    #[serde(rename = "breaker")]
    Breaker {
        /// Whose it is.
        handler: String,
        /// `closed`, `open` or `half-open`.
        state: &'static str,
        /// The state before.
        previous: &'static str,
        /// The count of failures that led to it.
        failures: u32,
        /// Milliseconds until a call may go.
        retry_after: u64,
    },
    /// An attempt failed and is made again.
    #[serde(rename = "retry")]
    Retry {
        /// The call.
        call_id: CallId,
        /// What was called.
        handler: String,
        /// The number of the next attempt, the first being 1.
        attempt: u32,
        /// Milliseconds until then.
        delay: u64,
        /// How the last one failed.
        code: ErrorCode,
    },
    /// Something was printed or logged.
    #[serde(rename = "log")]
    Log {
        /// The worker.
        worker: WorkerId,
        /// `stdout`, `stderr` or `logging`.
        stream: String,
        /// What was written.
        text: String,
        /// The call that wrote it, where known.
        #[serde(skip_serializing_if = "Option::is_none")]
        call_id: Option<CallId>,
        /// Level, logger, file and line of a `logging` record.
        #[serde(flatten)]
        about: Map<String, Value>,
    },
    /// Four fifths of the sessions that may be are there.
    #[serde(rename = "sessions:high")]
    SessionsHigh {
        /// How many there are.
        current: usize,
    },
    /// The worker that a session was bound to is gone. What the session holds is not.
    #[serde(rename = "session:lost")]
    SessionLost {
        /// The session.
        session: String,
        /// The worker.
        worker: WorkerId,
    },
    /// A worker's watcher thread is alive.
    #[serde(rename = "heartbeat")]
    Heartbeat {
        /// The worker.
        worker: WorkerId,
        /// Resident memory, in bytes.
        rss: u64,
        /// Processor time so far, in seconds.
        cpu: f64,
        /// How late the thread that gives it woke, in milliseconds.
        lag: f64,
        /// Calls that run.
        calls: u32,
    },
}
