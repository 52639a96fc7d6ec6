//! Starts a child.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use tokio::sync::{oneshot, watch};

use crate::process::child::Child;
use crate::process::death::Death;
use crate::process::event::Observer;
use crate::process::fork::{self, Bond, Plan};
use crate::process::inbox::Inbox;
use crate::process::journal::JournalFile;
use crate::process::launch::{Launch, OutputMode};
use crate::process::life::Life;
use crate::process::link::DataLink;
use crate::process::outbox::{Ending, Outbox};
use crate::process::reactor::Reactor;
use crate::process::run::{MARKER_VARIABLE, next_marker};
use crate::process::supervisor::{Schedule, Supervisor};
use crate::process::{guard, pipes, registry};

/// Most bytes that may wait on the control channel. Its frames are small, so a child that lets so
/// many wait is not going to read them.
const CONTROL_BACKLOG: usize = 1 << 20;

/// Starts a child on the reactor's thread and returns at once. `done` is called there with the
/// outcome; no event is reported before it has returned. Dropping the child kills it.
///
/// What the fork costs is told in `fork.rs`.
pub fn begin(
    launch: Launch,
    observer: Arc<dyn Observer>,
    done: impl FnOnce(io::Result<Child>) + Send + 'static,
) {
    match Reactor::global() {
        Ok(reactor) => {
            // Detached: the supervisor ends when its child is gone.
            drop(reactor.handle().spawn(async move {
                match start(launch, observer) {
                    Ok((child, supervisor)) => {
                        done(Ok(child));
                        supervisor.run().await;
                    }
                    Err(error) => done(Err(error)),
                }
            }));
        }
        Err(error) => done(Err(error)),
    }
}

/// The same as a future, for any runtime. Events may come before it is ready. If it is dropped the
/// child is killed.
pub async fn spawn(launch: Launch, observer: Arc<dyn Observer>) -> io::Result<Child> {
    let (tx, rx) = oneshot::channel();
    begin(launch, observer, move |outcome| {
        // If nobody waits any more the child is dropped here, and so killed.
        drop(tx.send(outcome));
    });
    rx.await
        .map_err(|_| io::Error::other("the reactor's thread died"))?
}

fn start(launch: Launch, observer: Arc<dyn Observer>) -> io::Result<(Child, Supervisor)> {
    let (child_ends, own_ends) = pipes::channels()?;
    let null = File::options().read(true).write(true).open("/dev/null")?;
    let (stdout, stdout_target) = match launch.stdout {
        OutputMode::Event => pipes::output().map(|(own, target)| (Some(own), target))?,
        OutputMode::Inherit => (None, io::stdout().as_fd().try_clone_to_owned()?),
        OutputMode::Ignore => (None, null.as_fd().try_clone_to_owned()?),
    };
    let (stderr, stderr_target) = match launch.stderr {
        OutputMode::Event | OutputMode::Ignore => {
            pipes::output().map(|(own, target)| (Some(own), target))?
        }
        OutputMode::Inherit => (None, io::stderr().as_fd().try_clone_to_owned()?),
    };
    let journal = JournalFile::create()?;
    let marker = next_marker();
    let mut env = launch.env;
    env.retain(|(name, _)| name != MARKER_VARIABLE);
    env.push((MARKER_VARIABLE.into(), marker.clone().into()));
    let mut fds = vec![
        null.as_fd(),
        stdout_target.as_fd(),
        stderr_target.as_fd(),
        child_ends.data_in.as_fd(),
        child_ends.data_out.as_fd(),
        child_ends.control.as_fd(),
        journal.file().as_fd(),
    ];
    fds.extend(launch.inherited.iter().map(|fd| fd.as_fd()));
    let limits = launch.limits.bounds()?;
    let pid = fork::run(&Plan {
        bond: Bond::Worker,
        program: &launch.program,
        args: &launch.args,
        env: &env,
        cwd: &launch.cwd,
        fds: &fds,
        limits: &limits,
    })?;
    drop((null, stdout_target, stderr_target, child_ends));
    let death = Death::watch(pid).inspect_err(|_| discard(pid))?;

    let life = Arc::new(Life::new(pid, marker));
    registry::add(launch.owner, &life);
    guard::enlist(pid);

    let data = Arc::new(Outbox::new(own_ends.data_out, Ending::Close, usize::MAX));
    let control = Arc::new(Outbox::new(
        Arc::clone(&own_ends.control),
        Ending::HalfClose,
        CONTROL_BACKLOG,
    ));
    let (stop_tx, stop_rx) = watch::channel(Schedule::default());
    let link = DataLink::new(Arc::clone(&data), own_ends.data_in);
    let child = Child::new(
        Arc::clone(&life),
        link,
        Arc::clone(&control),
        journal.clone(),
        stop_tx,
    );
    let supervisor = Supervisor {
        life,
        observer,
        death,
        stop: stop_rx,
        data,
        control,
        journal,
        control_in: Inbox::new(Some(own_ends.control)),
        stdout: Inbox::new(stdout),
        stderr: Inbox::new(stderr),
        forward_stderr: launch.stderr == OutputMode::Event,
        share: own_ends.share,
    };
    Ok((child, supervisor))
}

/// Ends a child that nobody can watch.
fn discard(pid: Pid) {
    // Both fail only if it is gone.
    kill_process(pid, Signal::KILL).ok();
    waitid(WaitId::Pid(pid), WaitIdOptions::EXITED).ok();
}
