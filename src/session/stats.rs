//! What can be learnt about sessions without touching them.

use serde::Serialize;

use crate::ids::WorkerId;
use crate::session::Number;

/// What is known of a session beside its values. Looking at it does not touch it. Times in
/// milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Info {
    /// Its number: another session of the same id has another one.
    pub number: Number,
    /// How long ago it was made.
    pub age: f64,
    /// How long ago it was last touched.
    pub idle: f64,
    /// How long it lives untouched; `None`: for ever.
    pub ttl: Option<f64>,
    /// Its keys and encoded values, in bytes.
    pub bytes: usize,
    /// Keys.
    pub size: usize,
    /// The worker that ran its last call.
    pub last_worker: Option<WorkerId>,
}

/// What happened so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionStats {
    /// Sessions that were made.
    pub created: u64,
    /// Sessions that were deleted.
    pub deleted: u64,
    /// Sessions whose time ran out.
    pub expired: u64,
    /// Sweeps.
    pub cleanup_runs: u64,
    /// Sessions there are.
    pub current: usize,
    /// What they hold, in bytes.
    pub bytes: usize,
}

/// What is kept in memory, for tests that look for leaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SessionHoldings {
    /// Sessions, those that are over and not yet found included.
    pub sessions: usize,
    /// Numbers of sessions by which calls know them.
    pub numbers: usize,
    /// Calls in them that have not ended.
    pub calls: u32,
}
