//! The name of this run, by which its processes are told from all others.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The environment variable that holds a worker's marker, `<run>-<n>`. Whatever a worker starts
/// inherits it, and is found by it.
pub const MARKER_VARIABLE: &str = "SYNAPSE_RUN_ID";

static NEXT_WORKER: AtomicU32 = AtomicU32::new(1);

/// Sixteen hexadecimal digits, drawn once per process from the operating system's randomness (by
/// way of the keys of [`RandomState`]).
pub(super) fn id() -> &'static str {
    static RUN: OnceLock<String> = OnceLock::new();
    RUN.get_or_init(|| {
        let mut hasher = RandomState::new().build_hasher();
        hasher.write_u32(std::process::id());
        format!("{:016x}", hasher.finish())
    })
}

/// The marker of the next worker.
pub(super) fn next_marker() -> String {
    format!("{}-{}", id(), NEXT_WORKER.fetch_add(1, Ordering::Relaxed))
}
