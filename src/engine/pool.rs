//! How many workers there are and which: the pool grows, shrinks, is scaled, and workers are
//! replaced while they live.
//!
//! A *member* counts for the size of the pool. A worker that is told to go stops being one at once,
//! though it first answers what it has. A successor becomes one when it is ready, and the worker
//! that it replaces leaves at that moment, so a replacement never makes the pool smaller.

use std::collections::VecDeque;
use std::time::Duration;

use crate::engine::action::{Actions, Command, Event};
use crate::engine::intake::is_queued;
use crate::engine::timers::Timer;
use crate::engine::worker::{Cause, Reason, Worker, WorkerState};
use crate::engine::{Engine, Phase};
use crate::ids::WorkerId;
use crate::policy::backoff::Backoff;
use crate::time::Time;

/// How long calls wait before an elastic pool grows for them: a burst of short ones is over before
/// another process would have started.
const GROW_AFTER: Duration = Duration::from_millis(5);

/// How long to wait before another successor is tried.
const RENEW_AGAIN: Backoff = Backoff {
    initial: Duration::from_secs(1),
    factor: 2.0,
    ceiling: Duration::from_secs(60),
};

/// Size and state of the pool. The counts are of members, as of the last census.
#[derive(Debug, Default)]
pub(super) struct Pool {
    pub(super) min: u32,
    pub(super) max: u32,
    /// Members that the pool has or is about to have again: those that are dying will be replaced.
    pub(super) members: u32,
    pub(super) starting: u32,
    pub(super) ready: u32,
    /// Replacements under way.
    successors: u32,
    /// First workers that a later batch starts.
    pub(super) unlaunched: u32,
    /// The timer that lets it grow is set.
    pub(super) grow_set: bool,
    /// Workers that wait to be replaced, in order.
    renewals: VecDeque<WorkerId>,
    /// Restarts so far, by place.
    pub(super) restarts: Vec<u64>,
}

impl Pool {
    /// Before anything has started.
    pub(super) fn new(min: u32, max: Option<u32>) -> Self {
        let min = min.max(1);
        Self {
            min,
            max: max.unwrap_or(min).max(min),
            ..Self::default()
        }
    }

    /// How many workers may be replaced at once: more would need too much memory together.
    fn renewals_at_once(&self) -> u32 {
        1 + self.members / 8
    }
}

impl Engine {
    /// Counts the workers anew. To be called when one has come, gone, or changed its state.
    pub(super) fn census(&mut self) {
        let pool = &mut self.pool;
        (pool.members, pool.starting, pool.ready, pool.successors) = (0, 0, 0, 0);
        for worker in self.workers.values() {
            pool.successors += u32::from(worker.predecessor.is_some());
            if worker.is_member() {
                pool.members += 1;
                pool.starting += u32::from(worker.state == WorkerState::Starting);
                pool.ready += u32::from(worker.state == WorkerState::Ready);
            }
        }
    }

    /// Members that there are or will be.
    fn total(&self) -> u32 {
        self.pool.members + self.restarting() + self.pool.unlaunched
    }

    /// Replacements of dead workers that are not started yet.
    fn restarting(&self) -> u32 {
        u32::try_from(self.restarts_due.len()).unwrap_or(u32::MAX)
    }

    /// Starts a worker at a place of its own.
    pub(super) fn launch(&mut self, now: Time, actions: &mut Actions) {
        let mut taken: Vec<u32> = self
            .workers
            .values()
            .filter(|worker| worker.is_member())
            .map(|worker| worker.slot)
            .collect();
        taken.sort_unstable();
        let slot = (0..).zip(&taken).find(|(free, slot)| free != *slot);
        let next = u32::try_from(taken.len()).unwrap_or(u32::MAX);
        self.launch_at(now, slot.map_or(next, |(free, _)| free), None, actions);
    }

    fn launch_at(
        &mut self,
        now: Time,
        slot: u32,
        predecessor: Option<WorkerId>,
        actions: &mut Actions,
    ) -> WorkerId {
        self.next_worker += 1;
        let id = WorkerId(self.next_worker);
        let mut worker = Worker::new(id, slot, self.config.concurrency, now);
        worker.predecessor = predecessor;
        worker.lease = self.config.recycle.lease(&mut self.random);
        let index = slot as usize;
        if self.pool.restarts.len() <= index {
            self.pool.restarts.resize(index + 1, 0);
        }
        self.workers.insert(worker);
        if let Some(limit) = self.config.start_timeout {
            self.timers.set(now + limit, Timer::Start { worker: id });
        }
        actions.commands.push(Command::Start(id));
        self.census();
        id
    }

