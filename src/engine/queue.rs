//! Calls that wait for a worker: by priority, then in order of submission.
//!
//! Entries of calls that were cancelled stay until they come to the front or until they outnumber
//! the live ones; so taking a call out costs nothing, and memory stays in proportion.

use std::collections::{BTreeMap, VecDeque};

use crate::ids::{CallId, WorkerId};

/// The queue of one engine.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Calls that any worker may take.
    shared: Lane,
    /// Calls that only one worker may take.
    pinned: BTreeMap<WorkerId, Lane>,
    /// Live entries in all lanes.
    live: usize,
    /// Those of them that only one worker may take.
    live_pinned: usize,
    /// Entries in all lanes.
    entries: usize,
}

/// A queued call: its sequence number and its id.
pub(super) type Entry = (u64, CallId);

#[derive(Debug, Default)]
struct Lane {
    levels: BTreeMap<i32, VecDeque<Entry>>,
}

impl Lane {
    /// New calls come last; one that had been taken out goes back to its place.
    fn push(&mut self, priority: i32, entry: Entry) {
        let level = self.levels.entry(priority).or_default();
        if level.back().is_none_or(|last| last.0 < entry.0) {
            level.push_back(entry);
        } else {
            level.insert(level.partition_point(|other| other.0 < entry.0), entry);
        }
    }

    /// Drops dead entries from the front; answers the rank of the first live one.
    fn front(
        &mut self,
        is_live: &impl Fn(Entry) -> bool,
        dropped: &mut usize,
    ) -> Option<(i32, u64)> {
        while let Some(mut level) = self.levels.first_entry() {
            while let Some(&entry) = level.get().front() {
                if is_live(entry) {
                    return Some((*level.key(), entry.0));
                }
                level.get_mut().pop_front();
                *dropped += 1;
            }
            level.remove();
        }
        None
    }

    fn pop(&mut self) -> Option<Entry> {
        self.levels.first_entry()?.get_mut().pop_front()
    }

    fn retain(&mut self, keep: &impl Fn(Entry) -> bool) -> usize {
        self.levels.retain(|_, level| {
            level.retain(|entry| keep(*entry));
            !level.is_empty()
        });
        self.levels.values().map(VecDeque::len).sum()
    }
}

impl Queue {
    /// Calls that wait.
    pub(super) fn len(&self) -> usize {
        self.live
    }

    /// Calls that wait for any worker.
    pub(super) fn shared(&self) -> usize {
        self.live - self.live_pinned
    }

    /// Calls that wait for this worker and no other.
    pub(super) fn pinned(&self, worker: WorkerId, is_live: impl Fn(Entry) -> bool) -> usize {
        self.pinned.get(&worker).map_or(0, |lane| {
            let entries = lane.levels.values().flatten();
            entries.filter(|entry| is_live(**entry)).count()
        })
    }

    /// Adds a call to its priority, in order of submission.
    pub(super) fn push(&mut self, priority: i32, entry: Entry, worker: Option<WorkerId>) {
        self.lane(worker).push(priority, entry);
        self.live += 1;
        self.live_pinned += usize::from(worker.is_some());
        self.entries += 1;
    }

    fn lane(&mut self, worker: Option<WorkerId>) -> &mut Lane {
        match worker {
            None => &mut self.shared,
            Some(worker) => self.pinned.entry(worker).or_default(),
        }
    }

    /// Takes the first call that `worker` may run.
    pub(super) fn pop(
        &mut self,
        worker: WorkerId,
        is_live: impl Fn(Entry) -> bool,
    ) -> Option<Entry> {
        if self.live == 0 {
            return None;
        }
        let mut dropped = 0;
        let shared = self.shared.front(&is_live, &mut dropped);
        self.entries -= dropped;
        if self.live_pinned > 0
            && let Some(pinned) = self.front_pinned(worker, &is_live)
            && shared.is_none_or(|shared| pinned < shared)
        {
            return self.take_pinned(worker);
        }
        shared?;
        let entry = self.shared.pop();
        self.entries -= usize::from(entry.is_some());
        self.live -= usize::from(entry.is_some());
        entry
    }

