//! Bugs of the engine that were found once, each as the few inputs that showed it.

use std::time::Duration;

use synapse::engine::{Actions, CallOptions, Command, Config, Engine, Event, Exit, Submission};
use synapse::error::ErrorCode;
use synapse::ids::{CallId, WorkerId};
use synapse::policy::restart::RestartPolicy;
use synapse::protocol::header::{DEFAULT_HANDLER, Header, Kind};
use synapse::protocol::journal::Journal;
use synapse::protocol::message::{self, Mode};
use synapse::time::Time;

use crate::simulation::process::written;

const ONE: WorkerId = WorkerId(1);
const TWO: WorkerId = WorkerId(2);

/// An engine and what it has said since it was last asked.
struct Bench {
    engine: Engine,
    actions: Actions,
}

impl Bench {
    /// With workers that have been asked for.
    fn starting(config: Config) -> Self {
        let mut bench = Self {
            engine: Engine::new(config),
            actions: Actions::default(),
        };
        bench.engine.start(Time(0), &mut bench.actions);
        bench
    }

    /// With workers that are ready; what they said of it is forgotten.
    fn ready(config: Config) -> Self {
        let workers = config.workers;
        let mut bench = Self::starting(config);
        for worker in 1..=workers {
            bench.hello(worker);
        }
        bench.actions.clear();
        bench
    }

    fn hello(&mut self, worker: u32) {
        let hello = serde_json::json!({
            "protocol": 1, "mode": "synapse", "pid": 1, "python": "3.11.7", "default": 0,
            "handlers": [{"name": "main"}],
        });
        let bytes = message::frame(Kind::Hello, 0, &hello).unwrap();
        self.engine
            .control(Time(0), WorkerId(worker), &bytes, &mut self.actions);
    }

    fn submit(&mut self, now: u64, id: u32, options: CallOptions) {
        let handler = DEFAULT_HANDLER;
        let header = Header {
            payload: 5,
            kind: Kind::Request,
            flags: 0,
            handler,
            id,
        };
        let [a, b, c, d] = id.to_be_bytes();
        let frame = [&header.to_bytes()[..], &[0xce, a, b, c, d]].concat();
        let submission = Submission {
            id: CallId(id),
            handler,
            frame: &frame,
            options,
        };
        self.engine
            .submit(Time(now), &submission, &mut self.actions);
    }

    fn answer(&mut self, now: u64, worker: WorkerId, bytes: &[u8]) {
        self.engine
            .received(Time(now), worker, bytes, 100, &mut self.actions);
    }

    /// What would be written to a worker now.
    fn written(&mut self, worker: WorkerId) -> Vec<u32> {
        let bytes = self
            .engine
            .outbox(worker)
            .map(std::mem::take)
            .unwrap_or_default();
        written(Mode::Synapse, &bytes)
            .requests
            .iter()
            .map(|request| request.call.0)
            .collect()
    }

    fn exit(&mut self, now: u64, worker: WorkerId) {
        self.exit_with(now, worker, Journal::Unknown);
    }

    fn exit_with(&mut self, now: u64, worker: WorkerId, journal: Journal) {
        let exit = Exit {
            journal,
            ..Exit::default()
        };
        self.engine
            .exited(Time(now), worker, exit, &mut self.actions);
    }

    /// How often a worker has been killed so far.
    fn kills(&self, worker: WorkerId) -> usize {
        let commands = self.actions.commands.iter();
        commands.filter(|c| **c == Command::Kill(worker)).count()
    }

    /// The calls whose cancels were sent to a worker since the last time.
    fn cancels(&mut self, worker: WorkerId) -> Vec<u32> {
        let commands = std::mem::take(&mut self.actions.commands);
        let cancels = commands.iter().filter_map(|command| match command {
            Command::Control(id, frame) if *id == worker && frame[4] == Kind::Cancel as u8 => {
                Some(u32::from_le_bytes(*frame[8..].first_chunk()?))
            }
            _ => None,
        });
        cancels.collect()
    }

    /// What a call was told about whether it may have run.
    fn may_have_executed(&self, call: u32) -> Option<bool> {
        self.actions.events.iter().find_map(|event| match event {
            Event::Failed { id, failure } if id.0 == call => {
                failure.details.get("mayHaveExecuted")?.as_bool()
            }
            _ => None,
        })
    }

