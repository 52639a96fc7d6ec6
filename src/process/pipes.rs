//! The channels between us and a child.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::process::unix;

/// What a large pipe holds.
const LARGE_PIPE: usize = 1 << 20;

/// Most bytes of large pipes at a time. Linux lets an ordinary user have 64 MiB of pipes
/// (`fs.pipe-user-pages-soft`); past that, *every* new pipe of that user shrinks to a page or two.
/// A quarter of it serves the first eight workers, and the rest get the usual 64 KiB.
const LARGE_PIPES: usize = 16 << 20;

static LARGE_BYTES: AtomicUsize = AtomicUsize::new(0);

/// One child's share of [`LARGE_PIPES`], given back when it is dropped.
pub(super) struct PipeShare {
    bytes: usize,
}

impl Drop for PipeShare {
    fn drop(&mut self) {
        LARGE_BYTES.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// The ends that the child gets.
pub(super) struct ChildEnds {
    /// Its fd 3.
    pub(super) data_in: OwnedFd,
    /// Its fd 4.
    pub(super) data_out: OwnedFd,
    /// Its fd 5.
    pub(super) control: OwnedFd,
}

/// The ends that we keep. All are non-blocking.
pub(super) struct OwnEnds {
    pub(super) data_out: Arc<AsyncFd<OwnedFd>>,
    pub(super) data_in: OwnedFd,
    pub(super) control: Arc<AsyncFd<OwnedFd>>,
    pub(super) share: PipeShare,
}

/// Makes the three channels. None of the descriptors survives an `exec` by itself.
pub(super) fn channels() -> io::Result<(ChildEnds, OwnEnds)> {
    let (child_data_in, data_out) = io::pipe()?;
    let (data_in, child_data_out) = io::pipe()?;
    let (control, child_control) = UnixStream::pair()?;
    let share = enlarge(&data_out, &child_data_out);
    let data_in = OwnedFd::from(data_in);
    unix::set_nonblocking(&data_in)?;
    let child = ChildEnds {
        data_in: child_data_in.into(),
        data_out: child_data_out.into(),
        control: child_control.into(),
    };
    let own = OwnEnds {
        data_out: watched(data_out.into(), Interest::WRITABLE)?,
        data_in,
        control: watched(control.into(), Interest::READABLE | Interest::WRITABLE)?,
        share,
    };
    Ok((child, own))
}

/// A pipe for output: our end, the child's end.
pub(super) fn output() -> io::Result<(Arc<AsyncFd<OwnedFd>>, OwnedFd)> {
    let (reader, writer) = io::pipe()?;
    Ok((watched(reader.into(), Interest::READABLE)?, writer.into()))
}

fn watched(fd: OwnedFd, interest: Interest) -> io::Result<Arc<AsyncFd<OwnedFd>>> {
    unix::set_nonblocking(&fd)?;
    unix::watched(fd, interest).map(Arc::new)
}

/// Makes both pipes large if there is room; if not they work all the same.
fn enlarge(first: impl AsFd, second: impl AsFd) -> PipeShare {
    let mut share = PipeShare { bytes: 0 };
    for pipe in [first.as_fd(), second.as_fd()] {
        let before = LARGE_BYTES.fetch_add(LARGE_PIPE, Ordering::Relaxed);
        if before + LARGE_PIPE <= LARGE_PIPES && unix::set_pipe_size(pipe, LARGE_PIPE) {
            share.bytes += LARGE_PIPE;
        } else {
            LARGE_BYTES.fetch_sub(LARGE_PIPE, Ordering::Relaxed);
        }
    }
    share
}
