//! What the facade hands over at the start: the options of `spawn`, validated and with their
//! defaults applied (`ts/options`). Every field is present; absent is null.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::driver::policies::Policies;
use crate::engine::{Config, Strategy};
use crate::policy::backoff::Backoff;
use crate::policy::crash::Crash;
use crate::policy::liveness::HeartbeatPolicy;
use crate::policy::poison::PoisonPolicy;
use crate::policy::recycle::RecyclePolicy;
use crate::policy::restart::{RestartPolicy, Taint};
use crate::process::{OutputMode, ResourceLimits};
use crate::protocol::Limits;
use crate::session;

/// The options of one `spawn`. Mirrors `ts/options/native.ts`, in its order.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each is documented at the option of its name in ts/options"
)]
pub struct SpawnOptions {
    pub directory: String,
    pub entrypoint: String,
    pub workers: Workers,
    pub concurrency: u32,
    pub strategy: StrategyName,
    pub weights: Vec<u32>,
    pub seed: u64,
    pub mode: String,
    pub protocol: String,
    pub runtime: Runtime,
    /// Empty for Python.
    pub command: Vec<String>,
    pub values: String,
    pub validate: bool,
    pub queue_max: Option<usize>,
    pub queue_max_given: bool,
    pub queue_timeout_ms: Option<f64>,
    pub restart: Option<Restart>,
    pub recycle: Recycle,
    pub policies: Option<Policies>,
    pub heartbeat: Option<Heartbeat>,
    pub frame_limit: u32,
    pub depth_limit: u32,
    /// In bytes; 0 for none.
    pub shared_memory: u64,
    pub memory_limit: Option<u64>,
    pub cpu_limit: Option<u64>,
    pub files_limit: Option<u64>,
    pub frame_timeout_ms: Option<f64>,
    pub call_timeout_ms: Option<f64>,
    pub start_timeout_ms: Option<f64>,
    pub grace_ms: f64,
    pub sessions: Sessions,
    /// `{ managed: '3.12' }` crosses as `managed:3.12`.
    pub python: Option<String>,
    pub installer: String,
    pub requirements: Option<String>,
    pub offline: bool,
    pub host_env: BTreeMap<String, String>,
    pub env: BTreeMap<String, Option<String>>,
    pub inherit_env: InheritEnv,
    pub cwd: Option<String>,
    pub stdout: Output,
    pub stderr: Output,
    pub python_path: Vec<String>,
    pub sdk_path: PathBuf,
    pub node_parent: u32,
}

/// The option `runtime`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Runtime {
    /// Python, with an environment of its own.
    Python,
    /// This process's Node; the command is that of its launcher.
    Node,
    /// The command of the user.
    Command,
}

/// The option `workers`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(missing_docs, reason = "documented at the option in ts/options")]
pub struct Workers {
    pub min: u32,
    pub max: u32,
    pub idle_ttl: Option<f64>,
    pub min_ready: Option<u32>,
    pub startup_batch: Option<StartupBatch>,
}

/// The option `workers.startupBatch`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(missing_docs, reason = "documented at the option in ts/options")]
pub struct StartupBatch {
    pub size: u32,
    pub delay_ms: f64,
}

/// The option `strategy`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "documented at the option in ts/options")]
pub enum StrategyName {
    LeastBusy,
    RoundRobin,
    Random,
    Weighted,
    Fastest,
}

/// The option `recycle`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(missing_docs, reason = "documented at the option in ts/options")]
pub struct Recycle {
    pub calls: Option<u64>,
    pub ttl: Option<f64>,
    pub idle_ttl: Option<f64>,
    pub rss: Option<u64>,
    pub jitter: f64,
}

/// The option `heartbeat`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(missing_docs, reason = "documented at the option in ts/options")]
pub struct Heartbeat {
    pub interval_ms: f64,
    pub misses: u32,
    pub action: HeartbeatAction,
}

/// The option `heartbeat.action`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "documented at the option in ts/options")]
pub enum HeartbeatAction {
    Event,
    Restart,
}

/// The option `restart`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(missing_docs, reason = "documented at the option in ts/options")]
pub struct Restart {
    pub max: u32,
    pub window_ms: f64,
    pub backoff: RestartBackoff,
    pub call_deaths: u32,
    pub taint: Option<RestartTaint>,
}

/// The option `restart.taint`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(missing_docs, reason = "documented at the option in ts/options")]
pub struct RestartTaint {
    pub ms: f64,
    pub on: Vec<CrashName>,
}

/// The option `restart.taint.on`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "documented at the option in ts/options")]
pub enum CrashName {
    Segfault,
    Oom,
    Abort,
    CpuLimit,
    Signal,
    Exit,
}

