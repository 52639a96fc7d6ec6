//! Calls of sessions on behalf of callbacks.

use synapse::engine::{
    Affinity, CallOptions, Config, InSession, Load, Nested, PoolRequest, SettledKind, Submission,
};
use synapse::error::ErrorCode;
use synapse::ids::{CallId, CallbackId};
use synapse::protocol::header::{self, CALLBACK_ID, DEFAULT_HANDLER, Header, Kind};
use synapse::session::TimeToLive;
use synapse::time::Time;

use crate::simulation::regressions::harness::{Harness, ONE, TWO, idempotent, pool};

const ASKED: u32 = CALLBACK_ID | 1;

/// The first of two workers runs call 1, which has made a callback.
fn waiting() -> Harness {
    let mut harness = Harness::ready(Config {
        restart: None,
        ..pool(2)
    });
    harness.submit(1, 1, CallOptions::default());
    assert_eq!(harness.written(ONE), [1]);
    harness.answer(2, ONE, &Header::bare(Kind::Callback, ASKED));
    let kinds: Vec<SettledKind> = harness.actions.settled.iter().map(|s| s.kind).collect();
    assert_eq!(kinds, [SettledKind::Callback]);
    harness.actions.clear();
    harness
}

/// A call on behalf of that callback, in a session that is new.
fn nest(harness: &mut Harness, now: u64, id: u32, affinity: Affinity) {
    let header = Header {
        payload: 5,
        kind: Kind::Request,
        flags: header::NESTED,
        handler: DEFAULT_HANDLER,
        id,
    };
    let [a, b, c, d] = id.to_be_bytes();
    let frame = [&header.to_bytes()[..], &[0xce, a, b, c, d]].concat();
    let mut call = Submission {
        id: CallId(id),
        handler: DEFAULT_HANDLER,
        frame: &frame,
        options: idempotent(),
    };
    let session = InSession {
        id: "s",
        affinity,
        ttl: TimeToLive::Unchanged,
    };
    let nested = Nested {
        worker: ONE,
        callback: CallbackId(ASKED),
        of_call: true,
    };
    let Harness { engine, actions } = harness;
    assert!(engine.join(Time(now), &mut call, session, actions));
    engine.submit_nested(Time(now), &call, nested, actions);
}

#[test]
fn a_nested_call_of_a_strict_session_runs_on_no_other_worker_when_its_own_dies() {
    for affinity in [Affinity::StrictQueue, Affinity::StrictFail] {
        let mut harness = waiting();
        nest(&mut harness, 3, 2, affinity);
        assert_eq!(harness.written(ONE), [2]);
        harness.exit(4, ONE);
        harness.close(4, ONE);
        assert!(harness.written(TWO).is_empty());
        let both = [(1, ErrorCode::WorkerExited), (2, ErrorCode::WorkerExited)];
        assert_eq!(harness.failed(), both);
    }
}

#[test]
fn a_nested_call_of_a_session_that_clings_to_none_is_sent_to_another() {
    let mut harness = waiting();
    nest(&mut harness, 3, 2, Affinity::Hint);
    assert_eq!(harness.written(ONE), [2]);
    harness.exit(4, ONE);
    harness.close(4, ONE);
    assert_eq!(harness.written(TWO), [2]);
    assert_eq!(harness.failed(), [(1, ErrorCode::WorkerExited)]);
}

/// The first worker is to go, and its successor is there.
fn leave(harness: &mut Harness) {
    let request = PoolRequest::Restart { worker: Some(1) };
    harness
        .engine
        .operate(Time(3), 1, request, &mut harness.actions);
    harness.hello(3);
    let held = harness.engine.holdings();
    let leaves = |load: &Load| load.worker == ONE && load.leaving;
    assert!(held.workers.iter().any(leaves), "{held:?}");
}

#[test]
fn a_worker_that_leaves_runs_what_it_waits_for_in_a_strict_session_that_is_bound_to_it() {
    let mut harness = waiting();
    nest(&mut harness, 3, 2, Affinity::StrictQueue);
    assert_eq!(harness.written(ONE), [2]);
    harness.answer(3, ONE, &Header::bare(Kind::Response, 2));
    leave(&mut harness);
    nest(&mut harness, 4, 3, Affinity::StrictQueue);
    assert_eq!(harness.written(ONE), [3]);
    assert_eq!(harness.failed(), []);
}

#[test]
fn a_strict_session_that_is_new_is_bound_to_no_worker_that_leaves() {
    for affinity in [Affinity::StrictQueue, Affinity::StrictFail] {
        let mut harness = waiting();
        leave(&mut harness);
        nest(&mut harness, 4, 2, affinity);
        assert_eq!(harness.written(TWO), [2]);
        harness.answer(5, TWO, &Header::bare(Kind::Response, 2));
        harness.answer(5, ONE, &Header::bare(Kind::Cancel, ASKED));
        harness.answer(5, ONE, &Header::bare(Kind::Response, 1));
        harness.exit(6, ONE);
        harness.close(6, ONE);
        // It still has the worker that ran its first call.
        nest(&mut harness, 7, 3, affinity);
        assert_eq!(harness.written(TWO), [3]);
        assert_eq!(harness.failed(), []);
    }
}

#[test]
fn where_no_worker_stays_the_one_that_waits_runs_it() {
    let mut harness = waiting();
    let request = PoolRequest::Scale { min: 0, max: 0 };
    harness
        .engine
        .operate(Time(3), 1, request, &mut harness.actions);
    nest(&mut harness, 4, 2, Affinity::StrictQueue);
    assert_eq!(harness.written(ONE), [2]);
    assert_eq!(harness.failed(), []);
}
