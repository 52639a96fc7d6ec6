//! What users do to the pool as a whole, and when it is done.

use std::time::Duration;

use serde_json::json;

use super::bench::{Bench, NONE, ONE, THREE, TWO, pool};
use crate::engine::{Actions, CallOptions, Command, Config, Engine, Event, PoolRequest};
use crate::error::ErrorCode;
use crate::ids::WorkerId;
use crate::protocol::header::Kind;
use crate::time::Time;

const FOUR: WorkerId = WorkerId(4);

const ALL: PoolRequest = PoolRequest::Restart { worker: None };

fn scale(min: u32, max: u32) -> PoolRequest {
    PoolRequest::Scale { min, max }
}

fn ready(min: Option<u32>) -> PoolRequest {
    PoolRequest::Ready { min }
}

fn occupy(bench: &mut Bench, id: u32, worker: WorkerId) {
    let worker = Some(worker);
    bench.submit_with(
        id,
        CallOptions {
            worker,
            ..CallOptions::default()
        },
    );
}

/// How an operation on this engine fails at once, if it does.
fn refusal(engine: &mut Engine, request: PoolRequest) -> Option<ErrorCode> {
    let mut actions = Actions::default();
    engine.operate(Time::ZERO, 1, request, &mut actions);
    actions.events.into_iter().find_map(|event| match event {
        Event::Done { failure, .. } => failure.map(|failure| failure.code),
        _ => None,
    })
}

#[test]
fn before_spawn_one_can_only_wait_for_workers() {
    let mut engine = Engine::new(pool(2));
    for request in [scale(1, 1), ALL, PoolRequest::Reload, PoolRequest::Drain] {
        assert_eq!(refusal(&mut engine, request), Some(ErrorCode::NotSpawned));
    }
    assert_eq!(refusal(&mut engine, ready(None)), None);
    assert_eq!(engine.holdings().operations, 1, "it waits");
}

#[test]
fn while_the_first_workers_start_the_pool_is_left_alone() {
    let mut bench = Bench::starting(pool(2));
    for request in [scale(1, 1), ALL, PoolRequest::Reload] {
        let refused = refusal(&mut bench.engine, request);
        assert_eq!(refused, Some(ErrorCode::NotSpawned));
    }
    assert_eq!(refusal(&mut bench.engine, PoolRequest::Drain), None);
}

#[test]
fn ready_is_done_when_so_many_are() {
    let mut bench = Bench::starting(pool(3));
    bench.operate(1, ready(None));
    bench.operate(2, ready(Some(2)));
    for (worker, done) in [
        (ONE, vec![]),
        (TWO, vec![(2, true)]),
        (THREE, vec![(1, true)]),
    ] {
        bench.hello(worker);
        assert_eq!(bench.done(), done);
    }
}

#[test]
fn a_larger_size_is_done_when_the_new_workers_are_ready() {
    let mut bench = Bench::ready(pool(1));
    bench.operate(1, scale(3, 5));
    assert_eq!((bench.started(), bench.done()), (vec![2, 3], vec![]));
    bench.hello(TWO);
    assert_eq!(bench.done(), []);
    bench.hello(THREE);
    assert_eq!(bench.done(), [(1, true)]);
}

#[test]
fn a_smaller_size_is_done_when_those_that_leave_are_gone() {
    let mut bench = Bench::ready(pool(3));
    occupy(&mut bench, 1, THREE);
    occupy(&mut bench, 2, ONE);
    bench.operate(1, scale(1, 1));
    assert_eq!(bench.actions.commands, [Command::Stop(TWO)]);
    bench.die(TWO);
    assert_eq!(bench.done(), []);
    bench.reply(THREE, Kind::Response, 1);
    assert_eq!(bench.actions.commands, [Command::Stop(THREE)]);
    assert_eq!(bench.done(), []);
    bench.die(THREE);
    assert_eq!(bench.done(), [(1, true)]);
    assert_eq!(bench.engine.stats(bench.now).restarts, 0);
}

#[test]
fn a_size_is_not_settled_while_a_worker_that_calls_wait_for_is_starting() {
    let mut bench = Bench::ready(Config {
        most_workers: Some(2),
        ..pool(1)
    });
    bench.submit(1);
    bench.submit(2);
    bench.wait(5);
    assert_eq!(bench.started(), [2]);
    bench.operate(1, scale(1, 2));
    assert_eq!(bench.done(), []);
    bench.hello(TWO);
    assert_eq!(bench.done(), [(1, true)]);
}

#[test]
fn a_restart_of_one_worker_is_done_when_it_is_gone_and_another_ready() {
    let mut bench = Bench::ready(pool(2));
    occupy(&mut bench, 1, TWO);
    bench.operate(1, PoolRequest::Restart { worker: Some(2) });
    assert_eq!(bench.started(), [3]);
    bench.hello(THREE);
    assert_eq!(bench.done(), []);
    bench.reply(TWO, Kind::Response, 1);
    bench.die(TWO);
    assert_eq!(bench.done(), [(1, true)]);

    bench.operate(2, PoolRequest::Restart { worker: Some(1) });
    bench.die(ONE);
    assert_eq!(bench.done(), [], "its successor is not ready");
    bench.hello(FOUR);
    assert_eq!(bench.done(), [(2, true)]);
}

#[test]
fn only_a_worker_that_runs_can_be_restarted() {
    let mut bench = Bench::ready(pool(2));
    occupy(&mut bench, 1, ONE);
    bench.engine.closed(bench.now, ONE, &mut bench.actions);
    bench.operate(1, PoolRequest::Restart { worker: Some(1) });
    assert_eq!(bench.done(), [(1, false)], "it is dying");
    bench.operate(2, PoolRequest::Restart { worker: Some(9) });
    assert_eq!(bench.done(), [(2, false)], "there is none");
}

