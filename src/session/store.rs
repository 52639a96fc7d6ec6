//! Sessions: values under an id that live as long as somebody comes back for them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rustc_hash::FxHashMap;
use serde::Serialize;

use crate::ids::WorkerId;
use crate::session::{
    Changes, Entry, Info, Limits, Record, Refusal, SessionHoldings, SessionStats, TimeToLive, Value,
};
use crate::time::Time;

/// Part of the allowed number of sessions from which a warning is due.
const WARN_AT: f64 = 0.8;

/// Part of its time to live after which a touch alone is worth being written down: else each look at a
/// session would cost as much as a change.
const TOUCH_PART: u32 = 100;

/// A session's number, which is never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct Number(u64);

/// One session.
#[derive(Debug)]
pub struct Session {
    number: Number,
    data: BTreeMap<String, Value>,
    bytes: usize,
    ttl: Option<Duration>,
    created: Time,
    accessed: Time,
    /// The touch that the journal knows of.
    journaled: Time,
    /// Calls in it that have not ended. Until they have its time does not run.
    calls: u32,
    /// The worker that ran its last call.
    pub worker: Option<WorkerId>,
}

impl Session {
    /// Its number.
    pub fn number(&self) -> Number {
        self.number
    }

    /// Its values.
    pub fn data(&self) -> &BTreeMap<String, Value> {
        &self.data
    }

    fn is_over(&self, now: Time) -> bool {
        self.calls == 0 && self.ttl.is_some_and(|ttl| self.accessed + ttl <= now)
    }

    fn record(&self, now: Time) -> Record {
        Record {
            data: self.data.clone(),
            ttl: self.ttl,
            age: now.since(self.created),
            idle: now.since(self.accessed),
        }
    }
}

/// Whether a session was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opened {
    /// It was.
    Found,
    /// It was made now. `warn`: their number has just reached four fifths of what is allowed.
    Created {
        /// See above.
        warn: bool,
    },
}

/// All sessions of an instance.
#[derive(Debug)]
pub struct Sessions {
    limits: Limits,
    live: FxHashMap<String, Session>,
    ids: FxHashMap<Number, String>,
    next: u64,
    bytes: usize,
    stats: SessionStats,
    warned: bool,
    /// Sessions that changed since the journal was last taken; `None` if nobody writes it down.
    changed: Option<BTreeSet<String>>,
}

impl Sessions {
    /// No sessions yet. `durable`: a journal is kept, to be taken by [`Sessions::take_journal`].
    pub fn new(limits: Limits, durable: bool) -> Self {
        Self {
            limits,
            live: FxHashMap::default(),
            ids: FxHashMap::default(),
            next: 0,
            bytes: 0,
            stats: SessionStats::default(),
            warned: false,
            changed: durable.then(BTreeSet::new),
        }
    }

    /// The session, made if it is not there. Touches it. `ttl` counts from now on.
    pub fn open(&mut self, now: Time, id: &str, ttl: TimeToLive) -> Result<Opened, Refusal> {
        if let Some(session) = self.touch(now, id) {
            session.ttl = ttl.over(session.ttl);
            self.note(id);
            return Ok(Opened::Found);
        }
        if self.live.len() >= self.limits.sessions {
            self.sweep(now);
            if self.live.len() >= self.limits.sessions {
                return Err(Refusal::TooMany(self.limits.sessions));
            }
        }
        let session = Session {
            number: self.number(),
            data: BTreeMap::new(),
            bytes: 0,
            ttl: ttl.over(self.limits.ttl),
            created: now,
            accessed: now,
            journaled: now,
            calls: 0,
            worker: None,
        };
        self.insert(id, session);
        self.stats.created += 1;
        self.note(id);
        Ok(Opened::Created { warn: self.warns() })
    }

    /// The session, touched; `None` if it is not there or its time is over.
    pub fn touch(&mut self, now: Time, id: &str) -> Option<&mut Session> {
        self.expire(now, id);
        self.note_touch(now, id);
        self.live.get_mut(id)
    }

