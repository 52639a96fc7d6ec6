//! All children that are not reaped, so that they can be ended without their handles.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use rustix::process::Pid;

use crate::process::launch::OwnerId;
use crate::process::life::Life;

struct Entry {
    owner: OwnerId,
    life: Arc<Life>,
}

static CHILDREN: LazyLock<Mutex<HashMap<Pid, Entry>>> = LazyLock::new(Mutex::default);

/// Sends SIGKILL to every child of this process and its group, on this thread: for the end of the
/// process. What had left its group is ended by the guard.
pub fn kill_all() {
    for entry in children().values() {
        entry.life.kill();
    }
}

/// The same for the children of one owner. They are reaped and swept as ever.
pub fn kill_owned(owner: OwnerId) {
    for entry in children().values().filter(|entry| entry.owner == owner) {
        entry.life.kill();
    }
}

/// How many children are not reaped.
pub fn live() -> usize {
    children().len()
}

pub(super) fn add(owner: OwnerId, life: &Arc<Life>) {
    children().insert(
        life.pid(),
        Entry {
            owner,
            life: Arc::clone(life),
        },
    );
}

/// Must come before the child is reaped: afterwards the pid may be that of another entry.
pub(super) fn remove(life: &Life) {
    children().remove(&life.pid());
}

fn children() -> MutexGuard<'static, HashMap<Pid, Entry>> {
    CHILDREN.lock().unwrap_or_else(PoisonError::into_inner)
}
