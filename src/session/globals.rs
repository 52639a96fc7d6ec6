//! Values without a session. Each expires a fixed time after it was stored, read or not.

use std::time::Duration;

use rustc_hash::FxHashMap;
use serde::Serialize;

use crate::session::Value;
use crate::time::Time;

/// What happened so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct GlobalStats {
    /// Values that were put.
    pub stored: u64,
    /// Values that were deleted.
    pub deleted: u64,
    /// Values whose time ran out.
    pub expired: u64,
    /// Values there are.
    pub current: usize,
}

/// The values by key.
#[derive(Debug, Default)]
pub struct Globals {
    values: FxHashMap<String, Global>,
    stats: GlobalStats,
}

#[derive(Debug)]
struct Global {
    value: Value,
    expires: Option<Time>,
}

impl Globals {
    /// Stores a value; `ttl` of `None` keeps it for ever.
    pub fn put(&mut self, now: Time, key: &str, value: Value, ttl: Option<Duration>) {
        let expires = ttl.map(|ttl| now + ttl);
        self.values
            .insert(key.to_owned(), Global { value, expires });
        self.stats.stored += 1;
    }

    /// The value, unless its time is over.
    pub fn get(&mut self, now: Time, key: &str) -> Option<&[u8]> {
        if self.values.get(key)?.is_over(now) {
            self.values.remove(key);
            self.stats.expired += 1;
        }
        self.values.get(key).map(|global| &*global.value)
    }

    /// Forgets a value; answers whether there was one.
    pub fn delete(&mut self, now: Time, key: &str) -> bool {
        let found = self.get(now, key).is_some();
        if found {
            self.values.remove(key);
            self.stats.deleted += 1;
        }
        found
    }

    /// Forgets what is over; answers how many.
    pub fn sweep(&mut self, now: Time) -> usize {
        let before = self.values.len();
        self.values.retain(|_, global| !global.is_over(now));
        let expired = before - self.values.len();
        self.stats.expired += expired as u64;
        expired
    }

    /// Whether there is any value that will be over.
    pub fn may_expire(&self) -> bool {
        self.values.values().any(|global| global.expires.is_some())
    }

    /// What happened so far.
    pub fn stats(&self) -> GlobalStats {
        GlobalStats {
            current: self.values.len(),
            ..self.stats
        }
    }
}

impl Global {
    fn is_over(&self, now: Time) -> bool {
        self.expires.is_some_and(|at| at <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_lives_a_fixed_time_whether_it_is_read_or_not() {
        let mut globals = Globals::default();
        let hour = Duration::from_secs(3600);
        globals.put(Time(0), "k", Value::from(*b"v"), Some(hour));
        globals.put(Time(0), "ever", Value::from(*b"w"), None);
        assert_eq!(globals.get(Time(3_599_999_999), "k"), Some(&b"v"[..]));
        assert_eq!(globals.get(Time(3_600_000_000), "k"), None);
        assert_eq!(globals.get(Time(u64::MAX), "ever"), Some(&b"w"[..]));
        assert!(globals.delete(Time(0), "ever"));
        assert!(!globals.delete(Time(0), "ever"));
        let stats = GlobalStats {
            stored: 2,
            deleted: 1,
            expired: 1,
            current: 0,
        };
        assert_eq!(globals.stats(), stats);
    }

    #[test]
    fn a_sweep_says_how_many_it_took() {
        let mut globals = Globals::default();
        for key in ["a", "b"] {
            globals.put(
                Time(0),
                key,
                Value::from(*b"v"),
                Some(Duration::from_secs(1)),
            );
        }
        globals.put(
            Time(0),
            "c",
            Value::from(*b"v"),
            Some(Duration::from_secs(2)),
        );
        assert_eq!(globals.sweep(Time(1_000_000)), 2);
        assert_eq!(globals.stats().expired, 2);
        assert_eq!(globals.stats().current, 1);
    }
}
