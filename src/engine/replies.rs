//! Bytes come in from a worker's data channel and settle calls.

use crate::engine::Engine;
use std::ops::Range;

use crate::engine::action::{Actions, Event, Settled, SettledKind};
use crate::engine::call::CallState;
use crate::engine::worker::{Cause, Reason, WorkerState};
use crate::error::{ErrorCode, Failure};
use crate::ids::{CallId, WorkerId};
use crate::protocol::decoder::{self, Decoded, Frame};
use crate::protocol::header::{self, Header, Kind};
use crate::protocol::message::{self, Log, Mark, Mode};
use crate::protocol::{Malformed, stdio};
use crate::time::Time;

/// What became of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Bytes of the chunk up to here are done with.
    pub consumed: usize,
    /// So many bytes, from `consumed` on, are needed for the next frame. 0 while there is more to
    /// do than `room` allowed: hand the rest in again.
    pub need: usize,
}

impl Engine {
    /// Bytes that a worker sent. At most `room` calls are settled at once.
    pub fn received(
        &mut self,
        now: Time,
        id: WorkerId,
        bytes: &[u8],
        room: usize,
        actions: &mut Actions,
    ) -> Received {
        let all = Received {
            consumed: bytes.len(),
            need: 4,
        };
        let Some(worker) = self.workers.get_mut(&id) else {
            return all;
        };
        if worker.state == WorkerState::Stopping || worker.has_broken_protocol() {
            return all;
        }
        worker.last_activity = now;
        let mode = worker.mode;
        let mut at = 0;
        let mut replies = 0;
        let outcome = loop {
            if actions.settled.len() >= room {
                break Ok(0);
            }
            let step = match mode {
                Mode::Synapse => self.frame(now, id, bytes, at, actions),
                Mode::Stdio => self.reply(now, id, bytes, at, actions),
            };
            match step {
                Ok(Step::Done { next, reply }) => {
                    at = next;
                    replies += u32::from(reply);
                }
                Ok(Step::NeedMore(total)) => break Ok(total),
                Err(broken) => break Err(broken),
            }
        };
        if replies > 0
            && let Some(worker) = self.workers.get_mut(&id)
        {
            worker.window.replied(replies, now);
        }
        if self.policies.is_some() {
            // What is made again now may find it free.
            self.place_anew(id);
            self.review_answers(now, bytes, actions);
        }
        match outcome {
            Ok(need) => {
                self.heard(now, id, need > 0 && at < bytes.len());
                self.fill(now, id, actions);
                if replies > 0 {
                    self.replied(now, id, actions);
                }
                Received { consumed: at, need }
            }
            Err(broken) => {
                let cause = Cause::Protocol(broken_rule(&broken));
                self.kill(now, id, cause, actions);
                all
            }
        }
    }

    /// A worker has answered calls and got others.
    fn replied(&mut self, now: Time, id: WorkerId, actions: &mut Actions) {
        if let Some(worker) = self.workers.get(&id) {
            if worker.leaving.is_some() {
                self.let_go(id, actions);
            } else if worker.counters.handled >= worker.lease.calls {
                self.renew(now, id, Reason::Calls, actions);
            }
        }
        if self.calls.is_empty() {
            self.settle_operations(actions);
        }
    }

    /// The frame at `at`, if it is whole.
    fn frame(
        &mut self,
        now: Time,
        worker: WorkerId,
        bytes: &[u8],
        at: usize,
        actions: &mut Actions,
    ) -> Result<Step, Malformed> {
        let Frame { header, payload } = match decoder::decode(bytes, at, self.config.limits)? {
            Decoded::Frame(frame) => frame,
            Decoded::NeedMore(total) => return Ok(Step::NeedMore(total)),
        };
        let next = payload.end;
        let kind = match header.kind {
            Kind::Response => SettledKind::Response,
            Kind::Error => SettledKind::Error,
            Kind::End => SettledKind::End,
            Kind::Item | Kind::Progress => {
                self.part(worker, header, &payload, actions);
                return Ok(Step::Done { next, reply: false });
            }
            Kind::Log => {
                let body = bytes.get(payload).unwrap_or_default();
                self.log(worker, header.id, body, actions)?;
                return Ok(Step::Done { next, reply: false });
            }
            Kind::Session => {
                let body = bytes.get(payload).unwrap_or_default();
                self.session_changed(worker, CallId(header.id), body)?;
                return Ok(Step::Done { next, reply: false });
            }
            Kind::Callback | Kind::Credit | Kind::Cancel | Kind::Release => {
                self.callback(worker, header, &payload, actions)?;
                return Ok(Step::Done { next, reply: false });
            }
            other => return Err(Malformed::Misplaced(other)),
        };
        let call = CallId(header.id);
        if kind == SettledKind::Error {
            let body = bytes.get(payload.clone()).unwrap_or_default();
            self.refused_if_withdrawn(now, worker, call, body, actions);
        }
        let answered = self.answered(now, worker, call, kind == SettledKind::Error, actions);
        if answered == Answered::Wanted {
            actions.settled.push(Settled {
                call,
                kind,
                start: payload.start,
                end: payload.end,
            });
        } else {
            if answered == Answered::Stray {
                self.count_stray(worker);
            }
            unwanted(header, &payload, actions);
        }
        Ok(Step::Done {
            next,
            reply: answered != Answered::Stray,
        })
    }

