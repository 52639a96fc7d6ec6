//! Calls come in, are placed or queued, and may be taken back.

use std::time::Duration;

use serde_json::json;

use super::bench::{Bench, NONE, ONE, TWO, pool, request};
use crate::engine::{CallOptions, Command, Config, PoolRequest, Strategy};
use crate::error::ErrorCode;
use crate::ids::{CallId, WorkerId};
use crate::protocol::extras;
use crate::protocol::header::Kind;
use crate::time::Time;

fn pinned(worker: WorkerId) -> CallOptions {
    CallOptions {
        worker: Some(worker),
        ..CallOptions::default()
    }
}

/// A handler that runs `limit` calls at once.
fn limited(limit: u32) -> serde_json::Value {
    json!({"handlers": [{"name": "main", "concurrency": limit}]})
}

#[test]
fn only_what_may_be_sent_again_is_kept_while_a_worker_has_it() {
    let idempotent = CallOptions {
        idempotent: true,
        ..CallOptions::default()
    };
    let resumable = CallOptions {
        resumable: true,
        ..CallOptions::default()
    };
    let plain = CallOptions::default();
    for (options, length, kept) in [
        (plain, 64 * 1024 - 12, true),
        (plain, 64 * 1024 - 11, false),
        (idempotent, 100_000, true),
        (resumable, 100_000, true),
    ] {
        let mut bench = Bench::ready(pool(1));
        bench.submit_frame(1, 0, &vec![0; length], options);
        assert_eq!(bench.engine.may_repeat(CallId(1)), kept, "{options:?}");
        assert!(!bench.engine.may_repeat(CallId(2)), "there is no such call");
    }
}

#[test]
fn a_call_for_a_worker_that_goes_is_refused() {
    let mut bench = Bench::ready(pool(2));
    bench.submit_with(1, pinned(ONE));
    bench.operate(1, PoolRequest::Restart { worker: Some(1) });
    bench.submit_with(2, pinned(ONE));
    assert_eq!(bench.failure(2).code, ErrorCode::WorkerExited);

    let mut bench = Bench::ready(pool(2));
    bench.submit_with(1, pinned(ONE));
    bench.engine.closed(bench.now, ONE, &mut bench.actions);
    bench.submit_with(2, pinned(ONE));
    assert_eq!(bench.failure(2).code, ErrorCode::WorkerExited);
    bench.submit_with(3, pinned(TWO));
    assert_eq!(bench.failed(), NONE);
}

#[test]
fn each_worker_is_written_its_own_number_of_the_handler() {
    let mut bench = Bench::starting(pool(2));
    bench.hello(ONE);
    let other = json!({"handlers": [{"name": "new"}, {"name": "main"}]});
    bench.hello_with(TWO, &other);
    bench.submit_with(1, pinned(ONE));
    bench.submit_with(2, pinned(TWO));
    for (worker, number) in [(ONE, 0), (TWO, 1)] {
        let outbox = bench.engine.outbox(worker).unwrap();
        assert_eq!(outbox[6..8], [number, 0]);
    }
}

#[test]
fn a_call_is_written_with_the_time_that_it_has_left() {
    let mut bench = Bench::ready(pool(1));
    bench.now = Time(1_000_000);
    let options = CallOptions {
        deadline: Some(Time(1_500_000)),
        ..CallOptions::default()
    };
    let left = Duration::from_millis(500);
    let written = extras::with_remaining(&request(1, 0, &[]), left);
    bench.submit_with(1, options);
    let outbox = std::mem::take(bench.engine.outbox(ONE).unwrap());
    assert_eq!(outbox, written, "it is added");

    let mut bench = Bench::ready(pool(1));
    bench.now = Time(1_000_000);
    let before = extras::with_remaining(&request(1, 0, &[]), Duration::from_secs(9));
    bench.submit_frame(1, before[5], &before[12..], options);
    let outbox = std::mem::take(bench.engine.outbox(ONE).unwrap());
    assert_eq!(outbox, written, "it is put right");
}

#[test]
fn a_worker_is_measured_from_when_it_gets_busy() {
    let mut bench = Bench::ready(pool(1));
    bench.wait(10_000);
    bench.submit(1);
    bench.now = Time(bench.now.0 + 100);
    bench.reply(ONE, Kind::Response, 1);
    let window = bench.engine.holdings().workers[0].window;
    assert_eq!(window, 10, "calls of 100 µs in a millisecond");
}

#[test]
fn what_waits_for_a_narrow_handler_takes_no_room_but_only_there() {
    let wide = Config {
        concurrency: 2,
        ..pool(1)
    };
    for (limit, written) in [(1, 4), (2, 2), (3, 2)] {
        let mut bench = Bench::starting(wide.clone());
        bench.hello_with(ONE, &limited(limit));
        for id in 1..=4 {
            bench.submit(id);
        }
        // With a limit of 1 all but the first wait in the worker, which might run another one.
        let load = bench.engine.holdings().workers[0].in_flight;
        assert_eq!(load, written, "limit {limit}");
    }
}

