//! Layer 5. Node-API: thin, decides nothing, and the only place where napi types appear.
//!
//! The methods run on the thread of the JavaScript that made the engine. What crosses is numbers,
//! bytes and JSON texts; answers to calls go through a table of numbers (`table.rs`).

#![expect(
    clippy::needless_pass_by_value,
    reason = "the macros of napi ask for owned arguments"
)]

mod bridge;
mod engine;
// In a test napi registers no functions, and nobody would call them.
#[cfg(not(test))]
mod resolve;
mod sessions;
mod table;
