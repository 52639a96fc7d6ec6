//! One worker as the engine sees it.

use std::collections::VecDeque;
use std::time::Duration;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::engine::crowd::Crowds;
use crate::engine::handlers::Numbering;
use crate::engine::stats::Counters;
use crate::error::Failure;
use crate::ids::{CallId, CallbackId, WorkerId};
use crate::policy::liveness::Liveness;
use crate::policy::recycle::Lease;
use crate::policy::stall::Stall;
use crate::policy::window::Window;
use crate::protocol::journal::Journal;
use crate::protocol::message::Mode;
use crate::tail::Tail;
use crate::time::Time;

/// Where a worker is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WorkerState {
    /// Its process is being started or has not said hello.
    Starting,
    /// It takes calls.
    Ready,
    /// It was told to go, or is being killed; it takes no calls and owes no answers.
    Stopping,
    /// Its process or its channel is gone, or it is being killed for a call that does not yield;
    /// what was left in the pipes is being read.
    Dying,
}

/// Why a worker goes, the first cause winning.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cause {
    /// It was told to.
    Asked(Reason),
    /// It broke a rule of the protocol.
    Protocol(Failure),
    /// A call did not yield to its cancellation.
    Hung,
    /// It closed its data channel without exiting.
    Closed(Failure),
    /// It could not get ready.
    Start(Failure),
    /// It was not heard of for so long, and did not compute either.
    Frozen(Duration),
}

/// Why a worker was told to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// The instance is disposed of.
    Stopped,
    /// The pool was made smaller.
    Scaled,
    /// An elastic pool has no work for it.
    Idle,
    /// The user wants another one in its place.
    Restarted,
    /// The user wants all code to be loaded anew.
    Reloaded,
    /// It has answered its share of calls.
    Calls,
    /// It has reached its age.
    Age,
    /// It has had no call for too long.
    Unused,
    /// It has taken too much memory.
    Memory,
}

impl Reason {
    /// Its name for users.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Scaled => "scaled",
            Self::Idle => "idle",
            Self::Restarted => "restarted",
            Self::Reloaded => "reloaded",
            Self::Calls => "recycle:calls",
            Self::Age => "recycle:ttl",
            Self::Unused => "recycle:idleTtl",
            Self::Memory => "recycle:rss",
        }
    }
}

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exit {
    /// Exit code.
    pub code: Option<i32>,
    /// Name of the signal that ended it, `SIGKILL`.
    pub signal: Option<String>,
    /// The last lines of stderr.
    pub stderr_tail: String,
    /// Which calls it had begun.
    pub journal: Journal,
}

#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts that are independent of each other"
)]
pub(super) struct Worker {
    pub(super) id: WorkerId,
    /// Its place in the pool, counted from 0; whoever replaces it gets the same.
    pub(super) slot: u32,
    pub(super) state: WorkerState,
    pub(super) mode: Mode,
    pub(super) pid: u32,
    pub(super) python: String,
    pub(super) numbering: Numbering,
    pub(super) window: Window,
    /// Calls that were written and not answered, abandoned ones included.
    pub(super) in_flight: u32,
    /// Those among them whose handler has a limit of its own.
    pub(super) crowds: Crowds,
    /// Those calls in order of writing; answered ones are dropped when they reach the front.
    pub(super) sent: VecDeque<CallId>,
    /// Requests written so far.
    pub(super) written: u32,
    /// Cancelled calls that have not yielded, until its journal has been looked at.
    pub(super) overdue: Vec<(CallId, u64)>,
    /// It looks for what was withdrawn before it begins a call.
    pub(super) heeds: bool,
    /// Calls that it was told not to begin and has not answered, by their places in its journal.
    pub(super) withdrawn: FxHashMap<u32, CallId>,
    /// Those among them of which its journal is to tell whether they began before.
    pub(super) doubtful: FxHashSet<(CallId, u64)>,
    /// Callbacks that it waits for.
    pub(super) callbacks: FxHashSet<CallbackId>,
    /// Replies read so far; the 1.4 framing matches by order.
    pub(super) replies: u64,
    /// Rank under which it stands in the placement, `None` while it stands in none.
    pub(super) placed: Option<u64>,
    /// It takes no new calls, and goes when it has answered those that it has.
    pub(super) leaving: Option<Reason>,
    /// It is to be replaced; once its successor is ready it leaves.
    pub(super) renewal: Option<Reason>,
    /// Starts to replace it.
    pub(super) successor: Option<WorkerId>,
    /// Serves until this one is ready.
    pub(super) predecessor: Option<WorkerId>,
    /// Successors that could not get ready.
    pub(super) renewals_failed: u32,
    /// It was started in place of another one.
    pub(super) replaces: bool,
    pub(super) lease: Lease,
    pub(super) liveness: Liveness,
    /// The part of a frame on its data channel.
    pub(super) stall: Stall,
    /// Bytes to write.
    pub(super) outbox: Vec<u8>,
    /// The link holds bytes that the worker has not taken.
    pub(super) backlogged: bool,
    /// Bytes of the control channel that are no whole frame yet.
    pub(super) control: Vec<u8>,
    pub(super) cause: Option<Cause>,
    /// What its Python wrote to stderr last; what others write there comes with its exit.
    pub(super) last_words: Tail,
    /// Known once the process is reaped.
    pub(super) exit: Option<Exit>,
    /// The data channel is at its end.
    pub(super) closed: bool,
    /// It is being killed and its exit is waited for.
    pub(super) killed: bool,
    pub(super) counters: Counters,
    pub(super) last_activity: Time,
    pub(super) rss: u64,
    /// Processor time by the last sign of life.
    pub(super) cpu: Duration,
    /// Share of one processor between the last two of them.
    pub(super) cpu_share: f64,
    pub(super) last_beat: Time,
}

