//! Sessions and globals of the class `NativeEngine`. Mirrors `ts/native.ts`.

use std::collections::BTreeMap;
use std::time::Duration;

use napi::bindgen_prelude::{Buffer, Error, Result, Status, Uint8ArraySlice};
use napi_derive::napi;

use crate::binding::engine::NativeEngine;
use crate::error::Failure;
use crate::session::{Changes, TimeToLive};

/// The values of a session. Two arrays, because a key may be `__proto__`.
#[napi(object, object_from_js = false)]
pub struct SessionData {
    /// Its keys.
    pub keys: Vec<String>,
    /// Their values, in the same order.
    pub values: Vec<Buffer>,
}

impl std::fmt::Debug for SessionData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionData")
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}

#[napi]
impl NativeEngine {
    /// Opens a session; answers whether it was made. `ttl` in ms: 0 leaves it, infinity is for ever.
    #[napi(catch_unwind)]
    pub fn open_session(&mut self, id: String, ttl: f64, must_be_new: bool) -> Result<bool> {
        let opened = self
            .bridge()
            .driver
            .open_session(&id, TimeToLive::from_ms(ttl), must_be_new);
        self.bridge().answer(0, 0);
        opened.map_err(|failure| refused(&failure))
    }

    /// The values of a session; null if it is not there.
    #[napi(catch_unwind)]
    pub fn read_session(&mut self, id: String) -> Option<SessionData> {
        let data = self.bridge().driver.read_session(&id)?;
        let (keys, values) = data
            .into_iter()
            .map(|(key, value)| (key, Buffer::from(value.into_vec())))
            .unzip();
        Some(SessionData { keys, values })
    }

    /// Changes a session: `keys` get the values that lie in `bytes`, each up to its place in `ends`.
    #[napi(catch_unwind)]
    pub fn change_session(
        &mut self,
        id: String,
        ttl: f64,
        keys: Vec<String>,
        bytes: Uint8ArraySlice<'_>,
        ends: Vec<u32>,
        remove: Vec<String>,
    ) -> Result<()> {
        let mut set = BTreeMap::new();
        let mut start = 0;
        for (key, end) in keys.into_iter().zip(ends) {
            let end = end as usize;
            let value = bytes.get(start..end).unwrap_or_default();
            set.insert(key, value.into());
            start = end;
        }
        let changes = Changes {
            set,
            delete: remove,
        };
        let outcome = self
            .bridge()
            .driver
            .change_session(&id, TimeToLive::from_ms(ttl), changes);
        self.bridge().answer(0, 0);
        outcome.map_err(|failure| refused(&failure))
    }

    /// Forgets a session; answers whether there was one.
    #[napi(catch_unwind)]
    pub fn delete_session(&mut self, id: String) -> bool {
        let found = self.bridge().driver.delete_session(&id);
        self.bridge().answer(0, 0);
        found
    }

    /// Forgets sessions that are over; answers how many.
    #[napi(catch_unwind)]
    pub fn sweep_sessions(&mut self) -> u32 {
        let swept = self.bridge().driver.sweep_sessions();
        self.bridge().answer(0, 0);
        u32::try_from(swept).unwrap_or(u32::MAX)
    }

    /// What is known of a session, or of all if none is named, as JSON.
    #[napi(catch_unwind)]
    pub fn describe_sessions(&mut self, id: Option<String>) -> String {
        self.bridge()
            .driver
            .describe_sessions(id.as_deref())
            .to_string()
    }

    /// Stores a value without a session. `ttl` in ms; infinity is for ever.
    #[napi(catch_unwind)]
    pub fn put_global(&mut self, key: String, value: Uint8ArraySlice<'_>, ttl: f64) {
        let ttl = Duration::try_from_secs_f64(ttl / 1e3).ok();
        self.bridge().driver.put_global(&key, (*value).into(), ttl);
    }

    /// A value without a session.
    #[napi(catch_unwind)]
    pub fn get_global(&mut self, key: String) -> Option<Buffer> {
        self.bridge().driver.get_global(&key).map(Buffer::from)
    }

    /// Forgets a value without a session; answers whether there was one.
    #[napi(catch_unwind)]
    pub fn delete_global(&mut self, key: String) -> bool {
        self.bridge().driver.delete_global(&key)
    }
}

/// A failure as the facade reads it: JSON in place of a message.
fn refused(failure: &Failure) -> Error {
    let text = serde_json::to_string(failure).unwrap_or_else(|_| failure.message.clone());
    Error::new(Status::GenericFailure, text)
}
