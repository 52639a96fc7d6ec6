//! Process groups that others start and reap, such as installers, which are not to outlive this process
//! either: the guard is told of them.

use rustix::process::Pid;

use crate::process::{guard, run};

/// A process group that the guard ends if this process is killed, until this is dropped. Both must
/// happen on the reactor's thread.
#[derive(Debug)]
pub struct Kept {
    group: Pid,
}

impl Kept {
    /// `leader`: the id of a process that leads a group, and is not reaped. `None` if there can be no such
    /// process.
    pub fn new(leader: u32) -> Option<Self> {
        let group = i32::try_from(leader).ok().and_then(Pid::from_raw)?;
        guard::enlist(group);
        Some(Self { group })
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        guard::discharge(self.group);
    }
}

/// A value of [`crate::process::MARKER_VARIABLE`] of its own, by which the guard finds what has left such a
/// group.
pub fn marker() -> String {
    run::next_marker()
}
