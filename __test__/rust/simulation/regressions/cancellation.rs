//! Calls are taken back, and workers that do not yield.

use std::time::Duration;

use synapse::engine::{CallOptions, Config};
use synapse::error::ErrorCode;
use synapse::protocol::header::{Header, Kind};
use synapse::time::Time;

use crate::simulation::regressions::harness::{Harness, ONE, began, pool, quick};

#[test]
fn a_worker_on_its_way_out_is_killed_once() {
    let config = Config {
        concurrency: 2,
        grace: Duration::from_millis(1),
        ..pool(1)
    };
    let mut harness = Harness::ready(config);
    for id in [1, 2] {
        harness.submit(1, id, CallOptions::default());
        harness.cancel(u64::from(id), id);
    }
    harness.tick(1_001);
    harness.tick(5_000);
    harness
        .engine
        .control(Time(6_000), ONE, &[0xff; 12], &mut harness.actions);
    assert_eq!(harness.kills(ONE), 1);
}

#[test]
fn cancels_that_overtook_a_full_channel_are_told_again_once_it_is_written() {
    let mut harness = Harness::ready(Config {
        concurrency: 4,
        ..pool(1)
    });
    for id in 1..=4 {
        harness.submit(1, id, CallOptions::default());
    }
    assert_eq!(harness.written(ONE), [1, 2, 3, 4]);
    harness.engine.backlogged(ONE);
    for id in [2, 4] {
        harness.cancel(2, id);
    }
    assert_eq!(harness.cancels(ONE), [2, 4]);
    // The worker has refused one of them by now.
    harness.answer(3, ONE, &Header::bare(Kind::Error, 2));
    assert!(harness.cancels(ONE).is_empty());
    harness.engine.drained(Time(4), ONE, &mut harness.actions);
    assert_eq!(harness.cancels(ONE), [4]);
    harness.answer(5, ONE, &Header::bare(Kind::Error, 4));
    harness.engine.drained(Time(6), ONE, &mut harness.actions);
    assert!(harness.cancels(ONE).is_empty());
}

#[test]
fn the_calls_of_a_killed_worker_do_not_wait_for_its_exit_for_ever() {
    let config = Config {
        concurrency: 2,
        grace: Duration::from_millis(1),
        ..pool(1)
    };
    let mut harness = Harness::ready(config);
    harness.submit(1, 1, CallOptions::default());
    harness.submit(1, 2, CallOptions::default());
    harness.cancel(1, 1);
    harness.tick(1_001);
    harness.close(2_000, ONE);
    assert_eq!(harness.engine.next_wake(), Some(Time(1_001_001)));
    harness.tick(1_001_001);
    assert_eq!(harness.failed(), [(2, ErrorCode::WorkerExited)]);
    assert_eq!(harness.kills(ONE), 1);
}

#[test]
fn a_cancelled_call_that_waits_behind_another_costs_no_worker() {
    let mut harness = quick();
    for id in [2, 3] {
        harness.submit(3, id, CallOptions::default());
    }
    harness.cancel(4, 3);
    harness.tick_with(1_004, &began(2));
    assert_eq!(harness.kills(ONE), 0);
    // Looked at again later: now it has begun and does not yield.
    assert_eq!(harness.engine.next_wake(), Some(Time(101_004)));
    harness.tick_with(101_004, &began(3));
    assert_eq!(harness.kills(ONE), 1);
}

#[test]
fn a_worker_that_begins_nothing_is_lost_at_the_grace() {
    let mut harness = quick();
    for id in [2, 3] {
        harness.submit(3, id, CallOptions::default());
    }
    harness.cancel(4, 2);
    harness.tick_with(1_004, &began(1));
    assert_eq!(harness.kills(ONE), 1);
    harness.exit_with(1_005, ONE, began(1));
    harness.close(1_005, ONE);
    assert_eq!(harness.failed(), []);
}

#[test]
fn what_a_killed_worker_had_answered_before_counts() {
    let mut harness = quick();
    for id in 2..=4 {
        harness.submit(3, id, CallOptions::default());
    }
    harness.cancel(4, 3);
    harness.tick_with(1_004, &began(3));
    assert_eq!(harness.kills(ONE), 1);
    harness.exit_with(1_005, ONE, began(3));
    harness.answer(1_006, ONE, &Header::bare(Kind::Response, 2));
    harness.close(1_007, ONE);
    let settled: Vec<u32> = harness
        .actions
        .settled
        .iter()
        .map(|entry| entry.call.0)
        .collect();
    assert_eq!(settled, [2]);
    assert_eq!(harness.failed(), []);
    assert_eq!(
        harness.engine.holdings().queued,
        1,
        "call 4 waits for the next"
    );
}