    /// Starts the first workers, or the next of them.
    pub(super) fn launch_batch(&mut self, now: Time, actions: &mut Actions) {
        let batch = self.config.batch;
        let size = batch.map_or(u32::MAX, |(size, _)| size.max(1));
        for _ in 0..size.min(self.pool.unlaunched) {
            self.pool.unlaunched -= 1;
            self.launch(now, actions);
        }
        if let Some((_, pause)) = batch
            && self.pool.unlaunched > 0
        {
            self.timers.set(now + pause, Timer::Batch);
        }
    }

    /// A dead worker will be replaced then.
    pub(super) fn replace_at(&mut self, due: Time) {
        let at = self.restarts_due.partition_point(|other| *other <= due);
        self.restarts_due.insert(at, due);
        self.timers.set(due, Timer::Restart);
    }

    /// The replacements that are due start.
    pub(super) fn restart_is_due(&mut self, now: Time, actions: &mut Actions) {
        let due = self.restarts_due.partition_point(|due| *due <= now);
        for _ in self.restarts_due.drain(..due).collect::<Vec<_>>() {
            self.launch_replacement(now, actions);
        }
    }

    /// A dead worker's replacement starts.
    pub(super) fn launch_replacement(&mut self, now: Time, actions: &mut Actions) {
        self.launch(now, actions);
        if let Some(worker) = self.workers.get_mut(&WorkerId(self.next_worker)) {
            worker.replaces = true;
            if let Some(count) = self.pool.restarts.get_mut(worker.slot as usize) {
                *count += 1;
            }
        }
    }

    /// The pool is to have at least `min` and at most `max` workers.
    pub(super) fn resize(&mut self, now: Time, min: u32, max: u32, actions: &mut Actions) {
        (self.pool.min, self.pool.max) = (min, max.max(min));
        while self.total() < self.pool.min {
            self.launch(now, actions);
        }
        while self.total() > self.pool.max {
            // The one that would come last is missed least.
            if self.restarts_due.pop().is_some() {
                continue;
            }
            if self.pool.unlaunched > 0 {
                self.pool.unlaunched -= 1;
            } else if let Some(id) = self.least_useful() {
                self.leave(now, id, Reason::Scaled, actions);
            } else {
                break;
            }
        }
        self.grow_soon(now);
    }

    /// The member whose end is felt least: one that dies anyway, then one that starts, then the one
    /// with the fewest calls, the newest of equals.
    fn least_useful(&self) -> Option<WorkerId> {
        let members = self.workers.values().filter(|worker| worker.is_member());
        let cost = |worker: &&Worker| {
            let rank = match worker.state {
                WorkerState::Stopping | WorkerState::Dying => 0,
                WorkerState::Starting => 1,
                WorkerState::Ready => 2,
            };
            (rank, worker.in_flight, std::cmp::Reverse(worker.id))
        };
        members.min_by_key(cost).map(|worker| worker.id)
    }

    /// Calls wait: an elastic pool looks soon whether it should grow.
    pub(super) fn grow_soon(&mut self, now: Time) {
        if self.pool.members < self.pool.max
            && !self.pool.grow_set
            && self.phase == Phase::Running
            && self.queue.shared() > 0
            && self.total() < self.pool.max
        {
            self.pool.grow_set = true;
            self.timers.set(now + GROW_AFTER, Timer::Grow);
        }
    }

    /// Starts as many workers as the calls that wait could use.
    pub(super) fn grow(&mut self, now: Time, actions: &mut Actions) {
        self.pool.grow_set = false;
        if self.phase != Phase::Running {
            return;
        }
        let calls = u32::try_from(self.queue.shared()).unwrap_or(u32::MAX);
        let wanted = calls.div_ceil(self.config.concurrency.max(1));
        let coming = self.pool.starting + self.restarting() + self.pool.unlaunched;
        let room = self.pool.max.saturating_sub(self.total());
        for _ in 0..wanted.saturating_sub(coming).min(room) {
            self.launch(now, actions);
        }
    }

