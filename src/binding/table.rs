//! The table through which the engine answers: numbers in memory that JavaScript reads, for one
//! native call may settle a thousand calls. `ts/wire/table.ts` reads it.

use napi::bindgen_prelude::Uint32Array;

use crate::engine::Settled;

/// Numbers before the entries: settled, flags, consumed, need, wake; the rest is spare.
const ENTRIES: usize = 8;
/// Where the milliseconds until the next wake-up are, and one more; 0 says nothing new.
const WAKE: usize = 4;
/// Numbers an entry: id, kind, start, end.
const ENTRY: usize = 4;
/// Flag: events wait to be taken.
const HAS_EVENTS: u32 = 1;
/// Flag: kept replies wait to be taken.
const HAS_KEPT: u32 = 2;

/// Calls that a table of `length` numbers has room for.
pub(super) fn room(length: usize) -> usize {
    length.saturating_sub(ENTRIES) / ENTRY
}

/// The numbers of a table, to be written.
#[expect(unsafe_code, reason = "memory of JavaScript is written in place")]
pub(super) fn numbers(table: &mut Uint32Array) -> &mut [u32] {
    // SAFETY: the facade hands each table to one engine only, and the engine writes to it within
    // synchronous calls only: no JavaScript runs and no other slice of it exists meanwhile. The
    // engine's reference keeps the memory, and the facade never transfers it.
    unsafe { table.as_mut() }
}

/// Fills a table in.
pub(super) fn fill(
    table: &mut [u32],
    settled: &[Settled],
    consumed: usize,
    need: usize,
    wake: Option<u64>,
    has_events: bool,
    has_kept: bool,
) {
    let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    // A timer of more than 2^31 ms would fire at once in Node.
    let wake = wake.map(|ms| u32::try_from(ms + 1).unwrap_or(u32::MAX).min(1 << 31));
    let flags = u32::from(has_events) * HAS_EVENTS + u32::from(has_kept) * HAS_KEPT;
    let head = [number(settled.len()), flags, number(consumed), number(need)];
    for (slot, value) in table.iter_mut().zip(head) {
        *slot = value;
    }
    // What was told before stays there until the facade has seen it.
    if let (Some(slot), Some(wake)) = (table.get_mut(WAKE), wake) {
        *slot = wake;
    }
    let entries = table.get_mut(ENTRIES..).unwrap_or_default();
    for (entry, settled) in entries.chunks_exact_mut(ENTRY).zip(settled) {
        entry.copy_from_slice(&[
            settled.call.0,
            settled.kind as u32,
            number(settled.start),
            number(settled.end),
        ]);
    }
}
