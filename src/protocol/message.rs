//! The payloads that Rust itself reads or writes. User values are none of them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::protocol::header::{self, Header, Kind};
use crate::protocol::{Limits, Malformed, depth, lenient};

/// The framing on a worker's data channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Frames with ids.
    Synapse,
    /// The framing of version 1.4.
    Stdio,
}

/// A worker is ready to take a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// The protocol's version.
    pub protocol: u32,
    /// The framing on the data channel.
    pub mode: Mode,
    /// The worker's process.
    pub pid: u32,
    /// Python's version; empty in a worker that is none.
    #[serde(default)]
    pub python: String,
    /// Path of the interpreter.
    #[serde(default)]
    pub executable: String,
    /// Version of the Python package.
    #[serde(default)]
    pub sdk: String,
    /// Number of the handler that `call(input)` reaches.
    #[serde(default)]
    pub default: Option<u16>,
    /// Milliseconds between the signs of life that it will give; 0 for none.
    #[serde(default)]
    pub heartbeat: u64,
    /// Whether the worker reads and writes shared memory.
    #[serde(default)]
    pub shared: bool,
    /// Whether the worker looks into its journal for what was withdrawn before it begins a request.
    #[serde(default)]
    pub withdrawals: bool,
    /// What can be called; the index is the number on the wire.
    #[serde(default)]
    pub handlers: Vec<Handler>,
}

/// A Python function that can be called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Handler {
    /// The name to call it by.
    pub name: String,
    /// What else the worker says of it: kind, parameters, options. Passed on to the facade as is.
    #[serde(flatten, deserialize_with = "lenient::map")]
    pub about: Map<String, Value>,
}

/// A worker cannot get ready.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Fault {
    /// `import`, `bind` or `start`.
    pub phase: String,
    /// What runs the worker, unless that is Python.
    #[serde(default)]
    pub runtime: Option<String>,
    /// The exception.
    #[serde(deserialize_with = "lenient::map")]
    pub error: Map<String, Value>,
}

/// Something was printed or logged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Log {
    /// `stdout`, `stderr` or `logging`.
    pub stream: String,
    /// What was written.
    pub text: String,
    /// Level, logger, file and line of a `logging` record.
    #[serde(flatten, deserialize_with = "lenient::map")]
    pub about: Map<String, Value>,
}

/// 1.4 framing: stderr text that rejects a call.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Mark {
    /// Replies that the script had written by then.
    pub replies: u64,
    /// The text.
    pub text: String,
}

/// The worker's watcher thread is alive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Resident memory, in bytes.
    #[serde(default)]
    pub rss: u64,
    /// Calls in flight.
    #[serde(default)]
    pub calls: u32,
    /// How late the watcher thread woke, in milliseconds.
    #[serde(default)]
    pub lag: f64,
    /// Processor time that the process has used, in seconds.
    #[serde(default)]
    pub cpu: f64,
}

/// Reads a payload. Deep nesting is refused before serde recurses into it.
pub fn read<'de, T: Deserialize<'de>>(
    kind: Kind,
    payload: &'de [u8],
    limits: Limits,
) -> Result<T, Malformed> {
    depth::check(kind, payload, limits.depth.min(MAX_RUST_DEPTH))?;
    rmp_serde::from_slice(payload).map_err(|error| Malformed::Payload {
        kind,
        reason: error.to_string(),
    })
}

/// Nesting that serde may recurse into on any stack we run on, debug builds included.
const MAX_RUST_DEPTH: u32 = 128;

/// A credit frame: `items` more items of the stream of call `id` may be sent.
pub fn credit(id: u32, items: u32) -> [u8; header::LEN + 5] {
    let header = Header {
        payload: 5,
        kind: Kind::Credit,
        flags: 0,
        handler: 0,
        id,
    };
    let [h0, h1, h2, h3, h4, h5, h6, h7, h8, h9, h10, h11] = header.to_bytes();
    let [i0, i1, i2, i3] = items.to_be_bytes();
    // 0xce: an unsigned integer of 32 bits.
    [
        h0, h1, h2, h3, h4, h5, h6, h7, h8, h9, h10, h11, 0xce, i0, i1, i2, i3,
    ]
}

/// Writes a whole frame around a payload.
pub fn frame<T: Serialize>(kind: Kind, id: u32, payload: &T) -> Result<Vec<u8>, Malformed> {
    let body = rmp_serde::to_vec_named(payload).map_err(|error| Malformed::Payload {
        kind,
        reason: error.to_string(),
    })?;
    let length = u32::try_from(body.len()).map_err(|error| Malformed::Payload {
        kind,
        reason: error.to_string(),
    })?;
    let header = Header {
        payload: length,
        kind,
        flags: 0,
        handler: 0,
        id,
    };
    let mut bytes = Vec::with_capacity(crate::protocol::header::LEN + body.len());
    bytes.extend_from_slice(&header.to_bytes());
    bytes.extend_from_slice(&body);
    Ok(bytes)
}
