//! What the engine tells about itself when asked.

use serde::Serialize;

use crate::engine::Engine;
use crate::engine::policies::PolicyStats;
use crate::engine::stats::Durations;
use crate::engine::worker::Worker;
use crate::ids::WorkerId;
use crate::time::Time;

/// A worker as `workers()` lists it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WorkerInfo {
    /// The worker.
    pub id: WorkerId,
    /// Its process; 0 until it is ready.
    pub pid: u32,
    /// `starting`, `ready`, `busy`, `stopping` or `failed`.
    pub status: &'static str,
    /// Python's version, empty until it is ready.
    pub python: String,
}

/// A worker as `stats()` counts it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkerStats {
    /// Which worker it is.
    #[serde(flatten)]
    pub info: WorkerInfo,
    /// Calls answered.
    pub requests_handled: u64,
    /// Calls written and not answered.
    pub requests_active: u32,
    /// Calls answered by an exception.
    pub errors: u64,
    /// Calls whose deadline passed while they ran.
    pub timeouts: u64,
    /// How long calls took.
    #[serde(flatten)]
    pub durations: Durations,
    /// Resident memory in bytes, by the last heartbeat.
    pub rss: u64,
    /// Milliseconds since the worker was last written to or read from.
    pub idle_for: f64,
}

/// What `stats()` answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// Calls answered, by workers that are gone too.
    pub requests_handled: u64,
    /// Calls written and not answered.
    pub requests_active: u32,
    /// Calls that wait for a worker.
    pub queued: usize,
    /// Calls answered by an exception.
    pub errors: u64,
    /// Calls whose deadline passed.
    pub timeouts: u64,
    /// Replacements of dead workers.
    pub restarts: u64,
    /// How long calls took.
    #[serde(flatten)]
    pub durations: Durations,
    /// `idle`, `starting`, `ready`, `unhealthy` or `stopping`.
    pub status: &'static str,
    /// What the policies have counted; absent without any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policies: Option<PolicyStats>,
    /// Each worker that is not gone.
    pub workers: Vec<WorkerStats>,
}

/// What an engine keeps in memory, for tests that look for leaks and for lost work. Users see
/// [`Stats`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holdings {
    /// Calls that have not left the engine, those that were settled early included.
    pub calls: usize,
    /// Calls that wait for a worker.
    pub queued: usize,
    /// Timers, those that have lost their meaning included.
    pub timers: usize,
    /// Each worker that is not gone.
    pub workers: Vec<Load>,
}

/// A worker as the engine places calls on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load {
    /// The worker.
    pub worker: WorkerId,
    /// Calls written and not answered.
    pub in_flight: u32,
    /// How many there may be.
    pub window: u32,
    /// Whether it can take one more.
    pub takes: bool,
    /// Bytes that the driver has not taken yet.
    pub outbox: usize,
}

impl Engine {
    /// What the engine keeps in memory.
    pub fn holdings(&self) -> Holdings {
        let load = |worker: &Worker| Load {
            worker: worker.id,
            in_flight: worker.in_flight,
            window: worker.window.limit(),
            takes: worker.capacity().is_some(),
            outbox: worker.outbox.len(),
        };
        Holdings {
            calls: self.calls.len(),
            queued: self.queue.len(),
            timers: self.timers.len(),
            workers: self.workers.values().map(load).collect(),
        }
    }

    /// The workers that are not gone.
    pub fn workers(&self) -> Vec<WorkerInfo> {
        self.workers
            .values()
            .map(|worker| WorkerInfo {
                id: worker.id,
                pid: worker.pid,
                status: worker.status(),
                python: worker.python.clone(),
            })
            .collect()
    }

    /// Counters, in total and for each worker.
    pub fn stats(&self, now: Time) -> Stats {
        use crate::engine::Phase;
        let mut total = self.past.clone();
        let mut active = 0;
        let mut workers = Vec::with_capacity(self.workers.len());
        for (worker, info) in self.workers.values().zip(self.workers()) {
            total.add(&worker.counters);
            active += worker.in_flight;
            workers.push(WorkerStats {
                info,
                requests_handled: worker.counters.handled,
                requests_active: worker.in_flight,
                errors: worker.counters.errors,
                timeouts: worker.counters.timeouts,
                durations: worker.counters.durations(),
                rss: worker.rss,
                idle_for: now.since(worker.last_activity).as_secs_f64() * 1e3,
            });
        }
        Stats {
            requests_handled: total.handled,
            requests_active: active,
            queued: self.queue.len(),
            errors: total.errors,
            timeouts: total.timeouts,
            restarts: self.restart_count,
            durations: total.durations(),
            status: match self.phase {
                Phase::Idle => "idle",
                Phase::Starting => "starting",
                Phase::Running => "ready",
                Phase::Unhealthy(_) => "unhealthy",
                Phase::Stopping => "stopping",
            },
            policies: self.policy_stats(now),
            workers,
        }
    }
}
