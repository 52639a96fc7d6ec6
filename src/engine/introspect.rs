//! What the engine tells about itself when asked.

use serde::Serialize;

use crate::engine::Engine;
use crate::engine::intake::is_queued;
use crate::engine::policies::PolicyStats;
use crate::engine::stats::Durations;
use crate::engine::worker::Worker;
use crate::ids::WorkerId;
use crate::session::SessionHoldings;
use crate::time::Time;

/// A worker as `workers()` lists it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WorkerInfo {
    /// The worker.
    pub id: WorkerId,
    /// Its process; 0 until it is ready.
    pub pid: u32,
    /// `starting`, `restarting`, `ready`, `busy`, `draining`, `unhealthy`, `stopping`, `stopped` or
    /// `failed`.
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
    /// Calls that wait for this worker and no other.
    pub queued: usize,
    /// Calls answered by an exception.
    pub errors: u64,
    /// Calls whose deadline passed while they ran.
    pub timeouts: u64,
    /// Answers, or parts of them, for calls that the worker did not have: dropped.
    pub stray_replies: u64,
    /// Dead workers that this one and those before it have replaced at this place of the pool.
    pub restarts: u64,
    /// How long calls took.
    #[serde(flatten)]
    pub durations: Durations,
    /// Resident memory in bytes, by the last heartbeat.
    pub rss: u64,
    /// Share of one processor between the last two heartbeats.
    pub cpu: f64,
    /// Milliseconds since the last heartbeat, or since it got ready.
    pub silent_for: f64,
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
    /// Workers that can take a call at once.
    pub available: usize,
    /// Workers that have calls.
    pub busy: usize,
    /// Calls that were refused because the queue was full.
    pub queue_refusals: u64,
    /// Calls whose time was over before a worker had them.
    pub queue_timeouts: u64,
    /// Calls answered by an exception.
    pub errors: u64,
    /// Calls whose deadline passed.
    pub timeouts: u64,
    /// Answers, or parts of them, for calls that the worker did not have: dropped.
    pub stray_replies: u64,
    /// Replacements of dead workers.
    pub restarts: u64,
    /// How long calls took.
    #[serde(flatten)]
    pub durations: Durations,
    /// Resident memory of all workers in bytes, by their last heartbeats.
    pub rss: u64,
    /// Processors that they use, by their last heartbeats.
    pub cpu: f64,
    /// `idle`, `starting`, `ready`, `unhealthy` or `stopping`.
    pub status: &'static str,
    /// What the policies have counted; absent without any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policies: Option<PolicyStats>,
    /// Workers that are always kept.
    pub min: u32,
    /// Workers that there may be.
    pub max: u32,
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
    /// Calls that one worker waits for and another one runs.
    pub errands: usize,
    /// Timers, those that have lost their meaning included.
    pub timers: usize,
    /// Replacements of dead workers that are not started yet.
    pub restarts: usize,
    /// Operations that are not over.
    pub operations: usize,
    /// Sessions and the calls in them.
    pub sessions: SessionHoldings,
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
    /// Whether it takes no new calls and goes when it has answered those that it has.
    pub leaving: bool,
    /// The worker that serves until this one is ready to take its place.
    pub succeeds: Option<WorkerId>,
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
            leaving: worker.leaving.is_some(),
            succeeds: worker.predecessor,
            outbox: worker.outbox.len(),
        };
        Holdings {
            calls: self.calls.len(),
            queued: self.queue.len(),
            errands: self.errands.len(),
            timers: self.timers.len(),
            restarts: self.restarts_due.len(),
            operations: self.operations.len(),
            sessions: self.sessions.holdings(),
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
        let (mut available, mut busy) = (0, 0);
        let (mut rss, mut cpu) = (0, 0.0);
        let mut workers = Vec::with_capacity(self.workers.len());
        let calls = &self.calls;
        for (worker, info) in self.workers.values().zip(self.workers()) {
            total.add(&worker.counters);
            active += worker.in_flight;
            available += usize::from(worker.capacity().is_some());
            busy += usize::from(worker.in_flight > 0);
            rss += worker.rss;
            cpu += worker.cpu_share;
            workers.push(WorkerStats {
                info,
                requests_handled: worker.counters.handled,
                requests_active: worker.in_flight,
                queued: self
                    .queue
                    .pinned(worker.id, |entry| is_queued(calls, entry)),
                errors: worker.counters.errors,
                timeouts: worker.counters.timeouts,
                stray_replies: worker.counters.strays,
                restarts: self
                    .pool
                    .restarts
                    .get(worker.slot as usize)
                    .copied()
                    .unwrap_or(0),
                durations: worker.counters.durations(),
                rss: worker.rss,
                cpu: worker.cpu_share,
                silent_for: now.since(worker.last_beat).as_secs_f64() * 1e3,
                idle_for: now.since(worker.last_activity).as_secs_f64() * 1e3,
            });
        }
        Stats {
            requests_handled: total.handled,
            requests_active: active,
            queued: self.queue.len(),
            available,
            busy,
            queue_refusals: self.queue_refusals,
            queue_timeouts: self.queue_timeouts,
            errors: total.errors,
            timeouts: total.timeouts,
            stray_replies: total.strays,
            restarts: self.restart_count,
            durations: total.durations(),
            rss,
            cpu,
            status: match self.phase {
                Phase::Idle => "idle",
                Phase::Starting => "starting",
                Phase::Running => "ready",
                Phase::Unhealthy(_) => "unhealthy",
                Phase::Stopping => "stopping",
            },
            policies: self.policy_stats(now),
            min: self.pool.min,
            max: self.pool.max,
            workers,
        }
    }
}
