//! Workers die: what their end is called, and what follows from it.

use super::bench::{Bench, NONE, ONE, THREE, TWO, pool};
use crate::engine::{Command, Config, Event, Exit, PoolRequest, SettledKind};
use crate::error::{ErrorCode, Failure};
use crate::policy::restart::RestartPolicy;
use crate::protocol::header::Kind;

fn by_signal(signal: &str) -> Exit {
    Exit {
        signal: Some(signal.to_owned()),
        ..Exit::default()
    }
}

/// What the last input says of a worker that is gone.
fn exit_reason(bench: &Bench) -> Option<&'static str> {
    bench.actions.events.iter().find_map(|event| match event {
        Event::WorkerExit { reason, .. } => Some(*reason),
        _ => None,
    })
}

fn unhealthy(bench: &Bench) -> usize {
    let events = bench.actions.events.iter();
    events
        .filter(|event| matches!(event, Event::Unhealthy { .. }))
        .count()
}

fn without_restarts(workers: u32) -> Config {
    Config {
        restart: None,
        ..pool(workers)
    }
}

#[test]
fn an_idle_worker_that_exits_is_gone_at_once() {
    let mut bench = Bench::ready(pool(2));
    bench.actions.clear();
    bench
        .engine
        .exited(bench.now, ONE, Exit::default(), &mut bench.actions);
    assert_eq!(exit_reason(&bench), Some("exited"));
    assert_eq!(bench.engine.workers().len(), 1);
}

#[test]
fn what_a_dead_worker_had_written_is_read_for_a_while() {
    let mut bench = Bench::ready(pool(2));
    bench.submit(1);
    bench.actions.clear();
    bench
        .engine
        .exited(bench.now, ONE, Exit::default(), &mut bench.actions);
    assert_eq!(exit_reason(&bench), None);
    bench.reply(ONE, Kind::Response, 1);
    assert_eq!(bench.settled(), [(1, SettledKind::Response)]);
    bench.wait(49);
    assert_eq!(exit_reason(&bench), None);
    bench.wait(1);
    assert_eq!(exit_reason(&bench), Some("exited"));
}

#[test]
fn a_worker_that_closes_its_channel_and_lives_is_killed() {
    let mut bench = Bench::ready(pool(2));
    bench.submit(1);
    bench.actions.clear();
    bench.engine.closed(bench.now, ONE, &mut bench.actions);
    bench.wait(50);
    assert_eq!(bench.actions.commands, [Command::Kill(ONE)]);
    bench.die_as(ONE, by_signal("SIGKILL"));
    assert_eq!(
        bench.failure(1).message,
        "worker 1 closed its data channel without exiting"
    );
}

#[test]
fn who_died_by_a_signal_is_told_with_a_hint_unless_it_was_asked_to_go() {
    let mut bench = Bench::ready(pool(2));
    bench.submit(1);
    bench.die_as(ONE, by_signal("SIGKILL"));
    let message = &bench.failure(1).message;
    assert!(message.starts_with("worker 1 was ended by SIGKILL from outside"));

    let mut bench = Bench::starting(pool(1));
    bench.die_as(ONE, by_signal("SIGSEGV"));
    let message = bench.actions.events.iter().find_map(|event| match event {
        Event::SpawnFailed { failure } => Some(failure.message.as_str()),
        _ => None,
    });
    let expected = "worker 1 was ended by SIGSEGV before it was ready";
    assert_eq!(message, Some(expected));
}

#[test]
fn a_worker_that_goes_away_before_it_is_ready_could_not_start() {
    let mut bench = Bench::starting(pool(1));
    bench.engine.closed(bench.now, ONE, &mut bench.actions);
    bench.die(ONE);
    let failure = bench.actions.events.iter().find_map(|event| match event {
        Event::SpawnFailed { failure } => Some(failure),
        _ => None,
    });
    let said = failure.map(|failure| (failure.code, failure.message.as_str()));
    let message = "worker 1 exited with code 1 before it was ready";
    assert_eq!(said, Some((ErrorCode::StartFailed, message)));
}

