//! The framing of version 1.4: `u32` little-endian length, one MessagePack value, no id.

use std::ops::Range;

use crate::protocol::{Limits, Malformed};

/// Bytes before the value.
pub const LEN: usize = 4;

/// What the bytes at hand amount to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoded {
    /// A whole reply lies there.
    Reply(Range<usize>),
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
