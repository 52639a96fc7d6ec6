//! What to start, and how to stop it.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::process::limits::ResourceLimits;

/// Where one of the child's output streams goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputMode {
    /// To the observer.
    Event,
    /// To the same stream of this process.
    Inherit,
    /// Nowhere. The end of stderr is still kept for the exit report.
    Ignore,
}

/// Who a child belongs to, so that [`crate::process::kill_owned`] can end the children of one
/// JavaScript environment and leave those of others alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OwnerId(u64);

impl OwnerId {
    /// An owner that no other has been equal to in this process.
    #[expect(
        clippy::new_without_default,
        reason = "no two are equal, so none is the default"
    )]
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// The child's number of the first descriptor that it inherits beside its channels.
pub const FIRST_INHERITED: i32 = 7;

/// One child to start.
#[derive(Debug, Clone)]
pub struct Launch {
    /// Who it belongs to.
    pub owner: OwnerId,
    /// The program. A relative path with a slash is looked up from `cwd`, one without in the `PATH`
    /// of `env`.
    pub program: PathBuf,
    /// Its arguments, without the program itself.
    pub args: Vec<OsString>,
    /// Its complete environment: nothing is inherited. The marker is added.
    pub env: Vec<(OsString, OsString)>,
    /// Its working directory.
    pub cwd: PathBuf,
    /// Where fd 1 goes.
    pub stdout: OutputMode,
    /// Where fd 2 goes.
    pub stderr: OutputMode,
    /// Further descriptors that it gets, from [`FIRST_INHERITED`] on.
    pub inherited: Vec<Arc<OwnedFd>>,
    /// What the system lets it use.
    pub limits: ResourceLimits,
}

/// When a child that was told to stop gets which push. All times count from the call of
/// [`crate::process::Child::stop`]; a second call can only bring them forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StopPlan {
    /// When it sees end-of-file on the data and control channels. What is still in the data backlog
    /// is dropped; what is in the control backlog is written first.
    pub close_after: Duration,
    /// When the worker, not its group, gets SIGTERM.
    pub term_after: Duration,
    /// When the worker and its group get SIGKILL.
    pub grace: Duration,
}

impl StopPlan {
    /// End-of-file and SIGTERM at once, SIGKILL at `grace`.
    pub fn new(grace: Duration) -> Self {
        Self {
            close_after: Duration::ZERO,
            term_after: Duration::ZERO,
            grace,
        }
    }
}

impl Default for StopPlan {
    /// A grace of 500 ms.
    fn default() -> Self {
        Self::new(Duration::from_millis(500))
    }
}
