//! The calls that only Unix has, and the only unsafe code of this module.

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::process::pipes::ChildEnds;

/// The child's end of the data channel from us, of that to us, and of the control channel.
const CHANNEL_FDS: [RawFd; 3] = [3, 4, 5];

/// The first file descriptor that the child must not have.
const FIRST_UNUSED_FD: RawFd = 6;

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
    // SAFETY: the descriptor is open, and moved into the `AsyncFd`, which gives no mutable access to
    // what others share of it; so it is neither closed nor replaced while it is registered.
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

/// Arranges for the child of `command` to be a worker: see the module's documentation for what it
/// finds. `ends` must stay open until the command was spawned.
#[expect(
    unsafe_code,
    reason = "what happens between fork and exec is out of reach otherwise"
)]
pub(super) fn prepare_worker(command: &mut Command, ends: &ChildEnds) {
    let sources = [
        ends.data_in.as_raw_fd(),
        ends.data_out.as_raw_fd(),
        ends.control.as_raw_fd(),
    ];
    let parent = std::process::id();
    command.process_group(0);
    // SAFETY: the closure allocates nothing, takes no lock and makes async-signal-safe calls only.
    unsafe {
        command.pre_exec(move || {
            die_with_parent(parent)?;
            default_signals();
            place_channels(sources)?;
            close_on_exec_from(FIRST_UNUSED_FD);
            Ok(())
        });
    }
}

/// Arranges for the child of `command` to live on when this process, its group or its terminal
/// end. It gets no descriptor beyond its stdio.
#[expect(
    unsafe_code,
    reason = "what happens between fork and exec is out of reach otherwise"
)]
pub(super) fn prepare_guard(command: &mut Command) {
    // SAFETY: the closure allocates nothing, takes no lock and makes async-signal-safe calls only.
    unsafe {
        command.pre_exec(|| {
            check(libc::setsid())?;
            for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT] {
                libc::signal(signal, libc::SIG_IGN);
            }
            close_on_exec_from(3);
            Ok(())
        });
    }
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

/// The kernel is to kill this process when the thread that forked it ends.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "runs between fork and exec")]
fn die_with_parent(parent: u32) -> io::Result<()> {
    // SAFETY: system calls without memory.
    unsafe {
        check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL))?;
        // The parent may have died before the kernel was told.
        if u32::try_from(libc::getppid()) != Ok(parent) {
            libc::_exit(1);
        }
    }
    Ok(())
}

/// Elsewhere the guard has to do.
#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature everywhere")]
fn die_with_parent(_parent: u32) -> io::Result<()> {
    Ok(())
}

/// Undoes what the host ignores; `exec` undoes what it handles, and the standard library the mask.
#[expect(unsafe_code, reason = "runs between fork and exec")]
fn default_signals() {
    for signal in 1..32 {
        // SAFETY: setting the default disposition touches no memory; it fails for SIGKILL and
        // SIGSTOP, which have no other.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// Puts the channels where the worker looks for them. A source may sit on another one's target, so
/// all are moved out of the way first.
#[expect(unsafe_code, reason = "runs between fork and exec")]
fn place_channels(sources: [RawFd; 3]) -> io::Result<()> {
    let mut lifted = [-1; 3];
    for (lifted, source) in lifted.iter_mut().zip(sources) {
        // SAFETY: a system call without memory.
        *lifted = check(unsafe { libc::fcntl(source, libc::F_DUPFD_CLOEXEC, FIRST_UNUSED_FD) })?;
    }
    for (lifted, target) in lifted.into_iter().zip(CHANNEL_FDS) {
        // SAFETY: a system call without memory.
        check(unsafe { libc::dup2(lifted, target) })?;
    }
    Ok(())
}

/// Marks every descriptor from `first` on as not for the program that is executed. Ours and Node's
/// are so already; this is for those of other libraries. Kernels before 5.11 refuse.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "runs between fork and exec")]
fn close_on_exec_from(first: RawFd) {
    // SAFETY: a system call without memory.
    unsafe {
        libc::syscall(
            libc::SYS_close_range,
            first,
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    };
}

#[cfg(not(target_os = "linux"))]
fn close_on_exec_from(_first: RawFd) {}

fn check(outcome: c_int) -> io::Result<c_int> {
    if outcome < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(outcome)
    }
}
