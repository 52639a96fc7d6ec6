//! Workers that would wait for each other in a circle.

use synapse::engine::{Affinity, CallOptions, Config, Event, InSession, Nested, Submission};
use synapse::error::{ErrorCode, Failure};
use synapse::ids::{CallId, CallbackId, WorkerId};
use synapse::protocol::header::{self, CALLBACK_ID, DEFAULT_HANDLER, Header, Kind};
use synapse::session::TimeToLive;
use synapse::time::Time;

use crate::simulation::regressions::harness::{Harness, ONE, TWO, pinned, pool};

const THREE: WorkerId = WorkerId(3);
const ASKED: u32 = CALLBACK_ID | 1;

/// A call in a strict session, on behalf of a worker or of nobody.
fn call_in(harness: &mut Harness, id: u32, session: &str, nested: Option<Nested>) {
    let header = Header {
        payload: 5,
        kind: Kind::Request,
        flags: if nested.is_some() { header::NESTED } else { 0 },
        handler: DEFAULT_HANDLER,
        id,
    };
    let [a, b, c, d] = id.to_be_bytes();
    let frame = [&header.to_bytes()[..], &[0xce, a, b, c, d]].concat();
    let mut call = Submission {
        id: CallId(id),
        handler: DEFAULT_HANDLER,
        frame: &frame,
        options: CallOptions::default(),
    };
    let session = InSession {
        id: session,
        affinity: Affinity::StrictQueue,
        ttl: TimeToLive::Unchanged,
    };
    let Harness { engine, actions } = harness;
    assert!(engine.join(Time(3), &mut call, session, actions));
    match nested {
        None => engine.submit(Time(3), &call, actions),
        Some(nested) => engine.submit_nested(Time(3), &call, nested, actions),
    }
}

fn asked_by(worker: WorkerId) -> Nested {
    Nested {
        worker,
        callback: CallbackId(ASKED),
        of_call: true,
    }
}

/// Each of the workers runs a call in a session of its own, `s1` and so on, and waits for a callback.
fn waiting(workers: u32, concurrency: u32) -> Harness {
    let mut harness = Harness::ready(Config {
        concurrency,
        ..pool(workers)
    });
    for worker in 1..=workers {
        call_in(&mut harness, worker, &format!("s{worker}"), None);
        assert_eq!(harness.written(WorkerId(worker)), [worker]);
        let ask = Header::bare(Kind::Callback, ASKED);
        harness.answer(3, WorkerId(worker), &ask);
    }
    harness.actions.clear();
    harness
}

fn failures(harness: &Harness) -> Vec<&Failure> {
    let events = harness.actions.events.iter();
    events
        .filter_map(|event| match event {
            Event::Failed { failure, .. } => Some(failure),
            _ => None,
        })
        .collect()
}

#[test]
fn of_two_strict_sessions_that_call_into_each_other_the_second_is_refused_and_told_why() {
    let mut harness = waiting(2, 1);
    call_in(&mut harness, 10, "s2", Some(asked_by(ONE)));
    assert_eq!(harness.failed(), []);
    call_in(&mut harness, 11, "s1", Some(asked_by(TWO)));
    assert_eq!(harness.failed(), [(11, ErrorCode::Deadlock)]);
    let [failure] = failures(&harness)[..] else {
        panic!("{:?}", harness.actions.events)
    };
    assert_eq!(
        failure.message,
        "a call in session \"s1\" would never begin: worker 1 waits for a call in session \"s2\" on \
         worker 2, which waits for this one; give one of them the affinity \"hint\", or the workers \
         a higher concurrency"
    );
    assert_eq!(failure.details["session"], "s1");
    assert_eq!(failure.details["worker"], 1);
    // The other one goes on as soon as its worker is free.
    harness.answer(4, TWO, &Header::bare(Kind::Response, 2));
    assert_eq!(harness.written(TWO), [10]);
    assert_eq!(harness.engine.holdings().errands, 1);
    harness.answer(5, TWO, &Header::bare(Kind::Response, 10));
    assert_eq!(harness.engine.holdings().errands, 0);
}

#[test]
fn a_circle_may_go_by_way_of_others_and_by_calls_that_name_their_worker() {
    let mut harness = waiting(3, 1);
    call_in(&mut harness, 10, "s2", Some(asked_by(ONE)));
    call_in(&mut harness, 11, "s3", Some(asked_by(TWO)));
    assert_eq!(harness.failed(), []);
    let frame = Header {
        payload: 0,
        kind: Kind::Request,
        flags: header::NESTED,
        handler: DEFAULT_HANDLER,
        id: 12,
    }
    .to_bytes();
    let call = Submission {
        id: CallId(12),
        handler: DEFAULT_HANDLER,
        frame: &frame,
        options: pinned(ONE),
    };
    let nested = asked_by(THREE);
    let Harness { engine, actions } = &mut harness;
    engine.submit_nested(Time(4), &call, nested, actions);
    assert_eq!(harness.failed(), [(12, ErrorCode::Deadlock)]);
    let message = &failures(&harness)[0].message;
    for part in ["session \"s2\" on worker 2", "session \"s3\" on worker 3"] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn who_does_not_wait_or_not_for_good_closes_no_circle() {
    // A thread beside the calls asks.
    let mut harness = waiting(2, 1);
    call_in(&mut harness, 10, "s2", Some(asked_by(ONE)));
    let thread = Nested {
        of_call: false,
        ..asked_by(TWO)
    };
    call_in(&mut harness, 11, "s1", Some(thread));
    assert_eq!(harness.failed(), []);
    // The workers run several calls at once.
    let mut harness = waiting(2, 2);
    call_in(&mut harness, 10, "s2", Some(asked_by(ONE)));
    call_in(&mut harness, 11, "s1", Some(asked_by(TWO)));
    assert_eq!(harness.failed(), []);
    // The caller has taken its call back.
    let mut harness = waiting(2, 1);
    call_in(&mut harness, 10, "s2", Some(asked_by(ONE)));
    harness.cancel(4, 10);
    call_in(&mut harness, 11, "s1", Some(asked_by(TWO)));
    assert_eq!(harness.failed(), []);
    // The worker has given its callback up.
    let mut harness = waiting(2, 1);
    call_in(&mut harness, 10, "s2", Some(asked_by(ONE)));
    harness.answer(4, ONE, &Header::bare(Kind::Cancel, ASKED));
    call_in(&mut harness, 11, "s1", Some(asked_by(TWO)));
    assert_eq!(harness.failed(), []);
}
