//! The calls that an engine has, by id. Each lies beside its neighbours in the queue (`rows.rs`), where a
//! hash would scatter a burst over megabytes. Ids count up, so a table that is indexed by their low bits
//! says where. A call that stays for long gets out of the way of the id that comes round.

use rustc_hash::FxHashMap;

use crate::engine::call::Call;
use crate::engine::rows::{Place, Rows};
use crate::ids::CallId;

/// Slots of the first table.
const FIRST: usize = 64;

/// Stands in a slot without a call.
const NONE: Place = Place::MAX;

/// A map, and as cheap as an array.
#[derive(Debug)]
pub(super) struct Calls<Value = Call> {
    rows: Rows<(CallId, Value)>,
    /// A power of two of them; where a call is stands in the one that the low bits of its id say, or in
    /// `others`.
    slots: Vec<Place>,
    /// Calls whose slot was taken when they came.
    others: FxHashMap<CallId, Place>,
    len: usize,
}

impl<Value> Default for Calls<Value> {
    fn default() -> Self {
        Self {
            rows: Rows::default(),
            slots: vec![NONE; FIRST],
            others: FxHashMap::default(),
            len: 0,
        }
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signatures of a map's methods"
)]
impl<Value> Calls<Value> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn contains_key(&self, id: &CallId) -> bool {
        self.get(id).is_some()
    }

    /// All calls, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&CallId, &Value)> {
        self.rows.iter().map(|(id, call)| (id, call))
    }

    pub(super) fn get(&self, id: &CallId) -> Option<&Value> {
        let place = self.place(*id)?;
        self.rows.get(place).map(|(_, call)| call)
    }

    pub(super) fn get_mut(&mut self, id: &CallId) -> Option<&mut Value> {
        let place = self.place(*id)?;
        self.rows.get_mut(place).map(|(_, call)| call)
    }

    /// Adds a call, in place of one with the same id. Calls of one lane probably go in the order in which
    /// they came.
    pub(super) fn insert(&mut self, id: CallId, lane: u32, call: Value) {
        drop(self.remove(&id));
        self.len += 1;
        if self.len * 2 > self.slots.len() && self.in_slot(id) != NONE {
            self.grow();
        }
        let place = self.rows.push(lane, (id, call));
        self.note(id, place);
    }

    pub(super) fn remove(&mut self, id: &CallId) -> Option<Value> {
        let place = self.place(*id)?;
        let slot = self.slot(*id);
        match self.slots.get_mut(slot) {
            Some(held) if *held == place => *held = NONE,
            _ => drop(self.others.remove(id)),
        }
        self.len -= 1;
        self.rows.take(place).map(|(_, call)| call)
    }

    fn slot(&self, id: CallId) -> usize {
        id.0 as usize & (self.slots.len() - 1)
    }

    /// What stands in the slot of an id, whose ever it is.
    fn in_slot(&self, id: CallId) -> Place {
        self.slots.get(self.slot(id)).copied().unwrap_or(NONE)
    }

    /// Where a call is.
    fn place(&self, id: CallId) -> Option<Place> {
        let place = self.in_slot(id);
        match self.rows.get(place) {
            Some((held, _)) if *held == id => Some(place),
            _ if self.others.is_empty() => None,
            _ => self.others.get(&id).copied(),
        }
    }

    /// Notes where a call is.
    fn note(&mut self, id: CallId, place: Place) {
        let slot = self.slot(id);
        match self.slots.get_mut(slot) {
            Some(held) if *held == NONE => *held = place,
            _ => drop(self.others.insert(id, place)),
        }
    }

    fn grow(&mut self) {
        let slots = vec![NONE; self.slots.len() * 2];
        let slots = std::mem::replace(&mut self.slots, slots);
        let others = std::mem::take(&mut self.others).into_values();
        for place in slots.into_iter().chain(others) {
            if let Some(id) = self.rows.get(place).map(|(id, _)| *id) {
                self.note(id, place);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::random::Random;

    #[test]
    fn it_holds_what_a_map_holds() {
        let mut random = Random::new(7);
        let mut calls = Calls::default();
        let mut model = FxHashMap::default();
        for step in 0..20_000_u64 {
            // Two ranges of ids, as those of callers and of attempts, which share slots.
            let low = u32::try_from(random.below(700)).unwrap();
            let id = CallId(low + if random.below(2) == 0 { 0 } else { 1 << 30 });
            if random.below(5) < 2 {
                assert_eq!(calls.remove(&id), model.remove(&id));
            } else {
                calls.insert(id, low % 5, step);
                model.insert(id, step);
            }
            assert_eq!(calls.get(&id), model.get(&id));
            assert_eq!(calls.get_mut(&id).copied(), model.get(&id).copied());
            assert_eq!(
                (calls.len(), calls.is_empty()),
                (model.len(), model.is_empty())
            );
        }
        assert!(model.iter().all(|(id, step)| calls.get(id) == Some(step)));
        assert!(calls.iter().all(|(id, step)| model.get(id) == Some(step)));
        assert_eq!(calls.iter().count(), model.len());
        let stepped_aside = calls.others.len();
        assert!(stepped_aside > 0, "no two ids shared a slot");
    }

    #[test]
    fn calls_that_stay_for_long_do_not_make_the_table_grow() {
        let mut calls = Calls::default();
        for id in 1..=10 {
            calls.insert(CallId(id), 0, id);
        }
        for id in 11..100_000 {
            calls.insert(CallId(id), 0, id);
            assert_eq!(calls.remove(&CallId(id)), Some(id));
        }
        assert_eq!((calls.slots.len(), calls.len()), (FIRST, 10));
        assert_eq!(calls.iter().count(), 10);
        assert_eq!(calls.get(&CallId(3)), Some(&3));
    }

    #[test]
    fn a_burst_lies_side_by_side_in_a_table_twice_its_size_at_most() {
        let mut calls = Calls::default();
        for id in 1..=10_000 {
            calls.insert(CallId(id), 0, id);
        }
        assert!(calls.others.is_empty(), "{} aside", calls.others.len());
        assert_eq!(calls.slots.len(), 16_384);
    }
    #[test]
    fn a_slot_is_free_again_when_its_call_is_over() {
        let mut calls = Calls::default();
        for round in 0..3 {
            for id in 1..=64 {
                calls.insert(CallId(round * 64 + id), 0, id);
            }
            assert!(calls.others.is_empty(), "round {round}");
            for id in 1..=64 {
                assert_eq!(calls.remove(&CallId(round * 64 + id)), Some(id));
            }
        }
        assert_eq!(calls.slots.len(), FIRST);
    }
}
