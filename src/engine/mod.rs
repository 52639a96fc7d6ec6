//! Layer 2. The state machine between callers and workers. Imports layers 0 and 1.
//!
//! It has no I/O, no thread, no clock and no randomness of its own: inputs are (now, event),
//! outputs are [`Actions`]. So the same engine serves Node's event loop and any other driver, and
//! a seeded test drives it through years of crashes in seconds.
//!
//! Inputs, each with the file that treats it:
//!
//! | input | file |
//! |---|---|
//! | [`Engine::submit`], [`Engine::cancel`] | `intake.rs` |
//! | [`Engine::received`], [`Engine::drained`] | `replies.rs` |
//! | [`Engine::answer`], [`Engine::submit_nested`] | `callbacks.rs` |
//! | [`Engine::join`] | `sessions.rs` |
//! | [`Engine::control`] | `control.rs` |
//! | [`Engine::inspected`] | `begun.rs` |
//! | [`Engine::withdrawn`] | `withdraw.rs` |
//! | [`Engine::start`], [`Engine::exited`], [`Engine::closed`], [`Engine::stop`] | `supervise.rs`, which settles what is lost by `settle.rs` |
//! | [`Engine::tick`] | `tick.rs` |
//! | [`Engine::submit_guarded`], [`Engine::review`] | `policies/` |
//! | [`Engine::operate`] | `operations.rs`, which acts by `pool.rs` |
//! | [`Engine::looked`] | `health.rs` |
//! | [`Engine::looked_mid_frame`] | `stall.rs` |
//! | [`Engine::stats`], [`Engine::holdings`] | `introspect.rs` |
//!
//! Invariants: a call settles exactly once; a worker that can take a call and a call that it may
//! take never coexist between two inputs; a call that was settled early keeps its worker's slot
//! until the worker has answered or is gone.

mod action;
mod begun;
mod call;
mod callbacks;
mod calls;
mod control;
mod crowd;
mod errands;
mod handlers;
mod health;
mod intake;
mod introspect;
mod operations;
mod placement;
mod poison;
mod policies;
mod pool;
mod queue;
mod replies;
mod rows;
mod sessions;
mod settle;
mod stall;
mod stats;
mod supervise;
#[cfg(test)]
mod tests;
mod tick;
mod timers;
mod withdraw;
mod worker;
mod workers;

use std::time::Duration;

pub use crate::engine::action::{Actions, Command, Event, Kept, Settled, SettledKind};
pub use crate::engine::call::{CallOptions, Nested, Submission};
pub use crate::engine::introspect::{Holdings, Load, Stats, WorkerInfo, WorkerStats};
pub use crate::engine::operations::PoolRequest;
pub use crate::engine::placement::Strategy;
pub use crate::engine::policies::{
    BreakerStats, BulkheadStats, CacheStats, HedgeStats, Overrides, PolicyConfig, PolicyHoldings,
    PolicySet, PolicyStats, RetryStats,
};
pub use crate::engine::replies::Received;
pub use crate::engine::stats::Durations;
pub use crate::engine::worker::Exit;
pub use crate::session::{Affinity, InSession, SessionUse};

use crate::engine::calls::Calls;
use crate::engine::errands::Errands;
use crate::engine::handlers::Handlers;
use crate::engine::operations::Operation;
use crate::engine::placement::Placement;
use crate::engine::policies::Policies;
use crate::engine::pool::Pool;
use crate::engine::queue::Queue;
use crate::engine::stats::Counters;
use crate::engine::timers::Timers;
use crate::engine::worker::Worker;
use crate::engine::workers::Workers;
use crate::error::Failure;
use crate::ids::WorkerId;
use crate::policy::liveness::HeartbeatPolicy;
use crate::policy::poison::{PoisonPolicy, Suspects};
use crate::policy::random::Random;
use crate::policy::recycle::RecyclePolicy;
use crate::policy::restart::{RestartPolicy, Restarts};
use crate::protocol::Limits;
use crate::session::{self, Globals, Sessions};
use crate::time::Time;

