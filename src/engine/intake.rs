//! Calls come in, are placed or queued, and may be taken back.

use crate::engine::action::{Actions, Command, Event};
use crate::engine::call::{Call, CallState, RequestFrame, Submission};
use crate::engine::callbacks::{has_flag, has_functions, is_nested, without_nested};
use crate::engine::calls::Calls;
use crate::engine::poison::fingerprint;
use crate::engine::timers::Timer;
use crate::engine::worker::{Worker, WorkerState};
use crate::engine::{Engine, Phase};
use crate::error::{ErrorCode, Failure};
use crate::ids::{CallId, WorkerId};
use crate::protocol::extras;
use crate::protocol::header::{self, Kind};
use crate::protocol::message::{self, Mode};
use crate::time::Time;

/// Bytes up to which the frame of a call that goes to a worker at once is copied, in case the worker
/// dies before the call begins. A worker that is idle enough to take it begins it soon.
const KEEP: usize = 64 * 1024;

impl Engine {
    /// A call. It goes to a worker at once or waits in the queue, or fails.
    pub fn submit(&mut self, now: Time, call: &Submission<'_>, actions: &mut Actions) {
        if self.policies.is_some() && self.guard(now, call, None, None, actions) {
            return;
        }
        match self.handlers.amend(now, call.handler, call.options) {
            None => self.submit_plain(now, call, actions),
            Some(options) => self.submit_plain(now, &Submission { options, ..*call }, actions),
        }
    }

    /// A call without policies, or an attempt at one with.
    pub(super) fn submit_plain(&mut self, now: Time, call: &Submission<'_>, actions: &mut Actions) {
        let mut call = *call;
        match self.choose(now, &mut call, actions) {
            Ok(worker) => self.submit_to(now, &call, worker, actions),
            Err(failure) => {
                let id = call.id;
                actions.events.push(Event::Failed { id, failure });
            }
        }
    }

    /// Which worker takes a call now; `None`: it waits.
    pub(super) fn choose(
        &mut self,
        now: Time,
        call: &mut Submission<'_>,
        actions: &mut Actions,
    ) -> Result<Option<WorkerId>, Failure> {
        Ok(match (call.options.worker, call.options.session) {
            (None, None) => self.placement.pick(),
            (None, Some(session)) => self.place_in_session(now, call, session, actions)?,
            (Some(id), _) => self
                .workers
                .get(&id)
                .filter(|w| w.capacity().is_some())
                .map(|w| w.id),
        })
    }

    /// A call that `worker` takes now, or that waits if there is none.
    pub(super) fn submit_to(
        &mut self,
        now: Time,
        call: &Submission<'_>,
        worker: Option<WorkerId>,
        actions: &mut Actions,
    ) {
        let fingerprint = fingerprint(call.handler, call.frame);
        let refusal = self
            .refusal(call, worker.is_none())
            .or_else(|| self.poisoned(call.handler, fingerprint, now));
        if let Some(failure) = refusal {
            if failure.code == ErrorCode::QueueFull {
                self.refused_calls = true;
                self.queue_refusals += 1;
            }
            actions.events.push(Event::Failed {
                id: call.id,
                failure,
            });
            return;
        }
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        if let Some(at) = call.options.deadline {
            self.timers.set(
                at,
                Timer::Deadline {
                    call: call.id,
                    sequence,
                },
            );
        }
        self.enter_session(now, call.options.session);
        let mut record = Call {
            state: CallState::Queued,
            handler: call.handler,
            options: call.options,
            frame: None,
            fingerprint,
            sequence,
            submitted: now,
            queued: now,
            deaths: 0,
            number: 0,
            nested: is_nested(call.frame),
            credit: call.options.credit,
            sequence_seen: call.options.resume_from,
            got_further: false,
            changes: None,
        };
        let lane = call.options.priority.cast_unsigned();
        if let Some(worker) = worker {
            if call.options.repeatable() || call.frame.len() <= KEEP {
                record.frame = Some(RequestFrame::from_slice(&without_nested(call.frame)));
            }
            self.calls.insert(call.id, lane, record);
            self.write(now, call.id, worker, Some(call.frame), actions);
            self.place_anew(worker);
            if let Some(limit) = self.config.queue_timeout {
                let (call, at) = (call.id, now + limit);
                self.timers.set(at, Timer::QueueTimeout { call, sequence });
            }
            return;
        }
        record.frame = Some(RequestFrame::from_slice(call.frame));
        self.calls.insert(call.id, lane, record);
        self.enqueue(now, call.id);
    }

