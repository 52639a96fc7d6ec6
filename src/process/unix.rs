//! Calls that only Unix has.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

pub(super) fn set_nonblocking(fd: impl AsFd) -> io::Result<()> {
    let flags = fcntl_getfl(&fd)?;
    Ok(fcntl_setfl(&fd, flags | OFlags::NONBLOCK)?)
}

/// Has the reactor watch a descriptor. Must be called on the reactor.
#[expect(
    unsafe_code,
    reason = "the type cannot promise that the descriptor stays the same"
)]
pub(super) fn watched(fd: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: the descriptor is open, and moved into the `AsyncFd`, which gives no mutable access
    // to what others share of it; so it is neither closed nor replaced while it is registered.
    unsafe { AsyncFd::register_with_interest(fd, interest) }.map_err(io::Error::from)
}

/// Asks for a pipe that holds `bytes`. Says whether it does.
#[cfg(target_os = "linux")]
pub(super) fn set_pipe_size(pipe: impl AsFd, bytes: usize) -> bool {
    rustix::pipe::fcntl_setpipe_size(pipe, bytes).is_ok()
}

/// Only Linux lets the size of a pipe be set.
#[cfg(not(target_os = "linux"))]
pub(super) fn set_pipe_size(_pipe: impl AsFd, _bytes: usize) -> bool {
    false
}

/// Keeps the code of this library in memory until the process ends.
#[expect(unsafe_code, reason = "the dynamic linker has no safe interface")]
pub(super) fn keep_library_loaded() {
    let mut info = std::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    let inside: fn() = keep_library_loaded;
    // SAFETY: `info` is valid for writes and all-zero is a valid value of it; the name that the
    // linker gives is a string that lives as long as the library. The handle is leaked on purpose.
    unsafe {
        if libc::dladdr(inside as *const libc::c_void, info.as_mut_ptr()) != 0 {
            let name = info.assume_init().dli_fname;
            if !name.is_null() {
                libc::dlopen(
                    name,
                    libc::RTLD_LAZY | libc::RTLD_NOLOAD | libc::RTLD_NODELETE,
                );
            }
        }
    }
}
