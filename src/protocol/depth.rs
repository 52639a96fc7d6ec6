//! Refuses deep nesting before a recursive reader sees it.
//!
//! A stack overflow is an abort that nothing catches: about one kilobyte of nested arrays ends a
//! debug build of `rmp-serde` on a two-megabyte stack. So Rust scans a payload without recursion
//! before it hands it to serde.

use crate::protocol::Malformed;
use crate::protocol::header::Kind;

/// Checks that `bytes` are one MessagePack value and nothing else, that it is nested at most `limit` levels and that no
/// container claims more elements than bytes remain.
pub fn check(kind: Kind, bytes: &[u8], limit: u32) -> Result<(), Malformed> {
    let broken = |reason: &str| Malformed::Payload {
        kind,
        reason: reason.to_owned(),
    };
    // Values still to be read, one entry for each open container; the first is the root.
    let mut open: Vec<u64> = vec![1];
    let mut at = 0_usize;
    while let Some(left) = open.last_mut() {
        if *left == 0 {
            open.pop();
            continue;
        }
        *left -= 1;
        let marker = *bytes.get(at).ok_or_else(|| broken("value is cut short"))?;
        at += 1;
        let step = Step::of(marker, bytes.get(at..).unwrap_or_default())
            .ok_or_else(|| broken("value is cut short or reserved"))?;
        at = at.saturating_add(step.skip);
        if at > bytes.len() || step.children > (bytes.len() - at) as u64 {
            return Err(broken("value claims more than there is"));
        }
        if step.container {
            if open.len() > limit as usize {
                return Err(Malformed::TooDeep(limit));
            }
            open.push(step.children);
        }
    }
    if at < bytes.len() {
        return Err(broken("bytes after the value"));
    }
    Ok(())
}

/// Where the first value of `bytes` ends, if it is whole.
pub fn first_value(bytes: &[u8]) -> Option<usize> {
    let mut left = 1_u64;
    let mut at = 0_usize;
    while left > 0 {
        let marker = *bytes.get(at)?;
        at += 1;
        let step = Step::of(marker, bytes.get(at..).unwrap_or_default())?;
        at = at.checked_add(step.skip).filter(|at| *at <= bytes.len())?;
        left = (left - 1).saturating_add(step.children);
    }
    Some(at)
}

/// What one marker stands for.
struct Step {
    /// Bytes after the marker before the next value.
    skip: usize,
    /// Values inside.
    children: u64,
    container: bool,
}

impl Step {
    fn of(marker: u8, rest: &[u8]) -> Option<Self> {
        let leaf = |skip: usize| {
            Some(Self {
                skip,
                children: 0,
                container: false,
            })
        };
        let nest = |skip, children| {
            Some(Self {
                skip,
                children,
                container: true,
            })
        };
        let number = |width: usize| -> Option<u64> {
            Some(
                rest.get(..width)?
                    .iter()
                    .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
            )
        };
        let sized = |width: usize, more: usize| {
            leaf(
                usize::try_from(number(width)?)
                    .ok()?
                    .saturating_add(width + more),
            )
        };
        match marker {
            0x00..=0x7f | 0xc0 | 0xc2 | 0xc3 | 0xe0..=0xff => leaf(0),
            0x80..=0x8f => nest(0, u64::from(marker & 0x0f) * 2),
            0x90..=0x9f => nest(0, u64::from(marker & 0x0f)),
            0xa0..=0xbf => leaf(usize::from(marker & 0x1f)),
            0xc1 => None,
            0xc4 | 0xd9 => sized(1, 0),
            0xc5 | 0xda => sized(2, 0),
            0xc6 | 0xdb => sized(4, 0),
            0xc7 => sized(1, 1),
            0xc8 => sized(2, 1),
            0xc9 => sized(4, 1),
            0xca | 0xce | 0xd2 => leaf(4),
            0xcb | 0xcf | 0xd3 => leaf(8),
            0xcc | 0xd0 => leaf(1),
            0xcd | 0xd1 | 0xd4 => leaf(2),
            0xd5 => leaf(3),
            0xd6 => leaf(5),
            0xd7 => leaf(9),
            0xd8 => leaf(17),
            0xdc => nest(2, number(2)?),
            0xdd => nest(4, number(4)?),
            0xde => nest(2, number(2)? * 2),
            0xdf => nest(4, number(4)? * 2),
        }
    }
}
