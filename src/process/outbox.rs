//! Writes to a child: straight from the calling thread, and what does not fit by the reactor.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::write;
use rustix::net::{Shutdown, shutdown};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;

use crate::process::inbox::retry;

/// Small writes are gathered in pieces of this size while they wait.
const GATHER: usize = 64 * 1024;

/// Most bytes of one `write(2)` under the lock, which the calling thread may be waiting for.
const STEP: usize = 256 * 1024;

/// Whether a write is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteState {
    /// The kernel has all of it.
    Written,
    /// Some of it waits; [`crate::process::ProcessEvent::Drained`] will say when it does not.
    Backlogged,
}

/// What end-of-file is on this channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The descriptor is closed, and what waits is dropped.
    Close,
    /// What waits is written, then the writing half is shut and the reading half stays.
    HalfClose,
}

/// How the work of [`Outbox::drain`] went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Drain {
    /// Nothing waits any more.
    Empty,
    /// The other side is gone.
    Broken,
    /// The channel was closed on this side.
    Closed,
}

enum Piece {
    Copied(Vec<u8>),
    Owned(Box<dyn AsRef<[u8]> + Send>),
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Copied(bytes) => bytes,
            Self::Owned(owner) => (**owner).as_ref(),
        }
    }
}

struct Queue {
    /// Missing once closed or broken.
    fd: Option<Arc<AsyncFd<OwnedFd>>>,
    pieces: VecDeque<Piece>,
    /// Bytes of the first piece that are written already.
    offset: usize,
    /// Bytes that wait.
    bytes: usize,
    /// Shut the writing half as soon as nothing waits.
    shut_when_empty: bool,
}

/// The writing end of a channel. Shared between the thread that writes and the reactor.
pub(super) struct Outbox {
    ending: Ending,
    /// Most bytes that may wait.
    limit: usize,
    queue: Mutex<Queue>,
    /// Wakes [`Outbox::drain`]: something waits, or the channel was closed.
    wake: Notify,
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox")
            .field("backlog", &self.backlog())
            .finish_non_exhaustive()
    }
}

impl Outbox {
    pub(super) fn new(fd: Arc<AsyncFd<OwnedFd>>, ending: Ending, limit: usize) -> Self {
        Self {
            ending,
            limit,
            queue: Mutex::new(Queue {
                fd: Some(fd),
                pieces: VecDeque::new(),
                offset: 0,
                bytes: 0,
                shut_when_empty: false,
            }),
            wake: Notify::new(),
        }
    }

    /// Writes what fits and copies the rest.
    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<WriteState> {
        let mut queue = self.lock();
        let written = queue.begin(bytes, self.limit)?;
        if written == bytes.len() {
            return Ok(WriteState::Written);
        }
        queue.append(&bytes[written..]);
        drop(queue);
        self.wake.notify_one();
        Ok(WriteState::Backlogged)
    }

    /// Writes what fits and keeps the owner until the rest is written. It is dropped on either
    /// thread.
    pub(super) fn write_owned(&self, owner: Box<dyn AsRef<[u8]> + Send>) -> io::Result<WriteState> {
        let bytes = (*owner).as_ref();
        let length = bytes.len();
        let mut queue = self.lock();
        let written = queue.begin(bytes, self.limit)?;
        if written == length {
            return Ok(WriteState::Written);
        }
        if queue.pieces.is_empty() {
            queue.offset = written;
        }
        queue.bytes += length - written;
        queue.pieces.push_back(Piece::Owned(owner));
        drop(queue);
        self.wake.notify_one();
        Ok(WriteState::Backlogged)
    }

    /// Bytes that wait.
    pub(super) fn backlog(&self) -> usize {
        self.lock().bytes
    }

    /// Ends the channel towards the child, as [`Ending`] says. Twice is harmless.
    pub(super) fn end(&self) {
        match self.ending {
            Ending::Close => self.close(),
            Ending::HalfClose => {
                let mut queue = self.lock();
                queue.shut_when_empty = true;
                queue.shut_if_due();
            }
        }
    }

