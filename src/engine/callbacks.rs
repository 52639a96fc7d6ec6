//! Python calls Node: callbacks pass through to the facade, and its answers back to the worker.
//!
//! The engine keeps which callbacks of a worker are open, for one reason: a call that a handler in
//! Node makes on behalf of a callback goes to the waiting worker at once, however full its window
//! is. The worker can do nothing else until that call is answered, so making it wait for a free
//! slot would be a deadlock.

use std::borrow::Cow;
use std::ops::Range;

use crate::engine::Engine;
use crate::engine::action::{Actions, Event, Settled, SettledKind};
use crate::engine::call::{Nested, Submission};
use crate::engine::worker::WorkerState;
use crate::ids::{CallId, CallbackId, WorkerId};
use crate::protocol::Malformed;
use crate::protocol::header::{self, Header, Kind};
use crate::protocol::message::Mode;
use crate::time::Time;

/// Where a frame's flags are.
const FLAGS: usize = 5;

impl Engine {
    /// A frame of a worker that is about a callback or a function reference.
    pub(super) fn callback(
        &mut self,
        id: WorkerId,
        header: Header,
        payload: &Range<usize>,
        actions: &mut Actions,
    ) -> Result<(), Malformed> {
        let Header {
            kind, id: about, ..
        } = header;
        if about & header::CALLBACK_ID == 0 {
            return Err(Malformed::WrongId { kind, id: about });
        }
        let Some(worker) = self.workers.get_mut(&id) else {
            return Ok(());
        };
        if worker.state == WorkerState::Starting {
            return Err(Malformed::Misplaced(kind));
        }
        let callback = CallbackId(about);
        let (kind, known) = match kind {
            Kind::Callback if !worker.callbacks.insert(callback) => {
                return Err(Malformed::WrongId { kind, id: about });
            }
            Kind::Callback => (SettledKind::Callback, true),
            Kind::Credit => (SettledKind::Grant, worker.callbacks.contains(&callback)),
            Kind::Cancel => (SettledKind::Cancel, worker.callbacks.remove(&callback)),
            Kind::Release => (SettledKind::Release, true),
            other => return Err(Malformed::Misplaced(other)),
        };
        // What is about a callback that has been answered meanwhile comes too late.
        if known {
            actions.settled.push(Settled {
                call: CallId(about),
                kind,
                start: payload.start,
                end: payload.end,
            });
        }
        Ok(())
    }

    /// A frame that answers a callback, in whole or in part. It is dropped if the worker is gone or
    /// has given the callback up; answers whether it was sent.
    pub fn answer(&mut self, id: WorkerId, frame: &[u8], actions: &mut Actions) -> bool {
        let Some([.., kind, _, _, _, i0, i1, i2, i3]) = frame.first_chunk::<{ header::LEN }>()
        else {
            return false;
        };
        let callback = CallbackId(u32::from_le_bytes([*i0, *i1, *i2, *i3]));
        let Some(worker) = self.workers.get_mut(&id) else {
            return false;
        };
        if worker.state != WorkerState::Ready || !worker.callbacks.contains(&callback) {
            return false;
        }
        if *kind != Kind::Item as u8 {
            worker.callbacks.remove(&callback);
        }
        if worker.outbox.is_empty() {
            actions.dirty.push(id);
        }
        worker.outbox.extend_from_slice(frame);
        true
    }

    /// A call that a handler in Node makes on behalf of a callback. It goes to the worker that
    /// waits, at once; if none waits any more it is a call like any other.
    pub fn submit_nested(
        &mut self,
        now: Time,
        call: &Submission<'_>,
        nested: Nested,
        actions: &mut Actions,
    ) {
        if self.policies.is_some() && self.guard(now, call, Some(nested), None, actions) {
            return;
        }
        match self.handlers.amend(now, call.handler, call.options) {
            None => self.submit_nested_plain(now, call, nested, actions),
            Some(options) => {
                let call = Submission { options, ..*call };
                self.submit_nested_plain(now, &call, nested, actions);
            }
        }
    }

    /// The same without policies, or an attempt at one with.
    pub(super) fn submit_nested_plain(
        &mut self,
        now: Time,
        call: &Submission<'_>,
        nested: Nested,
        actions: &mut Actions,
    ) {
        let worker = nested.worker;
        let elsewhere = call.options.worker.is_some_and(|wanted| wanted != worker)
            || !self.may_run_nested(call.options.session, worker);
        let waits = self.waits(nested);
        if waits && !elsewhere {
            self.submit_to(now, call, Some(worker), actions);
            self.pin_nested(call, worker);
            return;
        }
        let frame = without_nested(call.frame);
        let mut call = Submission {
            frame: &frame,
            ..*call
        };
        if !waits {
            self.submit_plain(now, &call, actions);
            return;
        }
        let chosen = self.choose(now, &mut call, actions);
        let chosen = chosen.and_then(|worker| self.circle(&call, nested).map_or(Ok(worker), Err));
        match chosen {
            Ok(worker) => {
                self.submit_to(now, &call, worker, actions);
                self.sent_on_errand(call.id, nested);
            }
            Err(failure) => {
                let id = call.id;
                actions.events.push(Event::Failed { id, failure });
            }
        }
    }

