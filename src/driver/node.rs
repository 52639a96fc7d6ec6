//! The driver for Node's event loop. It lives on the thread of the JavaScript that made it and
//! needs no lock: what happens on other threads comes through a queue, and a wake-up tells the
//! event loop to look into it.

use std::os::fd::IntoRawFd;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Instant;

use rustc_hash::FxHashMap;
use serde_json::Value;

use crate::driver::batch::{Batch, Entry, Item};
use crate::driver::launch::{Prepared, prepare};
use crate::driver::memory::SharedMemory;
use crate::driver::news::{News, json};
use crate::driver::options::SpawnOptions;
use crate::driver::output::Utf8;
use crate::driver::policies::{CallPolicies, without_defaults};
use crate::driver::post::{ChildObserver, Message, Post, Wake};
use crate::driver::signals;
use crate::driver::store;
use crate::driver::vitals;
use crate::engine::{Actions, Command, Engine, Event, Exit, Kept, PoolRequest, Received, Settled};
use crate::environ::Step;
use crate::error::Failure;
use crate::ids::{CallId, CallbackId, WorkerId};
use crate::memory::{Loan, NotLent, Purpose};
use crate::process::{
    Child, ExitReport, OwnerId, ProcessEvent, Reactor, StopPlan, WriteState, begin, kill_owned,
};
use crate::protocol::header::{Header, Kind};
use crate::storage::SessionFile;
use crate::time::Time;

/// Bytes from which an outbox is handed over instead of copied.
const HAND_OVER: usize = 256 * 1024;

/// One spawned target.
pub struct NodeDriver {
    epoch: Instant,
    owner: OwnerId,
    pub(super) engine: Option<Engine>,
    prepared: Option<Arc<Prepared>>,
    /// Ends the preparation of the environment when it is dropped half-way.
    preparing: Option<tokio::task::AbortHandle>,
    pub(super) children: FxHashMap<WorkerId, Running>,
    memory: SharedMemory,
    /// Workers whose process is being started.
    starting: usize,
    /// Where sessions are written down.
    pub(super) store: Option<SessionFile>,
    /// What was written last is on its way to the disk.
    closing: bool,
    /// The engine has no workers left; told to the facade once the processes are gone too.
    stopped: bool,
    actions: Actions,
    pub(super) news: Vec<Value>,
    /// Calls answered by kept replies: each its id, the length and the bytes.
    kept: Vec<u8>,
    /// The wake-up that the facade has been told of, and that has not come.
    told: Option<Time>,
    inbox: Receiver<Message>,
    post: Post,
}

/// A worker's process and the text of its streams.
pub(super) struct Running {
    child: Child,
    pub(super) stdout: Utf8,
    pub(super) stderr: Utf8,
}

impl std::fmt::Debug for NodeDriver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeDriver")
            .field("engine", &self.engine)
            .finish_non_exhaustive()
    }
}

impl NodeDriver {
    /// A driver without a target.
    pub fn new(wake: Wake) -> Self {
        let (post, inbox) = Post::new(wake);
        Self {
            epoch: Instant::now(),
            owner: OwnerId::new(),
            engine: None,
            prepared: None,
            preparing: None,
            children: FxHashMap::default(),
            memory: SharedMemory::default(),
            starting: 0,
            store: None,
            closing: false,
            stopped: false,
            actions: Actions::default(),
            news: Vec::new(),
            kept: Vec::new(),
            told: None,
            inbox,
            post,
        }
    }

    /// Prepares the environment on the reactor's thread; workers start when it is done.
    pub fn start(&mut self, options: SpawnOptions) -> std::io::Result<()> {
        let mut engine = Engine::new(options.engine());
        if let Some(policies) = &options.policies {
            engine.set_policies(&policies.engine());
        }
        self.engine = Some(engine);
        self.memory = SharedMemory::new(&options);
        let post = self.post.clone();
        let task = Reactor::global()?.handle().spawn(async move {
            let progress_post = post.clone();
            let progress = move |step: Step| progress_post.put(Message::Progress(step));
            if let Some(path) = options.sessions.store.clone() {
                let opened = store::restore(path, post.clone()).await;
                let failed = opened.is_err();
                post.put(Message::Restored(opened));
                if failed {
                    return;
                }
            }
            let outcome = prepare(options, &progress).await;
            post.put(Message::Prepared(outcome));
        });
        self.preparing = Some(task.abort_handle());
        Ok(())
    }