    /// Takes the first call that `worker` and no other may run.
    pub(super) fn pop_pinned(
        &mut self,
        worker: WorkerId,
        is_live: impl Fn(Entry) -> bool,
    ) -> Option<Entry> {
        self.front_pinned(worker, &is_live)?;
        self.take_pinned(worker)
    }

    fn front_pinned(
        &mut self,
        worker: WorkerId,
        is_live: &impl Fn(Entry) -> bool,
    ) -> Option<(i32, u64)> {
        let mut dropped = 0;
        let lane = self.pinned.get_mut(&worker)?;
        let front = lane.front(is_live, &mut dropped);
        self.entries -= dropped;
        front
    }

    fn take_pinned(&mut self, worker: WorkerId) -> Option<Entry> {
        let entry = self.lane(Some(worker)).pop()?;
        self.entries -= 1;
        self.live -= 1;
        self.live_pinned -= 1;
        Some(entry)
    }

    /// A queued call is no longer wanted; its entry has just become dead.
    pub(super) fn forget(&mut self, worker: Option<WorkerId>, is_live: impl Fn(Entry) -> bool) {
        self.live -= 1;
        self.live_pinned -= usize::from(worker.is_some());
        if self.entries > 2 * self.live + 64 {
            let pinned: usize = self
                .pinned
                .values_mut()
                .map(|lane| lane.retain(&is_live))
                .sum();
            self.pinned.retain(|_, lane| !lane.levels.is_empty());
            self.entries = self.shared.retain(&is_live) + pinned;
        }
    }

