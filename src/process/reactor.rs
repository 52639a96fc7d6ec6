//! The thread that owns all children.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

use tokio::runtime::{Builder, Handle};

use crate::process::unix;

/// The thread `synapse-process`: a tokio runtime that is started on first use and never ends.
#[derive(Debug)]
pub struct Reactor {
    handle: Handle,
}

impl Reactor {
    /// The reactor of this process. Fails if it has to be started and the system has no thread or
    /// file descriptor left; the next call tries again.
    pub fn global() -> io::Result<&'static Self> {
        static REACTOR: OnceLock<Reactor> = OnceLock::new();
        static STARTING: Mutex<()> = Mutex::new(());
        if let Some(reactor) = REACTOR.get() {
            return Ok(reactor);
        }
        let _starting = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reactor) = REACTOR.get() {
            return Ok(reactor);
        }
        let reactor = Self::start()?;
        Ok(REACTOR.get_or_init(|| reactor))
    }

    /// Spawns futures on the reactor's thread. They share it with the supervision of all children,
    /// so they must not block.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    fn start() -> io::Result<Self> {
        // The thread runs this library's code for ever, but Node unloads an addon when the last
        // worker thread that loaded it ends.
        unix::keep_library_loaded();
        let (tx, rx) = sync_channel(1);
        thread::Builder::new()
            .name("synapse-process".to_owned())
            .spawn(move || {
                match Builder::new_current_thread().enable_all().build() {
                    Ok(runtime) => {
                        // The receiver waits below, so this cannot fail.
                        drop(tx.send(Ok(runtime.handle().clone())));
                        match runtime.block_on(pending::<Infallible>()) {}
                    }
                    Err(error) => drop(tx.send(Err(error))),
                }
            })?;
        let handle = rx
            .recv()
            .map_err(|_| io::Error::other("the reactor's thread died"))??;
        Ok(Self { handle })
    }
}
