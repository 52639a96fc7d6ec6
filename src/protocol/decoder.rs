//! From bytes to frames. Three outcomes: a frame, a need for more bytes, or a broken rule.

use std::ops::Range;

use crate::protocol::header::{self, Header};
use crate::protocol::{Limits, Malformed};

/// What the bytes at hand amount to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoded {
    /// A whole frame.
    Frame(Frame),
    /// Not yet a whole frame: it will take so many bytes in all, or, while its length is not
    /// known, at least that of a header.
    NeedMore(usize),
}

/// A whole frame within the bytes given to [`decode`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The parsed header.
    pub header: Header,
    /// Where the payload lies.
    pub payload: Range<usize>,
}

/// Reads the frame that begins at `start`. Looks at no byte twice and takes no memory, so a
/// frame that claims four gigabytes costs nothing.
pub fn decode(bytes: &[u8], start: usize, limits: Limits) -> Result<Decoded, Malformed> {
    let rest = bytes.get(start..).unwrap_or_default();
    let Some(prefix) = rest.first_chunk::<4>() else {
        return Ok(Decoded::NeedMore(header::LEN));
    };
    let length = u32::from_le_bytes(*prefix);
    if length < header::COUNTED {
        return Err(Malformed::TooShort(length));
    }
    if length > limits.frame {
        return Err(Malformed::TooLarge {
            length,
            limit: limits.frame,
        });
    }
    let total = (length as usize).saturating_add(4);
    let Some(head) = rest.first_chunk::<{ header::LEN }>() else {
        return Ok(Decoded::NeedMore(total));
    };
    // The header is judged as soon as it is there: garbage need not be waited for.
    let header = Header::parse(head, length)?;
    if rest.len() < total {
        return Ok(Decoded::NeedMore(total));
    }
    let payload = start.saturating_add(header::LEN)..start.saturating_add(total);
    Ok(Decoded::Frame(Frame { header, payload }))
}
