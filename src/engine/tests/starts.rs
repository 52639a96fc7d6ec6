//! The first workers start, and some of them do not.

use std::time::Duration;

use super::bench::{Bench, NONE, ONE, THREE, TWO, pool};
use crate::engine::{Command, Config, Event};
use crate::policy::recycle::RecyclePolicy;
use crate::policy::restart::RestartPolicy;

fn failed(bench: &Bench) -> bool {
    let mut events = bench.actions.events.iter();
    events.any(|event| matches!(event, Event::SpawnFailed { .. }))
}

/// Two workers, each replaced when it is a second old.
fn aging() -> Config {
    Config {
        recycle: RecyclePolicy {
            age: Some(Duration::from_secs(1)),
            ..RecyclePolicy::default()
        },
        ..pool(2)
    }
}

fn enough(min_ready: u32, workers: u32) -> Config {
    Config {
        min_ready: Some(min_ready),
        ..pool(workers)
    }
}

#[test]
fn a_spawn_goes_on_while_enough_workers_can_still_get_ready() {
    // One is ready and one starts: two are enough.
    let mut bench = Bench::starting(enough(2, 3));
    bench.hello(ONE);
    bench.die(TWO);
    assert!(!failed(&bench));
    bench.wait(0);
    assert_eq!(bench.started(), [4], "it is replaced");
    bench.hello(THREE);
    assert!(bench.told(&Event::Spawned));

    // None starts, and two will.
    let mut bench = Bench::starting(Config {
        batch: Some((1, Duration::from_millis(500))),
        ..enough(2, 3)
    });
    bench.die(ONE);
    assert!(!failed(&bench));
}

#[test]
fn a_spawn_fails_when_too_few_are_left() {
    let mut bench = Bench::starting(enough(2, 2));
    bench.submit(1);
    bench.hello(ONE);
    bench.die(TWO);
    assert!(failed(&bench));
    assert_eq!(bench.failed(), [1]);
    assert_eq!(bench.actions.commands, [Command::Stop(ONE)]);
}

#[test]
fn a_spawn_fails_when_its_restarts_are_spent() {
    let mut bench = Bench::starting(Config {
        restart: Some(RestartPolicy {
            max: 0,
            ..RestartPolicy::default()
        }),
        ..enough(1, 2)
    });
    bench.die(ONE);
    assert!(failed(&bench));
}

#[test]
fn a_worker_that_is_replaced_while_others_still_start_is_no_failure() {
    let mut bench = Bench::starting(aging());
    bench.hello(ONE);
    bench.wait(1_000);
    assert_eq!(bench.started(), [3]);
    bench.hello(THREE);
    assert!(bench.wants(&Command::Stop(ONE)));
    bench.die(ONE);
    assert!(!failed(&bench));
    bench.wait(0);
    assert_eq!(bench.started(), NONE);
    bench.hello(TWO);
    assert!(bench.told(&Event::Spawned));
}

#[test]
fn a_successor_that_dies_while_others_still_start_is_tried_again_later() {
    let mut bench = Bench::starting(aging());
    bench.hello(ONE);
    bench.wait(1_000);
    bench.die(THREE);
    assert!(!failed(&bench));
    bench.wait(999);
    assert_eq!(bench.started(), NONE);
    bench.wait(1);
    assert_eq!(bench.started(), [4]);
}
