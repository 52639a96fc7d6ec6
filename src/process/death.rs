//! Tells when a child is dead, without reaping it.

use std::io;
use std::thread;

use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use tokio::sync::oneshot;

/// Watches one child. No signal handler is involved, since those belong to the host.
pub(super) enum Death {
    /// A pidfd, which becomes readable (Linux 5.3).
    #[cfg(target_os = "linux")]
    Pidfd(tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>),
    /// Elsewhere, or without a descriptor to spare: a thread that blocks in `waitid(2)`.
    Thread(oneshot::Receiver<()>),
}

impl Death {
    /// Must be called on the reactor, for a child that is not reaped.
    pub(super) fn watch(pid: Pid) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        {
            use rustix::process::{PidfdFlags, pidfd_open};
            use tokio::io::Interest;

            use crate::process::unix;

            if let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty())
                && let Ok(pidfd) = unix::watched(pidfd, Interest::READABLE)
            {
                return Ok(Self::Pidfd(pidfd));
            }
        }
        let (tx, rx) = oneshot::channel();
        thread::Builder::new()
            .name("synapse-wait".to_owned())
            .stack_size(64 * 1024)
            .spawn(move || {
                let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
                while waitid(WaitId::Pid(pid), options).err() == Some(Errno::INTR) {}
                // Nobody may be interested any more.
                tx.send(()).ok();
            })?;
        Ok(Self::Thread(rx))
    }

    /// Waits for the death. Not to be asked again afterwards.
    pub(super) async fn wait(&mut self) {
        match self {
            // Errors mean that the runtime or the thread is going down.
            #[cfg(target_os = "linux")]
            Self::Pidfd(pidfd) => drop(pidfd.readable().await),
            Self::Thread(rx) => drop(rx.await),
        }
    }
}
