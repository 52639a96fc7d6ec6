//! Which worker gets the next call.
//!
//! Every strategy costs at most the logarithm of the number of workers, for picking one and for
//! telling of a change. Workers that cannot take a call stand in no list, so nobody looks at them.

use std::collections::BTreeSet;

use crate::engine::worker::Worker;
use crate::ids::WorkerId;
use crate::policy::random::Random;

/// The option `strategy`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Strategy {
    /// The one with the fewest calls in flight, the first registered of equals.
    #[default]
    LeastBusy,
    /// One after the other in order of registration; those that cannot take a call are passed over.
    RoundRobin,
    /// Any, each as likely as any other.
    Random,
    /// Any, each as likely as its weight: one weight a place in the pool, 1 where none is given.
    Weighted(Vec<u32>),
    /// The one that will probably be done first: by its time between answers and the calls that it
    /// has. Workers that have not been measured come first.
    Fastest,
}

/// The workers that can take a call.
#[derive(Debug)]
pub(super) enum Placement {
    /// In order of a rank.
    Ranked {
        by: Rank,
        available: BTreeSet<(u64, WorkerId)>,
    },
    /// In a circle, of which the last one to be picked is known.
    Circle {
        available: BTreeSet<WorkerId>,
        last: WorkerId,
    },
    /// To be drawn from.
    Drawn { lots: Lots, random: Random },
}

/// What the next worker has least of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rank {
    Load,
    Delay,
}

impl Placement {
    pub(super) fn new(strategy: &Strategy, seed: u64) -> Self {
        let ranked = |by| Self::Ranked {
            by,
            available: BTreeSet::new(),
        };
        let drawn = |weights| Self::Drawn {
            lots: Lots::new(weights),
            random: Random::new(seed),
        };
        match strategy {
            Strategy::LeastBusy => ranked(Rank::Load),
            Strategy::Fastest => ranked(Rank::Delay),
            Strategy::RoundRobin => Self::Circle {
                available: BTreeSet::new(),
                last: WorkerId(0),
            },
            Strategy::Random => drawn(Vec::new()),
            Strategy::Weighted(weights) => drawn(weights.clone()),
        }
    }

    /// The worker for the next call, if one can take it.
    pub(super) fn pick(&mut self) -> Option<WorkerId> {
        match self {
            Self::Ranked { available, .. } => available.first().map(|(_, worker)| *worker),
            Self::Circle { available, last } => {
                let next = available.range(WorkerId(last.0.saturating_add(1))..).next();
                let worker = next.or(available.first()).copied()?;
                *last = worker;
                Some(worker)
            }
            Self::Drawn { lots, random } => lots.draw(random),
        }
    }

    /// Something about a worker has changed.
    pub(super) fn update(&mut self, worker: &mut Worker) {
        let takes = worker.capacity().is_some();
        let (id, before) = (worker.id, worker.placed);
        let after = takes.then(|| match self {
            Self::Ranked { by: Rank::Load, .. } => u64::from(worker.in_flight),
            Self::Ranked {
                by: Rank::Delay, ..
            } => delay(worker),
            Self::Circle { .. } | Self::Drawn { .. } => 0,
        });
        if before == after {
            return;
        }
        worker.placed = after;
        match self {
            Self::Ranked { available, .. } => {
                if let Some(rank) = before {
                    available.remove(&(rank, id));
                }
                if let Some(rank) = after {
                    available.insert((rank, id));
                }
            }
            Self::Circle { available, .. } => {
                if takes {
                    available.insert(id);
                } else {
                    available.remove(&id);
                }
            }
            Self::Drawn { lots, .. } => lots.set(worker.slot, takes.then_some(id)),
        }
    }

    /// A worker is gone.
    pub(super) fn remove(&mut self, worker: &mut Worker) {
        let Some(rank) = worker.placed.take() else {
            return;
        };
        match self {
            Self::Ranked { available, .. } => {
                available.remove(&(rank, worker.id));
            }
            Self::Circle { available, .. } => {
                available.remove(&worker.id);
            }
            Self::Drawn { lots, .. } => lots.set(worker.slot, None),
        }
    }
}

/// When a call that a worker gets now will be answered, in microseconds; 0 if it is not known.
fn delay(worker: &Worker) -> u64 {
    let calls = f64::from(worker.in_flight) + 1.0;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a duration, which is positive; the cast saturates"
    )]
    worker
        .window
        .service()
        .map_or(u64::from(worker.in_flight), |micros| {
            // A measured one comes behind all that are not, however fast it is.
            (1 << 20) + (micros * calls * 16.0) as u64
        })
}

/// Places with weights, to be drawn from: a Fenwick tree.
#[derive(Debug)]
pub(super) struct Lots {
    weights: Vec<u32>,
    workers: Vec<Option<WorkerId>>,
    /// Entry `i` holds the sum of the weights of the `i & -i` places up to `i`, counted from 1.
    sums: Vec<u64>,
}

impl Lots {
    fn new(weights: Vec<u32>) -> Self {
        Self {
            weights,
            workers: Vec::new(),
            sums: vec![0],
        }
    }