/// How an engine behaves. The options of `spawn`, with their defaults applied.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Workers to keep running.
    pub workers: u32,
    /// Workers to run at most, while calls wait; `None`: no more than `workers`.
    pub most_workers: Option<u32>,
    /// How long a worker above `workers` may be without a call.
    pub idle_ttl: Option<Duration>,
    /// Workers that are ready when the pool is; `None`: all of `workers`.
    pub min_ready: Option<u32>,
    /// How many of the first workers start at once, and the pause before the next so many.
    pub batch: Option<(u32, Duration)>,
    /// How the worker for a call is chosen.
    pub strategy: Strategy,
    /// What decides whatever is left to chance.
    pub seed: u64,
    /// Calls that one worker runs at once.
    pub concurrency: u32,
    /// Calls that may wait for a worker; `None` for any number. Applies to workers that speak this
    /// protocol; 1.4 scripts never had a bound and get one only if it was asked for.
    pub queue_max: Option<usize>,
    /// Whether the user gave `queue_max`.
    pub queue_max_given: bool,
    /// How long a call may wait for a worker.
    pub queue_timeout: Option<Duration>,
    /// What happens when a worker dies unasked; `None`: nothing.
    pub restart: Option<RestartPolicy>,
    /// When a call is refused because workers died with it.
    pub poison: PoisonPolicy,
    /// When a healthy worker is replaced.
    pub recycle: RecyclePolicy,
    /// What is made of signs of life; `None`: nothing.
    pub heartbeat: Option<HeartbeatPolicy>,
    /// Bounds on what workers send.
    pub limits: Limits,
    /// How long the rest of a frame may take after its last byte; `None`: any time.
    pub frame_timeout: Option<Duration>,
    /// How long a worker may take to get ready.
    pub start_timeout: Option<Duration>,
    /// How long a cancelled call may go on before its worker is killed.
    pub grace: Duration,
    /// Bounds on sessions.
    pub sessions: session::Limits,
    /// Whether sessions are written down for the next start.
    pub durable_sessions: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            workers: 1,
            most_workers: None,
            idle_ttl: None,
            min_ready: None,
            batch: None,
            strategy: Strategy::default(),
            seed: 0,
            concurrency: 1,
            queue_max: Some(1000),
            queue_max_given: false,
            queue_timeout: None,
            restart: Some(RestartPolicy::default()),
            poison: PoisonPolicy::default(),
            recycle: RecyclePolicy::default(),
            heartbeat: None,
            limits: Limits::default(),
            frame_timeout: Some(Duration::from_secs(30)),
            start_timeout: Some(Duration::from_secs(120)),
            grace: Duration::from_millis(500),
            sessions: session::Limits::default(),
            durable_sessions: false,
        }
    }
}

/// Where the engine as a whole is in its life.
#[derive(Debug, Clone, PartialEq)]
enum Phase {
    /// No worker has been asked for.
    Idle,
    /// The first workers are starting; none has failed.
    Starting,
    /// Calls are taken.
    Running,
    /// The restart budget is spent: calls fail with this until a worker starts after all.
    Unhealthy(Failure),
    /// Every worker was told to go.
    Stopping,
}

/// The engine. See the module's documentation.
#[derive(Debug)]
pub struct Engine {
    config: Config,
    phase: Phase,
    calls: Calls,
    errands: Errands,
    queue: Queue,
    workers: Workers,
    placement: Placement,
    handlers: Handlers,
    timers: Timers,
    restarts: Restarts,
    /// When replacements of dead workers are to start, earliest first.
    restarts_due: Vec<Time>,
    pool: Pool,
    operations: Vec<Operation>,
    /// The calls that workers died with.
    suspects: Suspects,
    random: Random,
    /// Calls were refused because the queue was full, and it has not been empty since.
    refused_calls: bool,
    queue_refusals: u64,
    queue_timeouts: u64,
    restart_count: u64,
    /// What workers that are gone had counted.
    past: Counters,
    next_sequence: u64,
    next_worker: u32,
    queue_max: Option<usize>,
    /// `None` until there are any.
    policies: Option<Box<Policies>>,
    sessions: Sessions,
    globals: Globals,
    /// A timer for sessions that are over is set.
    sweeping: bool,
}

impl Engine {
    /// An engine without workers.
    pub fn new(config: Config) -> Self {
        Self {
            queue_max: config.queue_max,
            pool: Pool::new(config.workers, config.most_workers),
            sessions: Sessions::new(config.sessions, config.durable_sessions),
            globals: Globals::default(),
            sweeping: false,
            errands: Errands::default(),
            placement: Placement::new(&config.strategy, config.seed),
            random: Random::new(config.seed.wrapping_add(1)),
            config,
            phase: Phase::Idle,
            calls: Calls::default(),
            queue: Queue::default(),
            workers: Workers::default(),
            handlers: Handlers::default(),
            timers: Timers::default(),
            restarts: Restarts::default(),
            restarts_due: Vec::new(),
            operations: Vec::new(),
            suspects: Suspects::default(),
            refused_calls: false,
            queue_refusals: 0,
            queue_timeouts: 0,
            restart_count: 0,
            past: Counters::default(),
            next_sequence: 0,
            next_worker: 0,
            policies: None,
        }
    }

    /// The bytes to write to a worker. The driver takes what it has written out of it.
    pub fn outbox(&mut self, worker: WorkerId) -> Option<&mut Vec<u8>> {
        self.workers
            .get_mut(&worker)
            .map(|worker| &mut worker.outbox)
    }

    /// How long a process gets between SIGTERM and SIGKILL.
    pub fn grace(&self) -> Duration {
        self.config.grace
    }

    /// Brings the placement up to date after a worker got calls.
    fn place_anew(&mut self, worker: WorkerId) {
        if let Some(worker) = self.workers.get_mut(&worker) {
            Self::place(&mut self.placement, worker);
        }
    }

    /// Brings the placement up to date after a worker changed.
    fn place(placement: &mut Placement, worker: &mut Worker) {
        placement.update(worker);
    }
}
