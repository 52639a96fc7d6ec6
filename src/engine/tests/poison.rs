//! Calls that workers died with.

use std::time::Duration;

use super::bench::{Bench, ONE, THREE, TWO, pool};
use crate::engine::{CallOptions, Config, Exit};
use crate::error::ErrorCode;
use crate::policy::poison::PoisonPolicy;
use crate::protocol::header::Kind;
use crate::protocol::journal::Journal;

/// A call is refused after the death of one worker.
fn wary() -> Config {
    Config {
        poison: PoisonPolicy {
            deaths: 1,
            window: Duration::from_secs(60),
        },
        ..pool(3)
    }
}

fn submit(bench: &mut Bench, id: u32, arguments: &[u8]) {
    bench.submit_frame(id, 0, arguments, CallOptions::default());
}

fn is_refused(bench: &mut Bench, id: u32, arguments: &[u8]) -> bool {
    submit(bench, id, arguments);
    bench.failed() == [id]
}

#[test]
fn a_call_that_a_worker_died_with_is_refused_for_a_while() {
    let mut bench = Bench::ready(wary());
    submit(&mut bench, 1, b"a");
    submit(&mut bench, 2, b"b");
    bench.die(ONE);
    assert!(is_refused(&mut bench, 3, b"a"));
    assert_eq!(bench.failure(3).code, ErrorCode::WorkerExited);
    assert_eq!(bench.failure(3).details["deaths"], 1);
    assert!(!is_refused(&mut bench, 4, b"b"));
    bench.now = bench.now + Duration::from_secs(60);
    assert!(!is_refused(&mut bench, 5, b"a"));
}

#[test]
fn a_call_that_had_not_begun_is_not_blamed() {
    let mut bench = Bench::ready(wary());
    submit(&mut bench, 1, b"a");
    let journal = Journal::InOrder { last: 0 };
    bench.die_as(
        ONE,
        Exit {
            code: Some(1),
            journal,
            ..Exit::default()
        },
    );
    assert!(!is_refused(&mut bench, 2, b"a"));
}

#[test]
fn a_stream_that_got_further_is_not_blamed_if_it_goes_on_from_there() {
    for (resumable, blamed) in [(false, true), (true, false)] {
        let mut bench = Bench::ready(wary());
        let options = CallOptions {
            credit: 9,
            resumable,
            ..CallOptions::default()
        };
        bench.submit_frame(1, 0, b"a", options);
        bench.reply(ONE, Kind::Item, 1);
        bench.die(ONE);
        assert_eq!(is_refused(&mut bench, 2, b"a"), blamed, "{resumable}");
    }
    let mut bench = Bench::ready(wary());
    let options = CallOptions {
        credit: 9,
        resumable: true,
        ..CallOptions::default()
    };
    bench.submit_frame(1, 0, b"a", options);
    bench.die(ONE);
    assert!(is_refused(&mut bench, 2, b"a"), "no item has come of it");
}

#[test]
fn a_call_that_another_worker_runs_under_the_same_number_is_not_blamed() {
    let mut bench = Bench::ready(Config {
        concurrency: 3,
        ..wary()
    });
    for (id, arguments) in [(1, b"a"), (2, b"b")] {
        let worker = Some(ONE);
        bench.submit_frame(
            id,
            0,
            arguments,
            CallOptions {
                worker,
                ..CallOptions::default()
            },
        );
    }
    bench.reply(ONE, Kind::Response, 2);
    let worker = Some(TWO);
    bench.submit_frame(
        2,
        0,
        b"c",
        CallOptions {
            worker,
            ..CallOptions::default()
        },
    );
    bench.die(ONE);
    assert!(is_refused(&mut bench, 3, b"a"));
    assert!(!is_refused(&mut bench, 4, b"c"));
    bench.die(THREE);
}