    /// A call in a session begins. As long as there is one the session does not expire.
    pub fn enter(&mut self, now: Time, number: Number) {
        let Some(id) = self.ids.get(&number).cloned() else {
            return;
        };
        self.expire(now, &id);
        if let Some(session) = self.live.get_mut(&id) {
            session.calls += 1;
        }
    }

    /// It is over, which touches the session.
    pub fn leave(&mut self, now: Time, number: Number) {
        let Some(id) = self.ids.get(&number).cloned() else {
            return;
        };
        if let Some(session) = self.live.get_mut(&id) {
            session.calls -= 1;
        }
        self.note_touch(now, &id);
    }

    /// The id of a session; `None` once it has ended.
    pub fn id(&self, number: Number) -> Option<&str> {
        self.ids.get(&number).map(String::as_str)
    }

    /// The worker that ran the last call of a session, if both are there.
    pub fn bound(&self, number: Number) -> Option<WorkerId> {
        self.live.get(self.ids.get(&number)?)?.worker
    }

    /// The session, not touched; `None` if it is not there or its time is over.
    pub fn peek(&self, now: Time, id: &str) -> Option<&Session> {
        self.live.get(id).filter(|session| !session.is_over(now))
    }

    /// Changes a session, which is made if it is not there: all of it or, with a refusal, nothing.
    pub fn apply(&mut self, now: Time, id: &str, changes: Changes) -> Result<Opened, Refusal> {
        self.expire(now, id);
        let empty = BTreeMap::new();
        let before = self.live.get(id);
        let data = before.map_or(&empty, Session::data);
        let mut bytes = before.map_or(0, |session| session.bytes);
        // Each key once: what comes from a worker may name one twice.
        let touched: BTreeSet<&String> = changes.delete.iter().chain(changes.set.keys()).collect();
        for key in touched {
            bytes -= data.get(key).map_or(0, |value| weight(key, value));
        }
        bytes += changes
            .set
            .iter()
            .map(|(key, value)| weight(key, value))
            .sum::<usize>();
        let max = self.limits.bytes;
        if bytes > max {
            return Err(Refusal::TooLarge { bytes, max });
        }
        let opened = self.open(now, id, TimeToLive::Unchanged)?;
        if let Some(session) = self.live.get_mut(id) {
            for key in &changes.delete {
                session.data.remove(key);
            }
            session.data.extend(changes.set);
            self.bytes = self.bytes + bytes - session.bytes;
            session.bytes = bytes;
        }
        Ok(opened)
    }

    /// Forgets a session; answers whether there was one.
    pub fn delete(&mut self, now: Time, id: &str) -> bool {
        self.expire(now, id);
        let found = self.remove(id);
        if found {
            self.stats.deleted += 1;
        }
        found
    }

    /// Ids of the sessions, in order. Touches none.
    pub fn list(&self, now: Time) -> Vec<&str> {
        let mut ids: Vec<&str> = self
            .live
            .iter()
            .filter(|(_, session)| !session.is_over(now))
            .map(|(id, _)| id.as_str())
            .collect();
        ids.sort_unstable();
        ids
    }

    /// What is known of a session; `None` if it is not there.
    pub fn info(&self, now: Time, id: &str) -> Option<Info> {
        let session = self.peek(now, id)?;
        let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
        Some(Info {
            number: session.number,
            age: ms(now.since(session.created)),
            idle: ms(now.since(session.accessed)),
            ttl: session.ttl.map(ms),
            bytes: session.bytes,
            size: session.data.len(),
            last_worker: session.worker,
        })
    }

    /// Forgets the sessions whose time is over; answers how many.
    pub fn sweep(&mut self, now: Time) -> usize {
        self.stats.cleanup_runs += 1;
        let over: Vec<String> = self
            .live
            .iter()
            .filter(|(_, session)| session.is_over(now))
            .map(|(id, _)| id.clone())
            .collect();
        for id in &over {
            self.expire(now, id);
        }
        over.len()
    }

