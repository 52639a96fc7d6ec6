//! The payloads that Rust itself reads or writes. User values are none of them.

use std::time::Duration;

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

/// The key `remaining`, and what says that a float of 64 bits follows.
const REMAINING: &[u8] = b"\xa9remaining\xcb";

/// Puts `remaining` right in a request frame that carries it: the call has waited since the frame
/// was made. It is the first of the extras and a float of 64 bits. Answers whether it is there.
pub fn set_remaining(frame: &mut [u8], remaining: Duration) -> bool {
    let is_request = frame.get(4) == Some(&(Kind::Request as u8))
        && frame
            .get(5)
            .is_some_and(|flags| flags & header::EXTRAS != 0);
    let Some(key) = frame.get_mut(header::LEN + 1..).filter(|_| is_request) else {
        return false;
    };
    if !key.starts_with(REMAINING) {
        return false;
    }
    let Some(number) = key.get_mut(REMAINING.len()..REMAINING.len() + 8) else {
        return false;
    };
    number.copy_from_slice(&milliseconds(remaining));
    true
}

/// The request in `frame` with `remaining` first among its extras, which it does not hold yet.
pub fn with_remaining(frame: &[u8], remaining: Duration) -> Vec<u8> {
    let entry = [REMAINING, &milliseconds(remaining)].concat();
    with_extra(frame, &entry)
}

fn milliseconds(duration: Duration) -> [u8; 8] {
    (duration.as_secs_f64() * 1e3).to_be_bytes()
}

/// The request in `frame` with `resume_from` among its extras, which it does not hold yet.
pub fn with_resume_from(frame: &[u8], sequence: u64) -> Vec<u8> {
    const KEY: &[u8] = b"\xabresume_from\xcf";
    with_extra(frame, &[KEY, &sequence.to_be_bytes()].concat())
}

/// The request in `frame` with one more entry among its extras.
///
/// The extras, if there are any, are a map of less than 15 entries, as the host writes it. They stay
/// in front, and so does `remaining` among them.
fn with_extra(frame: &[u8], entry: &[u8]) -> Vec<u8> {
    let mut bytes = frame.to_vec();
    let Some(flags) = bytes.get_mut(5) else {
        return bytes;
    };
    let had_extras = *flags & header::EXTRAS != 0;
    *flags |= header::EXTRAS;
    let at = if had_extras {
        if let Some(count) = bytes.get_mut(header::LEN) {
            *count = count.saturating_add(1);
        }
        let first = header::LEN.saturating_add(1);
        let rest = bytes.get(first..).unwrap_or_default();
        let is_remaining = rest.starts_with(REMAINING);
        first.saturating_add(if is_remaining { REMAINING.len() + 8 } else { 0 })
    } else {
        bytes.insert(header::LEN, 0x81);
        header::LEN.saturating_add(1)
    };
    let at = at.min(bytes.len());
    bytes.splice(at..at, entry.iter().copied());
    let length = u32::try_from(bytes.len().saturating_sub(4)).unwrap_or(u32::MAX);
    if let Some(field) = bytes.first_chunk_mut::<4>() {
        *field = length.to_le_bytes();
    }
    bytes
}

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

#[cfg(test)]
mod tests {
    use super::*;

    fn request(flags: u8, payload: &[u8]) -> Vec<u8> {
        let header = Header {
            payload: u32::try_from(payload.len()).unwrap(),
            kind: Kind::Request,
            flags,
            handler: 0,
            id: 1,
        };
        [&header.to_bytes(), payload].concat()
    }

    #[test]
    fn where_to_resume_is_added_to_the_extras_or_is_the_only_one() {
        const ENTRY: &[u8] = b"\xabresume_from\xcf\0\0\0\0\0\0\x01\x02";
        const REMAINING: &[u8] = b"\xa9remaining\xcb\x40\x59\0\0\0\0\0\0";
        const METADATA: &[u8] = b"\xa8metadata\x80";
        let cases = [
            (vec![], vec![b"\x81", ENTRY]),
            (vec![&b"\x80"[..]], vec![b"\x81", ENTRY]),
            (vec![b"\x81", METADATA], vec![b"\x82", ENTRY, METADATA]),
            (
                vec![b"\x82", REMAINING, METADATA],
                vec![b"\x83", REMAINING, ENTRY, METADATA],
            ),
        ];
        for (before, after) in cases {
            let extras = if before.is_empty() { 0 } else { header::EXTRAS };
            let arguments = |extras: Vec<&[u8]>| [&extras.concat()[..], b"\x07"].concat();
            let frame = request(header::STREAM | extras, &arguments(before));
            let wanted = request(header::STREAM | header::EXTRAS, &arguments(after));
            assert_eq!(with_resume_from(&frame, 258), wanted);
        }
    }

    #[test]
    fn the_remaining_time_is_put_right_only_where_it_is() {
        let extras = b"\x81\xa9remaining\xcb\x40\x59\0\0\0\0\0\0\x01";
        let mut frame = request(header::EXTRAS, extras);
        assert!(set_remaining(&mut frame, Duration::from_micros(1_500)));
        assert_eq!(frame[24..32], 1.5_f64.to_be_bytes());
        assert_eq!(frame[32], 1);
        for mut other in [
            request(0, extras),
            request(header::EXTRAS, b"\x81\xa8metadata\x80\x01"),
            request(header::EXTRAS, b"\x81\xa9remaining\xcb\x40"),
            request(header::EXTRAS, b""),
        ] {
            let before = other.clone();
            assert!(!set_remaining(&mut other, Duration::from_secs(1)));
            assert_eq!(other, before);
        }
    }

    #[test]
    fn the_remaining_time_becomes_the_first_of_the_extras() {
        const ENTRY: &[u8] = b"\xa9remaining\xcb\x3f\xf8\0\0\0\0\0\0";
        let left = Duration::from_micros(1_500);
        let bare = with_remaining(&request(0, b"\x07"), left);
        let wanted = [b"\x81", ENTRY, b"\x07"].concat();
        assert_eq!(bare, request(header::EXTRAS, &wanted));
        let given = request(header::EXTRAS, b"\x81\xa8metadata\x80\x07");
        let mut both = with_remaining(&given, left);
        let wanted = [b"\x82", ENTRY, b"\xa8metadata\x80\x07"].concat();
        assert_eq!(both, request(header::EXTRAS, &wanted));
        assert!(set_remaining(&mut both, Duration::ZERO));
    }
}
