//! Finds and ends what a dead worker left running outside its process group.

/// Ends every process whose environment has this marker, and waits until they are gone. Does nothing
/// where there is no `/proc`.
pub(super) async fn sweep(marker: &str) {
    #[cfg(target_os = "linux")]
    linux::sweep(marker).await;
    #[cfg(not(target_os = "linux"))]
    let _ = marker;
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs::{self, File};
    use std::io::Read;
    use std::sync::{Mutex, MutexGuard, PoisonError};
    use std::thread;
    use std::time::{Duration, Instant};

    use rustix::process::{
        Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process, pidfd_open,
        pidfd_send_signal, waitid,
    };
    use tokio::sync::oneshot;
    use tokio::task::spawn_blocking;

    use crate::process::run::MARKER_VARIABLE;

    /// How long a process is given to die of SIGKILL. One that hangs in the kernel takes longer.
    const PATIENCE: Duration = Duration::from_secs(2);

    /// Between two looks, while something is dying.
    const PAUSE: Duration = Duration::from_millis(1);

    struct Request {
        /// `NAME=value`, as it is written in an environment.
        entry: Vec<u8>,
        done: oneshot::Sender<()>,
    }

    struct Queue {
        requests: Vec<Request>,
        is_running: bool,
    }

    /// Requests that wait for the next pass: one pass over all processes serves all of them.
    static QUEUE: Mutex<Queue> = Mutex::new(Queue {
        requests: Vec::new(),
        is_running: false,
    });

    pub(super) async fn sweep(marker: &str) {
        let (done, rx) = oneshot::channel();
        let entry = format!("{MARKER_VARIABLE}={marker}").into_bytes();
        let start = {
            let mut queue = lock();
            queue.requests.push(Request { entry, done });
            !std::mem::replace(&mut queue.is_running, true)
        };
        if start {
            // Detached: it answers each request.
            drop(spawn_blocking(run));
        }
        // It fails only if the runtime is going down.
        drop(rx.await);
    }

    fn run() {
        loop {
            let requests = {
                let mut queue = lock();
                if queue.requests.is_empty() {
                    queue.is_running = false;
                    return;
                }
                std::mem::take(&mut queue.requests)
            };
            let entries: Vec<&[u8]> = requests.iter().map(|r| r.entry.as_slice()).collect();
            end_all(&entries);
            for request in requests {
                // Nobody waits if the runtime is going down.
                request.done.send(()).ok();
            }
        }
    }

    /// Kills until nobody is left, since they may be starting others.
    fn end_all(entries: &[&[u8]]) {
        let start = Instant::now();
        let mut killed = Vec::new();
        loop {
            let found = marked(entries);
            if found.is_empty() || start.elapsed() > PATIENCE {
                break;
            }
            for pid in found {
                kill(pid, entries);
                if !killed.contains(&pid) {
                    killed.push(pid);
                }
            }
            thread::sleep(PAUSE);
        }
        // If we are the init process of a container they were handed to us. Others are not ours and
        // are not touched.
        for pid in killed {
            waitid(
                WaitId::Pid(pid),
                WaitIdOptions::EXITED | WaitIdOptions::NOHANG,
            )
            .ok();
        }
    }

    fn marked(entries: &[&[u8]]) -> Vec<Pid> {
        let Ok(processes) = fs::read_dir("/proc") else {
            return Vec::new();
        };
        let mut buffer = Vec::new();
        processes
            .filter_map(|process| {
                let raw = process.ok()?.file_name().to_str()?.parse().ok()?;
                Pid::from_raw(raw)
            })
            .filter(|&pid| is_marked(pid, entries, &mut buffer))
            .collect()
    }

    /// A zombie has no environment any more, so it is not marked.
    fn is_marked(pid: Pid, entries: &[&[u8]], buffer: &mut Vec<u8>) -> bool {
        buffer.clear();
        // It may be another user's, or gone.
        let path = format!("/proc/{}/environ", pid.as_raw_nonzero());
        File::open(path)
            .and_then(|mut file| file.read_to_end(buffer))
            .is_ok()
            && buffer
                .split(|&byte| byte == 0)
                .any(|entry| entries.contains(&entry))
    }

    /// By way of a pidfd and a second look, so that it cannot hit one who got the number since.
    fn kill(pid: Pid, entries: &[&[u8]]) {
        // Both signals fail only if it is gone, or another user's.
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) if is_marked(pid, entries, &mut Vec::new()) => {
                pidfd_send_signal(pidfd, Signal::KILL).ok();
            }
            Ok(_) | Err(rustix::io::Errno::SRCH) => {}
            Err(_) => {
                kill_process(pid, Signal::KILL).ok();
            }
        }
    }

    fn lock() -> MutexGuard<'static, Queue> {
        QUEUE.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