impl Worker {
    pub(super) fn new(id: WorkerId, slot: u32, concurrency: u32, now: Time) -> Self {
        Self {
            id,
            slot,
            state: WorkerState::Starting,
            mode: Mode::Synapse,
            pid: 0,
            python: String::new(),
            numbering: Numbering::default(),
            window: Window::new(concurrency),
            in_flight: 0,
            crowds: Crowds::default(),
            sent: VecDeque::new(),
            written: 0,
            overdue: Vec::new(),
            heeds: false,
            withdrawn: FxHashMap::default(),
            doubtful: FxHashSet::default(),
            callbacks: FxHashSet::default(),
            replies: 0,
            placed: None,
            leaving: None,
            renewal: None,
            successor: None,
            predecessor: None,
            renewals_failed: 0,
            replaces: false,
            lease: Lease {
                calls: u64::MAX,
                age: None,
            },
            liveness: Liveness::default(),
            stall: Stall::default(),
            outbox: Vec::new(),
            backlogged: false,
            control: Vec::new(),
            last_words: Tail::default(),
            cause: None,
            exit: None,
            closed: false,
            killed: false,
            counters: Counters::default(),
            last_activity: now,
            rss: 0,
            cpu: Duration::ZERO,
            cpu_share: 0.0,
            last_beat: now,
        }
    }

    /// Whether one more call may be written to it, if only one that no other worker may run.
    pub(super) fn has_room(&self) -> bool {
        self.state == WorkerState::Ready
            && self.in_flight - self.crowds.waiting().min(self.in_flight) < self.window.limit()
            && !self.backlogged
            && !self.liveness.is_frozen()
    }

    /// More of its frames are waited for.
    pub(super) fn is_heard(&self) -> bool {
        matches!(self.state, WorkerState::Starting | WorkerState::Ready)
    }

    /// Nothing that it says counts any more.
    pub(super) fn has_broken_protocol(&self) -> bool {
        matches!(self.cause, Some(Cause::Protocol(_)))
    }

    /// Its load if it can take a call.
    pub(super) fn capacity(&self) -> Option<u32> {
        (self.leaving.is_none() && self.has_room()).then_some(self.in_flight)
    }

    /// Whether it counts as one of the pool's: not one that was told to go, nor one that starts to
    /// replace another.
    pub(super) fn is_member(&self) -> bool {
        self.leaving.is_none()
            && self.predecessor.is_none()
            && !matches!(self.cause, Some(Cause::Asked(_)))
    }

    /// Its status as users see it.
    pub(super) fn status(&self) -> &'static str {
        match self.state {
            WorkerState::Starting if self.replaces => "restarting",
            WorkerState::Starting => "starting",
            WorkerState::Ready if self.leaving.is_some() => "draining",
            WorkerState::Ready if self.liveness.is_frozen() => "unhealthy",
            WorkerState::Ready if self.in_flight > 0 => "busy",
            WorkerState::Ready => "ready",
            WorkerState::Stopping if self.exit.is_some() => "stopped",
            WorkerState::Stopping => "stopping",
            WorkerState::Dying => "failed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::liveness::HeartbeatPolicy;

    const STATES: [WorkerState; 4] = [
        WorkerState::Starting,
        WorkerState::Ready,
        WorkerState::Stopping,
        WorkerState::Dying,
    ];

    #[test]
    fn only_a_ready_worker_with_room_and_an_open_pipe_takes_calls() {
        for state in STATES {
            for in_flight in 0..4 {
                for backlogged in [false, true] {
                    let mut worker = Worker::new(WorkerId(1), 0, 2, Time::ZERO);
                    (worker.state, worker.in_flight, worker.backlogged) =
                        (state, in_flight, backlogged);
                    let takes = state == WorkerState::Ready && in_flight < 2 && !backlogged;
                    assert_eq!(worker.capacity(), takes.then_some(in_flight), "{worker:?}");
                }
            }
        }
    }

    #[test]
    fn every_state_has_a_name_and_calls_show_only_in_a_ready_one() {
        let name = |state, in_flight| {
            let mut worker = Worker::new(WorkerId(1), 0, 1, Time::ZERO);
            (worker.state, worker.in_flight) = (state, in_flight);
            worker.status()
        };
        assert_eq!(
            STATES.map(|state| name(state, 0)),
            ["starting", "ready", "stopping", "failed"]
        );
        assert_eq!(
            STATES.map(|state| name(state, 1)),
            ["starting", "busy", "stopping", "failed"]
        );
    }

    #[test]
    fn one_that_follows_another_leaves_or_is_silent_is_named_so() {
        let of = |change: fn(&mut Worker)| {
            STATES.map(|state| {
                let mut worker = Worker::new(WorkerId(1), 0, 1, Time::ZERO);
                (worker.state, worker.in_flight) = (state, 1);
                change(&mut worker);
                worker.status()
            })
        };
        assert_eq!(
            of(|worker| worker.replaces = true),
            ["restarting", "busy", "stopping", "failed"]
        );
        assert_eq!(
            of(|worker| worker.leaving = Some(Reason::Scaled)),
            ["starting", "draining", "stopping", "failed"]
        );
        assert_eq!(
            of(|worker| worker.exit = Some(Exit::default())),
            ["starting", "busy", "stopped", "failed"]
        );
        let freeze = |worker: &mut Worker| {
            let policy = HeartbeatPolicy {
                interval: Duration::from_secs(1),
                misses: 1,
                restart: false,
            };
            worker.liveness.begin(&policy, Time::ZERO);
            worker.liveness.miss(&policy, worker.liveness.due());
            worker.liveness.look(&policy, None);
        };
        assert_eq!(of(freeze), ["starting", "unhealthy", "stopping", "failed"]);
    }
}
