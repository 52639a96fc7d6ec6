//! The framing of version 1.4: `u32` little-endian length, one MessagePack value, no id.

use std::ops::Range;

use crate::protocol::header::Kind;
use crate::protocol::{Limits, Malformed, decoder};

/// Bytes before the value.
pub const LEN: usize = 4;

/// In place of a length: a mark frame follows. The launcher puts it between replies, for only there
/// is it certain which reply comes next.
pub const ESCAPE: u32 = u32::MAX;

/// What the bytes at hand amount to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoded {
    /// A whole reply lies there.
    Reply(Range<usize>),
    /// A whole mark's payload lies there.
    Mark(Range<usize>),
    /// Not yet: it will take so many bytes in all.
    NeedMore(usize),
}

/// Reads the reply that begins at `start`.
pub fn decode(bytes: &[u8], start: usize, limits: Limits) -> Result<Decoded, Malformed> {
    let rest = bytes.get(start..).unwrap_or_default();
    let Some(prefix) = rest.first_chunk::<LEN>() else {
        return Ok(Decoded::NeedMore(LEN));
    };
    let length = u32::from_le_bytes(*prefix);
    if length == ESCAPE {
        return mark(bytes, start.saturating_add(LEN), limits);
    }
    if length > limits.frame {
        return Err(Malformed::TooLarge {
            length,
            limit: limits.frame,
        });
    }
    let total = (length as usize).saturating_add(LEN);
    if rest.len() < total {
        return Ok(Decoded::NeedMore(total));
    }
    Ok(Decoded::Reply(
        start.saturating_add(LEN)..start.saturating_add(total),
    ))
}

fn mark(bytes: &[u8], start: usize, limits: Limits) -> Result<Decoded, Malformed> {
    match decoder::decode(bytes, start, limits)? {
        decoder::Decoded::NeedMore(total) => Ok(Decoded::NeedMore(total.saturating_add(LEN))),
        decoder::Decoded::Frame(frame) if frame.header.kind == Kind::Mark => {
            Ok(Decoded::Mark(frame.payload))
        }
        decoder::Decoded::Frame(frame) => Err(Malformed::Misplaced(frame.header.kind)),
    }
}
