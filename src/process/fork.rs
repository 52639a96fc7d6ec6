//! From a plan to a running program: what happens between fork and exec.
//!
//! An ordinary fork copies the page tables of the whole process while its other threads wait for
//! memory. Measured from fork to exec: 0.5 ms for a small process, 7 ms with 100 MB of memory in
//! use, 100 ms with a gigabyte; borrowing it: 0.1, 0.2 and 4 ms. So on Linux the child borrows our
//! memory until it executes its program, as `posix_spawn(3)` has it, which cannot be used itself
//! since it knows nothing of `PR_SET_PDEATHSIG`. The thread that forks stands still meanwhile.
//!
//! Rules for the code that runs in the child: it allocates nothing, takes no lock, cannot panic,
//! and makes system calls only.

use std::ffi::{CString, OsStr, OsString, c_char, c_int};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::ptr;

use rustix::process::{Pid, WaitId, WaitIdOptions, setrlimit, waitid};

use crate::process::limits::Bound;

/// Where a program without a slash is looked for if the environment has no `PATH`.
const DEFAULT_PATH: &str = "/usr/bin:/bin";

/// The signals whose disposition a program inherits and may change. On Linux the real-time signals as
/// well: until the program is executed a handler of the host's would run in the host's memory. The two
/// that the C library keeps for itself it refuses to change.
#[cfg(target_os = "linux")]
const SIGNALS: std::ops::RangeInclusive<c_int> = 1..=64;
#[cfg(not(target_os = "linux"))]
const SIGNALS: std::ops::RangeInclusive<c_int> = 1..=31;

/// How the child relates to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bond {
    /// Leads a process group, and is killed (on Linux) when the thread that forks it ends.
    Worker,
    /// Leads a session, and goes on when this process, its group or its terminal end.
    Guard,
}

/// What to run.
pub(super) struct Plan<'a> {
    pub(super) bond: Bond,
    pub(super) program: &'a Path,
    /// Without the program itself.
    pub(super) args: &'a [OsString],
    /// Complete.
    pub(super) env: &'a [(OsString, OsString)],
    pub(super) cwd: &'a Path,
    /// The child's file descriptors, from 0 on. It gets no others.
    pub(super) fds: &'a [BorrowedFd<'a>],
    /// What the system lets it use.
    pub(super) limits: &'a [Bound],
}

/// Starts the program and returns when it runs. Fails with the child's reason if it does not, and
/// then there is no child.
pub(super) fn run(plan: &Plan<'_>) -> io::Result<Pid> {
    let mut args = vec![plan.program.as_os_str().to_owned()];
    args.extend_from_slice(plan.args);
    let args = c_strings(args)?;
    let env = c_strings(plan.env.iter().map(|(name, value)| {
        let mut entry = name.clone();
        entry.push("=");
        entry.push(value);
        entry
    }))?;
    let programs = c_strings(candidates(plan))?;
    let cwd = c_string(plan.cwd.as_os_str().to_owned())?;
    let mut fds: Vec<(RawFd, RawFd)> = plan
        .fds
        .iter()
        .zip(0..)
        .map(|(fd, target)| (fd.as_raw_fd(), target))
        .collect();

    let mut child = Prepared {
        bond: plan.bond,
        parent: std::process::id(),
        programs: &programs,
        args: &pointers(&args),
        env: &pointers(&env),
        cwd: &cwd,
        fds: &mut fds,
        limits: plan.limits,
        error: 0,
    };
    let pid = system::fork(&mut child)?;
    if child.error == 0 {
        return Ok(pid);
    }
    // It has ended itself, so this does not wait.
    waitid(WaitId::Pid(pid), WaitIdOptions::EXITED).ok();
    Err(io::Error::from_raw_os_error(child.error))
}

/// Everything that the child needs, made before there is one.
struct Prepared<'a> {
    bond: Bond,
    parent: u32,
    /// Paths to try in turn.
    programs: &'a [CString],
    /// Ends with a null pointer.
    args: &'a [*const c_char],
    /// Ends with a null pointer.
    env: &'a [*const c_char],
    cwd: &'a CString,
    /// Pairs of a descriptor and the number it is to have; the child overwrites the first.
    fds: &'a mut [(RawFd, RawFd)],
    limits: &'a [Bound],
    /// Why the program does not run; written by the child.
    error: c_int,
}

