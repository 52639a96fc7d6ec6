//! Layer 1. Pure decisions: (state, event, now) → verdict. Imports layer 0 only.
//!
//! - [`backoff`]: how long to wait before the next attempt
//! - [`restart`]: whether a dead worker is replaced, and when
//! - [`window`]: how many calls may lie in a worker's pipe at once

pub mod backoff;
pub mod restart;
pub mod window;
