//! Sessions and globals as the facade asks for them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::driver::node::NodeDriver;
use crate::engine::Engine;
use crate::error::{ErrorCode, Failure};
use crate::session::{Changes, TimeToLive, Value};
use crate::time::Time;

impl NodeDriver {
    /// Opens a session, which is made if it is not there; `false`: it was there. With `must_be_new`
    /// that is a failure.
    pub fn open_session(
        &mut self,
        id: &str,
        ttl: TimeToLive,
        must_be_new: bool,
    ) -> Result<bool, Failure> {
        self.change_sessions(|engine, now, actions| {
            if must_be_new && engine.sessions().peek(now, id).is_some() {
                let message = format!("there is a session \"{id}\" already");
                return Err(Failure::new(ErrorCode::SessionExists, message));
            }
            let before = engine.sessions().stats().created;
            let opened = engine.sessions().open(now, id, ttl);
            engine.session_opened(now, opened, actions)?;
            Ok(engine.sessions().stats().created > before)
        })
    }

    /// The values of a session, touched; `None` if it is not there.
    pub fn read_session(&mut self, id: &str) -> Option<BTreeMap<String, Value>> {
        let now = self.now();
        let session = self.engine.as_mut()?.sessions().touch(now, id)?;
        let data = session.data().clone();
        self.write_sessions();
        Some(data)
    }

    /// Changes a session as a whole, its time to live included, or not at all. It is made if it is
    /// not there.
    pub fn change_session(
        &mut self,
        id: &str,
        ttl: TimeToLive,
        changes: Changes,
    ) -> Result<(), Failure> {
        self.change_sessions(|engine, now, actions| {
            let opened = engine.sessions().apply(now, id, changes);
            engine.session_opened(now, opened, actions)?;
            let opened = engine.sessions().open(now, id, ttl);
            engine.session_opened(now, opened, actions)
        })
    }

    /// Forgets a session; answers whether there was one.
    pub fn delete_session(&mut self, id: &str) -> bool {
        self.change_sessions(|engine, now, _| Ok(engine.sessions().delete(now, id)))
            .unwrap_or_default()
    }

    /// Forgets what is over; answers how many sessions.
    pub fn sweep_sessions(&mut self) -> usize {
        self.change_sessions(|engine, now, _| Ok(engine.sessions().sweep(now)))
            .unwrap_or_default()
    }

    /// What is known of one session, or of all; not touched.
    pub fn describe_sessions(&mut self, id: Option<&str>) -> Json {
        let now = self.now();
        let Some(engine) = self.engine.as_mut() else {
            return Json::Null;
        };
        match id {
            Some(id) => json!(engine.sessions().info(now, id)),
            None => json!({
                "ids": engine.sessions().list(now),
                "stats": engine.sessions().stats(),
                "globals": engine.globals().stats(),
            }),
        }
    }

    /// Stores a value without a session.
    pub fn put_global(&mut self, key: &str, value: Value, ttl: Option<Duration>) {
        let now = self.now();
        if let Some(engine) = self.engine.as_mut() {
            engine.globals().put(now, key, value, ttl);
            engine.sweep_later(now);
        }
    }

    /// A value without a session.
    pub fn get_global(&mut self, key: &str) -> Option<Vec<u8>> {
        let now = self.now();
        self.engine
            .as_mut()?
            .globals()
            .get(now, key)
            .map(<[u8]>::to_vec)
    }

    /// Forgets a value without a session; answers whether there was one.
    pub fn delete_global(&mut self, key: &str) -> bool {
        let now = self.now();
        self.engine
            .as_mut()
            .is_some_and(|engine| engine.globals().delete(now, key))
    }

    /// Has what changed in sessions written down.
    pub(super) fn write_sessions(&mut self) {
        let now = self.now();
        if let (Some(store), Some(engine)) = (&self.store, &mut self.engine) {
            let entries = engine.sessions().take_journal(now);
            if !entries.is_empty() {
                store.write(entries);
            }
        }
    }

    fn change_sessions<T>(
        &mut self,
        change: impl FnOnce(&mut Engine, Time, &mut crate::engine::Actions) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut outcome = Err(Failure::new(
            ErrorCode::NotSpawned,
            "sessions are there once a module is spawned",
        ));
        self.with_engine(|engine, now, actions| outcome = change(engine, now, actions));
        outcome
    }
}
