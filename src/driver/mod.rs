//! Layer 4. What runs an engine: feeds it events and carries out its actions.
//!
//! - [`node`]: the driver for Node's event loop, on the thread of the JavaScript that made it
//! - `inbox`, `actions`: its two ends: what happened on other threads, and what the engine asks for
//! - [`options`]: what the facade hands over at the start
//! - [`batch`]: the calls of one tick, as the facade lays them out
//! - [`launch`]: from options to a prepared environment and a worker's command line
//! - [`output`]: from bytes of an output stream to text
//! - [`post`]: from other threads to that of the driver
//! - [`resolve`]: which interpreter would be used

mod actions;
pub mod batch;
mod inbox;
pub mod launch;
mod log;
mod memory;
mod news;
pub mod node;
pub mod options;
pub mod output;
pub mod policies;
pub mod post;
pub mod resolve;
mod sessions;
mod signals;
mod store;
mod vitals;
