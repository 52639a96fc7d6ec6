//! One session in the file: MessagePack of its values and its times, which are those of the wall clock
//! there, for monotonic time ends with the process.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::session::Record;

/// Version of the layout.
const VERSION: u8 = 1;

/// `version`, `ttl` in ms or nil, `created` and `accessed` in ms since 1970, `data`.
type Layout = (u8, Option<u64>, u64, u64, BTreeMap<String, Vec<u8>>);

pub(super) fn encode(record: &Record, now: SystemTime) -> Vec<u8> {
    let data = record
        .data
        .iter()
        .map(|(key, value)| (key.clone(), value.to_vec()))
        .collect();
    let layout: Layout = (
        VERSION,
        record.ttl.map(millis),
        since_epoch(now, record.age),
        since_epoch(now, record.idle),
        data,
    );
    // Numbers, strings and bytes always encode.
    rmp_serde::to_vec(&layout).unwrap_or_default()
}

/// `None` if it is of another version, or damaged.
pub(super) fn decode(bytes: &[u8], now: SystemTime) -> Option<Record> {
    let (version, ttl, created, accessed, data): Layout = rmp_serde::from_slice(bytes).ok()?;
    (version == VERSION).then(|| Record {
        data: data
            .into_iter()
            .map(|(key, value)| (key, value.into()))
            .collect(),
        ttl: ttl.map(Duration::from_millis),
        age: age(now, created),
        idle: age(now, accessed),
    })
}

fn since_epoch(now: SystemTime, ago: Duration) -> u64 {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    millis(since.saturating_sub(ago))
}

/// A clock that was set back makes nothing older than it was.
fn age(now: SystemTime, at: u64) -> Duration {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.saturating_sub(Duration::from_millis(at))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
