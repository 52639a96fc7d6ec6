//! The handle of a child.

use std::fmt;
use std::io;
use std::sync::Arc;

use tokio::sync::watch;

use crate::process::journal::JournalFile;
use crate::process::launch::StopPlan;
use crate::process::life::Life;
use crate::process::link::DataLink;
use crate::process::outbox::Outbox;
use crate::process::supervisor::Schedule;
use crate::protocol::journal::Journal;

/// A child that was started. Dropping it kills the child and its group; the reactor reaps it all
/// the same.
pub struct Child {
    /// The data channel.
    pub data: DataLink,
    life: Arc<Life>,
    control: Arc<Outbox>,
    journal: JournalFile,
    stop: watch::Sender<Schedule>,
}

impl Child {
    pub(super) fn new(
        life: Arc<Life>,
        data: DataLink,
        control: Arc<Outbox>,
        journal: JournalFile,
        stop: watch::Sender<Schedule>,
    ) -> Self {
        Self {
            data,
            life,
            control,
            journal,
            stop,
        }
    }

    /// Its process id, which is also the id of its process group. To tell, not to signal.
    pub fn pid(&self) -> u32 {
        self.life.pid().as_raw_nonzero().get().unsigned_abs()
    }

    /// The value of [`crate::process::MARKER_VARIABLE`] in it and in all that it starts.
    pub fn marker(&self) -> &str {
        self.life.marker()
    }

    /// Writes one or more whole frames to the control channel, without blocking. Fails with
    /// `BrokenPipe` if the child has closed it or was stopped, and with `WouldBlock` (nothing is
    /// written) if 1 MiB waits already.
    pub fn control(&self, bytes: &[u8]) -> io::Result<()> {
        self.control.write(bytes).map(|_| ())
    }

    /// Which calls it has begun so far, as it says itself. Costs a system call.
    pub fn journal(&self) -> Journal {
        self.journal.read()
    }

    /// Tells it not to begin a call. Costs a system call, and fails if it has no journal.
    pub fn withdraw(&self, call: u32) -> io::Result<()> {
        self.journal.withdraw(call)
    }

    /// Takes that back, once the call is over. Costs a system call.
    pub fn restore(&self, call: u32) -> io::Result<()> {
        self.journal.restore(call)
    }

    /// Begins to stop it, step by step as `plan` says, until it is dead. A shutdown frame should
    /// have been written to control before. Again is harmless, and can only make it faster.
    pub fn stop(&self, plan: StopPlan) {
        let asked = Schedule::starting_now(plan);
        self.stop
            .send_if_modified(|schedule| schedule.bring_forward(asked));
    }

    /// Sends SIGKILL to it and its group, on this thread. Harmless when it is dead.
    pub fn kill(&self) {
        self.life.kill();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child")
            .field("pid", &self.pid())
            .finish_non_exhaustive()
    }
}
