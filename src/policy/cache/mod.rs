//! Replies that answer the same call again, for a while.
//!
//! What is kept is the reply's bytes: each hit is decoded anew, so callers never share an object, and
//! `None` is a reply like any other. Keys are whole (see [`key`]), not hashes of themselves: two calls
//! that differ never share a reply. The oldest goes when there are too many entries or bytes.

pub mod key;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::time::Time;

/// The option `cache`, as far as it concerns one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CachePolicy {
    /// How long a reply answers; zero: it is neither looked for nor kept.
    pub ttl: Duration,
    /// How long after that it may stand in for a call that failed.
    pub stale: Duration,
}

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Replies.
    pub entries: usize,
    /// Bytes of keys and replies.
    pub bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            entries: 1_000,
            bytes: 64 * 1024 * 1024,
        }
    }
}

/// A call's identity: see [`key::of`].
pub type Key = Arc<[u8]>;

#[derive(Debug)]
struct Entry {
    reply: Arc<[u8]>,
    kept: Time,
    /// Tells it from an older one under the same key.
    sequence: u64,
}

/// The replies of one instance.
#[derive(Debug)]
pub struct Cache {
    bounds: Bounds,
    entries: FxHashMap<Key, Entry>,
    /// In order of keeping; one that was replaced or dropped stays until it comes to the front.
    order: VecDeque<(u64, Key)>,
    bytes: usize,
    next_sequence: u64,
}

