//! A child's pid, and the lock that keeps us from signalling a stranger who got it next.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid,
};

/// How a process ended: exit code, signal.
pub(super) type Ended = (Option<i32>, Option<i32>);

/// One child from fork to reaping. Its pid is also the id of its process group.
#[derive(Debug)]
pub(super) struct Life {
    pid: Pid,
    marker: String,
    /// Held while a signal is sent and while the child is reaped: after that the number is free for
    /// another process.
    reaped: Mutex<bool>,
}

impl Life {
    pub(super) fn new(pid: Pid, marker: String) -> Self {
        Self {
            pid,
            marker,
            reaped: Mutex::new(false),
        }
    }

    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    /// The value of [`crate::process::MARKER_VARIABLE`] in the child and all that it starts.
    pub(super) fn marker(&self) -> &str {
        &self.marker
    }

    /// Asks the child, not its group, to end.
    pub(super) fn terminate(&self) {
        if !*self.lock() {
            // It fails only if the child is dead.
            kill_process(self.pid, Signal::TERM).ok();
        }
    }

    /// Ends the child and its group at once. The child is signalled by itself too, since it may
    /// have left the group.
    pub(super) fn kill(&self) {
        if !*self.lock() {
            kill_process_group(self.pid, Signal::KILL).ok();
            kill_process(self.pid, Signal::KILL).ok();
        }
    }

    /// How the child ended. It stays a zombie, so its pid stays ours.
    pub(super) fn ended(&self) -> Ended {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match waitid(WaitId::Pid(self.pid), options) {
            Ok(Some(status)) => (status.exit_status(), status.terminating_signal()),
            _ => (None, None),
        }
    }

    /// Reaps the dead child, and such members of its group as were handed to us when it died, which
    /// happens if we are the init process of a container.
    pub(super) fn reap(&self) {
        let mut reaped = self.lock();
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        // It fails if the host ignores SIGCHLD, so that the kernel has reaped it.
        waitid(WaitId::Pid(self.pid), options).ok();
        let reap_member = || waitid(WaitId::Pgid(Some(self.pid)), options);
        while matches!(reap_member(), Ok(Some(_)) | Err(Errno::INTR)) {}
        *reaped = true;
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.reaped.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