    /// The calls and answers of one tick.
    pub fn submit(&mut self, bytes: &[u8]) {
        let now = self.now();
        let Some(engine) = &mut self.engine else {
            return;
        };
        let actions = &mut self.actions;
        for Entry { mut item, session } in Batch::new(bytes, now) {
            if let (Some(session), Some(call)) = (session, item.call())
                && !engine.join(now, call, session, actions)
            {
                continue;
            }
            match item {
                Item::Call(call) => engine.submit(now, &call, actions),
                Item::Nested(call, nested) => engine.submit_nested(now, &call, nested, actions),
                Item::Guarded(call, nested, policies) => {
                    if !engine.has_policies() {
                        engine.set_policies(&without_defaults());
                    }
                    // The facade's own text: it is what it writes.
                    let policies: CallPolicies =
                        serde_json::from_slice(policies).unwrap_or_default();
                    engine.submit_guarded(now, &call, nested, &policies.engine(), actions);
                }
                Item::Answer { worker, frame } => {
                    let sent = engine.answer(worker, frame, actions);
                    self.memory.answered(worker, callback_of(frame), sent, now);
                }
            }
        }
        self.carry_out(now);
    }

    /// Bytes of a worker's data channel. At most `room` calls are settled.
    pub fn received(&mut self, worker: WorkerId, bytes: &[u8], room: usize) -> Received {
        let now = self.now();
        let Some(engine) = &mut self.engine else {
            return Received {
                consumed: bytes.len(),
                need: 4,
            };
        };
        let received = engine.received(now, worker, bytes, room, &mut self.actions);
        self.memory.settled(&self.actions.settled, now);
        self.carry_out(now);
        received
    }

    /// A worker's data channel is at its end.
    pub fn closed(&mut self, worker: WorkerId) {
        self.with_engine(|engine, now, actions| engine.closed(now, worker, actions));
    }

    /// The caller has given a call up.
    pub fn cancel(&mut self, call: CallId) {
        self.with_engine(|engine, now, actions| engine.cancel(now, call, actions));
        self.memory.cancelled(call, self.now());
    }

    /// Copies a large value into shared memory, for a call (`worker` is 0) or for the answer to a
    /// callback of a worker. Says in which block it begins; `None` if it has to take the pipe.
    pub fn lend(&mut self, worker: WorkerId, id: u32, data: &[u8]) -> Option<usize> {
        self.memory.lend(purpose(worker, id), data, self.now())
    }

    /// What was lent for this call or answer is not sent.
    pub fn withdraw(&mut self, worker: WorkerId, id: u32) {
        self.memory.withdraw(purpose(worker, id), self.now());
    }

    /// Borrows a large value that a worker has put into shared memory.
    pub fn borrow(&self, worker: WorkerId, block: usize, length: usize) -> Result<Loan, NotLent> {
        self.memory.borrow(worker, block, length)
    }

    /// The consumer of a stream can take so many more items.
    pub fn grant(&mut self, call: CallId, items: u32) {
        self.with_engine(|engine, _, actions| engine.grant(call, items, actions));
    }

    /// Begins an operation on the pool; the event `done` with this ticket ends it.
    pub fn operate(&mut self, ticket: u32, request: PoolRequest) {
        self.with_engine(|engine, now, actions| engine.operate(now, ticket, request, actions));
    }

    /// Rejects all calls and stops all workers.
    pub fn stop(&mut self) {
        if let Some(task) = self.preparing.take() {
            task.abort();
        }
        self.with_engine(Engine::stop);
    }