    /// Who holds a place, if anybody.
    fn set(&mut self, slot: u32, worker: Option<WorkerId>) {
        let index = slot as usize;
        while self.workers.len() <= index {
            self.workers.push(None);
            let place = self.workers.len();
            // The new entry covers the places of those below it that end where it begins.
            let lowest = place & place.wrapping_neg();
            let mut sum = 0;
            let mut at = place - 1;
            while at > place - lowest {
                sum += self.sums.get(at).copied().unwrap_or_default();
                at -= at & at.wrapping_neg();
            }
            self.sums.push(sum);
        }
        let weight = u64::from(self.weights.get(index).copied().unwrap_or(1));
        let Some(holder) = self.workers.get_mut(index) else {
            return;
        };
        let held = holder.is_some();
        *holder = worker;
        if held == worker.is_some() {
            return;
        }
        let mut at = index + 1;
        while let Some(sum) = self.sums.get_mut(at) {
            *sum = if held { *sum - weight } else { *sum + weight };
            at += at & at.wrapping_neg();
        }
    }

    fn total(&self) -> u64 {
        let mut sum = 0;
        let mut at = self.workers.len();
        while at > 0 {
            sum += self.sums.get(at).copied().unwrap_or_default();
            at -= at & at.wrapping_neg();
        }
        sum
    }

