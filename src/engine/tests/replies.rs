//! What workers send over their data channel.

use serde_json::json;

use super::bench::{Bench, NONE, ONE, TWO, pool};
use crate::engine::{CallOptions, Config, Event, Exit, SettledKind};
use crate::error::ErrorCode;
use crate::ids::CallId;
use crate::protocol::header::{self, Header, Kind};
use crate::protocol::message;

/// A frame with flags and without a payload.
fn flagged(kind: Kind, flags: u8, id: u32) -> [u8; header::LEN] {
    let header = Header {
        payload: 0,
        kind,
        flags,
        handler: 0,
        id,
    };
    header.to_bytes()
}

/// A worker that runs a script of 1.4 and has three calls.
fn script() -> Bench {
    let mut bench = Bench::starting(Config {
        concurrency: 3,
        ..pool(1)
    });
    bench.hello_with(ONE, &json!({"mode": "stdio"}));
    for id in 1..=3 {
        bench.submit(id);
    }
    bench
}

/// A reply of a script: nil.
const REPLY: &[u8] = &[1, 0, 0, 0, 0xc0];

/// The script wrote an error after so many replies.
fn mark(replies: u64) -> Vec<u8> {
    let body = json!({"replies": replies, "text": "[ERROR] no\n"});
    let frame = message::frame(Kind::Mark, 0, &body).unwrap();
    [&u32::MAX.to_le_bytes(), &frame[..]].concat()
}

#[test]
fn a_reply_of_a_script_answers_its_oldest_call() {
    let mut bench = script();
    bench.receive(ONE, &REPLY.repeat(2));
    let reply = SettledKind::Reply;
    assert_eq!(bench.settled(), [(1, reply), (2, reply)]);
}

#[test]
fn an_error_of_a_script_rejects_the_call_that_it_was_running() {
    let mut bench = script();
    bench.receive(ONE, REPLY);
    bench.receive(ONE, &mark(2));
    assert_eq!(
        bench.failed(),
        [3],
        "it comes after the reply to the second"
    );
    let failure = bench.failure(3);
    let (code, message) = (failure.code, failure.message.as_str());
    assert_eq!((code, message), (ErrorCode::PythonError, "[ERROR] no"));
    bench.receive(ONE, &mark(2));
    assert_eq!(bench.failed(), NONE, "once");
    bench.receive(ONE, &mark(0));
    assert_eq!(bench.failed(), NONE, "that call has been answered");
    bench.receive(ONE, &REPLY.repeat(2));
    assert_eq!(bench.settled(), [(2, SettledKind::Reply)]);
    bench.receive(ONE, &mark(9));
    assert_eq!(bench.failed(), NONE, "no call is running");
}

#[test]
fn a_worker_with_a_full_pipe_gets_no_more() {
    let mut bench = Bench::ready(Config {
        concurrency: 4,
        ..pool(2)
    });
    bench.submit(1);
    bench.engine.backlogged(ONE);
    for id in 2..=6 {
        bench.submit(id);
    }
    assert_eq!(bench.requests(ONE), [1]);
    assert_eq!(bench.requests(TWO), [2, 3, 4, 5]);
    bench.actions.clear();
    bench.engine.drained(bench.now, ONE, &mut bench.actions);
    assert_eq!(bench.requests(ONE), [6]);
}

#[test]
fn the_last_words_of_a_worker_are_what_it_wrote_to_stderr() {
    let mut bench = Bench::ready(pool(1));
    for (stream, text) in [("stderr", "first\n"), ("stdout", "no\n")] {
        bench.control(ONE, Kind::Log, &json!({"stream": stream, "text": text}));
    }
    bench.die_as(
        ONE,
        Exit {
            code: Some(1),
            stderr_tail: "last\n".to_owned(),
            ..Exit::default()
        },
    );
    let tail = bench.actions.events.iter().find_map(|event| match event {
        Event::WorkerExit { stderr_tail, .. } => Some(stderr_tail.as_str()),
        _ => None,
    });
    assert_eq!(tail, Some("first\nlast\n"));
}

#[test]
fn what_is_printed_says_by_which_call_if_that_is_known() {
    let mut bench = Bench::ready(pool(1));
    bench.submit(1);
    for (call, known) in [(0, None), (1, Some(CallId(1)))] {
        let body = json!({"stream": "stdout", "text": "hi"});
        let frame = message::frame(Kind::Log, call, &body).unwrap();
        bench.receive(ONE, &frame);
        let event = &bench.actions.events[0];
        assert!(matches!(event, Event::Log { call_id, .. } if *call_id == known));
    }
}

