//! The driver for Node's event loop. It lives on the thread of the JavaScript that made it and
//! needs no lock: what happens on other threads comes through a queue, and a wake-up tells the
//! event loop to look into it.

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
use crate::driver::post::{Message, Post, Wake};
use crate::driver::store;
use crate::engine::{Actions, Engine, PoolRequest, Received, Settled};
use crate::environ::Step;
use crate::ids::{CallId, CallbackId, WorkerId};
use crate::memory::{Loan, NotLent, Purpose};
use crate::process::{Child, OwnerId, Reactor, kill_owned};
use crate::storage::SessionFile;
use crate::time::Time;

/// One spawned target.
pub struct NodeDriver {
    epoch: Instant,
    pub(super) owner: OwnerId,
    pub(super) engine: Option<Engine>,
    pub(super) prepared: Option<Arc<Prepared>>,
    /// Ends the preparation of the environment when it is dropped half-way.
    pub(super) preparing: Option<tokio::task::AbortHandle>,
    pub(super) children: FxHashMap<WorkerId, Running>,
    pub(super) memory: SharedMemory,
    /// Workers whose process is being started.
    pub(super) starting: usize,
    /// Where sessions are written down.
    pub(super) store: Option<SessionFile>,
    /// What was written last is on its way to the disk.
    pub(super) closing: bool,
    /// The engine has no workers left; told to the facade once the processes are gone too.
    pub(super) stopped: bool,
    pub(super) actions: Actions,
    pub(super) news: Vec<Value>,
    /// Calls answered by kept replies: each its id, the length and the bytes.
    pub(super) kept: Vec<u8>,
    /// The wake-up that the facade has been told of, and that has not come.
    told: Option<Time>,
    inbox: Receiver<Message>,
    pub(super) post: Post,
}

/// A worker's process and the text of its streams.
pub(super) struct Running {
    pub(super) child: Child,
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

    /// Something that the facade should know.
    pub(super) fn tell(&mut self, news: &News) {
        self.news.push(json(news));
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
