//! The data channel, as the thread that uses it sees it.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use crate::process::outbox::Outbox;
pub use crate::process::outbox::WriteState;

/// The data channel of one child: two pipes.
pub struct DataLink {
    outbox: Arc<Outbox>,
    read_fd: Option<OwnedFd>,
}

impl DataLink {
    pub(super) fn new(outbox: Arc<Outbox>, read_fd: OwnedFd) -> Self {
        Self {
            outbox,
            read_fd: Some(read_fd),
        }
    }

    /// The end that reads what the child writes: non-blocking, and the caller's from now on. `None`
    /// the second time.
    pub fn take_read_fd(&mut self) -> Option<OwnedFd> {
        self.read_fd.take()
    }

    /// Writes with one non-blocking `write(2)` on this thread. What does not fit is copied and
    /// written by the reactor, in order with all later writes.
    ///
    /// The backlog is not limited here; whoever writes holds back from [`WriteState::Backlogged`]
    /// to `Drained`, or watches [`DataLink::backlog`]. Fails with `BrokenPipe` if the child has
    /// closed its end, or was stopped.
    pub fn write(&self, bytes: &[u8]) -> io::Result<WriteState> {
        self.outbox.write(bytes)
    }

    /// The same without a copy: `owner` is kept until the last byte is written, and dropped on this
    /// thread or the reactor's.
    pub fn write_owned(&self, owner: Box<dyn AsRef<[u8]> + Send>) -> io::Result<WriteState> {
        self.outbox.write_owned(owner)
    }

    /// Bytes that wait for the child to read.
    pub fn backlog(&self) -> usize {
        self.outbox.backlog()
    }
}

impl fmt::Debug for DataLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataLink")
            .field("backlog", &self.backlog())
            .finish_non_exhaustive()
    }
}
