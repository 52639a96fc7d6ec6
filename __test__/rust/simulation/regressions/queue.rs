//! Calls wait, in order and with limits.

use std::time::Duration;

use synapse::engine::{CallOptions, Config};
use synapse::error::ErrorCode;
use synapse::ids::WorkerId;
use synapse::policy::restart::RestartPolicy;
use synapse::protocol::header::{Header, Kind};
use synapse::time::Time;

use crate::simulation::regressions::harness::{Harness, ONE, TWO, idempotent, pinned, pool};

#[test]
fn a_pinned_call_whose_worker_is_free_needs_no_place_in_a_full_queue() {
    let mut harness = Harness::ready(Config {
        queue_max: Some(0),
        ..pool(2)
    });
    harness.submit(1, 1, pinned(ONE));
    assert_eq!(harness.failed(), []);
    harness.submit(1, 2, pinned(ONE));
    assert_eq!(harness.failed(), [(2, ErrorCode::QueueFull)]);
}

#[test]
fn the_time_in_the_queue_counts_anew_when_a_worker_died_with_the_call() {
    let limit = Duration::from_millis(10);
    let restart = Some(RestartPolicy {
        max: 0,
        ..RestartPolicy::default()
    });
    let mut harness = Harness::ready(Config {
        queue_timeout: Some(limit),
        restart,
        ..pool(2)
    });
    for id in 1..=3 {
        harness.submit(0, id, idempotent());
    }
    // Call 3 waits for 4 ms, is with the first worker for one, and waits again from then on.
    harness.answer(4_000, ONE, &Header::bare(Kind::Response, 1));
    assert_eq!(harness.written(ONE), [1, 3]);
    harness.exit(5_000, ONE);
    harness.close(5_000, ONE);
    harness.tick(14_999);
    assert_eq!(harness.failed(), []);
    harness.tick(15_000);
    assert_eq!(harness.failed(), [(3, ErrorCode::Timeout)]);
}

#[test]
fn calls_that_come_back_keep_the_order_of_submission() {
    let mut harness = Harness::ready(pool(3));
    for id in 1..=3 {
        harness.submit(1, id, idempotent());
    }
    harness.submit(1, 4, idempotent());
    // The later call's worker dies last.
    for worker in [ONE, TWO] {
        harness.exit(2, worker);
        harness.close(2, worker);
    }
    harness.written(WorkerId(3));
    let answer = Header::bare(Kind::Response, 3);
    let mut order = Vec::new();
    harness.answer(1_000_000, WorkerId(3), &answer);
    for now in 1..=3 {
        let next = harness.written(WorkerId(3));
        let [id] = next[..] else {
            panic!("one call at a time: {next:?}")
        };
        order.push(id);
        harness.answer(
            (now + 1) * 1_000_000,
            WorkerId(3),
            &Header::bare(Kind::Response, id),
        );
    }
    assert_eq!(order, [1, 2, 4]);
}

#[test]
fn timers_of_settled_calls_do_not_pile_up() {
    let mut harness = Harness::ready(Config {
        concurrency: 2,
        ..pool(1)
    });
    let due = |at| CallOptions {
        deadline: Some(Time(at)),
        ..CallOptions::default()
    };
    // This one stays open, and its timer is before all others.
    harness.submit(1, 1, due(3_000_000_000));
    for id in 2..=100_000 {
        harness.submit(1, id, due(3_600_000_000));
        harness.answer(1, ONE, &Header::bare(Kind::Response, id));
        harness.written(ONE);
        harness.actions.clear();
        harness.engine.next_wake();
    }
    let held = harness.engine.holdings();
    assert_eq!(held.calls, 1);
    assert!(held.timers < 100, "{} timers", held.timers);
}