    /// A part of an answer: the call goes on. One for a call that is over is dropped.
    fn part(
        &mut self,
        worker: WorkerId,
        header: Header,
        payload: &Range<usize>,
        actions: &mut Actions,
    ) {
        let id = CallId(header.id);
        let sent = CallState::Sent(worker);
        let Some(call) = self.calls.get_mut(&id).filter(|call| call.state == sent) else {
            let abandoned = CallState::Abandoned(worker);
            if self
                .calls
                .get(&id)
                .is_none_or(|call| call.state != abandoned)
            {
                self.count_stray(worker);
            }
            unwanted(header, payload, actions);
            return;
        };
        let kind = if header.kind == Kind::Item {
            call.item_came();
            SettledKind::Item
        } else {
            SettledKind::Progress
        };
        actions.settled.push(Settled {
            call: id,
            kind,
            start: payload.start,
            end: payload.end,
        });
    }

    /// The 1.4 reply at `at`, if it is whole: it answers the oldest call.
    fn reply(
        &mut self,
        now: Time,
        id: WorkerId,
        bytes: &[u8],
        at: usize,
        actions: &mut Actions,
    ) -> Result<Step, Malformed> {
        let payload = match stdio::decode(bytes, at, self.config.limits)? {
            stdio::Decoded::Reply(payload) => payload,
            stdio::Decoded::NeedMore(total) => return Ok(Step::NeedMore(total)),
            stdio::Decoded::Mark(payload) => {
                let next = payload.end;
                let body = bytes.get(payload).unwrap_or_default();
                self.mark(
                    id,
                    &message::read(Kind::Mark, body, self.config.limits)?,
                    actions,
                );
                return Ok(Step::Done { next, reply: false });
            }
        };
        let next = payload.end;
        let oldest = self.workers.get_mut(&id).and_then(|worker| {
            worker.replies += 1;
            worker.sent.front().copied()
        });
        let Some(call) = oldest else {
            // A script that answers what nobody asked has lost count: no later reply can be
            // trusted.
            return Err(Malformed::Misplaced(Kind::Response));
        };
        let kind = SettledKind::Reply;
        if self.answered(now, id, call, false, actions) == Answered::Wanted {
            actions.settled.push(Settled {
                call,
                kind,
                start: payload.start,
                end: payload.end,
            });
        }
        Ok(Step::Done { next, reply: true })
    }

    /// A 1.4 script wrote `[ERROR…` to stderr: the call that it was running then is rejected, and
    /// the reply that may still come for it is dropped.
    fn mark(&mut self, id: WorkerId, mark: &Mark, actions: &mut Actions) {
        let Some(worker) = self.workers.get(&id) else {
            return;
        };
        let Some(ahead) = mark.replies.checked_sub(worker.replies) else {
            return;
        };
        let index = usize::try_from(ahead).unwrap_or(usize::MAX);
        let Some(running) = worker.sent.get(index).copied() else {
            return;
        };
        let Some(call) = self.calls.get_mut(&running) else {
            return;
        };
        if call.state != CallState::Sent(id) {
            return;
        }
        call.state = CallState::Abandoned(id);
        let failure = Failure::new(ErrorCode::PythonError, mark.text.trim_end())
            .with("worker", id.0)
            .with("callId", running.0);
        actions.events.push(Event::Failed {
            id: running,
            failure,
        });
    }