    /// Empties the lane of a worker that is gone; answers what waited there.
    pub(super) fn unpin(
        &mut self,
        worker: WorkerId,
        is_live: impl Fn(Entry) -> bool,
    ) -> Vec<Entry> {
        let Some(lane) = self.pinned.remove(&worker) else {
            return Vec::new();
        };
        let all: Vec<Entry> = lane.levels.into_values().flatten().collect();
        self.entries -= all.len();
        let live: Vec<Entry> = all.into_iter().filter(|entry| is_live(*entry)).collect();
        self.live -= live.len();
        self.live_pinned -= live.len();
        live
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: WorkerId = WorkerId(1);

    fn drain(queue: &mut Queue) -> Vec<u32> {
        std::iter::from_fn(|| queue.pop(ANY, |_| true))
            .map(|(_, id)| id.0)
            .collect()
    }

    #[test]
    fn lower_priority_number_first_then_order_of_submission() {
        let mut queue = Queue::default();
        for (sequence, priority) in [(1, 5), (2, 0), (3, 5), (4, -1), (5, 0)] {
            queue.push(
                priority,
                (sequence, CallId(u32::try_from(sequence).unwrap())),
                None,
            );
        }
        assert_eq!(drain(&mut queue), [4, 2, 5, 1, 3]);
        assert_eq!((queue.len(), queue.entries), (0, 0));
    }

    #[test]
    fn a_pinned_call_waits_for_its_worker_and_keeps_its_rank() {
        let mut queue = Queue::default();
        queue.push(0, (1, CallId(1)), Some(WorkerId(2)));
        queue.push(0, (2, CallId(2)), None);
        queue.push(0, (3, CallId(3)), Some(WorkerId(1)));
        assert_eq!(drain(&mut queue), [2, 3]);
        assert_eq!(queue.pop(WorkerId(2), |_| true), Some((1, CallId(1))));
    }

    #[test]
    fn a_call_that_comes_back_gets_its_place_again() {
        let mut queue = Queue::default();
        for sequence in [7, 5, 9, 2, 6] {
            queue.push(
                0,
                (sequence, CallId(u32::try_from(sequence).unwrap())),
                None,
            );
        }
        assert_eq!(drain(&mut queue), [2, 5, 6, 7, 9]);
    }

    #[test]
    fn a_lane_of_a_dead_worker_gives_up_what_still_waited() {
        let mut queue = Queue::default();
        for sequence in 1..=4 {
            queue.push(0, (sequence, CallId(0)), Some(ANY));
        }
        queue.push(0, (5, CallId(5)), None);
        let is_live = |(sequence, _): Entry| sequence != 2;
        queue.forget(Some(ANY), is_live);
        let left: Vec<u64> = queue
            .unpin(ANY, is_live)
            .into_iter()
            .map(|entry| entry.0)
            .collect();
        assert_eq!(left, [1, 3, 4]);
        assert_eq!((queue.len(), queue.entries), (1, 1));
        assert!(queue.unpin(ANY, is_live).is_empty());
        assert_eq!(drain(&mut queue), [5]);
    }

    #[test]
    fn cancelled_calls_do_not_pile_up() {
        let mut queue = Queue::default();
        for sequence in 0..10_000 {
            queue.push(0, (sequence, CallId(7)), None);
        }
        for first_live in 1..=9_990 {
            queue.forget(None, |(sequence, _)| sequence >= first_live);
        }
        assert_eq!(queue.len(), 10);
        assert!(queue.entries < 100, "{} entries", queue.entries);
    }
    #[test]
    fn what_comes_back_goes_to_its_place_at_the_front_or_between() {
        let mut queue = Queue::default();
        for sequence in [3, 5, 1, 4, 2] {
            queue.push(0, (sequence, CallId(0)), None);
        }
        let order: Vec<u64> = std::iter::from_fn(|| queue.pop(ANY, |_| true))
            .map(|entry| entry.0)
            .collect();
        assert_eq!(order, [1, 2, 3, 4, 5]);
    }

    #[test]
    fn the_shared_and_each_workers_own_are_counted_apart() {
        let mut queue = Queue::default();
        let is_live = |(sequence, _): Entry| sequence != 2;
        for (sequence, worker) in [(1, Some(ANY)), (2, Some(ANY)), (3, None), (4, None)] {
            queue.push(0, (sequence, CallId(0)), worker);
        }
        assert_eq!((queue.len(), queue.shared()), (4, 2));
        queue.forget(Some(ANY), is_live);
        assert_eq!((queue.len(), queue.shared()), (3, 2));
        assert_eq!(queue.pinned(ANY, is_live), 1);
        assert_eq!(queue.pinned(WorkerId(2), is_live), 0);
        assert_eq!(queue.pop_pinned(ANY, is_live), Some((1, CallId(0))));
        assert_eq!(queue.pop_pinned(ANY, is_live), None);
        assert_eq!((queue.len(), queue.shared(), queue.entries), (2, 2, 2));
    }

    #[test]
    fn the_dead_are_dropped_on_the_way_and_counted_off() {
        let mut queue = Queue::default();
        let is_live = |(sequence, _): Entry| sequence > 4;
        for (sequence, worker) in [(1, None), (2, Some(ANY)), (3, None), (4, Some(ANY))] {
            queue.push(0, (sequence, CallId(0)), worker);
            queue.forget(worker, |_| true);
        }
        queue.push(0, (5, CallId(0)), None);
        queue.push(0, (6, CallId(0)), Some(ANY));
        assert_eq!(queue.entries, 6);
        for (sequence, left) in [(5, 1), (6, 0)] {
            assert_eq!(queue.pop(ANY, is_live), Some((sequence, CallId(0))));
            assert_eq!((queue.len(), queue.entries), (left, left));
        }
    }

    #[test]
    fn a_sweep_keeps_the_living_of_every_lane_and_priority() {
        let mut queue = Queue::default();
        let is_live = |(sequence, _): Entry| sequence < 4;
        for sequence in 0..4 {
            let worker = (sequence > 1).then_some(ANY);
            queue.push(
                i32::try_from(sequence).unwrap(),
                (sequence, CallId(0)),
                worker,
            );
        }
        for sequence in 4..80 {
            let worker = (sequence % 2 == 0).then_some(ANY);
            queue.push(9, (sequence, CallId(0)), worker);
        }
        let mut most = 0;
        for sequence in 4..80 {
            let worker = (sequence % 2 == 0).then_some(ANY);
            most = most.max(queue.entries);
            queue.forget(worker, |(at, _)| at < 4 || at > sequence);
        }
        assert_eq!(most, 80, "few dead ones are not worth a sweep");
        assert_eq!((queue.len(), queue.entries), (4, 7), "swept at the 73rd");
        let order: Vec<u64> = std::iter::from_fn(|| queue.pop(ANY, is_live))
            .map(|entry| entry.0)
            .collect();
        assert_eq!(order, [0, 1, 2, 3]);
    }
}