impl From<CrashName> for Crash {
    fn from(name: CrashName) -> Self {
        match name {
            CrashName::Segfault => Self::Segfault,
            CrashName::Oom => Self::OutOfMemory,
            CrashName::Abort => Self::Abort,
            CrashName::CpuLimit => Self::CpuLimit,
            CrashName::Signal => Self::Signal,
            CrashName::Exit => Self::Exit,
        }
    }
}

/// The option `restart.backoff`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(missing_docs, reason = "documented at the option in ts/options")]
pub struct RestartBackoff {
    pub initial_ms: f64,
    pub factor: f64,
    pub max_ms: f64,
}

/// The option `sessions`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(missing_docs, reason = "documented at the option in ts/options")]
pub struct Sessions {
    pub max: usize,
    pub bytes: usize,
    pub ttl_ms: Option<f64>,
    pub store: Option<PathBuf>,
}

/// The option `inheritEnv`.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum InheritEnv {
    /// All variables of the host, or none but the necessary.
    Switch(bool),
    /// The necessary and these.
    Names(Vec<String>),
}

/// The options `stdout` and `stderr`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Output {
    /// As `log` events.
    Event,
    /// To the same stream of Node.
    Inherit,
    /// Nowhere.
    Ignore,
}

impl From<Output> for OutputMode {
    fn from(output: Output) -> Self {
        match output {
            Output::Event => Self::Event,
            Output::Inherit => Self::Inherit,
            Output::Ignore => Self::Ignore,
        }
    }
}

impl SpawnOptions {
    /// What the system lets a worker use.
    pub fn resources(&self) -> ResourceLimits {
        ResourceLimits {
            memory: self.memory_limit,
            cpu: self.cpu_limit,
            files: self.files_limit,
        }
    }

    /// What the engine needs to know of them.
    pub fn engine(&self) -> Config {
        Config {
            workers: self.workers.min,
            most_workers: Some(self.workers.max),
            idle_ttl: self.workers.idle_ttl.map(millis),
            min_ready: self.workers.min_ready,
            batch: self
                .workers
                .startup_batch
                .map(|batch| (batch.size, millis(batch.delay_ms))),
            concurrency: self.concurrency,
            strategy: match self.strategy {
                StrategyName::LeastBusy => Strategy::LeastBusy,
                StrategyName::RoundRobin => Strategy::RoundRobin,
                StrategyName::Random => Strategy::Random,
                StrategyName::Weighted => Strategy::Weighted(self.weights.clone()),
                StrategyName::Fastest => Strategy::Fastest,
            },
            seed: self.seed,
            queue_max: self.queue_max,
            queue_max_given: self.queue_max_given,
            queue_timeout: self.queue_timeout_ms.map(millis),
            restart: self.restart.as_ref().map(|restart| RestartPolicy {
                max: restart.max,
                window: millis(restart.window_ms),
                backoff: Backoff {
                    initial: millis(restart.backoff.initial_ms),
                    factor: restart.backoff.factor,
                    ceiling: millis(restart.backoff.max_ms),
                },
                taint: restart.taint.as_ref().map(|taint| Taint {
                    pause: millis(taint.ms),
                    crashes: taint.on.iter().copied().map(Crash::from).collect(),
                }),
            }),
            poison: self
                .restart
                .as_ref()
                .map_or_else(PoisonPolicy::default, |restart| PoisonPolicy {
                    deaths: restart.call_deaths,
                    window: millis(restart.window_ms),
                }),
            recycle: RecyclePolicy {
                calls: self.recycle.calls,
                age: self.recycle.ttl.map(millis),
                idle: self.recycle.idle_ttl.map(millis),
                rss: self.recycle.rss,
                jitter: self.recycle.jitter,
            },
            heartbeat: self.heartbeat.map(|heartbeat| HeartbeatPolicy {
                interval: millis(heartbeat.interval_ms),
                misses: heartbeat.misses,
                restart: heartbeat.action == HeartbeatAction::Restart,
            }),
            limits: Limits {
                frame: self.frame_limit,
                depth: self.depth_limit,
            },
            frame_timeout: self.frame_timeout_ms.map(millis),
            start_timeout: self.start_timeout_ms.map(millis),
            grace: millis(self.grace_ms),
            sessions: session::Limits {
                sessions: self.sessions.max,
                bytes: self.sessions.bytes,
                ttl: self.sessions.ttl_ms.map(millis),
            },
            durable_sessions: self.sessions.store.is_some(),
        }
    }
}

/// A duration in milliseconds that the facade has checked; absurd ones become the longest.
fn millis(ms: f64) -> Duration {
    Duration::try_from_secs_f64(ms / 1e3).unwrap_or(Duration::MAX)
}