    fn draw(&self, random: &mut Random) -> Option<WorkerId> {
        let total = self.total();
        if total == 0 {
            return None;
        }
        let mut rest = random.below(total);
        let mut at = 0;
        let mut step = self.workers.len().next_power_of_two();
        while step > 0 {
            if let Some(sum) = self.sums.get(at + step).filter(|sum| **sum <= rest) {
                rest -= sum;
                at += step;
            }
            step /= 2;
        }
        self.workers.get(at).copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::worker::WorkerState;
    use crate::time::Time;
    use std::collections::BTreeMap;

    fn workers(placement: &mut Placement, count: u32) -> Vec<Worker> {
        let ready = |slot| {
            let mut worker = Worker::new(WorkerId(slot + 1), slot, 8, Time::ZERO);
            worker.state = WorkerState::Ready;
            placement.update(&mut worker);
            worker
        };
        (0..count).map(ready).collect()
    }

    fn picks(placement: &mut Placement, count: usize) -> Vec<u32> {
        (0..count).map(|_| placement.pick().unwrap().0).collect()
    }

    fn shares(placement: &mut Placement, count: u32) -> Vec<f64> {
        let mut counts = BTreeMap::new();
        for _ in 0..count {
            *counts.entry(placement.pick().unwrap()).or_insert(0) += 1;
        }
        counts
            .into_values()
            .map(|found| f64::from(found) / f64::from(count))
            .collect()
    }

    #[test]
    fn the_least_busy_comes_first_and_the_first_registered_of_equals() {
        let mut placement = Placement::new(&Strategy::LeastBusy, 0);
        assert_eq!(placement.pick(), None);
        let mut workers = workers(&mut placement, 3);
        assert_eq!(picks(&mut placement, 2), [1, 1]);
        for (worker, load) in workers.iter_mut().zip([1, 0, 2]) {
            worker.in_flight = load;
            placement.update(worker);
        }
        assert_eq!(picks(&mut placement, 1), [2]);
        workers[1].in_flight = 8;
        placement.update(&mut workers[1]);
        assert_eq!(picks(&mut placement, 1), [1]);
        placement.remove(&mut workers[0]);
        assert_eq!(picks(&mut placement, 1), [3]);
    }

    #[test]
    fn round_robin_is_an_exact_cycle_that_passes_over_the_unready_without_bias() {
        let mut placement = Placement::new(&Strategy::RoundRobin, 0);
        let mut workers = workers(&mut placement, 4);
        assert_eq!(picks(&mut placement, 6), [1, 2, 3, 4, 1, 2]);
        workers[2].state = WorkerState::Starting;
        placement.update(&mut workers[2]);
        assert_eq!(picks(&mut placement, 6), [4, 1, 2, 4, 1, 2]);
        workers[2].state = WorkerState::Ready;
        placement.update(&mut workers[2]);
        assert_eq!(picks(&mut placement, 4), [3, 4, 1, 2]);
    }

    #[test]
    fn random_picks_are_even_and_a_seed_repeats_them() {
        let pick = |seed, count| {
            let mut placement = Placement::new(&Strategy::Random, seed);
            let _workers = workers(&mut placement, 5);
            picks(&mut placement, count)
        };
        assert_eq!(pick(3, 50), pick(3, 50));
        assert_ne!(pick(3, 50), pick(4, 50));
        let mut counts = [0.0_f64; 5];
        for worker in pick(1, 10_000) {
            counts[worker as usize - 1] += 1.0;
        }
        // Chi-square with four degrees of freedom: beyond 18.5 once in a thousand.
        let chi: f64 = counts.iter().map(|n| (n - 2_000.0).powi(2) / 2_000.0).sum();
        assert!(chi < 18.5, "{counts:?}");
    }

    #[test]
    fn weights_are_shares_and_who_cannot_take_a_call_has_none() {
        let mut placement = Placement::new(&Strategy::Weighted(vec![3, 1]), 1);
        let mut workers = workers(&mut placement, 3);
        placement.remove(&mut workers[2]);
        let found = shares(&mut placement, 10_000);
        assert!((found[0] - 0.75).abs() < 0.02, "{found:?}");
        placement.update(&mut workers[2]);
        let found = shares(&mut placement, 10_000);
        assert!(
            (found[0] - 0.6).abs() < 0.02 && (found[2] - 0.2).abs() < 0.02,
            "{found:?}"
        );
        for worker in &mut workers {
            placement.remove(worker);
        }
        assert_eq!(placement.pick(), None);
    }

    #[test]
    fn lots_are_right_for_any_number_of_places() {
        let weights: Vec<u32> = (1..=37).collect();
        let mut lots = Lots::new(weights);
        let held = |slot: u32| !slot.is_multiple_of(3);
        for slot in (0..37).rev() {
            lots.set(slot, Some(WorkerId(slot)));
        }
        for slot in (0..37).filter(|slot| !held(*slot)) {
            lots.set(slot, None);
        }
        let wanted: u64 = (0..37).filter(|s| held(*s)).map(|s| u64::from(s) + 1).sum();
        assert_eq!(lots.total(), wanted);
        let mut random = Random::new(5);
        assert!((0..1_000).all(|_| held(lots.draw(&mut random).unwrap().0)));
    }

    #[test]
    fn the_fastest_comes_first_once_all_have_been_tried() {
        let mut placement = Placement::new(&Strategy::Fastest, 0);
        let mut workers = workers(&mut placement, 3);
        let mut measure = |placement: &mut Placement, index: usize, micros: u64| {
            let worker = &mut workers[index];
            worker.window.busy(Time(0));
            worker.window.replied(1, Time(micros));
            placement.update(worker);
        };
        assert_eq!(placement.pick(), Some(WorkerId(1)));
        measure(&mut placement, 0, 10);
        assert_eq!(placement.pick(), Some(WorkerId(2)));
        measure(&mut placement, 1, 5);
        assert_eq!(placement.pick(), Some(WorkerId(3)));
        measure(&mut placement, 2, 500);
        assert_eq!(placement.pick(), Some(WorkerId(2)));
        // Two calls of 5 µs before this one take longer than the 10 µs of the other.
        workers[1].in_flight = 2;
        placement.update(&mut workers[1]);
        assert_eq!(placement.pick(), Some(WorkerId(1)));
    }
    #[test]
    fn one_that_is_not_measured_comes_before_the_fastest_that_is() {
        let mut placement = Placement::new(&Strategy::Fastest, 0);
        let mut workers = workers(&mut placement, 2);
        workers[0].window.replied(1, Time::ZERO);
        workers[1].in_flight = 7;
        for worker in &mut workers {
            placement.update(worker);
        }
        assert_eq!(placement.pick(), Some(WorkerId(2)));
    }

    #[test]
    fn parts_of_a_microsecond_tell_workers_apart() {
        let mut placement = Placement::new(&Strategy::Fastest, 0);
        let mut workers = workers(&mut placement, 2);
        for (worker, replies) in workers.iter_mut().zip([4, 8]) {
            worker.window.busy(Time(0));
            worker.window.replied(replies, Time(1));
            placement.update(worker);
        }
        assert_eq!(placement.pick(), Some(WorkerId(2)));
    }

    #[test]
    fn the_sums_of_lots_are_right_however_places_are_taken() {
        // Place 7 first: the tree below it is made at once.
        for order in [[7, 0, 3, 5, 1], [0, 1, 3, 5, 7], [5, 7, 3, 1, 0]] {
            let mut lots = Lots::new((1..=8).collect());
            let mut wanted = 0;
            for slot in order {
                lots.set(slot, Some(WorkerId(slot)));
                wanted += u64::from(slot) + 1;
                assert_eq!(lots.total(), wanted, "{order:?}");
            }
            lots.set(order[0], Some(WorkerId(9)));
            assert_eq!(lots.total(), wanted, "another holder weighs the same");
            for slot in order {
                lots.set(slot, None);
                wanted -= u64::from(slot) + 1;
                assert_eq!(lots.total(), wanted, "{order:?}");
            }
            assert_eq!(lots.draw(&mut Random::new(1)), None);
        }
    }

    #[test]
    fn places_that_come_later_are_drawn_too() {
        let mut lots = Lots::new(Vec::new());
        let mut random = Random::new(3);
        for slot in 0..9 {
            lots.set(slot, Some(WorkerId(slot)));
            let drawn = (0..500).filter_map(|_| lots.draw(&mut random));
            let drawn: std::collections::BTreeSet<_> = drawn.collect();
            assert_eq!(drawn.len(), slot as usize + 1, "{drawn:?}");
        }
    }
}
