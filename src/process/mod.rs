//! Layer 3. One child process and its channels: spawn, link, output, stop ladder, reaping, and the
//! promise that nothing it started outlives it.
//!
//! One thread, [`Reactor`], owns every child. It forks them (on Linux `PR_SET_PDEATHSIG` follows
//! the *thread* that forked, so that thread must live as long as this process), reads their output
//! and control channels, and reaps them. What happens is reported to an [`Observer`] on that
//! thread. The hot path does not touch it: [`DataLink::write`] writes straight from the calling
//! thread, and the answering end is a file descriptor for the event loop of that thread.
//!
//! What the child finds: 0 is `/dev/null`, 1 and 2 are as [`OutputMode`] says, 3 is the data
//! channel to read, 4 the data channel to write, 5 the control channel, 6 the memory of its journal,
//! from [`FIRST_INHERITED`] on what [`Launch`] lists, and every other descriptor is closed. It leads
//! a process group of its own, and the variable [`MARKER_VARIABLE`] in its
//! environment marks it and whatever it starts.
//!
//! Who ends what, and when:
//!
//! | event | worker | its group | marked processes elsewhere (`setsid`, double fork) |
//! |---|---|---|---|
//! | worker exits, is stopped or killed | – | killed before it is reaped | swept before [`ProcessEvent::Gone`] |
//! | [`Child`] dropped, [`kill_all`] | killed | killed | swept, or left to the guard if we exit first |
//! | this process is killed | `PR_SET_PDEATHSIG`, guard | guard | guard |
//!
//! What others start is under the guard as well while a [`Kept`] lives: installers.
//!
//! The guard is a small shell, one per process (`guard.sh`). Without `/bin/sh` there is none, and
//! without `/proc` (macOS) only groups can be found: a grandchild that left its group then lives
//! on. The same holds for one that replaced its environment. A process that is meant to outlive its
//! worker does so by starting without [`MARKER_VARIABLE`] in a session of its own.
//!
//! Invariants: a pid is signalled only before it is reaped, under the lock of its `Life`; an
//! observer gets [`ProcessEvent::Exited`] once, then [`ProcessEvent::Gone`] once, then nothing;
//! memory for output and control is bounded by the chunks that the observer holds.

mod child;
mod chunk;
mod death;
mod event;
mod fork;
mod gate;
mod guard;
mod inbox;
mod journal;
mod kept;
mod launch;
mod life;
mod limits;
mod link;
#[cfg(target_os = "linux")]
mod marked;
mod outbox;
mod pipes;
mod reactor;
mod registry;
mod run;
mod spawn;
mod supervisor;
#[cfg(target_os = "linux")]
mod sweep;
mod unix;

pub use crate::process::child::Child;
pub use crate::process::chunk::Chunk;
pub use crate::process::event::{ExitReport, Observer, OutputStream, ProcessEvent};
pub use crate::process::kept::{Kept, marker};
pub use crate::process::launch::{FIRST_INHERITED, Launch, OutputMode, OwnerId, StopPlan};
pub use crate::process::limits::ResourceLimits;
pub use crate::process::link::{DataLink, WriteState};
pub use crate::process::reactor::Reactor;
pub use crate::process::registry::{kill_all, kill_owned, live};
pub use crate::process::run::MARKER_VARIABLE;
pub use crate::process::spawn::{begin, spawn};
