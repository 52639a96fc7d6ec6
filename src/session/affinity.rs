//! How calls belong to a session.

use crate::session::{Number, TimeToLive};

/// How much a session clings to the worker that ran its last call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Affinity {
    /// That worker if it is free, else any.
    #[default]
    Hint,
    /// That worker; calls wait for it.
    StrictQueue,
    /// That worker; calls fail while it is busy.
    StrictFail,
}

/// The session of a call as the call enters the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InSession<'a> {
    /// Its id.
    pub id: &'a str,
    /// Which worker may run the call.
    pub affinity: Affinity,
    /// How long it lives untouched, from now on.
    pub ttl: TimeToLive,
}

/// The same inside the engine: an option of the call, and of every attempt at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionUse {
    /// Which session.
    pub number: Number,
    /// Which worker may run the call.
    pub affinity: Affinity,
}
