//! The guard: a small shell that outlives this process by a moment, to end what it leaves behind.
//!
//! It is needed when this process is killed: the kernel then ends the workers (on Linux), but not
//! what they have started. One guard serves all workers; it starts with the first and ends a second
//! after the last. It costs about a megabyte. Whatever goes wrong with it goes unreported, since it
//! is a net below another net.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::Pid;

use crate::process::death::Death;
use crate::process::{run, unix};

const SHELL: &str = "/bin/sh";
const SCRIPT: &str = include_str!("guard.sh");

/// How long a guard without groups is kept, so that a worker that is replaced needs no new one.
const LINGER: Duration = Duration::from_secs(1);

struct Guard {
    /// The process, with a pipe to its stdin.
    process: Option<Child>,
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
    if let Some(mut process) = process {
        drop(process.stdin.take());
        if let Ok(mut death) = Death::watch(Pid::from_child(&process)) {
            death.wait().await;
        }
        // It is dead, so this does not wait.
        drop(process.wait());
    }
}

impl Guard {
    /// Starts a guard and tells it all groups.
    fn start(&mut self) {
        if let Some(mut previous) = self.process.take() {
            // It does not listen: it is dead or stopped.
            drop(previous.kill());
            drop(previous.wait());
        }
        if !Path::new(SHELL).exists() {
            return;
        }
        let mut command = Command::new(SHELL);
        command
            .args(["-c", SCRIPT, "synapse-guard", run::id()])
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("LC_ALL", "C")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        unix::prepare_guard(&mut command);
        let Ok(process) = command.spawn() else { return };
        if let Some(stdin) = &process.stdin {
            // A guard that somebody stopped must not stop us.
            drop(unix::set_nonblocking(stdin));
        }
        self.process = Some(process);
        for group in self.groups.clone() {
            self.tell(&format!("+{group}\n"));
        }
    }

    /// Writes to the guard; says whether it took it. A line is written whole or not at all.
    fn tell(&mut self, lines: &str) -> bool {
        let stdin = self
            .process
            .as_mut()
            .and_then(|process| process.stdin.as_mut());
        stdin.is_some_and(|stdin| stdin.write_all(lines.as_bytes()).is_ok())
    }
}

fn lock() -> MutexGuard<'static, Guard> {
    GUARD.lock().unwrap_or_else(PoisonError::into_inner)
}