impl Cache {
    /// An empty cache.
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            entries: FxHashMap::default(),
            order: VecDeque::new(),
            bytes: 0,
            next_sequence: 0,
        }
    }

    /// The reply to a call, if one is kept that is young enough.
    pub fn get(&mut self, key: &Key, policy: CachePolicy, now: Time) -> Option<Arc<[u8]>> {
        let entry = self.entries.get(key)?;
        let age = now.since(entry.kept);
        if age < policy.ttl {
            return Some(Arc::clone(&entry.reply));
        }
        if age >= policy.ttl.saturating_add(policy.stale) {
            self.drop_entry(key);
        }
        None
    }

    /// The reply that stands in for a call that failed.
    pub fn stale(&self, key: &Key, policy: CachePolicy, now: Time) -> Option<Arc<[u8]>> {
        let entry = self.entries.get(key)?;
        let fresh_enough = now.since(entry.kept) < policy.ttl.saturating_add(policy.stale);
        (fresh_enough && !policy.stale.is_zero()).then(|| Arc::clone(&entry.reply))
    }

    /// Keeps a reply, unless it is larger than all there may be.
    pub fn put(&mut self, key: Key, reply: &[u8], now: Time) {
        self.drop_entry(&key);
        let size = key.len() + reply.len();
        if size > self.bounds.bytes || self.bounds.entries == 0 {
            return;
        }
        while self.entries.len() >= self.bounds.entries || self.bytes + size > self.bounds.bytes {
            let Some((sequence, oldest)) = self.order.pop_front() else {
                return;
            };
            if self
                .entries
                .get(&oldest)
                .is_some_and(|entry| entry.sequence == sequence)
            {
                self.drop_entry(&oldest);
            }
        }
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        self.bytes += size;
        self.order.push_back((sequence, Arc::clone(&key)));
        let reply = reply.into();
        let entry = Entry {
            reply,
            kept: now,
            sequence,
        };
        self.entries.insert(key, entry);
        if self.order.len() > 2 * self.entries.len() + 64 {
            let entries = &self.entries;
            self.order.retain(|(sequence, key)| {
                entries.get(key).is_some_and(|e| e.sequence == *sequence)
            });
        }
    }

    /// Forgets the replies whose key is wanted gone.
    pub fn forget(&mut self, mut unwanted: impl FnMut(&[u8]) -> bool) {
        let keys: Vec<Key> = self
            .entries
            .keys()
            .filter(|key| unwanted(key))
            .cloned()
            .collect();
        for key in keys {
            self.drop_entry(&key);
        }
    }

    /// Replies that are kept.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of keys and replies that are kept.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn drop_entry(&mut self, key: &Key) {
        if let Some(entry) = self.entries.remove(key) {
            self.bytes -= key.len() + entry.reply.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: CachePolicy = CachePolicy {
        ttl: Duration::from_secs(60),
        stale: Duration::ZERO,
    };

    fn small() -> Cache {
        Cache::new(Bounds {
            entries: 3,
            bytes: 100,
        })
    }

    fn key(text: &str) -> Key {
        text.as_bytes().into()
    }

    fn get(cache: &mut Cache, text: &str) -> Option<Vec<u8>> {
        cache
            .get(&key(text), MINUTE, Time(1))
            .map(|reply| reply.to_vec())
    }

    #[test]
    fn a_reply_answers_until_its_time_is_over() {
        let mut cache = small();
        cache.put(key("a"), b"\xc0", Time::ZERO);
        let last = Time(59_999_999);
        assert_eq!(
            cache.get(&key("a"), MINUTE, last).as_deref(),
            Some(&b"\xc0"[..])
        );
        assert_eq!(cache.get(&key("a"), MINUTE, Time(60_000_000)), None);
        assert_eq!((cache.len(), cache.bytes()), (0, 0));
    }

    #[test]
    fn no_time_at_all_is_no_answer() {
        let mut cache = small();
        cache.put(key("a"), b"1", Time(5));
        let none = CachePolicy {
            ttl: Duration::ZERO,
            ..MINUTE
        };
        assert_eq!(cache.get(&key("a"), none, Time(5)), None);
    }

    #[test]
    fn a_stale_reply_answers_only_when_asked_for() {
        let mut cache = small();
        cache.put(key("a"), b"1", Time::ZERO);
        let policy = CachePolicy {
            stale: Duration::from_secs(60),
            ..MINUTE
        };
        let later = Time(90_000_000);
        assert_eq!(cache.get(&key("a"), policy, later), None);
        assert!(cache.stale(&key("a"), policy, later).is_some());
        assert!(cache.stale(&key("a"), MINUTE, Time(1)).is_none());
        assert!(cache.stale(&key("a"), policy, Time(120_000_000)).is_none());
    }

    #[test]
    fn the_oldest_goes_first() {
        let mut cache = small();
        for text in ["a", "b", "c", "a", "d"] {
            cache.put(key(text), b"1", Time::ZERO);
        }
        let there = ["a", "b", "c", "d"].map(|text| get(&mut cache, text).is_some());
        assert_eq!(there, [true, false, true, true]);
    }

    #[test]
    fn what_is_larger_than_the_whole_is_not_kept() {
        let mut cache = small();
        cache.put(key("a"), b"1", Time::ZERO);
        cache.put(key("b"), &[0; 100], Time::ZERO);
        assert_eq!((cache.len(), cache.bytes()), (1, 2));
    }

    #[test]
    fn what_is_forgotten_is_gone() {
        let mut cache = small();
        for text in ["a1", "a2", "b1"] {
            cache.put(key(text), b"1", Time::ZERO);
        }
        cache.forget(|key| key.starts_with(b"a"));
        assert_eq!((cache.len(), cache.bytes()), (1, 3));
        assert!(get(&mut cache, "b1").is_some());
    }

    #[test]
    fn what_fits_exactly_is_kept() {
        let mut cache = small();
        cache.put(key("a"), &[1; 99], Time::ZERO);
        assert_eq!((cache.len(), cache.bytes()), (1, 100));
        assert!(!cache.is_empty());
        cache.forget(|_| true);
        assert!(cache.is_empty());
        for text in ["a", "b"] {
            cache.put(key(text), &[1; 49], Time::ZERO);
        }
        assert_eq!((cache.len(), cache.bytes()), (2, 100));
    }

    #[test]
    fn the_order_of_keeping_is_tidied_up_before_it_is_long_and_stays_the_order() {
        let mut cache = small();
        for text in ["a", "b"] {
            cache.put(key(text), b"1", Time::ZERO);
        }
        let longest = (0..1_000).map(|_| {
            cache.put(key("c"), b"1", Time::ZERO);
            cache.order.len()
        });
        assert_eq!(longest.max(), Some(2 * 3 + 64));
        let mut again = (0..100).filter(|_| {
            cache.put(key("c"), b"1", Time::ZERO);
            cache.order.len() == 3
        });
        assert!(again.next().is_some());
        for (new, gone) in [("d", "a"), ("e", "b"), ("f", "c")] {
            assert!(get(&mut cache, gone).is_some());
            cache.put(key(new), b"1", Time::ZERO);
            assert!(get(&mut cache, new).is_some() && get(&mut cache, gone).is_none());
        }
    }

    proptest! {
        #[test]
        fn bounds_hold_and_replies_are_the_right_ones(
            steps in prop::collection::vec((0u8..12, 0usize..60), 0..400),
        ) {
            let mut cache = small();
            for (now, (name, size)) in (0u64..).zip(steps) {
                let name = format!("key-{name}");
                let reply = [name.as_bytes(), &vec![0; size]].concat();
                cache.put(key(&name), &reply, Time(now));
                prop_assert!(cache.len() <= 3 && cache.bytes() <= 100);
                prop_assert!(cache.order.len() <= 2 * cache.len() + 65);
                for other in 0..12 {
                    let other = format!("key-{other}");
                    if let Some(found) = cache.get(&key(&other), MINUTE, Time(now)) {
                        prop_assert!(found.starts_with(other.as_bytes()));
                    }
                }
            }
        }
    }
}
