//! What the engine tells about itself.

use serde_json::json;

use super::bench::{Bench, ONE, TWO, pool};
use crate::engine::{CallOptions, Config};
use crate::protocol::header::Kind;

/// Two calls a worker, and one that waits for each of two.
fn loaded() -> Bench {
    let mut bench = Bench::ready(Config {
        concurrency: 2,
        ..pool(3)
    });
    for (id, worker) in [(1, ONE), (2, ONE), (3, ONE), (4, TWO)] {
        let worker = Some(worker);
        bench.submit_with(
            id,
            CallOptions {
                worker,
                ..CallOptions::default()
            },
        );
    }
    bench
}

#[test]
fn calls_are_counted_where_they_are() {
    let bench = loaded();
    let stats = bench.engine.stats(bench.now);
    assert_eq!((stats.requests_active, stats.queued), (3, 1));
    assert_eq!((stats.available, stats.busy), (2, 2));
    let of_each = stats.workers.iter();
    let of_each = of_each.map(|worker| (worker.requests_active, worker.queued));
    assert_eq!(of_each.collect::<Vec<_>>(), [(2, 1), (1, 0), (0, 0)]);
}

#[test]
fn memory_and_processors_of_all_workers_are_added() {
    let mut bench = Bench::ready(pool(2));
    bench.wait(1_000);
    for (worker, rss, cpu) in [(ONE, 100, 0.5), (TWO, 20, 0.25)] {
        bench.control(worker, Kind::Heartbeat, &json!({"rss": rss, "cpu": cpu}));
    }
    let stats = bench.engine.stats(bench.now);
    assert_eq!(stats.rss, 120);
    assert!((stats.cpu - 0.75).abs() < 1e-9, "{}", stats.cpu);
}

#[test]
fn answers_and_errors_count_for_workers_that_are_gone_too() {
    let mut bench = loaded();
    bench.reply(ONE, Kind::Response, 1);
    bench.reply(ONE, Kind::Error, 2);
    bench.reply(TWO, Kind::Response, 4);
    bench.die(ONE);
    let stats = bench.engine.stats(bench.now);
    assert_eq!((stats.requests_handled, stats.errors), (3, 1));
    assert_eq!((stats.workers.len(), stats.restarts), (2, 1));
    assert_eq!(stats.workers[0].requests_handled, 1);
}

#[test]
fn a_worker_is_silent_and_idle_since_it_was_last_heard_of_and_used() {
    let mut bench = Bench::ready(pool(1));
    bench.wait(1_000);
    bench.submit(1);
    bench.wait(500);
    let worker = &bench.engine.stats(bench.now).workers[0];
    let (silent, idle) = (worker.silent_for, worker.idle_for);
    assert!((silent - 1_500.0).abs() < 1e-6, "{silent} ms");
    assert!((idle - 500.0).abs() < 1e-6, "{idle} ms");
}

#[test]
fn refused_calls_and_those_that_waited_too_long_are_counted() {
    let mut bench = Bench::ready(Config {
        queue_max: Some(2),
        queue_timeout: Some(std::time::Duration::from_millis(10)),
        ..pool(1)
    });
    for id in 1..=5 {
        bench.submit(id);
    }
    let stats = bench.engine.stats(bench.now);
    assert_eq!((stats.queue_refusals, stats.queue_timeouts), (2, 0));
    bench.wait(10);
    let stats = bench.engine.stats(bench.now);
    assert_eq!((stats.queue_refusals, stats.queue_timeouts), (2, 2));
    assert_eq!(stats.timeouts, 2);
}

#[test]
fn a_call_that_no_worker_could_take_counts_as_neither() {
    let mut bench = Bench::ready(pool(1));
    let worker = Some(TWO);
    bench.submit_with(
        1,
        CallOptions {
            worker,
            ..CallOptions::default()
        },
    );
    assert_eq!(bench.failed(), [1]);
    assert_eq!(bench.engine.stats(bench.now).queue_refusals, 0);
}

#[test]
fn workers_are_listed_with_their_process_and_version() {
    let mut bench = Bench::starting(pool(2));
    bench.hello_with(TWO, &json!({"pid": 77, "python": "3.13.0"}));
    let listed: Vec<_> = bench.engine.workers();
    let listed: Vec<_> = listed
        .iter()
        .map(|worker| (worker.pid, worker.status, worker.python.as_str()))
        .collect();
    assert_eq!(listed, [(0, "starting", ""), (77, "ready", "3.13.0")]);
}
