//! Time passes: what the engine wants to be woken for, and what happens then.

use std::time::Duration;

use super::bench::{Bench, NONE, ONE, TWO, pool};
use crate::engine::{CallOptions, Config, PoolRequest};
use crate::error::ErrorCode;
use crate::policy::recycle::RecyclePolicy;
use crate::protocol::header::Kind;
use crate::time::Time;

fn until(ms: u64) -> CallOptions {
    CallOptions {
        deadline: Some(Time(ms * 1_000)),
        idempotent: true,
        ..CallOptions::default()
    }
}

#[test]
fn a_call_wakes_nobody_once_it_is_answered() {
    let mut bench = Bench::ready(pool(1));
    assert_eq!(bench.wakes_in(), None);
    bench.submit_with(1, until(50));
    assert_eq!(bench.wakes_in(), Some(50));
    bench.reply(ONE, Kind::Response, 1);
    assert_eq!(bench.wakes_in(), None);
    bench.submit_with(1, until(90));
    assert_eq!(bench.wakes_in(), Some(90), "another call of that number");
}

#[test]
fn a_call_that_runs_too_long_is_told_so() {
    let mut bench = Bench::ready(pool(1));
    bench.submit_with(1, until(50));
    bench.wait(49);
    assert_eq!(bench.failed(), NONE);
    bench.wait(1);
    let failure = bench.failure(1);
    assert_eq!(failure.code, ErrorCode::Timeout);
    assert_eq!(
        failure.message,
        "the call passed its deadline after 50 ms while running"
    );
    assert_eq!(failure.details["phase"], "run");
    assert_eq!(failure.details["mayHaveExecuted"], true);
    let stats = bench.engine.stats(bench.now);
    assert_eq!((stats.timeouts, stats.queue_timeouts), (1, 0));
    assert_eq!(stats.workers[0].timeouts, 1);
}

#[test]
fn a_call_that_waits_too_long_has_not_run_unless_a_worker_died_with_it() {
    for (dies, executed) in [(false, false), (true, true)] {
        let mut bench = Bench::ready(pool(2));
        bench.submit_with(1, until(50));
        bench.submit(2);
        bench.submit_with(3, until(50));
        let call = if dies { 1 } else { 3 };
        if dies {
            bench.die(ONE);
        }
        bench.wait(50);
        let failure = bench.failure(call);
        assert_eq!(
            failure.message,
            "the call passed its deadline after 50 ms while waiting for a worker"
        );
        assert_eq!(failure.details["phase"], "queue");
        assert_eq!(failure.details["mayHaveExecuted"], executed);
        let stats = bench.engine.stats(bench.now);
        assert_eq!(stats.queue_timeouts, if dies { 2 } else { 1 });
        assert_eq!(stats.timeouts, 2);
    }
}

#[test]
fn the_time_in_the_queue_is_over_for_those_who_still_wait_only() {
    let mut bench = Bench::ready(Config {
        queue_timeout: Some(Duration::from_millis(10)),
        ..pool(1)
    });
    for id in 1..=3 {
        bench.submit(id);
    }
    bench.wait(9);
    bench.reply(ONE, Kind::Response, 1);
    assert_eq!(bench.failed(), NONE);
    bench.wait(1);
    assert_eq!(bench.failed(), [3]);
    assert_eq!(
        bench.failure(3).message,
        "the call passed its queue.timeout after 10 ms while waiting for a worker"
    );
}

#[test]
fn a_worker_has_its_time_to_get_ready() {
    let mut bench = Bench::starting(Config {
        start_timeout: Some(Duration::from_secs(9)),
        min_ready: Some(1),
        ..pool(2)
    });
    assert_eq!(bench.wakes_in(), Some(9_000));
    bench.hello(ONE);
    assert_eq!(bench.wakes_in(), Some(9_000), "for the second");
    bench.wait(9_000);
    assert_eq!(bench.actions.commands, [crate::engine::Command::Kill(TWO)]);
    bench.die(TWO);
    bench.wait(0);
    assert_eq!(bench.started(), [3]);
    bench.hello(crate::ids::WorkerId(3));
    assert_eq!(bench.wakes_in(), None);
}

#[test]
fn a_worker_that_leaves_is_not_looked_at_for_its_age() {
    let mut bench = Bench::ready(Config {
        recycle: RecyclePolicy {
            age: Some(Duration::from_secs(1)),
            ..RecyclePolicy::default()
        },
        ..pool(1)
    });
    assert_eq!(bench.wakes_in(), Some(1_000));
    bench.submit(1);
    bench.operate(1, PoolRequest::Restart { worker: Some(1) });
    assert_eq!(bench.wakes_in(), Some(120_000), "for its successor");
}

#[test]
fn a_batch_that_was_given_up_wakes_nobody() {
    let mut bench = Bench::starting(Config {
        batch: Some((1, Duration::from_millis(500))),
        min_ready: Some(1),
        ..pool(2)
    });
    bench.hello(ONE);
    assert_eq!(bench.wakes_in(), Some(500));
    bench.operate(1, PoolRequest::Scale { min: 1, max: 1 });
    assert_eq!(bench.wakes_in(), None);
}