    /// Whether there is any session that will be over if nobody touches it.
    pub fn may_expire(&self) -> bool {
        self.live.values().any(|session| session.ttl.is_some())
    }

    /// What happened so far.
    pub fn stats(&self) -> SessionStats {
        SessionStats {
            current: self.live.len(),
            bytes: self.bytes,
            ..self.stats
        }
    }

    /// What is kept in memory.
    pub fn holdings(&self) -> SessionHoldings {
        SessionHoldings {
            sessions: self.live.len(),
            numbers: self.ids.len(),
            calls: self.live.values().map(|session| session.calls).sum(),
        }
    }

    /// Takes a session over from an earlier run. One that is over, or is there already, is dropped, and
    /// the journal says so. They may be more than are allowed by now: nobody's state is lost for that,
    /// and no new one is made until there is room.
    pub fn restore(&mut self, now: Time, id: &str, record: Record) {
        let ago = |age: Duration| {
            let age = u64::try_from(age.as_micros()).unwrap_or(u64::MAX);
            Time(now.0.saturating_sub(age))
        };
        let over = record.ttl.is_some_and(|ttl| record.idle >= ttl);
        if over || self.live.contains_key(id) {
            self.note(id);
            return;
        }
        // An idle time from before the epoch shortens the time that is left instead.
        let before_epoch = record.idle.saturating_sub(now.since(Time::ZERO));
        let bytes = record
            .data
            .iter()
            .map(|(key, value)| weight(key, value))
            .sum();
        self.bytes += bytes;
        let session = Session {
            number: self.number(),
            data: record.data,
            bytes,
            ttl: record.ttl.map(|ttl| ttl.saturating_sub(before_epoch)),
            created: ago(record.age),
            accessed: ago(record.idle),
            journaled: ago(record.idle),
            calls: 0,
            worker: None,
        };
        self.insert(id, session);
    }

    /// What changed since the last time, each session once.
    pub fn take_journal(&mut self, now: Time) -> Vec<Entry> {
        let changed = self.changed.as_mut().map(std::mem::take);
        changed
            .unwrap_or_default()
            .into_iter()
            .map(|id| match self.live.get_mut(&id) {
                Some(session) => {
                    session.journaled = session.accessed;
                    Entry::Put(id, session.record(now))
                }
                None => Entry::Delete(id),
            })
            .collect()
    }

    fn number(&mut self) -> Number {
        self.next += 1;
        Number(self.next)
    }

    fn insert(&mut self, id: &str, session: Session) {
        self.ids.insert(session.number, id.to_owned());
        self.live.insert(id.to_owned(), session);
    }

    fn expire(&mut self, now: Time, id: &str) {
        if self
            .live
            .get(id)
            .is_some_and(|session| session.is_over(now))
            && self.remove(id)
        {
            self.stats.expired += 1;
        }
    }

    fn remove(&mut self, id: &str) -> bool {
        let Some(session) = self.live.remove(id) else {
            return false;
        };
        self.ids.remove(&session.number);
        self.bytes -= session.bytes;
        self.warns();
        self.note(id);
        true
    }

    /// Whether a warning is due: once each time that the number gets there.
    fn warns(&mut self) -> bool {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a count of sessions is far below 2^52"
        )]
        let high = self.live.len() as f64 >= self.limits.sessions as f64 * WARN_AT;
        let due = high && !self.warned;
        self.warned = high;
        due
    }

    /// A session is touched, which the journal learns now and then.
    fn note_touch(&mut self, now: Time, id: &str) {
        let Some(session) = self.live.get_mut(id) else {
            return;
        };
        session.accessed = now;
        let unknown = now.since(session.journaled);
        if session.ttl.is_some_and(|ttl| unknown >= ttl / TOUCH_PART) {
            self.note(id);
        }
    }

    fn note(&mut self, id: &str) {
        if let Some(changed) = &mut self.changed
            && !changed.contains(id)
        {
            changed.insert(id.to_owned());
        }
    }
}

fn weight(key: &str, value: &[u8]) -> usize {
    key.len() + value.len()
}

#[cfg(test)]
mod tests;
