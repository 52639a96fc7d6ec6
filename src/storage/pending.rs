//! What is not written yet: of each session the newest state only, so that it does not grow while the
//! disk is slow, or full.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::session::{Entry, Record};
use crate::storage::database::Change;

/// Between the thread that hands over and the one that writes.
#[derive(Debug, Default)]
pub(super) struct Pending {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    changes: BTreeMap<String, Option<Record>>,
    closing: bool,
}

impl Pending {
    /// Adds what has changed, in order.
    pub(super) fn add(&self, entries: Vec<Entry>) {
        let mut state = self.lock();
        for entry in entries {
            match entry {
                Entry::Put(id, record) => state.changes.insert(id, Some(record)),
                Entry::Delete(id) => state.changes.insert(id, None),
            };
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Nothing more will be added.
    pub(super) fn close(&self) {
        self.lock().closing = true;
        self.changed.notify_one();
    }

    /// Waits until there is something and takes it; `None` if there is nothing and never will be.
    pub(super) fn take(&self) -> Option<Vec<Change>> {
        let idle = |state: &mut State| state.changes.is_empty() && !state.closing;
        let waited = self.changed.wait_while(self.lock(), idle);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        let changes = std::mem::take(&mut state.changes);
        (!changes.is_empty()).then(|| changes.into_iter().collect())
    }

    /// Takes back what could not be written, but for what has changed once more since.
    pub(super) fn put_back(&self, changes: Vec<Change>) {
        let mut state = self.lock();
        for (id, record) in changes {
            state.changes.entry(id).or_insert(record);
        }
    }

    /// Waits so long, or until it is closed. Answers whether it is.
    pub(super) fn rest(&self, duration: Duration) -> bool {
        let end = Instant::now() + duration;
        let mut state = self.lock();
        while !state.closing
            && let Some(left) = end.checked_duration_since(Instant::now())
        {
            let waited = self.changed.wait_timeout(state, left);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        state.closing
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn delete(id: &str) -> Entry {
        Entry::Delete(id.to_owned())
    }

    fn put(id: &str, idle: u64) -> Entry {
        Entry::Put(id.to_owned(), record(idle))
    }

    fn record(idle: u64) -> Record {
        Record {
            data: BTreeMap::new(),
            ttl: None,
            age: Duration::ZERO,
            idle: Duration::from_secs(idle),
        }
    }

    #[test]
    fn of_each_session_the_newest_state_is_kept_whatever_could_not_be_written() {
        let pending = Pending::default();
        pending.add(vec![put("a", 1), put("b", 1), put("a", 2), put("c", 1)]);
        let taken = pending.take().unwrap();
        let names: Vec<&str> = taken.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(names, ["a", "b", "c"]);
        pending.add(vec![delete("b"), put("c", 3)]);
        pending.put_back(taken);
        let wanted = [
            ("a".to_owned(), Some(record(2))),
            ("b".to_owned(), None),
            ("c".to_owned(), Some(record(3))),
        ];
        assert_eq!(pending.take().unwrap(), wanted);
    }

    #[test]
    fn what_was_added_before_it_was_closed_is_taken_still() {
        let pending = Pending::default();
        thread::scope(|scope| {
            let taker = scope.spawn(|| {
                let mut taken = Vec::new();
                while let Some(changes) = pending.take() {
                    taken.extend(changes);
                }
                taken.len()
            });
            pending.add(vec![delete("a")]);
            pending.add(vec![delete("b")]);
            pending.close();
            assert_eq!(taker.join().unwrap(), 2);
        });
    }

    #[test]
    fn a_rest_ends_when_it_is_closed() {
        let pending = Pending::default();
        assert!(!pending.rest(Duration::from_millis(1)));
        thread::scope(|scope| {
            let rester = scope.spawn(|| pending.rest(Duration::from_secs(3600)));
            pending.close();
            assert!(rester.join().unwrap());
        });
    }
}