    fn close(&mut self, now: u64, worker: WorkerId) {
        self.engine.closed(Time(now), worker, &mut self.actions);
    }

    fn tick(&mut self, now: u64) {
        self.tick_with(now, &Journal::Unknown);
    }

    /// A tick, and what the engine asks to read of a worker after it.
    fn tick_with(&mut self, now: u64, journal: &Journal) {
        self.engine.tick(Time(now), &mut self.actions);
        let commands = std::mem::take(&mut self.actions.commands);
        for command in commands {
            if let Command::Inspect(worker) = command {
                self.engine
                    .inspected(Time(now), worker, journal, &mut self.actions);
            } else {
                self.actions.commands.push(command);
            }
        }
    }

    /// How calls have failed so far.
    fn failed(&self) -> Vec<(u32, ErrorCode)> {
        let failures = self.actions.events.iter().filter_map(|event| match event {
            Event::Failed { id, failure } => Some((id.0, failure.code)),
            _ => None,
        });
        failures.collect()
    }

    fn count(&self, wanted: impl Fn(&Event) -> bool) -> usize {
        self.actions
            .events
            .iter()
            .filter(|event| wanted(event))
            .count()
    }
}

fn pool(workers: u32) -> Config {
    Config {
        workers,
        ..Config::default()
    }
}

fn pinned(worker: WorkerId) -> CallOptions {
    CallOptions {
        worker: Some(worker),
        ..CallOptions::default()
    }
}

fn idempotent() -> CallOptions {
    CallOptions {
        idempotent: true,
        ..CallOptions::default()
    }
}

#[test]
fn a_pinned_call_whose_worker_is_free_needs_no_place_in_a_full_queue() {
    let mut bench = Bench::ready(Config {
        queue_max: Some(0),
        ..pool(2)
    });
    bench.submit(1, 1, pinned(ONE));
    assert_eq!(bench.failed(), []);
    bench.submit(1, 2, pinned(ONE));
    assert_eq!(bench.failed(), [(2, ErrorCode::QueueFull)]);
}

#[test]
fn spawned_waits_for_a_worker_that_has_failed_and_not_exited() {
    let mut bench = Bench::starting(pool(2));
    let fault = serde_json::json!({"phase": "import", "error": {"message": "no"}});
    let fault = message::frame(Kind::Fault, 0, &fault).unwrap();
    bench
        .engine
        .control(Time(0), ONE, &fault, &mut bench.actions);
    bench.hello(2);
    bench.exit(1, ONE);
    assert_eq!(bench.count(|event| *event == Event::Spawned), 0);
    assert_eq!(
        bench.count(|event| matches!(event, Event::SpawnFailed { .. })),
        1
    );
    bench.exit(2, TWO);
    assert_eq!(
        bench.count(|event| matches!(event, Event::SpawnFailed { .. })),
        1
    );
    assert_eq!(bench.count(|event| *event == Event::Stopped), 1);
}

#[test]
fn a_failed_start_is_what_the_calls_that_waited_for_it_are_told() {
    let mut bench = Bench::starting(pool(1));
    bench.submit(0, 1, CallOptions::default());
    bench
        .engine
        .start_failed(Time(1), ONE, "no more processes", &mut bench.actions);
    assert_eq!(bench.failed(), [(1, ErrorCode::StartFailed)]);
}

#[test]
fn a_call_that_a_worker_died_with_may_have_run_even_while_it_waits_again() {
    let mut bench = Bench::ready(pool(1));
    bench.submit(1, 1, idempotent());
    bench.exit(2, ONE);
    bench.close(2, ONE);
    assert_eq!(bench.failed(), []);
    bench.engine.stop(Time(3), &mut bench.actions);
    let told = bench.actions.events.iter().find_map(|event| match event {
        Event::Failed { failure, .. } => failure.details.get("mayHaveExecuted").cloned(),
        _ => None,
    });
    assert_eq!(told, Some(true.into()));
}

#[test]
fn a_worker_that_has_exited_gets_no_more_commands() {
    let mut bench = Bench::ready(Config {
        restart: None,
        ..pool(1)
    });
    bench.submit(1, 1, CallOptions::default());
    bench.exit(2, ONE);
    bench.engine.cancel(Time(3), CallId(1), &mut bench.actions);
    bench.tick(600_000);
    assert_eq!(
        bench.actions.commands.len(),
        0,
        "{:?}",
        bench.actions.commands
    );

    let mut bench = Bench::ready(Config {
        restart: None,
        ..pool(1)
    });
    bench.submit(1, 1, CallOptions::default());
    bench.exit(2, ONE);
    bench.answer(3, ONE, &[0xff; 12]);
    assert_eq!(bench.actions.commands, []);
    assert_eq!(bench.failed(), [(1, ErrorCode::FrameTooLarge)]);
    assert_eq!(
        bench.count(|event| matches!(event, Event::WorkerExit { .. })),
        1
    );
}

