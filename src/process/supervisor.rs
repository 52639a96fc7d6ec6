//! Watches one child from its start until nothing of it is left.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::coop::consume_budget;
use tokio::time::{Instant, sleep_until};

use crate::process::chunk::Account;
use crate::process::death::Death;
use crate::process::event::{ExitReport, Observer, OutputStream, ProcessEvent, report};
use crate::process::gate::Gate;
use crate::process::inbox::{Inbox, Taken};
use crate::process::journal::JournalFile;
use crate::process::launch::StopPlan;
use crate::process::life::Life;
use crate::process::outbox::{Drain, Outbox};
use crate::process::pipes::PipeShare;
use crate::process::{guard, registry};
#[cfg(target_os = "linux")]
use crate::process::{run, sweep};
use crate::tail::Tail;

/// Most bytes of one read.
const READ: usize = 64 * 1024;

/// Most control bytes on loan to the observer.
const CONTROL_WINDOW: usize = 1 << 20;

/// Most bytes that are read from a stream after its writer died: what the largest pipe may hold. A
/// grandchild that writes on must not keep the report of the death back.
const LAST_WORDS: usize = 1 << 20;

/// When which step of the stop ladder is due. A step that is done is never due again.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Schedule {
    close: Option<Instant>,
    term: Option<Instant>,
    kill: Option<Instant>,
}

impl Schedule {
    pub(super) fn starting_now(plan: StopPlan) -> Self {
        let now = Instant::now();
        // A time too far to be told is never reached.
        let at = |after: Duration| now.checked_add(after);
        Self {
            close: at(plan.close_after),
            term: at(plan.term_after),
            kill: at(plan.grace),
        }
    }

    /// Takes the earlier of each; says whether that changed anything.
    pub(super) fn bring_forward(&mut self, asked: Self) -> bool {
        let mut changed = false;
        for (step, asked) in [
            (&mut self.close, asked.close),
            (&mut self.term, asked.term),
            (&mut self.kill, asked.kill),
        ] {
            if asked.is_some_and(|asked| step.is_none_or(|step| asked < step)) {
                *step = asked;
                changed = true;
            }
        }
        changed
    }
}

/// Which steps were taken.
#[derive(Debug, Default)]
struct Taking {
    close: bool,
    term: bool,
    kill: bool,
}

/// Everything of one child that lives on the reactor.
pub(super) struct Supervisor {
    pub(super) life: Arc<Life>,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) death: Death,
    /// What the handle asked for. Its sender goes with the handle, which kills the child.
    pub(super) stop: watch::Receiver<Schedule>,
    pub(super) data: Arc<Outbox>,
    pub(super) control: Arc<Outbox>,
    pub(super) journal: JournalFile,
    pub(super) control_in: Inbox,
    pub(super) stdout: Inbox,
    pub(super) stderr: Inbox,
    /// Whether stderr goes to the observer, or is read for its tail only.
    pub(super) forward_stderr: bool,
    /// Given back when the pipes are closed.
    pub(super) share: PipeShare,
}

impl Supervisor {
    pub(super) async fn run(mut self) {
        let drains = [self.drain_data(), self.drain_control()];
        let mut reading = Reading::new();
        self.live(&mut reading).await;

        // It is a zombie now, so its pid and its group's are still its own.
        self.life.kill();
        let (code, signal) = self.life.ended();
        self.last_words(&mut reading);
        self.data.close();
        self.control.close();
        for drain in drains {
            // It has been told that its channel is closed.
            drain.await.ok();
        }
        let journal = self.journal.read();
        drop((self.death, self.share, self.journal));
        let stderr_tail = reading.tail.text();
        let exited = ExitReport {
            code,
            signal,
            stderr_tail,
            journal,
        };
        report(&*self.observer, ProcessEvent::Exited(exited));

        #[cfg(target_os = "linux")]
        sweep::sweep(run::Mark::new(self.life.marker(), self.life.pid())).await;
        guard::discharge(self.life.pid());
        registry::remove(&self.life);
        self.life.reap();
        report(&*self.observer, ProcessEvent::Gone);
    }

