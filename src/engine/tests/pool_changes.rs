//! Workers are replaced while they live.

use std::time::Duration;

use super::bench::{Bench, NONE, ONE, THREE, TWO, pool};
use crate::engine::{Command, Config, Event, PoolRequest};
use crate::ids::WorkerId;
use crate::policy::recycle::RecyclePolicy;
use crate::protocol::header::Kind;

const SECOND: Duration = Duration::from_secs(1);

/// A pool whose workers are replaced by these rules.
fn recycled(workers: u32, recycle: RecyclePolicy) -> Bench {
    Bench::ready(Config {
        recycle,
        ..pool(workers)
    })
}

fn aging(workers: u32) -> Bench {
    recycled(
        workers,
        RecyclePolicy {
            age: Some(SECOND),
            ..RecyclePolicy::default()
        },
    )
}

fn drained(bench: &Bench, worker: WorkerId, reason: &'static str) -> bool {
    bench.told(&Event::WorkerDrain { worker, reason })
}

#[test]
fn an_eighth_of_the_pool_and_one_more_is_replaced_at_once() {
    for (workers, at_once) in [(7, 1), (8, 2), (16, 3)] {
        let mut bench = Bench::ready(pool(workers));
        bench.operate(1, PoolRequest::Reload);
        assert_eq!(bench.started().len(), at_once, "of {workers}");
        let successor = WorkerId(workers + 1);
        bench.hello(successor);
        assert_eq!(bench.started().len(), 1, "the next one has its turn");
    }
}

#[test]
fn a_worker_leaves_when_its_successor_is_ready_and_not_before() {
    let mut bench = aging(1);
    bench.wait(999);
    assert_eq!(bench.started(), NONE);
    bench.wait(1);
    assert_eq!(bench.actions.commands, [Command::Start(TWO)]);
    bench.submit(1);
    assert_eq!(bench.requests(ONE), [1]);
    bench.hello(TWO);
    assert!(drained(&bench, ONE, "recycle:ttl"));
    bench.reply(ONE, Kind::Response, 1);
    assert_eq!(bench.actions.commands, [Command::Stop(ONE)]);
    bench.die(ONE);
    assert_eq!(bench.started(), NONE);
    assert_eq!(bench.engine.holdings().workers.len(), 1);
}

#[test]
fn a_worker_is_replaced_once_and_for_the_first_reason() {
    let mut bench = recycled(
        1,
        RecyclePolicy {
            age: Some(SECOND),
            calls: Some(1),
            ..RecyclePolicy::default()
        },
    );
    bench.submit(1);
    bench.wait(1_000);
    assert_eq!(bench.started(), [2]);
    bench.reply(ONE, Kind::Response, 1);
    assert_eq!(bench.started(), NONE);
    bench.hello(TWO);
    assert!(drained(&bench, ONE, "recycle:ttl"));
}

#[test]
fn a_worker_is_replaced_after_so_many_calls() {
    let mut bench = recycled(
        1,
        RecyclePolicy {
            calls: Some(2),
            ..RecyclePolicy::default()
        },
    );
    for (id, started) in [(1, vec![]), (2, vec![2])] {
        bench.submit(id);
        bench.reply(ONE, Kind::Response, id);
        assert_eq!(bench.started(), started, "after {id} calls");
    }
}

#[test]
fn a_successor_that_cannot_start_is_tried_again_later_and_later() {
    let mut bench = aging(1);
    bench.wait(1_000);
    for (successor, pause) in [(2, 1_000), (3, 2_000), (4, 4_000)] {
        assert_eq!(bench.started(), [successor]);
        bench.die(WorkerId(successor));
        bench.wait(pause - 1);
        assert_eq!(bench.started(), NONE);
        bench.wait(1);
    }
    assert_eq!(bench.started(), [5]);
    assert_eq!(bench.engine.stats(bench.now).restarts, 0);
}

#[test]
fn a_worker_that_dies_while_its_successor_starts_is_not_replaced_twice() {
    let mut bench = aging(1);
    bench.wait(1_000);
    bench.die(ONE);
    bench.wait(60_000);
    assert_eq!(bench.started(), NONE);
    bench.hello(TWO);
    assert_eq!(bench.engine.stats(bench.now).restarts, 0);
}

#[test]
fn a_worker_that_leaves_before_its_turn_gets_no_successor() {
    let mut bench = Bench::ready(pool(2));
    bench.submit(1);
    bench.submit(2);
    bench.operate(1, PoolRequest::Reload);
    assert_eq!(bench.started(), [3]);
    bench.operate(2, PoolRequest::Restart { worker: Some(2) });
    assert_eq!(bench.started(), [4]);
    bench.hello(THREE);
    assert_eq!(bench.started(), NONE);
}

#[test]
fn one_that_dies_before_its_turn_gives_it_to_the_next() {
    let mut bench = Bench::ready(pool(3));
    bench.operate(1, PoolRequest::Reload);
    assert_eq!(bench.started(), [4]);
    bench.die(TWO);
    bench.hello(WorkerId(4));
    assert_eq!(bench.started(), [5], "for the third");
}

#[test]
fn a_successor_that_dies_gives_its_turn_to_the_next() {
    let mut bench = aging(2);
    bench.wait(1_000);
    assert_eq!(bench.started(), [3]);
    bench.die(THREE);
    assert_eq!(bench.started(), [4], "for the second");
}

#[test]
fn nobody_is_replaced_once_the_pool_stops() {
    let mut bench = aging(2);
    bench.engine.stop(bench.now, &mut bench.actions);
    bench.die(ONE);
    assert_eq!(bench.started(), NONE);
    bench.wait(60_000);
    assert_eq!(bench.started(), NONE);
}

#[test]
fn only_a_worker_that_was_used_is_replaced_for_being_idle() {
    let mut bench = recycled(
        1,
        RecyclePolicy {
            idle: Some(SECOND),
            ..RecyclePolicy::default()
        },
    );
    bench.wait(1_000);
    assert_eq!(bench.started(), NONE, "it is as fresh as another one");
    bench.submit(1);
    bench.wait(3_000);
    assert_eq!(bench.started(), NONE, "it is busy");
    bench.reply(ONE, Kind::Response, 1);
    bench.wait(999);
    assert_eq!(bench.started(), NONE);
    bench.wait(2_001);
    assert_eq!(bench.started(), [2]);
    bench.hello(TWO);
    assert!(drained(&bench, ONE, "recycle:idleTtl"));
}
