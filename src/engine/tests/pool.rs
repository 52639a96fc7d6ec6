//! How many workers there are, and when there are more or fewer.

use std::time::Duration;

use super::bench::{Bench, NONE, ONE, THREE, TWO, pool};
use crate::engine::{CallOptions, Command, Config, Event, PoolRequest};
use crate::ids::WorkerId;
use crate::protocol::header::Kind;

fn scale(min: u32, max: u32) -> PoolRequest {
    PoolRequest::Scale { min, max }
}

fn elastic(min: u32, max: u32) -> Config {
    Config {
        most_workers: Some(max),
        ..pool(min)
    }
}

/// The first one of four is ready, the second is starting, two come later.
fn half_launched(max: u32) -> Bench {
    let mut bench = Bench::starting(Config {
        batch: Some((2, Duration::from_millis(500))),
        min_ready: Some(1),
        ..elastic(4, max)
    });
    bench.hello(ONE);
    assert!(bench.told(&Event::Spawned));
    bench
}

#[test]
fn what_is_about_to_come_back_counts() {
    let mut bench = Bench::ready(pool(3));
    bench.die(ONE);
    bench.operate(1, scale(4, 4));
    assert_eq!(bench.started(), [4]);
    let mut bench = half_launched(4);
    bench.operate(1, scale(5, 5));
    assert_eq!(bench.started(), [3]);
}

#[test]
fn a_size_that_is_right_already_starts_and_stops_nobody() {
    let mut bench = Bench::ready(pool(2));
    bench.operate(1, scale(2, 2));
    assert_eq!(
        (bench.actions.commands.len(), bench.done()),
        (0, vec![(1, true)])
    );
}

#[test]
fn what_has_not_started_yet_is_given_up_first() {
    let mut bench = half_launched(4);
    bench.operate(1, scale(2, 2));
    assert_eq!(bench.actions.commands, []);
    bench.wait(500);
    assert_eq!(bench.started(), NONE);

    let mut bench = half_launched(4);
    bench.operate(1, scale(1, 1));
    assert_eq!(bench.actions.commands, [Command::Stop(TWO)]);

    let mut bench = Bench::ready(pool(2));
    bench.die(ONE);
    bench.operate(1, scale(1, 1));
    assert_eq!(bench.actions.commands, []);
    bench.wait(60_000);
    assert_eq!(bench.started(), NONE);
}

#[test]
fn the_least_busy_worker_leaves_and_the_newest_of_equals() {
    let mut bench = Bench::ready(pool(3));
    bench.submit(1);
    bench.operate(1, scale(2, 2));
    assert_eq!(bench.actions.commands, [Command::Stop(THREE)]);
    bench.operate(2, scale(1, 1));
    assert_eq!(bench.actions.commands, [Command::Stop(TWO)]);
}

#[test]
fn a_replacement_gets_the_place_of_the_dead() {
    let mut bench = Bench::ready(pool(3));
    bench.die(TWO);
    bench.wait(100);
    assert_eq!(bench.started(), [4]);
    bench.die(THREE);
    bench.wait(60_000);
    let restarts = |bench: &Bench| {
        let stats = bench.engine.stats(bench.now);
        let workers = stats.workers.iter();
        workers
            .map(|worker| (worker.info.id.0, worker.restarts))
            .collect::<Vec<_>>()
    };
    assert_eq!(restarts(&bench), [(1, 0), (4, 1), (5, 1)]);
    bench.die(WorkerId(4));
    bench.wait(60_000);
    assert_eq!(restarts(&bench), [(1, 0), (5, 1), (6, 2)]);
}

#[test]
fn replacements_start_each_at_its_time() {
    let mut bench = Bench::ready(pool(3));
    bench.die(ONE);
    bench.die(TWO);
    bench.die(THREE);
    for (ms, started) in [(0, vec![4]), (99, vec![]), (1, vec![5]), (100, vec![6])] {
        bench.wait(ms);
        assert_eq!(bench.started(), started);
    }
}

#[test]
fn calls_that_wait_get_as_many_workers_as_they_can_use() {
    let mut bench = Bench::ready(elastic(1, 9));
    for id in 1..=3 {
        bench.submit(id);
    }
    assert_eq!(bench.wakes_in(), Some(5));
    bench.wait(5);
    assert_eq!(bench.started(), [2, 3]);
    bench.submit(4);
    bench.wait(5);
    assert_eq!(bench.started(), [4], "two are on their way");
}