    /// Until it is dead.
    async fn live(&mut self, reading: &mut Reading) {
        let mut taking = Taking::default();
        let mut has_handle = true;
        loop {
            let due = self.climb(&mut taking);
            let control_has_room = reading.control.has_room();
            tokio::select! {
                () = self.death.wait() => return,
                changed = self.stop.changed(), if has_handle => has_handle = changed.is_ok(),
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
                () = self.control_in.ready(), if control_has_room => {
                    let taken = self.control_in.take(&mut reading.buffer);
                    self.control_taken(reading, taken);
                }
                () = reading.control.room(), if !control_has_room => {}
                () = self.stdout.ready() => {
                    let taken = self.stdout.take(&mut reading.buffer);
                    self.output_taken(reading, OutputStream::Stdout, taken);
                }
                () = self.stderr.ready() => {
                    let taken = self.stderr.take(&mut reading.buffer);
                    self.output_taken(reading, OutputStream::Stderr, taken);
                }
                () = reading.gate.account().room(), if reading.gate.is_holding() => {
                    reading.gate.flush(&*self.observer);
                }
            }
            // A child that floods us must not starve the others on this thread.
            consume_budget().await;
        }
    }

    /// Takes the steps that are due; says when the next one is.
    fn climb(&mut self, taking: &mut Taking) -> Option<Instant> {
        let schedule = *self.stop.borrow_and_update();
        let now = Instant::now();
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if !taking.close && is_due(schedule.close) {
            taking.close = true;
            self.control.end();
            self.data.end();
        }
        if !taking.term && is_due(schedule.term) {
            taking.term = true;
            self.life.terminate();
        }
        if !taking.kill && is_due(schedule.kill) {
            taking.kill = true;
            self.life.kill();
        }
        [
            schedule.close.filter(|_| !taking.close),
            schedule.term.filter(|_| !taking.term),
            schedule.kill.filter(|_| !taking.kill),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Reads what the dead child had written. End-of-file may never come: a grandchild may hold the
    /// other end.
    fn last_words(&mut self, reading: &mut Reading) {
        let was_open = self.control_in.is_open();
        let mut rest = LAST_WORDS;
        while let Taken::Bytes(count) = self.control_in.take_now(&mut reading.buffer) {
            self.control_taken(reading, Taken::Bytes(count));
            rest = rest.saturating_sub(count);
            if rest == 0 {
                break;
            }
        }
        if was_open {
            report(&*self.observer, ProcessEvent::ControlClosed);
        }
        for stream in [OutputStream::Stdout, OutputStream::Stderr] {
            let mut rest = LAST_WORDS;
            while rest > 0 {
                let inbox = match stream {
                    OutputStream::Stdout => &mut self.stdout,
                    OutputStream::Stderr => &mut self.stderr,
                };
                let Taken::Bytes(count) = inbox.take_now(&mut reading.buffer) else {
                    break;
                };
                self.output_taken(reading, stream, Taken::Bytes(count));
                rest = rest.saturating_sub(count);
            }
        }
        reading.gate.finish(&*self.observer);
        self.control_in = Inbox::new(None);
        self.stdout = Inbox::new(None);
        self.stderr = Inbox::new(None);
    }

    fn control_taken(&self, reading: &mut Reading, taken: Taken) {
        match taken {
            Taken::Bytes(count) => {
                let chunk = reading.control.lend(reading.buffer[..count].to_vec());
                report(&*self.observer, ProcessEvent::Control(chunk));
            }
            Taken::Nothing => {}
            Taken::End => report(&*self.observer, ProcessEvent::ControlClosed),
        }
    }

    fn output_taken(&self, reading: &mut Reading, stream: OutputStream, taken: Taken) {
        let Taken::Bytes(count) = taken else { return };
        let bytes = &reading.buffer[..count];
        if stream == OutputStream::Stderr {
            reading.tail.push(bytes);
            if !self.forward_stderr {
                return;
            }
        }
        reading.gate.push(&*self.observer, stream, bytes);
    }

    fn drain_data(&self) -> tokio::task::JoinHandle<()> {
        let outbox = Arc::clone(&self.data);
        let observer = Arc::clone(&self.observer);
        tokio::spawn(async move {
            loop {
                match outbox.drain().await {
                    Drain::Empty => report(&*observer, ProcessEvent::Drained),
                    Drain::Broken => return report(&*observer, ProcessEvent::LinkBroken),
                    Drain::Closed => return,
                }
            }
        })
    }

    fn drain_control(&self) -> tokio::task::JoinHandle<()> {
        let outbox = Arc::clone(&self.control);
        tokio::spawn(async move { while outbox.drain().await == Drain::Empty {} })
    }
}

/// What the reading of a child's streams needs.
struct Reading {
    buffer: Box<[u8]>,
    control: Arc<Account>,
    gate: Gate,
    tail: Tail,
}

impl Reading {
    fn new() -> Self {
        Self {
            buffer: vec![0; READ].into_boxed_slice(),
            control: Account::new(CONTROL_WINDOW),
            gate: Gate::new(),
            tail: Tail::default(),
        }
    }
}
