//! The guard: a small shell that outlives this process by a moment, to end what it leaves behind.
//!
//! It is needed when this process is killed: the kernel then ends the workers (on Linux), but not
//! what they have started. One guard serves all workers; it starts with the first and ends a second
//! after the last. It costs about a megabyte. Whatever goes wrong with it goes unreported, since it
//! is a net below another net.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, PipeWriter, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use crate::process::death::Death;
use crate::process::fork::{self, Bond, Plan};
use crate::process::{run, unix};

const SHELL: &str = "/bin/sh";
const SCRIPT: &str = include_str!("guard.sh");

/// How long a guard without groups is kept, so that a worker that is replaced needs no new one.
const LINGER: Duration = Duration::from_secs(1);

/// A guard that runs.
struct Process {
    pid: Pid,
    stdin: PipeWriter,
}

struct Guard {
    process: Option<Process>,
    /// What it was told, so that another one can be told the same.
    groups: BTreeSet<i32>,
    /// Counts the changes of `groups`.
    changes: u64,
}

static GUARD: Mutex<Guard> = Mutex::new(Guard {
    process: None,
    groups: BTreeSet::new(),
    changes: 0,
});

/// Tells the guard of a group. Starts the guard if there is none. Runs on the reactor.
pub(super) fn enlist(group: Pid) {
    let mut guard = lock();
    let group = group.as_raw_nonzero().get();
    guard.groups.insert(group);
    guard.changes += 1;
    if guard.process.is_none() || !guard.tell(&format!("+{group}\n")) {
        guard.start();
    }
}

/// Tells the guard that nothing is left of a group. Runs on the reactor.
pub(super) fn discharge(group: Pid) {
    let mut guard = lock();
    let group = group.as_raw_nonzero().get();
    guard.groups.remove(&group);
    guard.changes += 1;
    if !guard.tell(&format!("-{group}\n")) && !guard.groups.is_empty() {
        guard.start();
    }
    if guard.groups.is_empty() {
        let changes = guard.changes;
        // Detached: it does its work whoever waits.
        drop(tokio::spawn(retire(changes)));
    }
}

/// Lets the guard end if nothing has changed for a while.
async fn retire(changes: u64) {
    tokio::time::sleep(LINGER).await;
    let process = {
        let mut guard = lock();
        if guard.changes == changes {
            guard.process.take()
        } else {
            None
        }
    };
    if let Some(Process { pid, stdin }) = process {
        drop(stdin);
        if let Ok(mut death) = Death::watch(pid) {
            death.wait().await;
        }
        reap(pid);
    }
}

impl Guard {
    /// Starts a guard and tells it all groups.
    fn start(&mut self) {
        if let Some(previous) = self.process.take() {
            // It does not listen: it is dead or stopped.
            kill_process(previous.pid, Signal::KILL).ok();
            reap(previous.pid);
        }
        self.process = launch().ok();
        for group in self.groups.clone() {
            self.tell(&format!("+{group}\n"));
        }
    }

    /// Writes to the guard; says whether it took it. A line is written whole or not at all.
    fn tell(&mut self, lines: &str) -> bool {
        let process = self.process.as_mut();
        process.is_some_and(|process| process.stdin.write_all(lines.as_bytes()).is_ok())
    }
}

/// Starts a guard that knows nothing yet.
fn launch() -> io::Result<Process> {
    let (reader, stdin) = io::pipe()?;
    // A guard that somebody stopped must not stop us.
    unix::set_nonblocking(&stdin)?;
    let null = File::options().write(true).open("/dev/null")?;
    let pid = fork::run(&Plan {
        bond: Bond::Guard,
        program: Path::new(SHELL),
        args: &["-c", SCRIPT, "synapse-guard", run::id()].map(Into::into),
        env: &[("PATH", "/usr/local/bin:/usr/bin:/bin"), ("LC_ALL", "C")]
            .map(|(name, value)| (name.into(), value.into())),
        cwd: Path::new("/"),
        fds: &[reader.as_fd(), null.as_fd(), null.as_fd()],
        limits: &[],
    })?;
    Ok(Process { pid, stdin })
}

/// Waits for a guard that is dead, or about to be.
fn reap(pid: Pid) {
    // It fails if the host ignores SIGCHLD, so that the kernel has reaped it.
    waitid(WaitId::Pid(pid), WaitIdOptions::EXITED).ok();
}

fn lock() -> MutexGuard<'static, Guard> {
    GUARD.lock().unwrap_or_else(PoisonError::into_inner)
}