    /// Books an answer: the call leaves the engine and its slot is free.
    fn answered(
        &mut self,
        now: Time,
        worker: WorkerId,
        id: CallId,
        failed: bool,
        actions: &mut Actions,
    ) -> Answered {
        let ours = self.calls.get(&id).is_some_and(|call| {
            matches!(call.state, CallState::Sent(at) | CallState::Abandoned(at) if at == worker)
        });
        if !ours {
            return Answered::Stray;
        }
        let Some(mut call) = self.calls.remove(&id) else {
            return Answered::Stray;
        };
        self.errands.remove(id);
        let refused = self.end_in_session(now, worker, &mut call, failed);
        let Some(worker) = self.workers.get_mut(&worker) else {
            return Answered::Stray;
        };
        worker.in_flight -= 1;
        if self.handlers.has_terms() && !call.nested {
            worker.crowds.leave(self.handlers.resolve(call.handler));
        }
        while let Some(front) = worker.sent.front() {
            let still_out = *front != id
                && self.calls.get(front).is_some_and(|call| {
                    matches!(call.state, CallState::Sent(at) | CallState::Abandoned(at)
                        if at == worker.id)
                });
            if still_out {
                break;
            }
            worker.sent.pop_front();
        }
        if worker.sent.len() > 2 * worker.in_flight as usize + 64 {
            let (calls, at) = (&self.calls, worker.id);
            worker.sent.retain(|id| {
                calls.get(id).is_some_and(|call| {
                    matches!(call.state, CallState::Sent(w) | CallState::Abandoned(w) if w == at)
                })
            });
        }
        let is_abandoned = matches!(call.state, CallState::Abandoned(_));
        let was_withdrawn = !worker.withdrawn.is_empty() && worker.restore(id, actions);
        if !(was_withdrawn && is_abandoned) {
            worker.counters.answered(now.since(call.submitted), failed);
        }
        if !self.suspects.is_empty() {
            self.suspects.absolve(call.fingerprint);
        }
        if is_abandoned {
            return Answered::Unwanted;
        }
        if let Some(failure) = refused {
            actions.events.push(Event::Failed { id, failure });
            return Answered::Unwanted;
        }
        Answered::Wanted
    }

    /// A part of an answer, or a whole one, came for a call that is not with that worker: it never was,
    /// or has been answered. One whose caller has given up is still with it.
    fn count_stray(&mut self, worker: WorkerId) {
        if let Some(worker) = self.workers.get_mut(&worker) {
            worker.counters.strays += 1;
        }
    }

    /// The worker has taken all that was written: it may get more.
    pub fn drained(&mut self, now: Time, id: WorkerId, actions: &mut Actions) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        worker.backlogged = false;
        self.cancel_again(id, actions);
        self.fill(now, id, actions);
        self.let_go(id, actions);
        self.settle_operations(actions);
    }

    /// The worker has not taken all that was written: it gets nothing more until it has.
    pub fn backlogged(&mut self, id: WorkerId) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        worker.backlogged = true;
        Self::place(&mut self.placement, worker);
    }

    pub(super) fn log(
        &mut self,
        worker: WorkerId,
        call: u32,
        body: &[u8],
        actions: &mut Actions,
    ) -> Result<(), Malformed> {
        let Log {
            stream,
            text,
            about,
        } = message::read(Kind::Log, body, self.config.limits)?;
        if stream == "stderr"
            && let Some(worker) = self.workers.get_mut(&worker)
        {
            worker.last_words.push(text.as_bytes());
        }
        let call_id = (call != 0).then_some(CallId(call));
        actions.events.push(Event::Log {
            worker,
            stream,
            text,
            call_id,
            about,
        });
        Ok(())
    }
}

/// What nobody wants may still hold on to memory that the worker lent.
fn unwanted(header: Header, payload: &Range<usize>, actions: &mut Actions) {
    if header.flags & header::SHARED != 0 {
        actions.settled.push(Settled {
            call: CallId(header.id),
            kind: SettledKind::Unwanted,
            start: payload.start,
            end: payload.end,
        });
    }
}

/// One step through a chunk.
enum Step {
    /// A frame was dealt with; the next begins there.
    Done { next: usize, reply: bool },
    /// What is left is no whole frame, which takes so many bytes.
    NeedMore(usize),
}

/// Whose an answer was.
#[derive(PartialEq, Eq)]
enum Answered {
    /// A caller waits for it.
    Wanted,
    /// Its caller has been told something else already.
    Unwanted,
    /// No call of that id is with that worker: it is dropped.
    Stray,
}

/// A broken rule as the caller sees it.
pub(super) fn broken_rule(broken: &Malformed) -> Failure {
    let code = match broken {
        Malformed::TooLarge { .. } => ErrorCode::FrameTooLarge,
        _ => ErrorCode::Protocol,
    };
    Failure::new(code, format!("the worker broke the protocol: {broken}"))
}
