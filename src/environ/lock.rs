//! One build at a time for an environment, over threads and processes.
//!
//! The lock is the operating system's, on the file `.synapse-lock` in the environment's folder, so
//! it ends with its holder however that ends; the file's existence means nothing. It lies inside
//! `.venv` because that folder is ours (nothing is littered beside the user's sources, and version
//! control ignores it already); a rebuild empties the folder but leaves this file.
//!
//! The installers get the locked file as their standard input. So when the holder is killed while
//! one of them still writes into the environment, the lock ends only with that installer, and nobody
//! builds where a stray process is at work. The file is empty: reading it is end of file at once.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;

use tokio::sync::oneshot;

/// The file's name in the environment's folder.
pub(crate) const FILE: &str = ".synapse-lock";

/// Held until dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    /// None where the file system knows no locks: better no lock than no environment.
    file: Option<File>,
}

impl Lock {
    /// Makes the environment's folder if need be and waits for its lock. `on_wait` is called once,
    /// if another holds it. Waiting is done on a thread of its own, not by the runtime, which could
    /// not end before that wait does.
    pub(crate) async fn acquire(venv: &Path, on_wait: impl FnOnce()) -> io::Result<Self> {
        match attempt(venv)? {
            Attempt::Locked(lock) => return Ok(lock),
            Attempt::Busy => on_wait(),
        }
        let (tx, rx) = oneshot::channel();
        let venv: PathBuf = venv.to_path_buf();
        thread::Builder::new()
            .name("synapse-lock".to_owned())
            .spawn(move || {
                // If nobody waits any more, the lock is dropped, and with that let go.
                drop(tx.send(wait(&venv)));
            })?;
        rx.await
            .unwrap_or_else(|_| Err(io::Error::other("the thread that waits for the lock died")))
    }

    /// A standard input that keeps the lock as long as the child lives.
    pub(crate) fn stdin(&self) -> Stdio {
        self.file
            .as_ref()
            .and_then(|file| file.try_clone().ok())
            .map_or_else(Stdio::null, Stdio::from)
    }

    /// A part of the lock, for work that goes on when the future that began it is dropped.
    pub(crate) fn share(&self) -> io::Result<Self> {
        let file = self.file.as_ref().map(File::try_clone).transpose()?;
        Ok(Self { file })
    }

    /// Stands for a lock where none can be had and none is needed.
    pub(crate) fn none() -> Self {
        Self { file: None }
    }
}

enum Attempt {
    Locked(Lock),
    Busy,
}

fn attempt(venv: &Path) -> io::Result<Attempt> {
    loop {
        let file = open(venv)?;
        match file.try_lock() {
            Ok(()) if is_current(&file, venv) => {
                return Ok(Attempt::Locked(Lock { file: Some(file) }));
            }
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(Attempt::Busy),
            Err(TryLockError::Error(error)) => return unlockable(error).map(Attempt::Locked),
        }
    }
}

fn wait(venv: &Path) -> io::Result<Lock> {
    loop {
        let file = open(venv)?;
        match file.lock() {
            Ok(()) if is_current(&file, venv) => return Ok(Lock { file: Some(file) }),
            Ok(()) => {}
            Err(error) => return unlockable(error),
        }
    }
}

fn unlockable(error: io::Error) -> io::Result<Lock> {
    if error.kind() == io::ErrorKind::Unsupported {
        Ok(Lock::none())
    } else {
        Err(error)
    }
}

fn open(venv: &Path) -> io::Result<File> {
    fs::create_dir_all(venv)?;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // A link planted here would have some other file locked, or made.
        options.custom_flags(libc::O_NOFOLLOW);
    }
    options.open(venv.join(FILE))
}

/// Whether the locked file is still the one that others would lock: the folder may have been deleted
/// while we waited.
#[cfg(unix)]
fn is_current(file: &File, venv: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;

    let Ok(ours) = file.metadata() else {
        return false;
    };
    fs::symlink_metadata(venv.join(FILE))
        .is_ok_and(|there| there.ino() == ours.ino() && there.dev() == ours.dev())
}

/// An open file cannot be deleted there.
#[cfg(not(unix))]
fn is_current(_file: &File, _venv: &Path) -> bool {
    true
}