impl Prepared<'_> {
    /// Runs in the child, with all signals blocked. Returns the error if the program cannot be run.
    fn become_program(&mut self) -> c_int {
        match self.try_to_become() {
            Ok(()) => 0,
            Err(error) => error,
        }
    }

    #[expect(unsafe_code, reason = "runs between fork and exec")]
    fn try_to_become(&mut self) -> Result<(), c_int> {
        // SAFETY: system calls; the pointers are to strings that outlive the call, in lists that
        // end with a null pointer.
        unsafe {
            match self.bond {
                Bond::Worker => {
                    system::die_with_parent(self.parent)?;
                    check(libc::setpgid(0, 0))?;
                }
                Bond::Guard => {
                    check(libc::setsid())?;
                }
            }
            self.set_signals();
            self.place_descriptors()?;
            check(libc::chdir(self.cwd.as_ptr()))?;
            let mut none = std::mem::zeroed();
            libc::sigemptyset(&raw mut none);
            check(libc::sigprocmask(
                libc::SIG_SETMASK,
                &raw const none,
                ptr::null_mut(),
            ))?;
            // Last, for what is done here takes memory and descriptors as well.
            for (resource, limit) in self.limits {
                setrlimit(*resource, *limit).map_err(rustix::io::Errno::raw_os_error)?;
            }
            let mut refusal = libc::ENOENT;
            for program in self.programs {
                libc::execve(program.as_ptr(), self.args.as_ptr(), self.env.as_ptr());
                match errno() {
                    libc::ENOENT | libc::ENOTDIR => {}
                    // To be told unless another one can be run.
                    libc::EACCES => refusal = libc::EACCES,
                    error => return Err(error),
                }
            }
            Err(refusal)
        }
    }

    /// Undoes what the host ignores or handles: until the program is executed, a handler of the
    /// host's would run in the host's memory.
    #[expect(unsafe_code, reason = "runs between fork and exec")]
    fn set_signals(&self) {
        for signal in SIGNALS {
            let is_ignored = self.bond == Bond::Guard
                && matches!(
                    signal,
                    libc::SIGINT | libc::SIGTERM | libc::SIGHUP | libc::SIGQUIT
                );
            let disposition = if is_ignored {
                libc::SIG_IGN
            } else {
                libc::SIG_DFL
            };
            // SAFETY: neither disposition is a function; it fails for SIGKILL and SIGSTOP, which
            // have only one, and for those of the C library.
            unsafe { libc::signal(signal, disposition) };
        }
    }

    /// Gives the descriptors their numbers. One may lie where another is to be, so all are moved
    /// out of the way first.
    #[expect(unsafe_code, reason = "runs between fork and exec")]
    fn place_descriptors(&mut self) -> Result<(), c_int> {
        let first_unused = RawFd::try_from(self.fds.len()).unwrap_or(RawFd::MAX);
        for (source, _) in self.fds.iter_mut() {
            // SAFETY: a system call without memory.
            *source = check(unsafe { libc::fcntl(*source, libc::F_DUPFD_CLOEXEC, first_unused) })?;
        }
        for &mut (source, target) in self.fds.iter_mut() {
            // SAFETY: a system call without memory.
            check(unsafe { libc::dup2(source, target) })?;
        }
        system::close_on_exec_from(first_unused);
        Ok(())
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::ffi::c_void;

    use super::{Pid, Prepared, c_int, check, io, ptr};

    /// The child's stack until it executes its program, in units that are aligned as it must be.
    const STACK: usize = 64 * 1024 / size_of::<u128>();

    /// Forks a child that borrows our memory, and waits until it executes its program or ends.
    #[expect(unsafe_code, reason = "the kernel's interface")]
    pub(super) fn fork(child: &mut Prepared<'_>) -> io::Result<Pid> {
        extern "C" fn main(child: *mut c_void) -> c_int {
            // SAFETY: it is the argument given below; the parent's only thread that knows it stands
            // still.
            let child = unsafe { &mut *child.cast::<Prepared<'_>>() };
            child.error = child.become_program();
            // SAFETY: ends this process without running anything of the parent's.
            unsafe { libc::_exit(127) }
        }

        let mut stack = vec![0_u128; STACK];
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
        // SAFETY: the stack is ours, large enough and aligned, and grows down from its end; `child`
        // and the stack outlive the call, which returns when the child uses our memory no more. All
        // signals are blocked meanwhile, since a handler must not run in the child.
        let (pid, error) = unsafe {
            let mut all = std::mem::zeroed();
            let mut before = std::mem::zeroed();
            libc::sigfillset(&raw mut all);
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
            let top = stack.as_mut_ptr_range().end.cast();
            let pid = libc::clone(main, top, flags, ptr::from_mut(child).cast());
            let error = io::Error::last_os_error();
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, ptr::null_mut());
            (pid, error)
        };
        drop(stack);
        if pid < 0 {
            Err(error)
        } else {
            Pid::from_raw(pid).ok_or(error)
        }
    }

    /// The kernel is to kill this process when the thread that forked it ends.
    #[expect(unsafe_code, reason = "runs between fork and exec")]
    pub(super) fn die_with_parent(parent: u32) -> Result<(), c_int> {
        // SAFETY: system calls without memory.
        unsafe {
            check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL))?;
            // The parent may have died before the kernel was told.
            if u32::try_from(libc::getppid()) == Ok(parent) {
                Ok(())
            } else {
                Err(libc::ESRCH)
            }
        }
    }

    /// Marks every descriptor from `first` on as not for the program. Ours and Node's are so
    /// already; this is for those of other libraries. Kernels before 5.11 refuse.
    #[expect(unsafe_code, reason = "runs between fork and exec")]
    pub(super) fn close_on_exec_from(first: c_int) {
        // SAFETY: a system call without memory.
        unsafe {
            let last = libc::c_uint::MAX;
            libc::syscall(
                libc::SYS_close_range,
                first,
                last,
                libc::CLOSE_RANGE_CLOEXEC,
            )
        };
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::io::{Read, Write};

    use super::{Pid, Prepared, c_int, errno, io, ptr};

    /// Forks a child, and waits until it executes its program or tells why not.
    #[expect(unsafe_code, reason = "the system's interface")]
    pub(super) fn fork(child: &mut Prepared<'_>) -> io::Result<Pid> {
        let (mut reader, mut writer) = io::pipe()?;
        // SAFETY: the child makes system calls only, then ends. All signals are blocked, since a
        // handler of ours must not run in it.
        let pid = unsafe {
            let mut all = std::mem::zeroed();
            let mut before = std::mem::zeroed();
            libc::sigfillset(&raw mut all);
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
            let pid = libc::fork();
            if pid == 0 {
                let error = child.become_program();
                writer.write_all(&error.to_ne_bytes()).ok();
                libc::_exit(127);
            }
            let error = errno();
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, ptr::null_mut());
            Pid::from_raw(pid.max(0)).ok_or_else(|| io::Error::from_raw_os_error(error))?
        };
        drop(writer);
        let mut error = [0; size_of::<c_int>()];
        // The end of the pipe means that the program runs.
        if reader.read_exact(&mut error).is_ok() {
            child.error = c_int::from_ne_bytes(error);
        }
        Ok(pid)
    }

    /// Elsewhere the guard has to do.
    #[expect(clippy::unnecessary_wraps, reason = "the same signature everywhere")]
    pub(super) fn die_with_parent(_parent: u32) -> Result<(), c_int> {
        Ok(())
    }

    pub(super) fn close_on_exec_from(_first: c_int) {}
}

/// The paths at which the program may be.
fn candidates(plan: &Plan<'_>) -> Vec<OsString> {
    if plan.program.as_os_str().as_bytes().contains(&b'/') {
        return vec![plan.program.as_os_str().to_owned()];
    }
    let path = plan.env.iter().find(|(name, _)| name == "PATH");
    let path = path.map_or(OsStr::new(DEFAULT_PATH), |(_, value)| value);
    std::env::split_paths(path)
        .map(|folder| folder.join(plan.program).into_os_string())
        .collect()
}

fn c_strings(strings: impl IntoIterator<Item = OsString>) -> io::Result<Vec<CString>> {
    strings.into_iter().map(c_string).collect()
}

fn c_string(string: OsString) -> io::Result<CString> {
    Ok(CString::new(string.into_vec())?)
}

fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings
        .iter()
        .map(|string| string.as_ptr())
        .chain([ptr::null()])
        .collect()
}

fn check(outcome: c_int) -> Result<c_int, c_int> {
    if outcome < 0 {
        Err(errno())
    } else {
        Ok(outcome)
    }
}

fn errno() -> c_int {
    io::Error::last_os_error()
        .raw_os_error()
        .unwrap_or(libc::EIO)
}