#[test]
fn a_worker_that_has_exited_does_not_hold_up_a_stop() {
    let mut bench = Bench::ready(pool(1));
    bench.submit(1, 1, CallOptions::default());
    bench.exit(2, ONE);
    bench.engine.stop(Time(3), &mut bench.actions);
    assert_eq!(bench.actions.commands, []);
    assert_eq!(bench.count(|event| *event == Event::Stopped), 1);
}

#[test]
fn a_worker_on_its_way_out_is_killed_once() {
    let config = Config {
        concurrency: 2,
        grace: Duration::from_millis(1),
        ..pool(1)
    };
    let mut bench = Bench::ready(config);
    for id in [1, 2] {
        bench.submit(1, id, CallOptions::default());
        bench
            .engine
            .cancel(Time(u64::from(id)), CallId(id), &mut bench.actions);
    }
    bench.tick(1_001);
    bench.tick(5_000);
    bench
        .engine
        .control(Time(6_000), ONE, &[0xff; 12], &mut bench.actions);
    let kills = bench
        .actions
        .commands
        .iter()
        .filter(|c| **c == Command::Kill(ONE))
        .count();
    assert_eq!(kills, 1);
}

#[test]
fn the_time_in_the_queue_counts_anew_when_a_worker_died_with_the_call() {
    let limit = Duration::from_millis(10);
    let restart = Some(RestartPolicy {
        max: 0,
        ..RestartPolicy::default()
    });
    let mut bench = Bench::ready(Config {
        queue_timeout: Some(limit),
        restart,
        ..pool(2)
    });
    for id in 1..=3 {
        bench.submit(0, id, idempotent());
    }
    // Call 3 waits for 4 ms, is with the first worker for one, and waits again from then on.
    bench.answer(4_000, ONE, &Header::bare(Kind::Response, 1));
    assert_eq!(bench.written(ONE), [1, 3]);
    bench.exit(5_000, ONE);
    bench.close(5_000, ONE);
    bench.tick(14_999);
    assert_eq!(bench.failed(), []);
    bench.tick(15_000);
    assert_eq!(bench.failed(), [(3, ErrorCode::Timeout)]);
}

#[test]
fn calls_that_come_back_keep_the_order_of_submission() {
    let mut bench = Bench::ready(pool(3));
    for id in 1..=3 {
        bench.submit(1, id, idempotent());
    }
    bench.submit(1, 4, idempotent());
    // The later call's worker dies last.
    for worker in [ONE, TWO] {
        bench.exit(2, worker);
        bench.close(2, worker);
    }
    bench.written(WorkerId(3));
    let answer = Header::bare(Kind::Response, 3);
    let mut order = Vec::new();
    bench.answer(1_000_000, WorkerId(3), &answer);
    for now in 1..=3 {
        let next = bench.written(WorkerId(3));
        let [id] = next[..] else {
            panic!("one call at a time: {next:?}")
        };
        order.push(id);
        bench.answer(
            (now + 1) * 1_000_000,
            WorkerId(3),
            &Header::bare(Kind::Response, id),
        );
    }
    assert_eq!(order, [1, 2, 4]);
}

#[test]
fn a_worker_that_breaks_the_protocol_gets_no_call_first() {
    let mut bench = Bench::ready(Config {
        restart: None,
        ..pool(1)
    });
    bench.submit(1, 1, CallOptions::default());
    bench.submit(1, 2, CallOptions::default());
    let bytes = [Header::bare(Kind::Response, 1), [0xff; 12]].concat();
    bench.answer(2, ONE, &bytes);
    assert_eq!(bench.failed(), [], "call 2 has not run and waits");
    assert_eq!(bench.engine.holdings().queued, 1);
}

