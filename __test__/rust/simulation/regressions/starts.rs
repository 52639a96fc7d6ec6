//! Workers start, fail to start, and are stopped.

use synapse::engine::{CallOptions, Config, Event};
use synapse::error::ErrorCode;
use synapse::protocol::header::{Header, Kind};
use synapse::protocol::message;
use synapse::time::Time;

use crate::simulation::regressions::harness::{Harness, ONE, TWO, pool, started};

#[test]
fn spawned_waits_for_a_worker_that_has_failed_and_not_exited() {
    let mut harness = Harness::starting(pool(2));
    let fault = serde_json::json!({"phase": "import", "error": {"message": "no"}});
    let fault = message::frame(Kind::Fault, 0, &fault).unwrap();
    harness
        .engine
        .control(Time(0), ONE, &fault, &mut harness.actions);
    harness.hello(2);
    harness.exit(1, ONE);
    assert_eq!(harness.count(|event| *event == Event::Spawned), 0);
    assert_eq!(
        harness.count(|event| matches!(event, Event::SpawnFailed { .. })),
        1
    );
    harness.exit(2, TWO);
    assert_eq!(
        harness.count(|event| matches!(event, Event::SpawnFailed { .. })),
        1
    );
    assert_eq!(harness.count(|event| *event == Event::Stopped), 1);
}

#[test]
fn a_failed_start_is_what_the_calls_that_waited_for_it_are_told() {
    let mut harness = Harness::starting(pool(1));
    harness.submit(0, 1, CallOptions::default());
    harness
        .engine
        .start_failed(Time(1), ONE, "no more processes", &mut harness.actions);
    assert_eq!(harness.failed(), [(1, ErrorCode::StartFailed)]);
}

#[test]
fn a_worker_that_has_exited_does_not_hold_up_a_stop() {
    let mut harness = Harness::ready(pool(1));
    harness.submit(1, 1, CallOptions::default());
    harness.exit(2, ONE);
    harness.engine.stop(Time(3), &mut harness.actions);
    assert_eq!(harness.actions.commands, []);
    assert_eq!(harness.count(|event| *event == Event::Stopped), 1);
}

#[test]
fn an_elastic_pool_grows_for_calls_that_wait_and_not_for_a_burst_that_is_over() {
    let elastic = || Config {
        most_workers: Some(4),
        ..pool(1)
    };
    let mut harness = Harness::ready(elastic());
    harness.submit(0, 1, CallOptions::default());
    harness.submit(0, 2, CallOptions::default());
    harness.answer(4_000, ONE, &Header::bare(Kind::Response, 1));
    harness.tick(5_000);
    assert_eq!(started(&harness), 0);
    let mut harness = Harness::ready(elastic());
    for call in 1..=3 {
        harness.submit(0, call, CallOptions::default());
    }
    harness.tick(4_999);
    assert_eq!(started(&harness), 0);
    harness.tick(5_000);
    assert_eq!(started(&harness), 2);
}