    /// Ends all processes at once.
    pub fn kill(&self) {
        kill_owned(self.owner);
    }

    /// Takes what happened on other threads, and lets due timers fire.
    pub fn poll(&mut self) {
        // Not a mere store: that could come into effect after the look, and a message that was put in
        // between would neither be seen nor wake anybody.
        self.post.heard();
        self.told = None;
        while let Ok(message) = self.inbox.try_recv() {
            self.take(message);
        }
        self.with_engine(Engine::tick);
        self.memory.collect(self.now());
    }

    /// Calls answered since the last [`NodeDriver::clear`].
    pub fn settled(&self) -> &[Settled] {
        &self.actions.settled
    }

    /// The facade has seen what was settled.
    pub fn clear(&mut self) {
        self.actions.clear();
    }

    /// Whether [`NodeDriver::take_news`] has something.
    pub fn has_news(&self) -> bool {
        !self.news.is_empty()
    }

    /// Whether [`NodeDriver::take_kept`] has something.
    pub fn has_kept(&self) -> bool {
        !self.kept.is_empty()
    }

    /// Calls answered by kept replies: each its id (`u32`), the length of the payload (`u32`) and the
    /// payload.
    pub fn take_kept(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.kept)
    }

    /// Closes circuit breakers: that of a handler, or all.
    pub fn reset_breaker(&mut self, handler: Option<&str>) {
        self.with_engine(|engine, now, actions| engine.reset_breaker(now, handler, actions));
    }

    /// Forgets kept replies: those of a handler, or all.
    pub fn clear_cache(&mut self, handler: Option<&str>) {
        self.with_engine(|engine, _, _| engine.clear_cache(handler));
    }

    /// What the facade should know, in order.
    pub fn take_news(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.news)
    }

    /// Milliseconds, rounded up, until [`NodeDriver::poll`] should be called; `None` if that is not
    /// earlier than what was answered last, and since then it has not been called.
    pub fn wake_in(&mut self) -> Option<u64> {
        let engine = self.engine.as_mut()?.next_wake();
        let memory = self.memory.due(|| self.now());
        let at = engine.into_iter().chain(memory).min()?;
        if self.told.is_some_and(|told| told <= at) {
            return None;
        }
        self.told = Some(at);
        Some(at.0.saturating_sub(self.now().0).div_ceil(1000))
    }

    /// Counters as JSON.
    pub fn stats(&self) -> Value {
        let now = self.now();
        json(&self.engine.as_ref().map(|engine| engine.stats(now)))
    }

    /// The workers as JSON.
    pub fn workers(&self) -> Value {
        json(
            &self
                .engine
                .as_ref()
                .map(Engine::workers)
                .unwrap_or_default(),
        )
    }

    pub(super) fn now(&self) -> Time {
        Time(u64::try_from(self.epoch.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    pub(super) fn with_engine(&mut self, act: impl FnOnce(&mut Engine, Time, &mut Actions)) {
        let now = self.now();
        if let Some(engine) = &mut self.engine {
            act(engine, now, &mut self.actions);
            self.carry_out(now);
        }
    }

    fn tell(&mut self, news: &News) {
        self.news.push(json(news));
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Progress(step) => self.tell(&News::Setup { step }),
            Message::Prepared(Ok(prepared)) => {
                self.preparing = None;
                self.tell(&News::Prepared {
                    environment: prepared.describe(),
                });
                self.prepared = Some(Arc::new(prepared));
                self.with_engine(Engine::start);
            }
            Message::Prepared(Err(failure)) | Message::Restored(Err(failure)) => {
                self.not_prepared(failure);
            }
            Message::Restored(Ok((store, sessions))) => {
                let now = self.now();
                if let Some(engine) = &mut self.engine {
                    for (id, record) in sessions {
                        engine.sessions().restore(now, &id, record);
                    }
                    engine.sweep_later(now);
                }
                self.store = Some(store);
            }
            Message::StoreFailed(message) => self.tell(&News::StoreFailed { message }),
            Message::StoreClosed => {
                self.closing = false;
                self.report_stopped();
            }
            Message::Started(worker, outcome) => self.started(worker, outcome),
            Message::Process(worker, event) => self.process(worker, event),
        }
    }

    fn not_prepared(&mut self, failure: Failure) {
        self.preparing = None;
        self.actions.events.push(Event::SpawnFailed { failure });
        self.with_engine(Engine::stop);
    }

    fn started(&mut self, worker: WorkerId, outcome: std::io::Result<Child>) {
        self.starting -= 1;
        let mut child = match outcome {
            Ok(child) => child,
            Err(error) => {
                let reason = match &self.prepared {
                    Some(prepared) => prepared.explain(&error),
                    None => error.to_string(),
                };
                self.with_engine(|engine, now, actions| {
                    engine.start_failed(now, worker, &reason, actions);
                });
                return;
            }
        };
        if let Some(fd) = child.data.take_read_fd() {
            let (pid, fd) = (child.pid(), fd.into_raw_fd());
            self.tell(&News::WorkerStart { worker, pid, fd });
        }
        // Told to go before it was there: the engine's command has found no process.
        let wanted = self
            .engine
            .as_ref()
            .is_some_and(|engine| engine.wants(worker));
        if !wanted {
            child.kill();
        }
        let running = Running {
            child,
            stdout: Utf8::default(),
            stderr: Utf8::default(),
        };
        self.children.insert(worker, running);
    }

    fn process(&mut self, worker: WorkerId, event: ProcessEvent) {
        match event {
            ProcessEvent::Control(bytes) => {
                self.with_engine(|engine, now, actions| {
                    engine.control(now, worker, &bytes, actions);
                });
            }
            // The exit that follows says more.
            ProcessEvent::ControlClosed | ProcessEvent::LinkBroken => {}
            ProcessEvent::Output { stream, bytes } => self.output(worker, stream, &bytes),
            ProcessEvent::OutputDropped { stream, bytes } => {
                let text =
                    format!("[{bytes} bytes of output were dropped: the listener is too slow]\n");
                self.log(worker, stream, text);
            }
            ProcessEvent::Drained => {
                self.with_engine(|engine, now, actions| engine.drained(now, worker, actions));
            }
            ProcessEvent::Exited(report) => {
                self.flush_output(worker);
                let exit = exit_of(report);
                self.with_engine(|engine, now, actions| engine.exited(now, worker, exit, actions));
            }
            ProcessEvent::Gone => {
                self.children.remove(&worker);
                self.memory.gone(worker);
                self.report_stopped();
            }
        }
    }

    /// Does what the engine asks for. What it leads to may ask for more.
    fn carry_out(&mut self, now: Time) {
        loop {
            if let Some(engine) = &mut self.engine {
                engine.review(now, &mut self.actions);
                self.memory.note(engine, &self.actions.events, now);
            }
            if self.actions.commands.is_empty() && self.actions.dirty.is_empty() {
                break;
            }
            let commands = std::mem::take(&mut self.actions.commands);
            let mut dirty = std::mem::take(&mut self.actions.dirty);
            for worker in dirty.drain(..) {
                self.flush(now, worker);
            }
            for command in commands {
                self.command(now, command);
            }
            // Its memory is used again: every call makes a worker dirty.
            if self.actions.dirty.is_empty() {
                self.actions.dirty = dirty;
            }
        }
        self.memory.forget();
        for event in self.actions.events.drain(..) {
            if event == Event::Stopped {
                self.stopped = true;
            } else {
                self.news.push(json(&event));
            }
        }
        for Kept { call, reply } in self.actions.kept.drain(..) {
            self.kept.extend(call.0.to_le_bytes());
            let length = u32::try_from(reply.len()).unwrap_or(u32::MAX);
            self.kept.extend(length.to_le_bytes());
            self.kept.extend_from_slice(&reply);
        }
        self.write_sessions();
        self.report_stopped();
    }

    /// The facade hears that all is over when no process of ours is left.
    fn report_stopped(&mut self) {
        if self.stopped && self.children.is_empty() && self.starting == 0 && !self.closing {
            self.write_sessions();
            if self.store.take().is_some() {
                self.closing = true;
                return;
            }
            self.stopped = false;
            self.news.push(json(&Event::Stopped));
        }
    }

    fn flush(&mut self, now: Time, worker: WorkerId) {
        let Some(engine) = &mut self.engine else {
            return;
        };
        let Some(outbox) = engine.outbox(worker) else {
            return;
        };
        let Some(running) = self.children.get(&worker) else {
            return;
        };
        if outbox.is_empty() {
            return;
        }
        let written = if outbox.len() >= HAND_OVER {
            running
                .child
                .data
                .write_owned(Box::new(std::mem::take(outbox)))
        } else {
            let written = running.child.data.write(outbox);
            outbox.clear();
            written
        };
        match written {
            Ok(WriteState::Written) => {}
            Ok(WriteState::Backlogged) => engine.backlogged(worker),
            // The worker has closed its end: it is dying, and its exit says why.
            Err(_) => engine.closed(now, worker, &mut self.actions),
        }
    }

    fn command(&mut self, now: Time, command: Command) {
        match command {
            Command::Start(worker) => self.launch(now, worker),
            Command::Control(worker, bytes) => {
                if let Some(running) = self.children.get(&worker) {
                    // A worker that does not take it is dying or will be killed at the grace.
                    drop(running.child.control(&bytes));
                }
            }
            Command::Stop(worker) => {
                let grace = self.engine.as_ref().map(Engine::grace).unwrap_or_default();
                if let Some(running) = self.children.get(&worker) {
                    drop(running.child.control(&Header::bare(Kind::Shutdown, 0)));
                    running.child.stop(StopPlan::new(grace));
                }
            }
            Command::Kill(worker) => {
                if let Some(running) = self.children.get(&worker) {
                    running.child.kill();
                }
            }
            Command::Inspect(worker) => {
                if let Some(running) = self.children.get(&worker)
                    && let Some(engine) = &mut self.engine
                {
                    let journal = running.child.journal();
                    engine.inspected(now, worker, &journal, &mut self.actions);
                }
            }
            Command::Look(worker) => {
                let running = self.children.get(&worker);
                let vitals = running.and_then(|running| vitals::of(running.child.pid()));
                if let Some(engine) = &mut self.engine {
                    engine.looked(now, worker, vitals, &mut self.actions);
                }
            }
        }
    }

    fn launch(&mut self, now: Time, worker: WorkerId) {
        let Some(prepared) = &self.prepared else {
            if let Some(engine) = &mut self.engine {
                engine.start_failed(now, worker, "there is no environment", &mut self.actions);
            }
            return;
        };
        self.starting += 1;
        let observer = Arc::new(ChildObserver::new(worker, self.post.clone()));
        let post = self.post.clone();
        let launch = prepared.launch(self.owner, self.memory.prepare(worker));
        begin(launch, observer, move |outcome| {
            post.put(Message::Started(worker, outcome));
        });
    }
}

impl Drop for NodeDriver {
    fn drop(&mut self) {
        if let Some(task) = self.preparing.take() {
            task.abort();
        }
        kill_owned(self.owner);
    }
}

/// What a value is lent for: answers to callbacks name their worker, calls have none yet.
fn purpose(worker: WorkerId, id: u32) -> Purpose {
    match worker {
        WorkerId(0) => Purpose::Call(CallId(id)),
        asked => Purpose::Answer(asked, CallbackId(id)),
    }
}

/// The callback that a frame answers.
fn callback_of(frame: &[u8]) -> CallbackId {
    let id = frame.get(8..).and_then(<[u8]>::first_chunk);
    CallbackId(id.map_or(0, |id| u32::from_le_bytes(*id)))
}

fn exit_of(report: ExitReport) -> Exit {
    Exit {
        code: report.code,
        signal: report.signal.map(signals::name),
        stderr_tail: report.stderr_tail,
        journal: report.journal,
    }
}