#[test]
fn cancels_that_overtook_a_full_channel_are_told_again_once_it_is_written() {
    let mut bench = Bench::ready(Config {
        concurrency: 4,
        ..pool(1)
    });
    for id in 1..=4 {
        bench.submit(1, id, CallOptions::default());
    }
    assert_eq!(bench.written(ONE), [1, 2, 3, 4]);
    bench.engine.backlogged(ONE);
    for id in [2, 4] {
        bench.engine.cancel(Time(2), CallId(id), &mut bench.actions);
    }
    assert_eq!(bench.cancels(ONE), [2, 4]);
    // The worker has refused one of them by now.
    bench.answer(3, ONE, &Header::bare(Kind::Error, 2));
    assert!(bench.cancels(ONE).is_empty());
    bench.engine.drained(Time(4), ONE, &mut bench.actions);
    assert_eq!(bench.cancels(ONE), [4]);
    bench.answer(5, ONE, &Header::bare(Kind::Error, 4));
    bench.engine.drained(Time(6), ONE, &mut bench.actions);
    assert!(bench.cancels(ONE).is_empty());
}

#[test]
fn timers_of_settled_calls_do_not_pile_up() {
    let mut bench = Bench::ready(Config {
        concurrency: 2,
        ..pool(1)
    });
    let due = |at| CallOptions {
        deadline: Some(Time(at)),
        ..CallOptions::default()
    };
    // This one stays open, and its timer is before all others.
    bench.submit(1, 1, due(3_000_000_000));
    for id in 2..=100_000 {
        bench.submit(1, id, due(3_600_000_000));
        bench.answer(1, ONE, &Header::bare(Kind::Response, id));
        bench.written(ONE);
        bench.actions.clear();
        bench.engine.next_wake();
    }
    let held = bench.engine.holdings();
    assert_eq!(held.calls, 1);
    assert!(held.timers < 100, "{} timers", held.timers);
}

#[test]
fn the_calls_of_a_killed_worker_do_not_wait_for_its_exit_for_ever() {
    let config = Config {
        concurrency: 2,
        grace: Duration::from_millis(1),
        ..pool(1)
    };
    let mut bench = Bench::ready(config);
    bench.submit(1, 1, CallOptions::default());
    bench.submit(1, 2, CallOptions::default());
    bench.engine.cancel(Time(1), CallId(1), &mut bench.actions);
    bench.tick(1_001);
    bench.close(2_000, ONE);
    assert_eq!(bench.engine.next_wake(), Some(Time(1_001_001)));
    bench.tick(1_001_001);
    assert_eq!(bench.failed(), [(2, ErrorCode::WorkerExited)]);
    let kills = bench
        .actions
        .commands
        .iter()
        .filter(|c| **c == Command::Kill(ONE))
        .count();
    assert_eq!(kills, 1);
}

/// One worker, told to go on without a replacement for an hour, that has been found so quick that
/// calls are written to it ahead.
fn quick() -> Bench {
    let mut bench = Bench::ready(Config {
        grace: Duration::from_millis(1),
        restart: Some(RestartPolicy::default()),
        ..pool(1)
    });
    bench.submit(1, 1, CallOptions::default());
    bench.written(ONE);
    bench.answer(2, ONE, &Header::bare(Kind::Response, 1));
    bench.actions.clear();
    bench
}

/// The journal of a worker that began this call last.
fn began(last: u32) -> Journal {
    Journal::InOrder { last }
}

#[test]
fn what_a_dead_worker_had_not_begun_is_sent_to_another() {
    let mut bench = quick();
    for id in 2..=5 {
        bench.submit(3, id, CallOptions::default());
    }
    assert_eq!(bench.written(ONE), [2, 3, 4, 5]);
    bench.exit_with(4, ONE, began(3));
    bench.close(4, ONE);
    let lost = ErrorCode::WorkerExited;
    assert_eq!(bench.failed(), [(2, lost), (3, lost)]);
    assert_eq!(bench.may_have_executed(3), Some(true));
    bench.tick(1_000_000);
    bench.hello(2);
    assert_eq!(bench.written(TWO), [4]);
}

#[test]
fn what_never_began_is_sent_again_however_often_that_happens() {
    let mut bench = quick();
    for id in [2, 3] {
        bench.submit(3, id, CallOptions::default());
    }
    bench.exit_with(4, ONE, began(2));
    bench.close(4, ONE);
    for worker in 2..=4 {
        bench.tick(u64::from(worker) * 10_000_000);
        bench.hello(worker);
        assert_eq!(bench.written(WorkerId(worker)), [3]);
        let now = u64::from(worker) * 10_000_000 + 1;
        bench.exit_with(now, WorkerId(worker), began(0));
        bench.close(now, WorkerId(worker));
    }
    assert_eq!(bench.failed(), [(2, ErrorCode::WorkerExited)]);
}

