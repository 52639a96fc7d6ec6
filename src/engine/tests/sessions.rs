//! Calls of a session: where they go, and what they change.

use std::time::Duration;

use serde_json::json;

use super::bench::{Bench, NONE, ONE, TWO, pool};
use crate::engine::{Affinity, CallOptions, Config, InSession};
use crate::ids::CallId;
use crate::protocol::header::Kind;
use crate::protocol::message;
use crate::session::TimeToLive;

fn join(bench: &mut Bench, id: u32, affinity: Affinity) {
    bench.submit_in(
        id,
        InSession {
            id: "s",
            affinity,
            ttl: TimeToLive::Unchanged,
        },
    );
}

fn open(bench: &mut Bench, ttl: u64) {
    let ttl = TimeToLive::For(Duration::from_secs(ttl));
    let opened = bench.engine.sessions().open(bench.now, "s", ttl);
    let Bench {
        engine,
        actions,
        now,
    } = bench;
    engine.session_opened(*now, opened, actions).unwrap();
}

/// A worker tells what a call has changed.
fn change(bench: &mut Bench, call: u32) {
    let body = json!({"set": {"key": [7]}});
    let frame = message::frame(Kind::Session, call, &body).unwrap();
    bench.receive(ONE, &frame);
}

fn value(bench: &mut Bench) -> Option<Vec<u8>> {
    let session = bench.engine.sessions.peek(bench.now, "s")?;
    session.data().get("key").map(|value| value.to_vec())
}

/// A session whose last call ran on the second worker, when all is quiet again.
fn bound_to_the_second(config: Config) -> Bench {
    let mut bench = Bench::ready(config);
    bench.submit(1);
    join(&mut bench, 2, Affinity::Hint);
    assert_eq!(
        (bench.requests(ONE), bench.requests(TWO)),
        (vec![1], vec![2])
    );
    bench
}

#[test]
fn a_call_goes_to_the_worker_of_the_one_before_while_that_is_free() {
    let mut bench = bound_to_the_second(pool(2));
    bench.wait(1_000);
    bench.reply(ONE, Kind::Response, 1);
    bench.reply(TWO, Kind::Response, 2);
    join(&mut bench, 3, Affinity::Hint);
    assert_eq!(bench.requests(TWO), [3]);
    join(&mut bench, 4, Affinity::Hint);
    assert_eq!(bench.requests(ONE), [4]);
}

#[test]
fn a_worker_is_free_while_it_would_begin_a_call_at_once() {
    let mut bench = bound_to_the_second(Config {
        concurrency: 2,
        ..pool(2)
    });
    bench.reply(ONE, Kind::Response, 1);
    join(&mut bench, 3, Affinity::Hint);
    assert_eq!(bench.requests(TWO), [3], "it runs two at once");

    // So fast that calls may lie in its pipe; but one that lies there has not begun.
    let mut bench = bound_to_the_second(pool(2));
    bench.reply(ONE, Kind::Response, 1);
    bench.reply(TWO, Kind::Response, 2);
    join(&mut bench, 3, Affinity::Hint);
    assert_eq!(bench.requests(TWO), [3]);
    join(&mut bench, 4, Affinity::Hint);
    assert_eq!(bench.requests(ONE), [4]);
}

#[test]
fn a_strict_session_is_bound_to_a_ready_worker_rather_than_to_one_that_starts() {
    let mut bench = Bench::starting(Config {
        min_ready: Some(1),
        ..pool(2)
    });
    bench.hello(ONE);
    bench.submit(1);
    join(&mut bench, 2, Affinity::StrictQueue);
    bench.wait(1_000);
    bench.reply(ONE, Kind::Response, 1);
    assert_eq!(bench.requests(ONE), [1, 2]);
}

#[test]
fn a_strict_session_that_does_not_wait_fails_while_its_worker_is_busy() {
    let mut bench = Bench::ready(pool(2));
    join(&mut bench, 1, Affinity::StrictFail);
    assert_eq!(bench.failed(), NONE);
    join(&mut bench, 2, Affinity::StrictFail);
    assert_eq!(bench.failed(), [2]);
}

#[test]
fn what_a_call_has_changed_is_kept_if_it_succeeds() {
    for (kind, kept) in [(Kind::Response, Some(vec![7])), (Kind::Error, None)] {
        let mut bench = Bench::ready(pool(1));
        join(&mut bench, 1, Affinity::Hint);
        change(&mut bench, 1);
        assert_eq!(value(&mut bench), None, "not before it is answered");
        bench.reply(ONE, kind, 1);
        assert_eq!(value(&mut bench), kept, "{kind:?}");
    }
}

#[test]
fn what_a_call_has_changed_that_nobody_waits_for_is_dropped() {
    for changes_first in [true, false] {
        let mut bench = Bench::ready(pool(1));
        join(&mut bench, 1, Affinity::Hint);
        if changes_first {
            change(&mut bench, 1);
        }
        bench.cancel(1);
        change(&mut bench, 1);
        bench.reply(ONE, Kind::Response, 1);
        assert_eq!(value(&mut bench), None);
    }
}

#[test]
fn a_session_that_would_hold_too_much_keeps_what_it_holds() {
    let mut bench = Bench::ready(Config {
        sessions: crate::session::Limits {
            bytes: 3,
            ..crate::session::Limits::default()
        },
        ..pool(1)
    });
    join(&mut bench, 1, Affinity::Hint);
    change(&mut bench, 1);
    bench.reply(ONE, Kind::Response, 1);
    assert_eq!((bench.failed(), value(&mut bench)), (vec![1], None));
}

#[test]
fn sessions_are_swept_every_minute_while_any_may_expire() {
    let mut bench = Bench::ready(pool(1));
    assert_eq!(bench.wakes_in(), None);
    open(&mut bench, 90);
    assert_eq!(bench.wakes_in(), Some(60_000));
    bench.wait(60_000);
    assert_eq!(bench.engine.sessions.stats().current, 1);
    assert_eq!(bench.wakes_in(), Some(60_000));
    bench.wait(60_000);
    assert_eq!(bench.engine.sessions.stats().current, 0);
    assert_eq!(bench.wakes_in(), None, "nothing is left that may expire");
    open(&mut bench, 90);
    assert_eq!(bench.wakes_in(), Some(60_000));
}

#[test]
fn globals_are_kept_and_swept_as_well() {
    let mut bench = Bench::ready(pool(1));
    let (key, ttl) = ("key", Some(Duration::from_secs(90)));
    let value: crate::session::Value = vec![7].into();
    bench.engine.globals().put(bench.now, key, value, ttl);
    bench.engine.sweep_later(bench.now);
    for _ in 0..2 {
        assert_eq!(bench.wakes_in(), Some(60_000));
        assert!(bench.engine.globals().stats().current > 0);
        bench.wait(60_000);
    }
    assert_eq!(bench.engine.globals().stats().current, 0);
    assert_eq!(bench.wakes_in(), None);
}

#[test]
fn a_call_without_a_session_changes_none() {
    let mut bench = Bench::ready(pool(1));
    bench.submit_with(1, CallOptions::default());
    change(&mut bench, 1);
    bench.reply(ONE, Kind::Response, 1);
    assert!(!bench.engine.may_repeat(CallId(1)));
    assert_eq!(bench.engine.sessions.stats().current, 0);
}