    /// Whether a worker still waits for the answer to a callback.
    pub(super) fn waits(&self, nested: Nested) -> bool {
        self.workers.get(&nested.worker).is_some_and(|worker| {
            worker.state == WorkerState::Ready
                && worker.mode == Mode::Synapse
                && worker.callbacks.contains(&nested.callback)
        })
    }
}

/// Whether a request claims that a callback waits for it.
pub(super) fn is_nested(frame: &[u8]) -> bool {
    frame
        .get(FLAGS)
        .is_some_and(|flags| flags & header::NESTED != 0)
}

/// A request that does not claim that anybody waits for it.
pub(super) fn without_nested(frame: &[u8]) -> Cow<'_, [u8]> {
    let mut frame = Cow::Borrowed(frame);
    if is_nested(&frame)
        && let Some(flags) = frame.to_mut().get_mut(FLAGS)
    {
        *flags &= !header::NESTED;
    }
    frame
}

/// Whether the arguments of a request hold function references.
pub(super) fn has_functions(frame: &[u8]) -> bool {
    has_flag(frame, header::FUNCTIONS)
}

/// Whether a frame has one of these flags.
pub(super) fn has_flag(frame: &[u8], flag: u8) -> bool {
    frame.get(FLAGS).is_some_and(|flags| flags & flag != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{CallOptions, Command, Config, Exit};
    use crate::error::ErrorCode;
    use crate::protocol::VERSION;
    use crate::protocol::message;

    const ONE: WorkerId = WorkerId(1);
    const ASKED: u32 = header::CALLBACK_ID | 7;

    /// An engine with one worker that runs one call at a time.
    struct Bench {
        engine: Engine,
        actions: Actions,
    }

    impl Bench {
        fn ready(mode: &str) -> Self {
            let mut bench = Self {
                engine: Engine::new(Config::default()),
                actions: Actions::default(),
            };
            bench.engine.start(Time::ZERO, &mut bench.actions);
            let hello = serde_json::json!({
                "protocol": VERSION, "mode": mode, "pid": 9, "python": "3.12.1", "default": 0,
                "handlers": [{"name": "main"}],
            });
            let hello = message::frame(Kind::Hello, 0, &hello).unwrap();
            bench
                .engine
                .control(Time::ZERO, ONE, &hello, &mut bench.actions);
            bench.actions.clear();
            bench
        }

        fn receive(&mut self, kind: Kind, id: u32) -> Vec<(u32, SettledKind)> {
            self.actions.clear();
            let bytes = Header::bare(kind, id);
            // After a second: a worker this slow gets no more calls at once than it can run.
            self.engine
                .received(Time(1_000_000), ONE, &bytes, 100, &mut self.actions);
            let entries = self.actions.settled.iter();
            entries.map(|entry| (entry.call.0, entry.kind)).collect()
        }

        /// What has been written to the worker since the last time: kinds and ids.
        fn written(&mut self) -> Vec<(u8, u8, u32)> {
            let outbox = std::mem::take(self.engine.outbox(ONE).unwrap());
            let frames = outbox.chunks_exact(header::LEN);
            frames
                .map(|frame| {
                    let id = u32::from_le_bytes(*frame[8..].first_chunk().unwrap());
                    (frame[4], frame[5], id)
                })
                .collect()
        }

        fn submit(&mut self, id: u32, flags: u8, nested: Option<u32>) {
            let header = Header {
                payload: 0,
                kind: Kind::Request,
                flags,
                handler: 0,
                id,
            };
            let frame = header.to_bytes();
            let call = Submission {
                id: CallId(id),
                handler: 0,
                frame: &frame,
                options: CallOptions::default(),
            };
            self.actions.clear();
            match nested.map(CallbackId) {
                None => self.engine.submit(Time(2), &call, &mut self.actions),
                Some(callback) => {
                    let worker = ONE;
                    let nested = Nested {
                        worker,
                        callback,
                        of_call: true,
                    };
                    self.engine
                        .submit_nested(Time(2), &call, nested, &mut self.actions);
                }
            }
        }

        fn answer(&mut self, kind: Kind, id: u32) {
            self.actions.clear();
            let frame = Header::bare(kind, id);
            self.engine.answer(ONE, &frame, &mut self.actions);
        }
    }

    const REQUEST: u8 = Kind::Request as u8;

    #[test]
    fn a_callback_goes_up_and_its_answer_down_once() {
        let mut bench = Bench::ready("synapse");
        assert_eq!(
            bench.receive(Kind::Callback, ASKED),
            [(ASKED, SettledKind::Callback)]
        );
        bench.answer(Kind::Item, ASKED);
        assert_eq!(bench.actions.dirty, [ONE]);
        assert_eq!(
            bench.receive(Kind::Credit, ASKED),
            [(ASKED, SettledKind::Grant)]
        );
        bench.answer(Kind::End, ASKED);
        bench.answer(Kind::Response, ASKED);
        assert_eq!(
            bench.written(),
            [(Kind::Item as u8, 0, ASKED), (Kind::End as u8, 0, ASKED)]
        );
        assert_eq!(bench.receive(Kind::Credit, ASKED), []);
        assert_eq!(bench.receive(Kind::Cancel, ASKED), []);
    }

    #[test]
    fn what_was_given_up_is_not_answered_and_the_number_is_free_again() {
        let mut bench = Bench::ready("synapse");
        bench.receive(Kind::Callback, ASKED);
        assert_eq!(
            bench.receive(Kind::Cancel, ASKED),
            [(ASKED, SettledKind::Cancel)]
        );
        bench.answer(Kind::Response, ASKED);
        assert_eq!(bench.written(), []);
        assert_eq!(bench.receive(Kind::Callback, ASKED).len(), 1);
        assert_eq!(bench.receive(Kind::Release, ASKED).len(), 1);
    }

    #[test]
    fn a_nested_call_goes_at_once_to_the_worker_that_waits() {
        let mut bench = Bench::ready("synapse");
        bench.submit(1, 0, None);
        bench.submit(2, 0, None);
        bench.receive(Kind::Callback, ASKED);
        bench.submit(3, header::NESTED, Some(ASKED));
        assert_eq!(
            bench.written(),
            [(REQUEST, 0, 1), (REQUEST, header::NESTED, 3)]
        );
        // The worker runs two calls now, and gets the one that waits when both are over.
        bench.answer(Kind::Response, ASKED);
        bench.receive(Kind::Response, 3);
        assert_eq!(bench.written(), [(Kind::Response as u8, 0, ASKED)]);
        bench.receive(Kind::Response, 1);
        assert_eq!(bench.written(), [(REQUEST, 0, 2)]);
    }

    #[test]
    fn a_call_for_a_callback_that_is_over_waits_like_any_other() {
        let mut bench = Bench::ready("synapse");
        bench.submit(1, 0, None);
        bench.written();
        bench.submit(2, header::NESTED, Some(ASKED));
        assert_eq!(bench.written(), []);
        bench.receive(Kind::Response, 1);
        assert_eq!(bench.written(), [(REQUEST, 0, 2)]);
    }

    #[test]
    fn numbers_of_calls_and_callbacks_are_not_mixed() {
        for kind in [Kind::Callback, Kind::Credit, Kind::Cancel, Kind::Release] {
            let mut bench = Bench::ready("synapse");
            bench.submit(1, 0, None);
            assert_eq!(bench.receive(kind, 1), []);
            let Bench { engine, actions } = &mut bench;
            assert_eq!(actions.commands, [Command::Kill(ONE)], "{kind:?}");
            engine.exited(Time(3), ONE, Exit::default(), actions);
            engine.closed(Time(3), ONE, actions);
            let Some(Event::Failed { failure, .. }) = actions.events.first() else {
                panic!("{kind:?}: {:?}", actions.events)
            };
            assert_eq!(failure.code, ErrorCode::Protocol);
        }
    }

    #[test]
    fn a_callback_that_is_open_already_breaks_the_protocol() {
        let mut bench = Bench::ready("synapse");
        bench.receive(Kind::Callback, ASKED);
        assert_eq!(bench.receive(Kind::Callback, ASKED), []);
        assert!(!bench.actions.commands.is_empty(), "it is killed");
    }

    #[test]
    fn a_call_with_functions_says_where_it_went() {
        let mut bench = Bench::ready("synapse");
        bench.submit(1, header::FUNCTIONS, None);
        let (id, worker) = (CallId(1), ONE);
        assert_eq!(bench.actions.events, [Event::Placed { id, worker }]);
        let mut bench = Bench::ready("stdio");
        bench.submit(1, header::FUNCTIONS, None);
        let Some(Event::Failed { failure, .. }) = bench.actions.events.first() else {
            panic!("{:?}", bench.actions.events)
        };
        assert_eq!(failure.code, ErrorCode::Encode);
    }
}
