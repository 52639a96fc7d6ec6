//! The engine of Synapse: Node.js calls Python.
//!
//! A call enters by the TypeScript facade, is encoded there, becomes a frame, is scheduled by the
//! engine, is written to a worker, and its reply comes back by the same rooms. Data flows one way
//! and a module imports only modules of lower layers:
//!
//! | layer | modules | job |
//! |---|---|---|
//! | 0 | [`error`], [`ids`], [`tail`], [`time`] | facts; import nothing of ours |
//! | 1 | [`protocol`] | pure functions over bytes: the wire of `docs/protocol.md` |
//! | 1 | [`policy`] | pure decisions: (state, event, now) → verdict |
//! | 1 | [`session`] | state that outlives a worker: sessions and globals, pure as well |
//! | 2 | [`engine`] | the state machine: (now, event) → actions; no I/O, threads or clock |
//! | 3 | [`environ`] | find Python, make the environment, install what is asked for |
//! | 3 | [`memory`] | memory that this process and its workers share, for large values |
//! | 3 | [`process`] | one child: spawn, link, output, stop ladder, reaping |
//! | 3 | [`storage`] | sessions in a file |
//! | 4 | [`driver`] | runs an engine: feeds it events and carries out its actions |
//! | 5 | `binding` | Node-API; thin, decides nothing; the only place where napi types appear |
//!
//! `cargo check --no-default-features` proves that nothing below `binding` needs napi, and
//! `__test__/rust/layers.rs` proves the order of the layers.

pub mod driver;
pub mod engine;
pub mod environ;
pub mod error;
pub mod ids;
pub mod memory;
pub mod policy;
pub mod process;
pub mod protocol;
pub mod session;
pub mod storage;
pub mod tail;
pub mod time;

#[cfg(feature = "binding")]
mod binding;
