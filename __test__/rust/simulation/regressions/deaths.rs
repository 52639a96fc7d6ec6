//! Workers die with calls.

use synapse::engine::{CallOptions, Config, Event};
use synapse::error::ErrorCode;
use synapse::ids::WorkerId;
use synapse::protocol::header::{Header, Kind};
use synapse::time::Time;

use crate::simulation::regressions::harness::{
    Harness, ONE, TWO, began, idempotent, pinned, pool, quick,
};

#[test]
fn a_call_that_a_worker_died_with_may_have_run_even_while_it_waits_again() {
    let mut harness = Harness::ready(pool(1));
    harness.submit(1, 1, idempotent());
    harness.exit(2, ONE);
    harness.close(2, ONE);
    assert_eq!(harness.failed(), []);
    harness.engine.stop(Time(3), &mut harness.actions);
    let told = harness.actions.events.iter().find_map(|event| match event {
        Event::Failed { failure, .. } => failure.details.get("mayHaveExecuted").cloned(),
        _ => None,
    });
    assert_eq!(told, Some(true.into()));
}

#[test]
fn a_worker_that_has_exited_gets_no_more_commands() {
    let mut harness = Harness::ready(Config {
        restart: None,
        ..pool(1)
    });
    harness.submit(1, 1, CallOptions::default());
    harness.exit(2, ONE);
    harness.cancel(3, 1);
    harness.tick(600_000);
    assert_eq!(
        harness.actions.commands.len(),
        0,
        "{:?}",
        harness.actions.commands
    );

    let mut harness = Harness::ready(Config {
        restart: None,
        ..pool(1)
    });
    harness.submit(1, 1, CallOptions::default());
    harness.exit(2, ONE);
    harness.answer(3, ONE, &[0xff; 12]);
    assert_eq!(harness.actions.commands, []);
    assert_eq!(harness.failed(), [(1, ErrorCode::FrameTooLarge)]);
    assert_eq!(
        harness.count(|event| matches!(event, Event::WorkerExit { .. })),
        1
    );
}

#[test]
fn a_worker_that_breaks_the_protocol_gets_no_call_first() {
    let mut harness = Harness::ready(Config {
        restart: None,
        ..pool(1)
    });
    harness.submit(1, 1, CallOptions::default());
    harness.submit(1, 2, CallOptions::default());
    let bytes = [Header::bare(Kind::Response, 1), [0xff; 12]].concat();
    harness.answer(2, ONE, &bytes);
    assert_eq!(harness.failed(), [], "call 2 has not run and waits");
    assert_eq!(harness.engine.holdings().queued, 1);
}

#[test]
fn what_waits_behind_bytes_that_break_the_protocol_is_sent_to_another() {
    let mut harness = quick();
    for id in 2..=4 {
        harness.submit(3, id, CallOptions::default());
    }
    harness.answer(4, ONE, &[0xff; 12]);
    assert_eq!(harness.kills(ONE), 1);
    // What looks like an answer is not believed any more.
    harness.answer(5, ONE, &Header::bare(Kind::Response, 2));
    assert!(harness.actions.settled.is_empty());
    harness.exit_with(6, ONE, began(2));
    harness.close(6, ONE);
    assert_eq!(harness.failed(), [(2, ErrorCode::FrameTooLarge)]);
    assert_eq!(harness.may_have_executed(2), Some(true));
    harness.tick(1_000_000);
    harness.hello(2);
    assert_eq!(harness.written(TWO), [3]);
}

#[test]
fn a_worker_that_breaks_the_protocol_and_cannot_be_killed_keeps_nobody_waiting() {
    let mut harness = quick();
    harness.submit(3, 2, CallOptions::default());
    harness.answer(4, ONE, &[0xff; 12]);
    harness.tick(1_000_004);
    assert_eq!(harness.failed(), [(2, ErrorCode::FrameTooLarge)]);
}

#[test]
fn what_a_dead_worker_had_not_begun_is_sent_to_another() {
    let mut harness = quick();
    for id in 2..=5 {
        harness.submit(3, id, CallOptions::default());
    }
    assert_eq!(harness.written(ONE), [2, 3, 4, 5]);
    harness.exit_with(4, ONE, began(3));
    harness.close(4, ONE);
    let lost = ErrorCode::WorkerExited;
    assert_eq!(harness.failed(), [(2, lost), (3, lost)]);
    assert_eq!(harness.may_have_executed(3), Some(true));
    harness.tick(1_000_000);
    harness.hello(2);
    assert_eq!(harness.written(TWO), [4]);
}

#[test]
fn what_never_began_is_sent_again_however_often_that_happens() {
    let mut harness = quick();
    for id in [2, 3] {
        harness.submit(3, id, CallOptions::default());
    }
    harness.exit_with(4, ONE, began(2));
    harness.close(4, ONE);
    for worker in 2..=4 {
        harness.tick(u64::from(worker) * 10_000_000);
        harness.hello(worker);
        assert_eq!(harness.written(WorkerId(worker)), [3]);
        let now = u64::from(worker) * 10_000_000 + 1;
        harness.exit_with(now, WorkerId(worker), began(0));
        harness.close(now, WorkerId(worker));
    }
    assert_eq!(harness.failed(), [(2, ErrorCode::WorkerExited)]);
}

#[test]
fn what_is_bound_to_a_dead_worker_is_told_that_it_has_not_run() {
    let mut harness = quick();
    harness.submit(3, 2, CallOptions::default());
    harness.submit(3, 3, pinned(ONE));
    harness.exit_with(4, ONE, began(2));
    harness.close(4, ONE);
    assert_eq!(harness.may_have_executed(2), Some(true));
    assert_eq!(harness.may_have_executed(3), Some(false));
}

#[test]
fn idempotent_calls_outlive_a_worker_that_closes_its_channel_and_lives() {
    let mut harness = quick();
    harness.submit(3, 2, idempotent());
    harness.submit(3, 3, CallOptions::default());
    harness.submit(3, 4, CallOptions::default());
    harness.close(4, ONE);
    harness.tick(50_004);
    assert_eq!((harness.kills(ONE), harness.failed()), (1, vec![]));
    harness.exit_with(51_000, ONE, began(3));
    assert_eq!(harness.failed(), [(3, ErrorCode::WorkerExited)]);
    assert_eq!(harness.engine.holdings().queued, 2);
}