#[test]
fn a_restart_of_all_does_not_wait_for_a_backoff() {
    let mut bench = Bench::ready(pool(2));
    bench.die(ONE);
    assert_eq!(bench.started(), NONE);
    bench.operate(1, ALL);
    assert_eq!(bench.started(), [3, 4]);
    bench.die(TWO);
    bench.hello(THREE);
    assert_eq!(bench.done(), []);
    bench.hello(FOUR);
    assert_eq!(bench.done(), [(1, true)]);
    bench.wait(60_000);
    assert_eq!(bench.started(), NONE);
}

#[test]
fn a_worker_whose_successor_starts_already_is_restarted_by_that_one() {
    let mut bench = Bench::ready(pool(1));
    bench.operate(1, PoolRequest::Reload);
    assert_eq!(bench.started(), [2]);
    bench.operate(2, PoolRequest::Restart { worker: Some(1) });
    assert_eq!(bench.started(), NONE);
    bench.die(ONE);
    bench.hello(TWO);
    assert_eq!(bench.done(), [(1, true), (2, true)]);
}

#[test]
fn a_reload_does_not_concern_those_that_leave_already() {
    let mut bench = Bench::ready(pool(2));
    occupy(&mut bench, 1, ONE);
    bench.operate(1, scale(1, 1));
    bench.operate(2, PoolRequest::Restart { worker: Some(1) });
    bench.die(TWO);
    bench.hello(THREE);
    bench.operate(3, PoolRequest::Reload);
    assert_eq!(bench.started(), [4]);
    bench.hello(FOUR);
    bench.die(THREE);
    assert!(bench.done().contains(&(3, true)), "{:?}", bench.done());
}

#[test]
fn a_drain_waits_for_calls_that_run_and_calls_that_wait() {
    let mut bench = Bench::ready(pool(1));
    bench.submit(1);
    bench.submit(2);
    bench.operate(1, PoolRequest::Drain);
    for id in [1, 2] {
        assert_eq!(bench.done(), []);
        bench.wait(1_000);
        bench.reply(ONE, Kind::Response, id);
    }
    assert_eq!(bench.done(), [(1, true)]);
    assert!(bench.told(&Event::Drain));
}

#[test]
fn whoever_was_refused_hears_when_nothing_is_left_and_nobody_else() {
    for (calls, told) in [(2, false), (3, true)] {
        let mut bench = Bench::ready(Config {
            queue_max: Some(1),
            ..pool(1)
        });
        for id in 1..=calls {
            bench.submit(id);
        }
        for id in [1, 2] {
            assert!(!bench.told(&Event::Drain));
            bench.wait(1_000);
            bench.reply(ONE, Kind::Response, id);
        }
        assert_eq!(bench.told(&Event::Drain), told, "{calls} calls");
        bench.wait(1_000);
        assert!(!bench.told(&Event::Drain), "once");
    }
}

#[test]
fn who_waits_for_new_workers_is_told_when_one_cannot_start() {
    for request in [scale(2, 2), PoolRequest::Reload] {
        let mut bench = Bench::ready(pool(1));
        bench.operate(1, request);
        bench.operate(2, ready(Some(9)));
        let fault = json!({"phase": "import", "error": {"message": "no"}});
        bench.control(TWO, Kind::Fault, &fault);
        bench.die(TWO);
        assert_eq!(bench.done(), [(1, false)], "{request:?}");
        assert_eq!(bench.engine.holdings().operations, 1, "the other one waits");
    }
}

#[test]
fn a_reload_that_fails_is_not_tried_again() {
    let mut bench = Bench::ready(pool(2));
    bench.operate(1, PoolRequest::Reload);
    assert_eq!(bench.started(), [3], "one after the other");
    bench.die(THREE);
    assert_eq!((bench.done(), bench.started()), (vec![(1, false)], vec![]));
    bench.wait(60_000);
    assert_eq!(bench.started(), NONE, "those that run go on");
}

#[test]
fn a_reload_that_fails_goes_on_where_a_successor_starts_already() {
    let mut bench = Bench::ready(pool(8));
    bench.operate(1, PoolRequest::Reload);
    assert_eq!(bench.started(), [9, 10]);
    bench.die(WorkerId(9));
    assert_eq!(bench.done(), [(1, false)]);
    bench.hello(WorkerId(10));
    let (worker, reason) = (TWO, "reloaded");
    assert!(bench.told(&Event::WorkerDrain { worker, reason }));
}

#[test]
fn a_stop_ends_every_operation() {
    let mut bench = Bench::ready(pool(1));
    bench.submit(1);
    bench.operate(1, ready(Some(9)));
    bench.operate(2, PoolRequest::Drain);
    bench.actions.clear();
    bench.engine.stop(bench.now, &mut bench.actions);
    assert_eq!(bench.done(), [(1, false), (2, true)]);
    bench.operate(3, PoolRequest::Drain);
    assert_eq!(bench.done(), [(3, false)]);
}

#[test]
fn a_pool_without_hope_ends_what_waits_for_workers() {
    let mut bench = Bench::ready(Config {
        restart: None,
        start_timeout: Some(Duration::from_secs(9)),
        ..pool(1)
    });
    bench.operate(1, ready(Some(2)));
    bench.die(ONE);
    assert_eq!(bench.done(), [(1, false)]);
}
