//! The twelve bytes before every payload.
//!
//! ```text
//!  0        4      5       6         8      12
//!  ┌────────┬──────┬───────┬─────────┬──────┬─────────
//!  │ length │ kind │ flags │ handler │  id  │ payload …
//!  └────────┴──────┴───────┴─────────┴──────┴─────────
//!    u32 LE    u8     u8     u16 LE    u32 LE
//! ```

use crate::protocol::Malformed;

/// Bytes before the payload.
pub const LEN: usize = 12;

/// Bytes that `length` counts besides the payload.
pub const COUNTED: u32 = 8;

/// Request flag bits: how the arguments are laid out.
pub const ARGUMENTS: u8 = 0b0000_0011;
/// Request flag: a map of extras precedes the arguments.
pub const EXTRAS: u8 = 0b0000_0100;
/// Request flag, and callback flag: the caller takes a stream.
pub const STREAM: u8 = 0b0000_1000;
/// Request flag: a handler of the worker waits for a callback, and that waits for this call.
pub const NESTED: u8 = 0b0001_0000;
/// Request flag: the arguments hold function references.
pub const FUNCTIONS: u8 = 0b0010_0000;

/// Request, response, item and callback flag: the payload refers to shared memory.
pub const SHARED: u8 = 0b0100_0000;

/// The bit that is set in ids of callbacks and function references, and clear in those of calls.
pub const CALLBACK_ID: u32 = 1 << 31;

/// The handler number that means "the default handler" between facade and engine. It never goes
/// over the wire: the engine puts the worker's own number in its place.
pub const DEFAULT_HANDLER: u16 = u16::MAX;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// The worker is ready and says what it offers.
    Hello = 0x01,
    /// A call.
    Request = 0x02,
    /// A call's result.
    Response = 0x03,
    /// A call's exception.
    Error = 0x04,
    /// One item of a stream.
    Item = 0x05,
    /// A stream is complete.
    End = 0x06,
    /// So many more items may be sent.
    Credit = 0x07,
    /// A call is no longer wanted.
    Cancel = 0x08,
    /// Python calls Node.
    Callback = 0x09,
    /// Something was printed or logged.
    Log = 0x0a,
    /// The worker's watcher thread is alive.
    Heartbeat = 0x0b,
    /// A session's data.
    Session = 0x0c,
    /// Finish and exit.
    Shutdown = 0x0d,
    /// The worker cannot get ready.
    Fault = 0x0e,
    /// 1.4 framing: stderr text that rejects a call.
    Mark = 0x0f,
    /// A running call's progress.
    Progress = 0x10,
    /// A function reference will not be used again.
    Release = 0x11,
}

impl Kind {
    /// Every kind, in the order of its number.
    pub const ALL: &[Self] = &[
        Self::Hello,
        Self::Request,
        Self::Response,
        Self::Error,
        Self::Item,
        Self::End,
        Self::Credit,
        Self::Cancel,
        Self::Callback,
        Self::Log,
        Self::Heartbeat,
        Self::Session,
        Self::Shutdown,
        Self::Fault,
        Self::Mark,
        Self::Progress,
        Self::Release,
    ];

    /// The kind with this number.
    pub fn from_number(number: u8) -> Result<Self, Malformed> {
        number
            .checked_sub(1)
            .and_then(|index| Self::ALL.get(usize::from(index)).copied())
            .ok_or(Malformed::UnknownKind(number))
    }

    /// The flag bits that this kind defines.
    fn known_flags(self) -> u8 {
        match self {
            Self::Request => ARGUMENTS | EXTRAS | STREAM | NESTED | FUNCTIONS | SHARED,
            Self::Callback => STREAM | SHARED,
            Self::Response | Self::Item => SHARED,
            _ => 0,
        }
    }
}

/// The parsed header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Bytes of payload.
    pub payload: u32,
    /// What the frame is.
    pub kind: Kind,
    /// Per kind.
    pub flags: u8,
    /// Requests: which handler.
    pub handler: u16,
    /// Which call, callback or function reference; 0 for none.
    pub id: u32,
}

impl Header {
    /// Parses twelve bytes whose length field has been checked already.
    pub(super) fn parse(bytes: &[u8; LEN], length: u32) -> Result<Self, Malformed> {
        let [_, _, _, _, kind, flags, h0, h1, i0, i1, i2, i3] = *bytes;
        let kind = Kind::from_number(kind)?;
        if flags & !kind.known_flags() != 0 {
            return Err(Malformed::UnknownFlags { kind, flags });
        }
        Ok(Self {
            payload: length.saturating_sub(COUNTED),
            kind,
            flags,
            handler: u16::from_le_bytes([h0, h1]),
            id: u32::from_le_bytes([i0, i1, i2, i3]),
        })
    }

    /// The header as bytes.
    pub fn to_bytes(self) -> [u8; LEN] {
        let [l0, l1, l2, l3] = self.payload.saturating_add(COUNTED).to_le_bytes();
        let [h0, h1] = self.handler.to_le_bytes();
        let [i0, i1, i2, i3] = self.id.to_le_bytes();
        [
            l0,
            l1,
            l2,
            l3,
            self.kind as u8,
            self.flags,
            h0,
            h1,
            i0,
            i1,
            i2,
            i3,
        ]
    }

    /// A whole frame without a payload.
    pub fn bare(kind: Kind, id: u32) -> [u8; LEN] {
        Self {
            payload: 0,
            kind,
            flags: 0,
            handler: 0,
            id,
        }
        .to_bytes()
    }
}
