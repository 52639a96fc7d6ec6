//! Processes that have a given entry in their environment, by way of Linux's `/proc`.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process, pidfd_open, pidfd_send_signal,
    waitid,
};

use crate::process::run::Mark;

/// How long a process is given to die of SIGKILL. One that hangs in the kernel takes longer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Between two looks, while something is dying or changing.
const PAUSE: Duration = Duration::from_millis(1);

/// How often to look again if the only reason is a process that may not concern us.
const SECOND_LOOKS: u32 = 50;

/// In the flags of `/proc/<pid>/stat`: a thread of the kernel.
const PF_KTHREAD: u64 = 0x0020_0000;

/// What a look at a process shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// It is to end.
    Marked,
    /// It is none of ours, or dead, or not ours to see.
    Other,
    /// Its environment cannot be seen at the moment, since it is in the middle of an `exec` or is
    /// dying. It is in one of the groups.
    Dying,
    /// The same, but it may be anybody's.
    Unclear,
}

/// Ends every process that bears one of these marks, and waits until there are none: while they are
/// killed they may be starting others.
pub(super) fn end_all(marks: &[Mark]) {
    let start = Instant::now();
    let mut killed = Vec::new();
    let mut second_looks = 0;
    while let Some(rest) = PATIENCE.checked_sub(start.elapsed()) {
        let (found, worst) = find(marks);
        if found.is_empty() {
            match worst {
                Look::Unclear if second_looks < SECOND_LOOKS => second_looks += 1,
                Look::Dying => {}
                _ => break,
            }
            thread::sleep(PAUSE);
        } else {
            let dying: Vec<OwnedFd> = found.iter().filter_map(|&pid| kill(pid, marks)).collect();
            await_deaths(&dying, rest);
            killed.extend(found);
        }
    }
    for pid in killed {
        // If we are the init process of a container they were handed to us. Else they are no
        // children of ours, and this does nothing.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        waitid(WaitId::Pid(pid), options).ok();
    }
}

/// Those that are marked, and what keeps us from saying that there are no others.
fn find(marks: &[Mark]) -> (Vec<Pid>, Look) {
    let (mut found, mut worst) = (Vec::new(), Look::Other);
    let Ok(processes) = fs::read_dir("/proc") else {
        return (found, worst);
    };
    let mut buffer = Vec::new();
    for process in processes.flatten() {
        let name = process.file_name();
        let number = name.to_str().and_then(|name| name.parse().ok());
        let Some(pid) = number.and_then(Pid::from_raw) else {
            continue;
        };
        match look(pid, marks, &mut buffer) {
            Look::Marked => found.push(pid),
            Look::Dying => worst = Look::Dying,
            Look::Unclear if worst == Look::Other => worst = Look::Unclear,
            Look::Unclear | Look::Other => {}
        }
    }
    (found, worst)
}

fn look(pid: Pid, marks: &[Mark], buffer: &mut Vec<u8>) -> Look {
    match read(pid, "environ", buffer) {
        Ok(()) if buffer.is_empty() => look_closer(pid, marks, buffer),
        Ok(()) => {
            let mut entries = buffer.split(|&byte| byte == 0);
            let is_marked = entries.any(|entry| marks.iter().any(|mark| mark.entry == entry));
            if is_marked { Look::Marked } else { Look::Other }
        }
        // So say newer kernels of a process without memory.
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => look_closer(pid, marks, buffer),
        // Another user's, or gone.
        Err(_) => Look::Other,
    }
}

/// Tells what a process is that has no environment to see.
fn look_closer(pid: Pid, marks: &[Mark], buffer: &mut Vec<u8>) -> Look {
    if read(pid, "stat", buffer).is_err() {
        return Look::Other;
    }
    let Some(name_end) = buffer.iter().rposition(|&byte| byte == b')') else {
        return Look::Other;
    };
    let text = String::from_utf8_lossy(&buffer[name_end + 1..]);
    let fields: Vec<&str> = text.split_whitespace().collect();
    // proc_pid_stat(5) counts from 1, and two fields lie before.
    let field = |number: usize| fields.get(number - 3).copied().unwrap_or_default();
    let (state, group, flags, env_end) = (field(3), field(5), field(9), field(51));
    let is_kernel = flags.parse().unwrap_or(PF_KTHREAD) & PF_KTHREAD != 0;
    // With an address its environment is really empty.
    if matches!(state, "Z" | "X") || is_kernel || env_end != "0" {
        return Look::Other;
    }
    let group = group.parse().ok().and_then(Pid::from_raw);
    if marks.iter().any(|mark| Some(mark.group) == group) {
        Look::Dying
    } else {
        Look::Unclear
    }
}

/// Kills by way of a pidfd and a second look, so that it cannot hit one who got the number since.
/// Gives the pidfd if there is something to wait for.
fn kill(pid: Pid, marks: &[Mark]) -> Option<OwnedFd> {
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(pidfd) => {
            let is_marked = look(pid, marks, &mut Vec::new()) == Look::Marked;
            (is_marked && pidfd_send_signal(&pidfd, Signal::KILL).is_ok()).then_some(pidfd)
        }
        Err(Errno::SRCH) => None,
        Err(_) => {
            // An old kernel, or no descriptor to spare. It fails if the process is gone.
            kill_process(pid, Signal::KILL).ok();
            thread::sleep(PAUSE);
            None
        }
    }
}

/// Waits until all are dead, or for `patience`.
fn await_deaths(pidfds: &[OwnedFd], patience: Duration) {
    let start = Instant::now();
    for pidfd in pidfds {
        let rest = patience.saturating_sub(start.elapsed());
        let rest = Timespec {
            tv_sec: i64::try_from(rest.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: rest.subsec_nanos().into(),
        };
        // If it fails the next look tells.
        poll(&mut [PollFd::new(pidfd, PollFlags::IN)], Some(&rest)).ok();
    }
}

fn read(pid: Pid, file: &str, buffer: &mut Vec<u8>) -> io::Result<()> {
    buffer.clear();
    let path = format!("/proc/{}/{file}", pid.as_raw_nonzero());
    File::open(path)?.read_to_end(buffer).map(|_| ())
}