#[test]
fn as_many_as_a_worker_runs_anyway_is_no_limit() {
    for (limit, room) in [(1, 20), (2, 10)] {
        let mut bench = Bench::starting(Config {
            concurrency: 2,
            ..pool(1)
        });
        bench.hello_with(ONE, &limited(limit));
        bench.submit(1);
        bench.now = Time(bench.now.0 + 100);
        bench.reply(ONE, Kind::Response, 1);
        for id in 2..=21 {
            bench.submit(id);
        }
        // Ten calls of 100 µs may lie in its pipe, beside those that wait for their own handler.
        let load = bench.engine.holdings().workers[0].in_flight;
        assert_eq!(load, room, "limit {limit}");
    }
}

#[test]
fn a_nested_call_of_a_narrow_handler_is_not_one_of_its_crowd() {
    let mut bench = Bench::starting(Config {
        concurrency: 2,
        ..pool(1)
    });
    bench.hello_with(ONE, &limited(1));
    bench.submit_frame(
        1,
        crate::protocol::header::NESTED,
        &[],
        CallOptions::default(),
    );
    for id in 2..=4 {
        bench.submit(id);
    }
    assert_eq!(bench.requests(ONE), [1, 2]);
}

#[test]
fn a_handler_speaks_for_calls_that_say_nothing() {
    let mut bench = Bench::starting(pool(1));
    let slow = json!({"handlers": [{"name": "main", "timeout": 50}]});
    bench.hello_with(ONE, &slow);
    bench.submit(1);
    bench.wait(50);
    assert_eq!(bench.failure(1).code, ErrorCode::Timeout);
}

#[test]
fn a_grant_reaches_the_worker_that_runs_the_stream() {
    let mut bench = Bench::ready(pool(1));
    bench.submit_with(
        1,
        CallOptions {
            credit: 2,
            ..CallOptions::default()
        },
    );
    assert_eq!(bench.written(ONE), [(Kind::Request, 1), (Kind::Credit, 1)]);
    bench.actions.clear();
    bench.engine.grant(CallId(1), 5, &mut bench.actions);
    assert_eq!(bench.actions.dirty, [ONE]);
    bench.actions.clear();
    bench.engine.grant(CallId(1), 5, &mut bench.actions);
    assert_eq!(bench.actions.dirty, [], "it is known to have bytes");
    assert_eq!(bench.written(ONE), [(Kind::Credit, 1); 2]);
    bench.engine.closed(bench.now, ONE, &mut bench.actions);
    bench.engine.grant(CallId(1), 5, &mut bench.actions);
    assert_eq!(bench.written(ONE), [], "a dying worker reads nothing");
}

#[test]
fn a_script_of_1_4_is_not_granted_items_nor_told_of_cancels() {
    let mut bench = Bench::starting(pool(1));
    bench.hello_with(ONE, &json!({"mode": "stdio"}));
    bench.submit(1);
    bench.engine.outbox(ONE).unwrap().clear();
    bench.engine.grant(CallId(1), 5, &mut bench.actions);
    assert!(bench.engine.outbox(ONE).unwrap().is_empty());
    bench.cancel(1);
    assert_eq!(bench.actions.commands, []);
    bench.engine.backlogged(ONE);
    bench.engine.drained(bench.now, ONE, &mut bench.actions);
    assert_eq!(bench.actions.commands, []);
}

#[test]
fn a_worker_hears_of_a_cancelled_call_again_when_all_has_been_written() {
    let mut bench = Bench::ready(pool(2));
    bench.submit_with(1, pinned(ONE));
    bench.engine.backlogged(ONE);
    bench.cancel(1);
    let frame = crate::protocol::header::Header::bare(Kind::Cancel, 1).to_vec();
    let cancel = Command::Control(ONE, frame);
    assert_eq!(bench.actions.commands.len(), 1);
    assert!(bench.wants(&cancel));
    bench.engine.drained(bench.now, ONE, &mut bench.actions);
    assert_eq!(bench.actions.commands, [cancel.clone(), cancel]);
    bench.actions.clear();
    bench.engine.closed(bench.now, ONE, &mut bench.actions);
    bench.engine.drained(bench.now, ONE, &mut bench.actions);
    assert_eq!(bench.actions.commands, [], "a dying worker hears nothing");
}

#[test]
fn a_number_that_is_used_again_waits_at_the_end() {
    let mut bench = Bench::ready(pool(1));
    for id in 1..=3 {
        bench.submit(id);
    }
    bench.cancel(2);
    bench.submit(2);
    assert_eq!(bench.requests(ONE), [1]);
    for (answered, next) in [(1, 3), (3, 2)] {
        bench.wait(1_000);
        bench.reply(ONE, Kind::Response, answered);
        assert_eq!(bench.requests(ONE), [next]);
    }
}

#[test]
fn the_next_call_goes_by_the_strategy() {
    let mut bench = Bench::ready(Config {
        strategy: Strategy::RoundRobin,
        concurrency: 4,
        ..pool(2)
    });
    for id in 1..=4 {
        bench.submit(id);
    }
    assert_eq!(bench.requests(ONE), [1, 3]);
    assert_eq!(bench.requests(TWO), [2, 4]);
}

#[test]
fn a_grace_is_what_was_asked_for() {
    let grace = Duration::from_millis(7);
    let mut bench = Bench::ready(Config { grace, ..pool(1) });
    assert_eq!(bench.engine.grace(), grace);
    bench.submit(1);
    bench.cancel(1);
    assert_eq!(bench.wakes_in(), Some(7));
}
