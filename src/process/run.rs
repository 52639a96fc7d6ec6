//! The name of this run, by which its processes are told from all others.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

#[cfg(target_os = "linux")]
use rustix::process::Pid;

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

/// What tells the processes of one dead worker from all others.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub(super) struct Mark {
    /// `NAME=value`, as it is written in their environment.
    pub(super) entry: Vec<u8>,
    /// The worker's process group, which has been killed: its members are ours even while their
    /// environment cannot be seen.
    pub(super) group: Pid,
}

#[cfg(target_os = "linux")]
impl Mark {
    pub(super) fn new(marker: &str, group: Pid) -> Self {
        Self {
            entry: format!("{MARKER_VARIABLE}={marker}").into_bytes(),
            group,
        }
    }
}