#[test]
fn who_waits_for_new_workers_does_not_mind_the_death_of_an_old_one() {
    let mut bench = Bench::ready(pool(2));
    bench.operate(1, PoolRequest::Scale { min: 3, max: 3 });
    bench.die(ONE);
    assert_eq!(bench.done(), []);
    bench.die(THREE);
    assert_eq!(bench.done(), [(1, false)]);
}

#[test]
fn a_start_that_was_called_off_is_no_failure() {
    let mut bench = Bench::ready(pool(2));
    bench.operate(1, PoolRequest::Scale { min: 3, max: 3 });
    bench.operate(2, PoolRequest::Scale { min: 2, max: 2 });
    assert_eq!(bench.actions.commands, [Command::Stop(THREE)]);
    bench.die(THREE);
    assert_eq!(bench.done(), [(1, true), (2, true)]);
    assert_eq!(exit_reason(&bench), Some("scaled"));
    bench.wait(60_000);
    assert_eq!(bench.started(), NONE);
}

#[test]
fn without_restarts_the_pool_gets_smaller_until_none_is_left() {
    let mut bench = Bench::ready(without_restarts(2));
    bench.die(ONE);
    assert_eq!(unhealthy(&bench), 0);
    let stats = bench.engine.stats(bench.now);
    assert_eq!((stats.min, stats.max, stats.status), (1, 1, "ready"));
    bench.submit(1);
    bench.submit(2);
    bench.die(TWO);
    assert_eq!((bench.failed(), unhealthy(&bench)), (vec![1, 2], 1));
    bench.submit(3);
    assert_eq!(bench.failed(), [3], "nobody will ever run it");
    assert_eq!(bench.engine.stats(bench.now).status, "unhealthy");
    bench.wait(60_000);
    assert_eq!(bench.started(), NONE);
}

#[test]
fn without_restarts_there_is_hope_while_another_one_starts() {
    let mut bench = Bench::starting(Config {
        min_ready: Some(1),
        ..without_restarts(2)
    });
    bench.hello(ONE);
    bench.die(ONE);
    assert_eq!(unhealthy(&bench), 0);
    bench.submit(1);
    bench.hello(TWO);
    assert_eq!(bench.requests(TWO), [1]);
}

#[test]
fn when_restarts_are_spent_calls_fail_at_once_until_one_starts_after_all() {
    let mut bench = Bench::ready(Config {
        restart: Some(RestartPolicy {
            max: 1,
            ..RestartPolicy::default()
        }),
        ..pool(1)
    });
    bench.die(ONE);
    bench.wait(0);
    bench.hello(TWO);
    bench.submit(1);
    bench.submit(2);
    bench.die(TWO);
    assert_eq!((bench.failed(), unhealthy(&bench)), (vec![1, 2], 1));
    assert_eq!(bench.engine.stats(bench.now).restarts, 2);
    bench.submit(3);
    assert_eq!(bench.failed(), [3]);
    bench.wait(60_000);
    assert_eq!(bench.started(), [3]);
    bench.die(THREE);
    assert_eq!(unhealthy(&bench), 0, "it was told already");
    bench.wait(60_000);
    bench.hello(crate::ids::WorkerId(4));
    assert!(bench.told(&Event::Healthy));
    bench.submit(4);
    assert_eq!(bench.failed(), NONE);
}

#[test]
fn a_process_that_cannot_be_started_is_told_with_the_reason() {
    let mut bench = Bench::starting(pool(1));
    bench.actions.clear();
    assert!(bench.engine.wants(ONE));
    bench
        .engine
        .start_failed(bench.now, ONE, "no such file", &mut bench.actions);
    assert!(!bench.engine.wants(ONE));
    let failure: Option<&Failure> = bench.actions.events.iter().find_map(|event| match event {
        Event::SpawnFailed { failure } => Some(failure),
        _ => None,
    });
    let message = "the worker's process could not be started: no such file";
    assert_eq!(
        failure.map(|failure| failure.message.as_str()),
        Some(message)
    );
    assert!(bench.told(&Event::Stopped));
}

#[test]
fn a_pool_has_stopped_when_its_last_worker_is_gone() {
    let mut bench = Bench::ready(pool(2));
    bench.engine.stop(bench.now, &mut bench.actions);
    for (worker, stopped) in [(ONE, false), (TWO, true)] {
        bench.die(worker);
        assert_eq!(bench.told(&Event::Stopped), stopped);
    }
}