    /// A worker is to go: it takes no new calls from now on.
    pub(super) fn leave(&mut self, now: Time, id: WorkerId, reason: Reason, actions: &mut Actions) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        if worker.leaving.is_some() {
            return;
        }
        match worker.state {
            // It is on its way out already; now nobody need take its place.
            WorkerState::Stopping | WorkerState::Dying => worker.leaving = Some(reason),
            WorkerState::Starting => {
                worker.leaving = Some(reason);
                worker.state = WorkerState::Stopping;
                worker.cause.get_or_insert(Cause::Asked(reason));
                actions.commands.push(Command::Stop(id));
            }
            WorkerState::Ready => {
                worker.leaving = Some(reason);
                Self::place(&mut self.placement, worker);
                actions.events.push(Event::WorkerDrain {
                    worker: id,
                    reason: reason.as_str(),
                });
            }
        }
        let (successor, predecessor) = (worker.successor.take(), worker.predecessor.take());
        if let Some(predecessor) = predecessor.and_then(|id| self.workers.get_mut(&id)) {
            predecessor.successor = None;
            predecessor.renewal = None;
        }
        if let Some(successor) = successor {
            if let Some(worker) = self.workers.get_mut(&successor) {
                worker.predecessor = None;
            }
            if matches!(reason, Reason::Scaled | Reason::Idle) {
                self.leave(now, successor, reason, actions);
            }
        }
        self.let_go(id, actions);
        self.census();
        self.renew_next(now, actions);
        self.grow_soon(now);
    }

    /// A worker that was told to go and owes nothing any more is stopped.
    pub(super) fn let_go(&mut self, id: WorkerId, actions: &mut Actions) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        let Some(reason) = worker.leaving else { return };
        if worker.state != WorkerState::Ready || worker.in_flight > 0 {
            return;
        }
        let calls = &self.calls;
        if self.queue.pinned(id, |entry| is_queued(calls, entry)) > 0 {
            return;
        }
        worker.state = WorkerState::Stopping;
        worker.cause.get_or_insert(Cause::Asked(reason));
        worker.outbox.clear();
        actions.commands.push(Command::Stop(id));
    }

    /// A worker is to be replaced: another one starts, and this one leaves when that is ready.
    pub(super) fn renew(&mut self, now: Time, id: WorkerId, reason: Reason, actions: &mut Actions) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        if worker.leaving.is_some() || worker.renewal.is_some() {
            return;
        }
        worker.renewal = Some(reason);
        if worker.state == WorkerState::Ready {
            self.pool.renewals.push_back(id);
            self.renew_next(now, actions);
        }
    }

    /// Starts successors for those that wait for one, a few at a time.
    fn renew_next(&mut self, now: Time, actions: &mut Actions) {
        if self.phase == Phase::Stopping {
            self.pool.renewals.clear();
            return;
        }
        while self.pool.successors < self.pool.renewals_at_once() {
            let Some(id) = self.pool.renewals.pop_front() else {
                return;
            };
            let Some(worker) = self.workers.get(&id) else {
                continue;
            };
            let wanted = worker.state == WorkerState::Ready
                && worker.leaving.is_none()
                && worker.renewal.is_some()
                && worker.successor.is_none();
            if !wanted {
                continue;
            }
            let successor = self.launch_at(now, worker.slot, Some(id), actions);
            if let Some(worker) = self.workers.get_mut(&successor) {
                worker.replaces = true;
            }
            if let Some(worker) = self.workers.get_mut(&id) {
                worker.successor = Some(successor);
            }
        }
    }

    /// A worker has got ready: it takes the place of the one that it replaces.
    pub(super) fn arrived(&mut self, now: Time, id: WorkerId, actions: &mut Actions) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        let renew = worker.renewal.is_some();
        let lease = worker.lease;
        let predecessor = worker.predecessor.take();
        if let Some(age) = lease.age {
            self.timers.set(now + age, Timer::Age { worker: id });
        }
        self.idle_timer(now, id);
        self.beat_begins(now, id);
        if renew {
            self.pool.renewals.push_back(id);
        }
        self.census();
        if let Some(old) = predecessor {
            let reason = self.workers.get_mut(&old).and_then(|worker| {
                worker.successor = None;
                worker.renewal
            });
            self.leave(now, old, reason.unwrap_or(Reason::Restarted), actions);
        }
        self.renew_next(now, actions);
    }

    /// Looks at a worker when it may have been idle for too long.
    fn idle_timer(&mut self, at: Time, worker: WorkerId) {
        let limits = [self.config.idle_ttl, self.config.recycle.idle];
        if let Some(limit) = limits.into_iter().flatten().min() {
            let limit = limit.max(Duration::from_millis(1));
            self.timers.set(at + limit, Timer::Idle { worker });
        }
    }

    /// A worker may have been idle for too long.
    pub(super) fn idle_is_due(&mut self, now: Time, id: WorkerId, actions: &mut Actions) {
        let Some(worker) = self.workers.get(&id) else {
            return;
        };
        let idle = match worker.in_flight {
            0 => now.since(worker.last_activity),
            _ => Duration::ZERO,
        };
        let (used, since) = (worker.counters.handled > 0, worker.last_activity);
        let above = self.pool.members > self.pool.min;
        let passed = |limit: Option<Duration>| limit.is_some_and(|limit| idle >= limit);
        if passed(self.config.idle_ttl) && above && worker.is_member() {
            self.leave(now, id, Reason::Idle, actions);
            return;
        }
        if passed(self.config.recycle.idle) && used {
            self.renew(now, id, Reason::Unused, actions);
        }
        // Once the limit is passed and nothing came of it, time counts from now.
        let limits = [self.config.idle_ttl, self.config.recycle.idle];
        let first = limits.into_iter().flatten().min().unwrap_or_default();
        let from = if idle >= first || idle.is_zero() {
            now
        } else {
            since
        };
        self.idle_timer(from, id);
    }

    /// A worker has reached its age.
    pub(super) fn age_is_due(&mut self, now: Time, id: WorkerId, actions: &mut Actions) {
        self.renew(now, id, Reason::Age, actions);
    }

    /// Another successor is tried for a worker.
    pub(super) fn renewal_is_due(&mut self, now: Time, id: WorkerId, actions: &mut Actions) {
        self.pool.renewals.push_back(id);
        self.renew_next(now, actions);
    }

    /// A dead worker was part of a replacement. Answers whether nobody else need take its place.
    pub(super) fn was_replaced(&mut self, now: Time, dead: &Worker) -> bool {
        if dead.leaving.is_some() {
            return true;
        }
        if let Some(old) = dead.predecessor.and_then(|id| self.workers.get_mut(&id)) {
            // The one that it should have replaced goes on, and tries again later.
            old.successor = None;
            let delay = RENEW_AGAIN.delay(old.renewals_failed);
            old.renewals_failed += 1;
            let worker = old.id;
            self.timers.set(now + delay, Timer::Renew { worker });
            return true;
        }
        if let Some(heir) = dead.successor.and_then(|id| self.workers.get_mut(&id)) {
            heir.predecessor = None;
            return true;
        }
        false
    }

    /// A worker is gone: the pool is counted and whoever waits to be replaced gets a turn.
    pub(super) fn departed(&mut self, now: Time, actions: &mut Actions) {
        self.census();
        self.renew_next(now, actions);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Config;

    const PAUSE: Duration = Duration::from_millis(500);

    #[test]
    fn the_first_workers_start_so_many_at_a_time_and_so_far_apart() {
        let mut engine = Engine::new(Config {
            workers: 5,
            batch: Some((2, PAUSE)),
            start_timeout: None,
            ..Config::default()
        });
        let mut actions = Actions::default();
        let starts = |actions: &mut Actions| {
            let started = actions.commands.iter();
            let count = started.filter(|command| matches!(command, Command::Start(_)));
            let count = count.count();
            actions.clear();
            count
        };
        engine.start(Time::ZERO, &mut actions);
        assert_eq!(starts(&mut actions), 2);
        let instant = Duration::from_micros(1);
        let mut due = Time::ZERO;
        for size in [2, 1] {
            let before = due + PAUSE.saturating_sub(instant);
            due = due + PAUSE;
            assert_eq!(engine.next_wake(), Some(due));
            engine.tick(before, &mut actions);
            assert_eq!(starts(&mut actions), 0, "not before it is due");
            engine.tick(due, &mut actions);
            assert_eq!(starts(&mut actions), size);
        }
        engine.tick(due + PAUSE, &mut actions);
        assert_eq!(
            starts(&mut actions),
            0,
            "there are as many as there should be"
        );
    }
}
