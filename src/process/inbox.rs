//! Reads one of a child's streams on the reactor's thread.

use std::future::pending;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::io::{Errno, read};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// What a look at the stream brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// So many bytes are in the buffer.
    Bytes(usize),
    /// Nothing at the moment.
    Nothing,
    /// The stream is over, or broken, which is the same to us.
    End,
}

/// The reading end of a stream; empty once it has ended.
pub(super) struct Inbox {
    fd: Option<Arc<AsyncFd<OwnedFd>>>,
}

impl Inbox {
    pub(super) fn new(fd: Option<Arc<AsyncFd<OwnedFd>>>) -> Self {
        Self { fd }
    }

    /// Whether the stream has not ended.
    pub(super) fn is_open(&self) -> bool {
        self.fd.is_some()
    }

    /// Waits until there may be something to read; for ever if it has ended.
    pub(super) async fn ready(&self) {
        match &self.fd {
            // An error here means that the runtime is going down.
            Some(fd) => drop(fd.readable().await),
            None => pending().await,
        }
    }

    /// Reads if the reactor believes that there is something.
    pub(super) fn take(&mut self, buffer: &mut [u8]) -> Taken {
        let Some(fd) = &self.fd else {
            return Taken::End;
        };
        let outcome = fd.try_io(Interest::READABLE, |fd| retry(|| read(fd, &mut *buffer)));
        self.taken(outcome)
    }

    /// Reads whatever the reactor believes: after a death its word may still be under way.
    pub(super) fn take_now(&mut self, buffer: &mut [u8]) -> Taken {
        let Some(fd) = &self.fd else {
            return Taken::End;
        };
        let outcome = retry(|| read(fd.get_ref(), &mut *buffer));
        self.taken(outcome)
    }

    fn taken(&mut self, outcome: io::Result<usize>) -> Taken {
        match outcome {
            Ok(count) if count > 0 => Taken::Bytes(count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Taken::Nothing,
            _ => {
                self.fd = None;
                Taken::End
            }
        }
    }
}

/// Repeats a call that a signal interrupted.
pub(super) fn retry<T>(mut call: impl FnMut() -> Result<T, Errno>) -> io::Result<T> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            outcome => return outcome.map_err(io::Error::from),
        }
    }
}
