//! Workers that stop in the middle of a frame, and frames that belong to no call.

use std::time::Duration;

use super::bench::{Bench, ONE, TWO, pool};
use crate::engine::{Command, Config, Event, SettledKind};
use crate::policy::liveness::Vitals;
use crate::protocol::header::{Header, Kind};

const LOOK: Command = Command::LookMidFrame(ONE);
/// The limit, the steps in which it passes, and the last look, in ms.
const LIMIT: u64 = 8_000;
const STEP: u64 = 2_000;
const MOMENT: u64 = 1;

fn limited(workers: u32) -> Config {
    Config {
        frame_timeout: Some(Duration::from_millis(LIMIT)),
        ..pool(workers)
    }
}

/// Its worker has been given these calls and has written the first bytes of the answer to call 1.
fn mid_frame(workers: u32, calls: u32) -> (Bench, [u8; 12]) {
    let mut bench = Bench::ready(limited(workers));
    (1..=calls).for_each(|call| bench.submit(call));
    let answer = Header::bare(Kind::End, 1);
    let received = bench.receive(ONE, &answer[..9]);
    assert_eq!((received.consumed, received.need), (0, 12));
    (bench, answer)
}

fn look(bench: &mut Bench, vitals: Option<Vitals>) {
    assert!(bench.wants(&LOOK), "{:?}", bench.actions);
    let now = bench.now;
    bench.actions.clear();
    let actions = &mut bench.actions;
    bench.engine.looked_mid_frame(now, ONE, vitals, actions);
}

/// Time passes, and the worker neither writes nor computes.
fn pass_limit(bench: &mut Bench) {
    for wait in [STEP, STEP, STEP, STEP, MOMENT] {
        assert_eq!(bench.actions.commands, []);
        bench.wait(wait);
        look(bench, None);
    }
}

#[test]
fn half_a_frame_and_silence_has_broken_the_protocol() {
    let (mut bench, _) = mid_frame(1, 1);
    assert_eq!(bench.wakes_in(), Some(u128::from(STEP)));
    pass_limit(&mut bench);
    assert_eq!(bench.actions.commands, [Command::Kill(ONE)]);
    bench.die(ONE);
    let failure = bench.failure(1);
    assert_eq!(failure.code.as_str(), "PROTOCOL");
    assert!(failure.message.contains("8001 ms"), "{failure:?}");
    assert_eq!(failure.details["mayHaveExecuted"], true);
    let reason = bench.actions.events.iter().find_map(|event| match event {
        Event::WorkerExit { reason, .. } => Some(*reason),
        _ => None,
    });
    assert_eq!(reason, Some("protocol"));
}

#[test]
fn the_rest_in_time_is_an_answer_like_any_other() {
    let (mut bench, answer) = mid_frame(1, 1);
    for length in 10..12 {
        bench.wait(STEP);
        look(&mut bench, None);
        bench.receive(ONE, &answer[..length]);
    }
    bench.receive(ONE, &answer);
    assert_eq!(bench.settled(), [(1, SettledKind::End)]);
    bench.wait(STEP);
    assert_eq!(bench.actions.commands, []);
    assert_eq!(bench.wakes_in(), None, "nothing is watched any more");
}

#[test]
fn a_byte_at_a_time_is_no_silence() {
    let (mut bench, answer) = mid_frame(1, 1);
    for _ in 0..100 {
        bench.wait(STEP - 1);
        assert_eq!(bench.actions.commands, []);
        bench.receive(ONE, &answer[..9]);
    }
}

#[test]
fn a_worker_that_computes_is_left_alone() {
    let (mut bench, _) = mid_frame(1, 1);
    let running = Vitals {
        stopped: false,
        running: true,
        cpu: Duration::ZERO,
    };
    for _ in 0..100 {
        bench.wait(STEP);
        look(&mut bench, Some(running));
        assert_eq!(bench.actions.commands, []);
    }
}

#[test]
fn a_host_that_was_suspended_itself_kills_nobody() {
    let (mut bench, _) = mid_frame(1, 1);
    for _ in 0..10 {
        bench.wait(60_000);
        assert_eq!(bench.actions.commands, []);
    }
}

#[test]
fn without_a_limit_nobody_looks() {
    let mut bench = Bench::ready(Config {
        frame_timeout: None,
        ..pool(1)
    });
    bench.submit(1);
    bench.receive(ONE, &Header::bare(Kind::End, 1)[..9]);
    assert_eq!(bench.wakes_in(), None);
}

#[test]
fn nobody_looks_at_one_that_has_died() {
    let (mut bench, _) = mid_frame(1, 1);
    bench.die(ONE);
    bench.wait(STEP);
    assert!(!bench.wants(&LOOK));
}

fn strays(bench: &Bench) -> (u64, Vec<u64>) {
    let stats = bench.engine.stats(bench.now);
    let workers = stats.workers.iter().map(|worker| worker.stray_replies);
    (stats.stray_replies, workers.collect())
}

#[test]
fn answers_without_a_call_are_counted_with_the_worker_that_wrote_them() {
    let mut bench = Bench::ready(pool(2));
    bench.submit(1);
    bench.submit(2);
    bench.reply(ONE, Kind::End, 1);
    assert_eq!(strays(&bench), (0, vec![0, 0]));
    // Once more; one that there never was; one that another worker has; parts of them.
    bench.reply(ONE, Kind::End, 1);
    bench.reply(ONE, Kind::Response, 99);
    bench.reply(ONE, Kind::Error, 2);
    bench.reply(ONE, Kind::Item, 2);
    bench.reply(ONE, Kind::Progress, 1);
    assert_eq!(strays(&bench), (5, vec![5, 0]));
    bench.reply(TWO, Kind::End, 2);
    bench.reply(TWO, Kind::End, 2);
    assert_eq!(strays(&bench), (6, vec![5, 1]));
    bench.die(ONE);
    assert_eq!(strays(&bench).0, 6, "those of workers that are gone stay");
}

#[test]
fn a_late_answer_to_a_call_that_was_given_up_is_no_stray() {
    let mut bench = Bench::ready(pool(1));
    bench.submit(1);
    bench.cancel(1);
    bench.reply(ONE, Kind::Item, 1);
    bench.reply(ONE, Kind::End, 1);
    assert_eq!(strays(&bench), (0, vec![0]));
    bench.reply(ONE, Kind::End, 1);
    assert_eq!(strays(&bench), (1, vec![1]));
}
