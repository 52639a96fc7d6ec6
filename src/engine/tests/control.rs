//! What workers say over their control channel.

use std::time::Duration;

use serde_json::json;

use super::bench::{Bench, ONE, TWO, pool};
use crate::engine::{Config, Event};
use crate::error::{ErrorCode, Failure};
use crate::policy::liveness::HeartbeatPolicy;
use crate::protocol::header::Kind;

fn heartbeat() -> Config {
    Config {
        heartbeat: Some(HeartbeatPolicy {
            interval: Duration::from_secs(1),
            misses: 2,
            restart: false,
        }),
        ..pool(1)
    }
}

#[test]
fn only_a_worker_that_promises_signs_of_life_is_looked_at_without_them() {
    for (interval, looks) in [(0, 0), (1, 1), (1_000, 1)] {
        let mut bench = Bench::starting(heartbeat());
        bench.hello_with(ONE, &json!({"heartbeat": interval}));
        bench.wait(1_500);
        assert_eq!(bench.actions.commands.len(), looks, "{interval} ms");
    }
}

#[test]
fn scripts_of_1_4_queue_without_bound_unless_one_was_asked_for() {
    for (mode, queue_max_given, refused) in [
        ("stdio", false, 0),
        ("stdio", true, 1),
        ("synapse", false, 1),
    ] {
        let mut bench = Bench::starting(Config {
            queue_max: Some(1),
            queue_max_given,
            ..pool(1)
        });
        bench.hello_with(ONE, &json!({"mode": mode}));
        for id in 1..=3 {
            bench.submit(id);
        }
        assert_eq!(bench.failed().len(), refused, "{mode}, {queue_max_given}");
    }
}

#[test]
fn a_worker_shares_memory_if_it_says_so_and_its_framing_can() {
    for (mode, says, shares) in [
        ("synapse", true, true),
        ("synapse", false, false),
        ("stdio", true, false),
    ] {
        let mut bench = Bench::starting(pool(1));
        bench.hello_with(ONE, &json!({"mode": mode, "shared": says}));
        let shared = bench.actions.events.iter().find_map(|event| match event {
            Event::WorkerReady { shared, .. } => Some(*shared),
            _ => None,
        });
        assert_eq!(shared, Some(shares), "{mode}, {says}");
    }
}

#[test]
fn a_second_hello_changes_nothing() {
    let mut bench = Bench::ready(pool(1));
    bench.hello_with(ONE, &json!({"pid": 77}));
    assert_eq!(bench.actions.events, []);
    assert_eq!(bench.engine.workers()[0].pid, 9);
}

#[test]
fn another_protocol_is_no_reason_to_guess() {
    let mut bench = Bench::starting(pool(1));
    bench.hello_with(ONE, &json!({"protocol": 999}));
    bench.die(ONE);
    let failure = bench.actions.events.iter().find_map(|event| match event {
        Event::SpawnFailed { failure } => Some(failure.code),
        _ => None,
    });
    assert_eq!(failure, Some(ErrorCode::ProtocolMismatch));
}

/// How a spawn fails whose only worker says this.
fn spawn_failure(fault: &serde_json::Value) -> Failure {
    let mut bench = Bench::starting(pool(1));
    bench.control(ONE, Kind::Fault, fault);
    bench.die(ONE);
    let events = std::mem::take(&mut bench.actions.events);
    let failure = events.into_iter().find_map(|event| match event {
        Event::SpawnFailed { failure } => Some(failure),
        _ => None,
    });
    failure.expect("the only worker cannot start")
}

#[test]
fn a_module_that_does_not_import_is_told_with_pythons_error() {
    let error = json!({"type": "ValueError", "message": "no", "traceback": "line 1"});
    let failure = spawn_failure(&json!({"phase": "import", "error": error}));
    assert_eq!(failure.code, ErrorCode::StartFailed);
    assert_eq!(failure.message, "Python did not start: ValueError: no");
    assert_eq!(failure.details["pythonError"], error);
    assert_eq!(failure.details["traceback"], "line 1");
    assert_eq!(failure.details["phase"], "import");
}

#[test]
fn what_the_sdk_itself_has_found_out_has_its_own_code_and_no_error_of_python() {
    let code = ErrorCode::FunctionNotFound;
    let error = json!({"code": code.as_str(), "message": "no handler"});
    let failure = spawn_failure(&json!({"phase": "bind", "error": error}));
    assert_eq!(
        (failure.code, failure.message.as_str()),
        (code, "no handler")
    );
    assert!(!failure.details.contains_key("pythonError"));
}

#[test]
fn the_pool_is_ready_when_enough_workers_are() {
    for (min_ready, first) in [(None, false), (Some(1), true), (Some(2), false)] {
        let mut bench = Bench::starting(Config {
            min_ready,
            ..pool(2)
        });
        bench.hello(ONE);
        assert_eq!(bench.told(&Event::Spawned), first, "{min_ready:?}");
        bench.hello(TWO);
        assert_eq!(bench.told(&Event::Spawned), !first, "{min_ready:?}");
    }
}
