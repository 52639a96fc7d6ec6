//! Layer 0. The numbers that name things. Each is a type of its own so that none is passed for
//! another.

use serde::Serialize;

/// A call, unique among the calls of one engine that have not settled. The facade counts it up
/// from 1 and skips numbers that are still in use, so a late reply can never settle another call
/// before 2^30 more have been made: the numbers from 2^30 on are for attempts that the engine makes
/// itself (`engine/policies`), and the upper half of all is for callbacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct CallId(pub u32);

/// A worker of one engine, counted up from 1 and never used again: a worker that replaces a dead
/// one has a number of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct WorkerId(pub u32);

/// A callback, unique among those of one worker that are open. The worker counts it up; bit 31 is
/// set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct CallbackId(pub u32);

impl std::fmt::Display for CallId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::fmt::Display for WorkerId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
