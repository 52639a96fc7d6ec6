//! The workers of an engine by id: found at once, however many there are, and walked through in order
//! of registration. A call looks for its worker some ten times on its way; they come and go seldom.

use crate::engine::worker::Worker;
use crate::ids::WorkerId;

/// Places of the first table.
const FIRST: usize = 16;

/// Of as many places at least one in four is in use at most, so that two ids seldom share one.
const SPREAD: usize = 4;

/// A map in order of ids, and as cheap as an array.
#[derive(Debug, Default)]
pub(super) struct Workers {
    /// In order of their ids: they count up, so that a new one comes last.
    all: Vec<Worker>,
    /// By the low bits of an id, where in `all` to look for it first. A power of two of them, or none
    /// as long as there are no workers.
    places: Vec<u32>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signatures of a map's methods"
)]
impl Workers {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &WorkerId> {
        self.all.iter().map(|worker| &worker.id)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Worker> {
        self.all.iter()
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut Worker> {
        self.all.iter_mut()
    }

    pub(super) fn contains_key(&self, id: &WorkerId) -> bool {
        self.get(id).is_some()
    }

    pub(super) fn get(&self, id: &WorkerId) -> Option<&Worker> {
        match self.all.get(self.first_place(*id)) {
            Some(worker) if worker.id == *id => Some(worker),
            _ => self.all.get(self.search(*id)?),
        }
    }

    pub(super) fn get_mut(&mut self, id: &WorkerId) -> Option<&mut Worker> {
        let place = self.first_place(*id);
        let place = match self.all.get(place) {
            Some(worker) if worker.id == *id => place,
            _ => self.search(*id)?,
        };
        self.all.get_mut(place)
    }

    /// Adds a worker whose id is above all others.
    pub(super) fn insert(&mut self, worker: Worker) {
        debug_assert!(self.all.last().is_none_or(|last| last.id < worker.id));
        self.all.push(worker);
        self.note_places();
    }

    pub(super) fn remove(&mut self, id: &WorkerId) -> Option<Worker> {
        let place = self.search(*id)?;
        let worker = self.all.remove(place);
        self.note_places();
        Some(worker)
    }

    /// Where a worker probably is.
    fn first_place(&self, id: WorkerId) -> usize {
        let low = id.0 as usize & self.places.len().wrapping_sub(1);
        self.places.get(low).map_or(0, |place| *place as usize)
    }

    /// Where it is if two share the low bits of their ids.
    fn search(&self, id: WorkerId) -> Option<usize> {
        self.all.binary_search_by_key(&id, |worker| worker.id).ok()
    }

    fn note_places(&mut self) {
        let wanted = (self.all.len() * SPREAD).next_power_of_two().max(FIRST);
        if self.places.len() < wanted {
            self.places = vec![0; wanted];
        }
        let mask = self.places.len() - 1;
        for (place, worker) in (0..).zip(&self.all) {
            if let Some(first) = self.places.get_mut(worker.id.0 as usize & mask) {
                *first = place;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::random::Random;
    use crate::time::Time;
    use std::collections::BTreeMap;

    #[test]
    fn it_holds_what_an_ordered_map_holds() {
        let mut random = Random::new(11);
        let mut workers = Workers::default();
        let mut model = BTreeMap::new();
        let mut shared = 0;
        for id in (1..2_000).map(WorkerId) {
            workers.insert(Worker::new(id, id.0 % 7, 1, Time::ZERO));
            model.insert(id, id.0 % 7);
            // Most go early and some stay for long, so that ids get far apart.
            while model.len() > 20 || random.below(3) == 0 {
                let nth = usize::try_from(random.below(20)).unwrap();
                let Some(gone) = model.keys().copied().nth(nth) else {
                    break;
                };
                let slot = workers.remove(&gone).map(|worker| worker.slot);
                assert_eq!(slot, model.remove(&gone));
                assert!(workers.remove(&gone).is_none());
                assert!(!workers.contains_key(&gone));
            }
            assert!(workers.keys().eq(model.keys()));
            assert!(
                workers
                    .values()
                    .map(|worker| &worker.slot)
                    .eq(model.values())
            );
            for (id, slot) in &model {
                assert_eq!(workers.get(id).map(|worker| worker.slot), Some(*slot));
                assert_eq!(workers.get_mut(id).map(|worker| worker.id), Some(*id));
                let place = workers.first_place(*id);
                shared += usize::from(workers.all[place].id != *id);
            }
            assert_eq!(
                (workers.len(), workers.is_empty()),
                (model.len(), model.is_empty())
            );
        }
        assert!(shared > 0, "no two ids shared a place");
        assert!(workers.places.len() <= 128, "{}", workers.places.len());
    }

    #[test]
    fn an_empty_one_has_nobody() {
        let mut workers = Workers::default();
        for id in [0, 1, u32::MAX].map(WorkerId) {
            assert!(workers.get(&id).is_none() && workers.get_mut(&id).is_none());
            assert!(workers.remove(&id).is_none());
        }
    }
    #[test]
    fn the_first_look_finds_whom_it_seeks_while_ids_are_neighbours() {
        let mut workers = Workers::default();
        for id in (1..=100).map(WorkerId) {
            workers.insert(Worker::new(id, 0, 1, Time::ZERO));
        }
        for (place, id) in (1..=100).map(WorkerId).enumerate() {
            assert_eq!(workers.first_place(id), place);
        }
        assert_eq!(workers.places.len(), 512, "one in four is in use at most");
    }
}
