//! Layer 1. Pure decisions: (state, event, now) → verdict. Imports layer 0 only.
//!
//! - [`adaptive`]: how long an attempt may take, by how long those before it took
//! - [`backoff`]: how long to wait before the next attempt
//! - [`breaker`]: whether calls are made at all while they fail anyway
//! - [`budget`]: how many repetitions an instance can afford
//! - [`bulkhead`]: how many calls of one handler run at once
//! - [`cache`]: replies that answer the same call again
//! - [`codes`]: sets of error codes
//! - [`crash`]: what a process has died of
//! - [`hedge`]: when a second copy of a call is sent
//! - [`liveness`]: whether a silent worker is frozen or busy
//! - [`poison`]: which calls are refused because workers died with them
//! - [`random`]: random numbers from a seed that is handed in
//! - [`rate_limit`]: how many calls in a time
//! - [`recycle`]: when a healthy worker is replaced
//! - [`restart`]: whether a dead worker is replaced, and when
//! - [`retry`]: whether a failed attempt is made again
//! - [`stall`]: whether a worker has stopped in the middle of a frame
//! - [`window`]: how many calls may lie in a worker's pipe at once

pub mod adaptive;
pub mod backoff;
pub mod breaker;
pub mod budget;
pub mod bulkhead;
pub mod cache;
pub mod codes;
pub mod crash;
pub mod hedge;
pub mod liveness;
pub mod poison;
pub mod random;
pub mod rate_limit;
pub mod recycle;
pub mod restart;
pub mod retry;
pub mod stall;
pub mod window;