#[test]
fn what_nobody_wants_is_passed_on_only_if_it_holds_memory() {
    for (flags, settled) in [
        (0, vec![]),
        (header::SHARED, vec![(1, SettledKind::Unwanted)]),
    ] {
        for kind in [Kind::Item, Kind::Response] {
            let mut bench = Bench::ready(pool(1));
            bench.submit(1);
            bench.cancel(1);
            bench.receive(ONE, &flagged(kind, flags, 1));
            assert_eq!(bench.settled(), settled, "{kind:?}");
        }
    }
}

#[test]
fn items_are_passed_on_until_the_end() {
    let mut bench = Bench::ready(pool(1));
    bench.submit_with(
        1,
        CallOptions {
            credit: 2,
            ..CallOptions::default()
        },
    );
    for (kind, settled) in [
        (Kind::Item, SettledKind::Item),
        (Kind::Progress, SettledKind::Progress),
        (Kind::End, SettledKind::End),
    ] {
        bench.reply(ONE, kind, 1);
        assert_eq!(bench.settled(), [(1, settled)]);
    }
    bench.reply(ONE, Kind::Item, 1);
    assert_eq!(bench.settled(), [], "it is over");
}

#[test]
fn the_answer_of_another_worker_is_dropped() {
    let mut bench = Bench::ready(pool(2));
    bench.submit(1);
    for kind in [Kind::Item, Kind::Response] {
        bench.reply(TWO, kind, 1);
        assert_eq!(bench.settled(), []);
    }
    bench.reply(ONE, Kind::Response, 1);
    assert_eq!(bench.settled(), [(1, SettledKind::Response)]);
}

#[test]
fn a_nested_call_that_is_over_frees_no_place_in_the_crowd() {
    let mut bench = Bench::starting(Config {
        concurrency: 2,
        ..pool(1)
    });
    let narrow = json!({"handlers": [{"name": "main", "concurrency": 1}]});
    bench.hello_with(ONE, &narrow);
    bench.submit_frame(1, header::NESTED, &[], CallOptions::default());
    for id in 2..=4 {
        bench.submit(id);
    }
    bench.wait(1_000);
    bench.reply(ONE, Kind::Response, 1);
    // The second runs; the third and the fourth wait for it and take no room.
    assert_eq!(bench.requests(ONE), [1, 2, 3, 4]);
    for id in 5..=9 {
        bench.submit_frame(id, header::NESTED, &[], CallOptions::default());
    }
    assert_eq!(bench.requests(ONE), [5], "which takes what room is left");
    bench.wait(1_000);
    bench.reply(ONE, Kind::Response, 2);
    assert_eq!(bench.requests(ONE), NONE, "now the third runs");
    bench.wait(1_000);
    bench.reply(ONE, Kind::Response, 3);
    bench.wait(1_000);
    bench.reply(ONE, Kind::Response, 4);
    assert_eq!(bench.requests(ONE), [6]);
}

#[test]
fn what_was_answered_behind_a_slow_call_does_not_pile_up() {
    let mut bench = Bench::ready(Config {
        concurrency: 2,
        ..pool(1)
    });
    bench.submit(1);
    let mut most = 0;
    for id in 2..500 {
        bench.submit(id);
        bench.reply(ONE, Kind::Response, id);
        let sent = bench
            .engine
            .workers
            .get(&ONE)
            .map(|worker| worker.sent.len());
        most = most.max(sent.unwrap_or_default());
    }
    assert_eq!(most, 2 + 64, "twice the calls in flight, and some");
    bench.reply(ONE, Kind::Response, 1);
    let left = bench
        .engine
        .workers
        .get(&ONE)
        .map(|worker| worker.sent.len());
    assert_eq!(left, Some(0));
}

#[test]
fn an_answer_absolves_a_call_that_a_worker_died_with() {
    let mut bench = Bench::ready(Config {
        poison: crate::policy::poison::PoisonPolicy {
            deaths: 2,
            window: std::time::Duration::from_secs(60),
        },
        ..pool(3)
    });
    bench.submit(1);
    bench.die(ONE);
    bench.submit(2);
    bench.reply(TWO, Kind::Response, 2);
    bench.submit(3);
    bench.die(TWO);
    bench.submit(4);
    assert_eq!(bench.failed(), NONE, "one death since it was answered");
}