    /// A call leaves the engine.
    pub(super) fn forget(&mut self, now: Time, id: CallId) -> Option<Call> {
        let call = self.calls.remove(&id)?;
        self.errands.remove(id);
        self.leave_session(now, call.options.session);
        Some(call)
    }

    /// Puts a call at its place in the queue, where its time begins.
    pub(super) fn enqueue(&mut self, now: Time, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        call.state = CallState::Queued;
        call.queued = now;
        call.changes = None;
        if let Some(limit) = self.config.queue_timeout {
            self.timers.set(
                now + limit,
                Timer::QueueTimeout {
                    call: id,
                    sequence: call.sequence,
                },
            );
        }
        self.queue.push(
            call.options.priority,
            (call.sequence, id),
            call.options.worker,
        );
        self.grow_soon(now);
    }

    /// Why no call at all can be taken, if none can.
    pub(super) fn takes_none(&self) -> Option<Failure> {
        match &self.phase {
            Phase::Idle => Some(Failure::new(
                ErrorCode::NotSpawned,
                "Cannot send inputs to instance before spawning it.",
            )),
            Phase::Stopping => Some(Failure::new(
                ErrorCode::Disposed,
                "the instance is being disposed of",
            )),
            Phase::Unhealthy(failure) => Some(failure.clone()),
            Phase::Starting | Phase::Running => None,
        }
    }

    /// Why a call cannot be taken, if it cannot; `waits` says that no worker can take it now.
    fn refusal(&self, call: &Submission<'_>, waits: bool) -> Option<Failure> {
        if let Some(failure) = self.takes_none() {
            return Some(failure);
        }
        if let Some(id) = call.options.worker {
            let gone = self.workers.get(&id).is_none_or(|worker| {
                worker.leaving.is_some()
                    || matches!(worker.state, WorkerState::Stopping | WorkerState::Dying)
            });
            if gone {
                let message = format!("worker {id} is not running");
                return Some(Failure::new(ErrorCode::WorkerExited, message).with("worker", id.0));
            }
        }
        if let Some(max) = self.queue_max
            && self.queue.len() >= max
            && waits
        {
            let message = format!("the queue is full: {max} calls wait already");
            return Some(Failure::new(ErrorCode::QueueFull, message).with("max", max));
        }
        None
    }

