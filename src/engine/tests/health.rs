//! Signs of life: heard, missed, and what is done about it.

use std::time::Duration;

use serde_json::json;

use super::bench::{Bench, NONE, ONE, pool};
use crate::engine::{Command, Config, Event};
use crate::ids::WorkerId;
use crate::policy::liveness::{HeartbeatPolicy, Vitals};
use crate::policy::recycle::RecyclePolicy;
use crate::protocol::header::Kind;

const STOPPED: Vitals = Vitals {
    stopped: true,
    running: false,
    cpu: Duration::ZERO,
};

/// A worker that beats every second and may miss one beat.
fn beating(restart: bool) -> Bench {
    let mut bench = Bench::starting(Config {
        heartbeat: Some(HeartbeatPolicy {
            interval: Duration::from_secs(1),
            misses: 1,
            restart,
        }),
        ..pool(1)
    });
    bench.hello_with(ONE, &json!({"heartbeat": 1_000}));
    bench.actions.clear();
    bench
}

fn beat(bench: &mut Bench, rss: u64, cpu: f64) {
    bench.control(ONE, Kind::Heartbeat, &json!({"rss": rss, "cpu": cpu}));
}

fn look(bench: &mut Bench, vitals: Option<Vitals>) {
    let now = bench.now;
    bench.actions.clear();
    bench.engine.looked(now, ONE, vitals, &mut bench.actions);
}

#[test]
fn the_share_of_a_processor_is_that_between_two_beats() {
    let mut bench = beating(false);
    for (cpu, share) in [(1.0, 0.5), (2.5, 0.75), (2.5, 0.0)] {
        bench.wait(2_000);
        beat(&mut bench, 7, cpu);
        let stats = bench.engine.stats(bench.now);
        assert!((stats.workers[0].cpu - share).abs() < 1e-9, "{stats:?}");
    }
    // Two at once: no time has passed in which it could have computed.
    beat(&mut bench, 7, 3.0);
    assert!(bench.engine.stats(bench.now).cpu.abs() < 1e-9);
}

#[test]
fn a_beat_that_is_late_has_the_process_looked_at_once() {
    let mut bench = beating(false);
    assert_eq!(bench.wakes_in(), Some(1_500));
    bench.wait(1_000);
    beat(&mut bench, 7, 0.0);
    assert_eq!(bench.actions.events.len(), 1, "it was healthy before");
    bench.wait(500);
    assert!(!bench.wants(&Command::Look(ONE)), "it has come meanwhile");
    assert_eq!(bench.wakes_in(), Some(1_000));
    bench.wait(1_000);
    assert!(bench.wants(&Command::Look(ONE)));
    assert_eq!(bench.wakes_in(), Some(1_000), "until the next one is due");
}

#[test]
fn a_host_that_was_suspended_itself_misses_nothing() {
    let mut bench = beating(false);
    bench.wait(60_000);
    assert_eq!(bench.actions.commands, []);
}

#[test]
fn a_frozen_worker_gets_no_calls_until_it_is_heard_of() {
    let mut bench = beating(false);
    bench.wait(1_500);
    look(&mut bench, Some(STOPPED));
    let missed = Event::HeartbeatMissed {
        worker: ONE,
        missed: 1,
        busy: false,
        silent: 1_500,
    };
    let silent = 1_500;
    let unhealthy = Event::WorkerUnhealthy {
        worker: ONE,
        silent,
    };
    assert_eq!(bench.actions.events, [missed, unhealthy]);
    assert_eq!(bench.actions.commands, [], "it is left alone");
    assert_eq!(bench.engine.workers()[0].status, "unhealthy");
    bench.submit(1);
    assert_eq!(bench.requests(ONE), NONE);
    beat(&mut bench, 7, 0.0);
    assert!(bench.told(&Event::WorkerHealthy { worker: ONE }));
    assert_eq!(bench.requests(ONE), [1]);
}

#[test]
fn a_worker_that_computes_is_not_frozen() {
    let mut bench = beating(true);
    bench.wait(1_500);
    let running = Vitals {
        stopped: false,
        running: true,
        cpu: Duration::from_secs(1),
    };
    look(&mut bench, Some(running));
    assert_eq!(bench.actions.events.len(), 1, "{:?}", bench.actions.events);
    assert_eq!(bench.actions.commands, []);
    bench.submit(1);
    assert_eq!(bench.requests(ONE), [1]);
}

#[test]
fn a_frozen_worker_is_killed_where_that_was_asked_for() {
    let mut bench = beating(true);
    bench.wait(1_500);
    look(&mut bench, Some(STOPPED));
    assert_eq!(bench.actions.commands, [Command::Kill(ONE)]);
    bench.die(ONE);
    let exit = bench.actions.events.iter().find_map(|event| match event {
        Event::WorkerExit { reason, .. } => Some(*reason),
        _ => None,
    });
    assert_eq!(exit, Some("frozen"));
}

#[test]
fn nobody_looks_at_a_worker_that_goes() {
    let mut bench = beating(true);
    bench.engine.closed(bench.now, ONE, &mut bench.actions);
    bench.wait(1_500);
    assert!(!bench.wants(&Command::Look(ONE)));
    bench.actions.clear();
    look(&mut bench, Some(STOPPED));
    assert_eq!(bench.actions.events, []);
}

#[test]
fn a_worker_is_replaced_when_it_takes_more_memory_than_it_may() {
    for (rss, replaced) in [(100, false), (101, true)] {
        let mut bench = Bench::ready(Config {
            heartbeat: Some(HeartbeatPolicy {
                interval: Duration::from_secs(1),
                misses: 1,
                restart: false,
            }),
            recycle: RecyclePolicy {
                rss: Some(100),
                ..RecyclePolicy::default()
            },
            ..pool(1)
        });
        beat(&mut bench, rss, 0.0);
        let successor = Command::Start(WorkerId(2));
        assert_eq!(bench.wants(&successor), replaced, "{rss} bytes");
    }
}