#[test]
fn replacements_and_later_batches_are_on_their_way_too() {
    let mut bench = Bench::ready(elastic(2, 9));
    bench.die(ONE);
    bench.wait(0);
    bench.hello(THREE);
    for id in 1..=4 {
        bench.submit(id);
    }
    bench.die(TWO);
    bench.wait(5);
    assert_eq!(bench.started(), [4], "one comes in place of the dead one");

    let mut bench = half_launched(9);
    for id in 1..=5 {
        bench.submit(id);
    }
    bench.wait(5);
    assert_eq!(
        bench.started(),
        [3],
        "one starts, two will, four calls wait"
    );
}

#[test]
fn no_pool_grows_without_need_or_room() {
    let mut bench = Bench::ready(pool(1));
    bench.submit(1);
    bench.submit(2);
    assert_eq!(bench.wakes_in(), None, "it may not grow");

    let mut bench = Bench::ready(elastic(1, 2));
    assert_eq!(bench.wakes_in(), None, "nothing waits");
    bench.submit(1);
    assert_eq!(bench.wakes_in(), None, "nothing waits");
    bench.submit(2);
    bench.wait(5);
    bench.submit(3);
    let limit = 120_000;
    assert_eq!(bench.wakes_in(), Some(limit), "all that may be are coming");

    let mut bench = Bench::ready(pool(2));
    bench.die(ONE);
    bench.wait(0);
    bench.hello(THREE);
    bench.die(TWO);
    bench.submit(1);
    bench.submit(2);
    assert_eq!(bench.wakes_in(), Some(100), "the dead one is replaced");

    let mut bench = Bench::starting(elastic(1, 2));
    bench.submit(1);
    bench.submit(2);
    assert_eq!(bench.wakes_in(), Some(limit), "the first one is starting");
}

#[test]
fn a_worker_that_is_told_to_go_first_answers_what_it_has() {
    let mut bench = Bench::ready(pool(2));
    bench.submit(1);
    bench.operate(1, PoolRequest::Restart { worker: Some(1) });
    assert!(!bench.wants(&Command::Stop(ONE)));
    let reason = "restarted";
    let worker = ONE;
    assert!(bench.told(&Event::WorkerDrain { worker, reason }));
    bench.reply(ONE, Kind::Response, 1);
    assert!(bench.wants(&Command::Stop(ONE)));
}

#[test]
fn a_worker_that_is_told_to_go_waits_for_what_nobody_else_may_run() {
    let mut bench = Bench::ready(pool(2));
    for id in [1, 2] {
        let worker = Some(ONE);
        bench.submit_with(
            id,
            CallOptions {
                worker,
                ..CallOptions::default()
            },
        );
    }
    bench.engine.backlogged(ONE);
    bench.operate(1, PoolRequest::Restart { worker: Some(1) });
    bench.wait(1_000);
    bench.reply(ONE, Kind::Response, 1);
    assert!(!bench.wants(&Command::Stop(ONE)));
    bench.actions.clear();
    bench.engine.drained(bench.now, ONE, &mut bench.actions);
    assert_eq!(bench.requests(ONE), [1, 2]);
    bench.reply(ONE, Kind::Response, 2);
    assert!(bench.wants(&Command::Stop(ONE)));
}

#[test]
fn workers_above_the_minimum_go_when_they_are_idle() {
    let mut bench = Bench::ready(Config {
        idle_ttl: Some(Duration::from_secs(1)),
        ..elastic(1, 2)
    });
    bench.submit(1);
    bench.submit(2);
    bench.wait(5);
    bench.hello(TWO);
    assert_eq!(bench.requests(TWO), [2]);
    bench.wait(2_000);
    assert_eq!(bench.actions.events, [], "both are busy");
    bench.reply(ONE, Kind::Response, 1);
    bench.reply(TWO, Kind::Response, 2);
    bench.wait(999);
    assert_eq!(bench.actions.commands, []);
    // Whoever is looked at first goes; the other one is needed.
    bench.wait(2_000);
    assert_eq!(bench.actions.commands.len(), 1);
    bench.wait(10_000);
    assert_eq!(bench.actions.commands, [], "one is always kept");
}