    /// Writes a call to a worker that can take it: `frame`, or else the one that the call keeps.
    fn write(
        &mut self,
        now: Time,
        id: CallId,
        worker: WorkerId,
        frame: Option<&[u8]>,
        actions: &mut Actions,
    ) {
        let Some(worker) = self.workers.get_mut(&worker) else {
            return;
        };
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let Some(frame) = frame.or(call.frame.as_deref()) else {
            return;
        };
        let Some(payload) = frame.get(header::LEN..) else {
            return;
        };
        let functions = has_functions(frame);
        if worker.outbox.is_empty() {
            actions.dirty.push(worker.id);
        }
        match worker.mode {
            Mode::Stdio if functions => {
                let message = "a script of version 1.4 cannot be given a function or a stream";
                let failure = Failure::new(ErrorCode::Encode, message).with("worker", worker.id.0);
                self.forget(now, id);
                actions.events.push(Event::Failed { id, failure });
                return;
            }
            Mode::Stdio => {
                if let Some(session) = call.options.session {
                    Self::run_in_session(&mut self.sessions, now, session, worker.id);
                }
                // Its frames have no room for more: a script would read the extras as its input.
                let arguments = extras::arguments(frame).unwrap_or(payload);
                let length = u32::try_from(arguments.len()).unwrap_or(u32::MAX);
                worker.outbox.extend_from_slice(&length.to_le_bytes());
                worker.outbox.extend_from_slice(arguments);
            }
            Mode::Synapse => {
                let Some(number) = worker.numbering.of(call.handler) else {
                    let failure = missing_handler(&self.handlers, worker, call.handler);
                    self.forget(now, id);
                    actions.events.push(Event::Failed { id, failure });
                    return;
                };
                let at = worker.outbox.len();
                let carried = call.options.session.and_then(|session| {
                    Self::carry_session(&mut self.sessions, now, session, worker.id, frame)
                });
                let frame = carried.as_deref().unwrap_or(frame);
                if call.sequence_seen == 0 {
                    worker.outbox.extend_from_slice(frame);
                } else {
                    let resumed = extras::with_resume_from(frame, call.sequence_seen);
                    worker.outbox.extend_from_slice(&resumed);
                }
                if let Some(field) = worker.outbox.get_mut(at + 6..at + 8) {
                    field.copy_from_slice(&number.to_le_bytes());
                }
                if let Some(deadline) = call.options.deadline {
                    let left = deadline.since(now);
                    let written = worker.outbox.get_mut(at..).unwrap_or_default();
                    if !extras::set_remaining(written, left) {
                        // The deadline is its handler's, or a policy's.
                        let whole = extras::with_remaining(written, left);
                        worker.outbox.truncate(at);
                        worker.outbox.extend_from_slice(&whole);
                    }
                }
                if call.credit > 0 {
                    worker.outbox.extend(message::credit(id.0, call.credit));
                }
            }
        }
        if has_flag(frame, header::FUNCTIONS | header::SHARED) {
            actions.events.push(Event::Placed {
                id,
                worker: worker.id,
            });
        }
        call.state = CallState::Sent(worker.id);
        call.got_further = false;
        if worker.in_flight == 0 {
            worker.window.busy(now);
        }
        worker.in_flight += 1;
        if self.handlers.has_terms()
            && !call.nested
            && let handler = self.handlers.resolve(call.handler)
            && let Some(limit) = self.handlers.about(handler).concurrency
            && limit < self.config.concurrency
        {
            worker.crowds.join(handler, limit);
        }
        worker.written = worker.written.wrapping_add(1);
        call.number = worker.written;
        worker.sent.push_back(id);
        worker.last_activity = now;
    }

    /// Gives a worker what it can take of the queue, and brings the placement up to date: once, however
    /// many calls it has answered and got.
    pub(super) fn fill(&mut self, now: Time, worker: WorkerId, actions: &mut Actions) {
        while self.queue.len() > 0
            && let Some(id) = self.next_for(worker)
        {
            // It keeps its frame: the worker may die before it begins. Copies of many large ones
            // cannot pile up, since a worker with a full pipe gets no more.
            self.write(now, id, worker, None, actions);
        }
        self.place_anew(worker);
    }

    /// Takes the next call for a worker off the queue, if that has room for one.
    fn next_for(&mut self, worker: WorkerId) -> Option<CallId> {
        let state = self.workers.get(&worker).filter(|state| state.has_room())?;
        let calls = &self.calls;
        let is_live = |entry| is_queued(calls, entry);
        // One that leaves takes no more than what nobody else may.
        let next = match state.leaving {
            Some(_) => self.queue.pop_pinned(worker, is_live),
            None => self.queue.pop(worker, is_live),
        };
        next.map(|(_, id)| id)
    }