    /// Lets go of the descriptor and of what waits.
    pub(super) fn close(&self) {
        let mut queue = self.lock();
        let released = queue.give_up();
        drop(queue);
        // Owners may do work of their own when they are dropped, so not under the lock.
        drop(released);
        self.wake.notify_one();
    }

    /// Waits until something waits, then writes it. Runs on the reactor.
    pub(super) async fn drain(&self) -> Drain {
        loop {
            let fd = {
                let queue = self.lock();
                match &queue.fd {
                    None => return Drain::Closed,
                    Some(fd) if queue.bytes > 0 => Some(Arc::clone(fd)),
                    Some(_) => None,
                }
            };
            let Some(fd) = fd else {
                self.wake.notified().await;
                continue;
            };
            tokio::select! {
                // Closed, or more to write: look again.
                () = self.wake.notified() => continue,
                // An error here means that the runtime is going down.
                ready = fd.writable() => drop(ready),
            }
            let state = self.step();
            if let Some(state) = state {
                return state;
            }
            tokio::task::coop::consume_budget().await;
        }
    }

    /// One write of what waits. Says if that was the end of it.
    fn step(&self) -> Option<Drain> {
        // Owners may do work of their own when they are dropped, so not under the lock.
        let mut finished = Vec::new();
        let mut queue = self.lock();
        let outcome = queue.advance(&mut finished);
        let state = match outcome {
            Ok(()) if queue.bytes == 0 && queue.fd.is_some() => {
                queue.shut_if_due();
                Some(Drain::Empty)
            }
            Ok(()) => None,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(_) => Some(Drain::Broken),
        };
        drop(queue);
        drop(finished);
        state
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Writes straight away unless something waits already. Says how much was written.
    fn begin(&mut self, bytes: &[u8], limit: usize) -> io::Result<usize> {
        let Some(fd) = &self.fd else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        if self.shut_when_empty {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if self.bytes > 0 {
            if self.bytes.saturating_add(bytes.len()) > limit {
                return Err(io::Error::new(
                    io::ErrorKind::WouldBlock,
                    format!("the child does not read: {} bytes wait already", self.bytes),
                ));
            }
            return Ok(0);
        }
        // One call suffices: if it is short, the channel is full.
        match retry(|| write(fd.get_ref(), bytes)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(error) => {
                self.fd = None;
                Err(error)
            }
            written => written,
        }
    }

    fn append(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len();
        match self.pieces.back_mut() {
            Some(Piece::Copied(last)) if last.len() + bytes.len() <= GATHER => {
                last.extend_from_slice(bytes);
            }
            _ => self.pieces.push_back(Piece::Copied(bytes.to_vec())),
        }
    }

    /// One `write(2)` of what waits. A finished piece is put aside for the caller to drop.
    fn advance(&mut self, finished: &mut Vec<Piece>) -> io::Result<()> {
        let (Some(fd), Some(piece)) = (&self.fd, self.pieces.front()) else {
            return Ok(());
        };
        let rest = &piece.bytes()[self.offset..];
        let step = &rest[..rest.len().min(STEP)];
        let is_last_step = rest.len() == step.len();
        let outcome = fd.try_io(Interest::WRITABLE, |fd| retry(|| write(fd, step)));
        match outcome {
            Ok(count) if is_last_step && count == step.len() => {
                self.bytes -= count;
                self.offset = 0;
                finished.extend(self.pieces.pop_front());
                Ok(())
            }
            Ok(count) => {
                self.bytes -= count;
                self.offset += count;
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(error),
            Err(error) => {
                finished.extend(self.give_up());
                Err(error)
            }
        }
    }

    fn shut_if_due(&mut self) {
        if self.shut_when_empty
            && self.bytes == 0
            && let Some(fd) = self.fd.take()
        {
            // It fails only if the other side is gone, which is what we want.
            shutdown(fd.get_ref(), Shutdown::Write).ok();
        }
    }

    fn give_up(&mut self) -> VecDeque<Piece> {
        self.fd = None;
        self.bytes = 0;
        self.offset = 0;
        std::mem::take(&mut self.pieces)
    }
}
