//! The calls that an engine has, by id. Ids count up, so a table that is indexed by their low bits
//! holds neighbours side by side: a burst walks through memory in order, where a hash would scatter
//! it over megabytes. A call that stays for long gets out of the way of the id that comes round.

use rustc_hash::FxHashMap;

use crate::engine::call::Call;
use crate::ids::CallId;

/// Slots of the first table.
const FIRST: usize = 64;

/// A map, and as cheap as an array.
#[derive(Debug)]
pub(super) struct Calls<Value = Call> {
    /// A power of two of them; a call is in the one that the low bits of its id say, or in `others`.
    slots: Vec<Option<(CallId, Value)>>,
    /// Calls whose slot was taken when they came.
    others: FxHashMap<CallId, Value>,
    len: usize,
}

impl<Value> Default for Calls<Value> {
    fn default() -> Self {
        Self {
            slots: empty(FIRST),
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
        let slots = self.slots.iter().flatten().map(|(id, call)| (id, call));
        slots.chain(&self.others)
    }

    pub(super) fn get(&self, id: &CallId) -> Option<&Value> {
        match self.slots.get(self.slot(*id)) {
            Some(Some((held, call))) if held == id => Some(call),
            _ if self.others.is_empty() => None,
            _ => self.others.get(id),
        }
    }

    pub(super) fn get_mut(&mut self, id: &CallId) -> Option<&mut Value> {
        let slot = self.slot(*id);
        match self.slots.get_mut(slot) {
            Some(Some((held, call))) if held == id => Some(call),
            _ if self.others.is_empty() => None,
            _ => self.others.get_mut(id),
        }
    }

    /// Adds a call, in place of one with the same id.
    pub(super) fn insert(&mut self, id: CallId, call: Value) {
        drop(self.remove(&id));
        self.len += 1;
        if self.len * 2 > self.slots.len() && self.is_taken(id) {
            self.grow();
        }
        self.put(id, call);
    }

    pub(super) fn remove(&mut self, id: &CallId) -> Option<Value> {
        let slot = self.slot(*id);
        let call = match self.slots.get_mut(slot) {
            Some(entry) if entry.as_ref().is_some_and(|(held, _)| held == id) => {
                entry.take().map(|(_, call)| call)
            }
            _ if self.others.is_empty() => None,
            _ => self.others.remove(id),
        };
        self.len -= usize::from(call.is_some());
        call
    }

    fn slot(&self, id: CallId) -> usize {
        id.0 as usize & (self.slots.len() - 1)
    }

    fn is_taken(&self, id: CallId) -> bool {
        matches!(self.slots.get(self.slot(id)), Some(Some(_)))
    }

    fn put(&mut self, id: CallId, call: Value) {
        let slot = self.slot(id);
        match self.slots.get_mut(slot) {
            Some(entry @ None) => *entry = Some((id, call)),
            _ => drop(self.others.insert(id, call)),
        }
    }

    fn grow(&mut self) {
        let slots = empty(self.slots.len() * 2);
        let slots = std::mem::replace(&mut self.slots, slots);
        let others = std::mem::take(&mut self.others);
        for (id, call) in slots.into_iter().flatten().chain(others) {
            self.put(id, call);
        }
    }
}

fn empty<Value>(count: usize) -> Vec<Option<(CallId, Value)>> {
    std::iter::repeat_with(|| None).take(count).collect()
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
                calls.insert(id, step);
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
            calls.insert(CallId(id), id);
        }
        for id in 11..100_000 {
            calls.insert(CallId(id), id);
            assert_eq!(calls.remove(&CallId(id)), Some(id));
        }
        assert_eq!((calls.slots.len(), calls.len()), (FIRST, 10));
        assert_eq!(calls.get(&CallId(3)), Some(&3));
    }
}