#[test]
fn what_is_bound_to_a_dead_worker_is_told_that_it_has_not_run() {
    let mut bench = quick();
    bench.submit(3, 2, CallOptions::default());
    bench.submit(3, 3, pinned(ONE));
    bench.exit_with(4, ONE, began(2));
    bench.close(4, ONE);
    assert_eq!(bench.may_have_executed(2), Some(true));
    assert_eq!(bench.may_have_executed(3), Some(false));
}

#[test]
fn a_cancelled_call_that_waits_behind_another_costs_no_worker() {
    let mut bench = quick();
    for id in [2, 3] {
        bench.submit(3, id, CallOptions::default());
    }
    bench.engine.cancel(Time(4), CallId(3), &mut bench.actions);
    bench.tick_with(1_004, &began(2));
    assert_eq!(bench.kills(ONE), 0);
    // Looked at again later: now it has begun and does not yield.
    assert_eq!(bench.engine.next_wake(), Some(Time(101_004)));
    bench.tick_with(101_004, &began(3));
    assert_eq!(bench.kills(ONE), 1);
}

#[test]
fn a_worker_that_begins_nothing_is_lost_at_the_grace() {
    let mut bench = quick();
    for id in [2, 3] {
        bench.submit(3, id, CallOptions::default());
    }
    bench.engine.cancel(Time(4), CallId(2), &mut bench.actions);
    bench.tick_with(1_004, &began(1));
    assert_eq!(bench.kills(ONE), 1);
    bench.exit_with(1_005, ONE, began(1));
    bench.close(1_005, ONE);
    assert_eq!(bench.failed(), []);
}

#[test]
fn what_a_killed_worker_had_answered_before_counts() {
    let mut bench = quick();
    for id in 2..=4 {
        bench.submit(3, id, CallOptions::default());
    }
    bench.engine.cancel(Time(4), CallId(3), &mut bench.actions);
    bench.tick_with(1_004, &began(3));
    assert_eq!(bench.kills(ONE), 1);
    bench.exit_with(1_005, ONE, began(3));
    bench.answer(1_006, ONE, &Header::bare(Kind::Response, 2));
    bench.close(1_007, ONE);
    let settled: Vec<u32> = bench
        .actions
        .settled
        .iter()
        .map(|entry| entry.call.0)
        .collect();
    assert_eq!(settled, [2]);
    assert_eq!(bench.failed(), []);
    assert_eq!(
        bench.engine.holdings().queued,
        1,
        "call 4 waits for the next"
    );
}

#[test]
fn idempotent_calls_outlive_a_worker_that_closes_its_channel_and_lives() {
    let mut bench = quick();
    bench.submit(3, 2, idempotent());
    bench.submit(3, 3, CallOptions::default());
    bench.submit(3, 4, CallOptions::default());
    bench.close(4, ONE);
    bench.tick(50_004);
    assert_eq!((bench.kills(ONE), bench.failed()), (1, vec![]));
    bench.exit_with(51_000, ONE, began(3));
    assert_eq!(bench.failed(), [(3, ErrorCode::WorkerExited)]);
    assert_eq!(bench.engine.holdings().queued, 2);
}

fn started(bench: &Bench) -> usize {
    let starts = bench.actions.commands.iter();
    starts
        .filter(|command| matches!(command, Command::Start(_)))
        .count()
}

#[test]
fn an_elastic_pool_grows_for_calls_that_wait_and_not_for_a_burst_that_is_over() {
    let elastic = || Config {
        most_workers: Some(4),
        ..pool(1)
    };
    let mut bench = Bench::ready(elastic());
    bench.submit(0, 1, CallOptions::default());
    bench.submit(0, 2, CallOptions::default());
    bench.answer(4_000, ONE, &Header::bare(Kind::Response, 1));
    bench.tick(5_000);
    assert_eq!(started(&bench), 0);
    let mut bench = Bench::ready(elastic());
    for call in 1..=3 {
        bench.submit(0, call, CallOptions::default());
    }
    bench.tick(4_999);
    assert_eq!(started(&bench), 0);
    bench.tick(5_000);
    assert_eq!(started(&bench), 2);
}