    /// Whether a call that a worker has may be sent to another one.
    pub fn may_repeat(&self, id: CallId) -> bool {
        self.calls.get(&id).is_some_and(|call| call.frame.is_some())
    }

    /// The consumer of a stream can take so many more items.
    pub fn grant(&mut self, id: CallId, items: u32, actions: &mut Actions) {
        let id = if self.policies.is_some() {
            self.granted_attempt(id)
        } else {
            id
        };
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        call.credit = call.credit.saturating_add(items);
        let CallState::Sent(worker) = call.state else {
            return;
        };
        let Some(worker) = self.workers.get_mut(&worker) else {
            return;
        };
        if worker.mode == Mode::Synapse && worker.state == WorkerState::Ready {
            if worker.outbox.is_empty() {
                actions.dirty.push(worker.id);
            }
            worker.outbox.extend(message::credit(id.0, items));
        }
    }

    /// The caller does not want the call any more and has been told so: it settles without a word.
    pub fn cancel(&mut self, now: Time, id: CallId, actions: &mut Actions) {
        if self.policies.is_some() && self.cancel_guarded(now, id, actions) {
            return;
        }
        self.abandon(now, id, actions);
    }

    /// Nobody waits for a call, or for an attempt, any more.
    pub(super) fn abandon(&mut self, now: Time, id: CallId, actions: &mut Actions) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let sequence = call.sequence;
        match call.state {
            CallState::Abandoned(_) => {}
            CallState::Queued => {
                let pin = call.options.worker;
                self.forget(now, id);
                let calls = &self.calls;
                self.queue.forget(pin, |entry| is_queued(calls, entry));
                if let Some(worker) = pin {
                    self.let_go(worker, actions);
                }
                self.settle_operations(actions);
            }
            CallState::Sent(worker) => {
                call.state = CallState::Abandoned(worker);
                call.frame = None;
                self.timers
                    .set(now + self.config.grace, Timer::Grace { call: id, sequence });
                let hears = |w: &Worker| w.mode == Mode::Synapse && w.state == WorkerState::Ready;
                if self.workers.get(&worker).is_some_and(hears) {
                    let frame = header::Header::bare(Kind::Cancel, id.0).to_vec();
                    actions.commands.push(Command::Control(worker, frame));
                }
            }
        }
    }

    /// Cancels overtake requests that wait for room in the channel, and a worker may have forgotten
    /// them before those came. Now that all have been written it hears of them once more.
    pub(super) fn cancel_again(&self, id: WorkerId, actions: &mut Actions) {
        let Some(worker) = self.workers.get(&id) else {
            return;
        };
        if worker.mode != Mode::Synapse || worker.state != WorkerState::Ready {
            return;
        }
        for call in &worker.sent {
            let state = self.calls.get(call).map(|call| call.state);
            if state == Some(CallState::Abandoned(id)) {
                let frame = header::Header::bare(Kind::Cancel, call.0).to_vec();
                actions.commands.push(Command::Control(id, frame));
            }
        }
    }
}

/// Whether a queue entry still stands for a call that waits.
pub(super) fn is_queued(calls: &Calls, (sequence, id): (u64, CallId)) -> bool {
    calls
        .get(&id)
        .is_some_and(|call| call.state == CallState::Queued && call.sequence == sequence)
}

fn missing_handler(
    handlers: &crate::engine::handlers::Handlers,
    worker: &Worker,
    number: u16,
) -> Failure {
    let available = handlers.listed();
    let list = if available.is_empty() {
        "none".to_owned()
    } else {
        available.join(", ")
    };
    let message = match handlers.name(number) {
        Some(name) => format!(
            "worker {} has no handler \"{name}\"; available: {list}",
            worker.id
        ),
        None => format!(
            "the module has no default handler: mark one with @handler(default=True) or call one \
             by name; available: {list}"
        ),
    };
    Failure::new(ErrorCode::HandlerNotFound, message)
        .with("available", available)
        .with("worker", worker.id.0)
}
