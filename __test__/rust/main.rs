//! The integration tests of the crate, one binary.
#![expect(
    clippy::unwrap_used,
    reason = "the helpers of a test fail it by panicking"
)]

mod environ;
mod fuzz;
mod layers;
mod process;
mod protocol;
mod protocol_hash;
mod simulation;
mod sources;
