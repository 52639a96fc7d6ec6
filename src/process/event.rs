//! What a child reports.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::process::chunk::Chunk;
use crate::protocol::journal::Journal;

/// One of a child's output streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OutputStream {
    /// File descriptor 1.
    Stdout,
    /// File descriptor 2.
    Stderr,
}

/// How a child ended. Both numbers are missing if the status was taken by somebody else, which
/// happens when the host ignores SIGCHLD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExitReport {
    /// The exit code, if it exited.
    pub code: Option<i32>,
    /// The signal, if it was ended by one.
    pub signal: Option<i32>,
    /// The end of its stderr: at most 20 lines and 4 KiB, broken UTF-8 replaced. Empty if stderr
    /// was inherited.
    pub stderr_tail: String,
    /// Which calls it had begun.
    pub journal: Journal,
}

/// Something that happened to a child.
#[derive(Debug)]
pub enum ProcessEvent {
    /// Bytes as read from the control channel, in order; frames may be cut anywhere. The channel is
    /// not read any further while the observer holds 1 MiB of these.
    Control(Chunk),
    /// The child closed the control channel.
    ControlClosed,
    /// Bytes as read from an output stream, in order, at most 64 KiB. While the observer holds 1
    /// MiB of these another 1 MiB is kept back; beyond that the oldest is dropped. The child is
    /// never held up.
    Output {
        /// Where they came from.
        stream: OutputStream,
        /// The bytes.
        bytes: Chunk,
    },
    /// Output was dropped at this place because the observer was too slow.
    OutputDropped {
        /// Whose.
        stream: OutputStream,
        /// How many bytes.
        bytes: u64,
    },
    /// The child is dead. All that it had written to control and its output streams has been
    /// reported before.
    Exited(ExitReport),
    /// The child is reaped and nothing that it started is left running. The last event.
    Gone,
    /// The data link's backlog is empty again.
    Drained,
    /// Writing the data link's backlog failed: the child has closed its end. What was in the
    /// backlog is lost.
    LinkBroken,
}

/// Is told what happens to a child, on the reactor's thread: it must not block. A panic in it is
/// contained and the event lost.
pub trait Observer: Send + Sync + 'static {
    /// Takes one event.
    fn event(&self, event: ProcessEvent);
}

/// Reports an event. A panicking observer must not take the supervision of the child with it.
pub(super) fn report(observer: &dyn Observer, event: ProcessEvent) {
    // The panic hook has told the panic already; there is nobody else to tell.
    drop(catch_unwind(AssertUnwindSafe(|| observer.event(event))));
}
