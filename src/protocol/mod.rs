//! Layer 1. The wire of `docs/protocol.md`: pure functions over bytes. Imports layer 0 only.
//!
//! - [`header`]: the twelve bytes before every payload
//! - [`decoder`]: from bytes to frames, with limits before memory
//! - [`message`]: the payloads that Rust itself reads: hello, fault, log, mark, heartbeat
//! - [`journal`]: the shared memory that tells which calls a worker has begun
//! - [`depth`]: refuses deep nesting before a recursive reader sees it
//! - [`extras`]: what the engine adds to a request: the time that is left, where to resume, the state of its
//!   session
//! - `lenient`: JSON values from MessagePack that JSON has no word for
//! - [`stdio`]: the framing of version 1.4
//!
//! User values are never touched here: they are encoded and decoded by JavaScript and Python.

pub mod decoder;
pub mod depth;
pub mod extras;
pub mod header;
pub mod journal;
mod lenient;
pub mod message;
pub mod stdio;

/// The protocol's version, carried by every hello.
pub const VERSION: u32 = 1;

/// Bounds on what the other side may send. Enforced before memory is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest `length` of a frame, in bytes.
    pub frame: u32,
    /// The deepest nesting of a value.
    pub depth: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame: 256 << 20,
            depth: 512,
        }
    }
}

/// The rule of the specification that some bytes break.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A length below eight: shorter than the rest of the header.
    #[error("frame length {0} is below 8")]
    TooShort(u32),
    /// A length above the limit.
    #[error("frame length {length} is above the limit of {limit} bytes")]
    TooLarge {
        /// What the frame claims.
        length: u32,
        /// What `limits.frame` allows.
        limit: u32,
    },
    /// A kind that the specification does not know.
    #[error("unknown frame kind 0x{0:02x}")]
    UnknownKind(u8),
    /// A kind that may not come on this channel or in this direction.
    #[error("frame kind {0:?} does not belong on this channel")]
    Misplaced(header::Kind),
    /// An id that the kind may not have here.
    #[error("frame kind {kind:?} with the id {id:#010x}, which is none of a callback")]
    WrongId {
        /// The frame's kind.
        kind: header::Kind,
        /// Its id.
        id: u32,
    },
    /// Flag bits that the kind does not define.
    #[error("unknown flags 0x{flags:02x} on frame kind {kind:?}")]
    UnknownFlags {
        /// The frame's kind.
        kind: header::Kind,
        /// All its flags.
        flags: u8,
    },
    /// Nesting above `limits.depth`.
    #[error("value nested deeper than {0} levels")]
    TooDeep(u32),
    /// A payload that is not what the kind calls for.
    #[error("payload of {kind:?}: {reason}")]
    Payload {
        /// The frame's kind.
        kind: header::Kind,
        /// What the reader said.
        reason: String,
    },
}
