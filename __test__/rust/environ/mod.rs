//! `src/environ`, with real interpreters, real virtual environments, and real installers fed from
//! packages that are made on the fly. What the machine offers is handed in, never changed.
#![expect(clippy::panic, reason = "the helpers of a test fail it by panicking")]

mod adopt;
mod damage;
mod discover;
mod given;
mod installers;
mod managed;
mod permissions;
mod prepare;
mod races;
mod shadow;
mod support;
mod target;
mod worker_env;
