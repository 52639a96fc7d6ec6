//! Calls that lie in a worker for longer than they may wait are withdrawn.

use std::time::Duration;

use synapse::engine::{CallOptions, Command, Config};
use synapse::error::ErrorCode;
use synapse::ids::CallId;
use synapse::protocol::header::{Header, Kind};
use synapse::protocol::journal::Journal;
use synapse::protocol::message;
use synapse::time::Time;

use crate::simulation::regressions::harness::{Harness, ONE, began, pool};

/// When the time of calls that were made at 3 µs is over, and when that is seen.
const OVER: u64 = 10_003;
const SEEN: u64 = OVER + 2_000;

/// A quick worker that has these calls, and the calls that are withdrawn when their time is over.
fn late(calls: &[u32]) -> (Harness, Vec<u32>) {
    let mut harness = Harness::ready(Config {
        queue_timeout: Some(Duration::from_millis(10)),
        ..pool(1)
    });
    harness.submit(1, 1, CallOptions::default());
    harness.written(ONE);
    harness.answer(2, ONE, &Header::bare(Kind::Response, 1));
    harness.actions.clear();
    for id in calls {
        harness.submit(3, *id, CallOptions::default());
    }
    assert_eq!(harness.written(ONE), calls);
    harness.tick(OVER - 1);
    assert!(withdrawn(&mut harness, OVER - 1).is_empty());
    harness.tick(OVER);
    let withdrawn = withdrawn(&mut harness, OVER);
    assert_eq!(harness.failed(), []);
    (harness, withdrawn)
}

/// The calls that are to be withdrawn, which is done.
fn withdrawn(harness: &mut Harness, now: u64) -> Vec<u32> {
    let commands = std::mem::take(&mut harness.actions.commands);
    let mut withdrawn = Vec::new();
    for command in commands {
        if let Command::Withdraw(worker, call) = command {
            harness.engine.withdrawn(Time(now), worker, call);
            withdrawn.push(call.0);
        }
    }
    withdrawn
}

fn restored(harness: &Harness, call: u32) -> bool {
    let restored = Command::Restore(ONE, CallId(call));
    harness.actions.commands.contains(&restored)
}

fn error(call: u32, code: &str) -> Vec<u8> {
    let error = serde_json::json!({"code": code, "message": "no"});
    message::frame(Kind::Error, call, &error).unwrap()
}

#[test]
fn what_has_not_begun_is_told_that_it_never_will() {
    let (mut harness, withdrawn) = late(&[2, 3, 4]);
    assert_eq!(withdrawn, [2, 3, 4]);
    harness.tick_with(SEEN - 1, &began(2));
    assert_eq!(harness.failed(), []);
    harness.tick_with(SEEN, &began(2));
    let timeout = ErrorCode::Timeout;
    assert_eq!(harness.failed(), [(3, timeout), (4, timeout)]);
    assert_eq!(harness.may_have_executed(3), Some(false));
    assert_eq!(harness.cancels(ONE), [3, 4]);
    let stats = harness.engine.stats(Time(SEEN));
    assert_eq!((stats.queue_timeouts, stats.requests_handled), (2, 1));
    harness.answer(SEEN, ONE, &Header::bare(Kind::Response, 2));
    harness.answer(SEEN, ONE, &error(3, "WITHDRAWN"));
    assert!(restored(&harness, 2) && restored(&harness, 3));
    let settled: Vec<u32> = harness.actions.settled.iter().map(|s| s.call.0).collect();
    assert_eq!(settled, [2]);
    // It never ran, so it was not handled.
    assert_eq!(harness.engine.stats(Time(SEEN)).requests_handled, 2);
}

#[test]
fn what_begins_before_the_worker_sees_it_is_answered() {
    let (mut harness, _) = late(&[2, 3]);
    harness.tick_with(SEEN, &began(3));
    harness.answer(SEEN, ONE, &Header::bare(Kind::Response, 2));
    harness.answer(SEEN, ONE, &error(3, "PYTHON_ERROR"));
    assert_eq!(harness.failed(), []);
    assert_eq!(harness.actions.settled.len(), 2);
    assert!(restored(&harness, 3));
}

#[test]
fn a_refusal_that_comes_before_the_journal_is_looked_at_tells_as_much() {
    let (mut harness, _) = late(&[2, 3]);
    harness.answer(OVER + 1, ONE, &Header::bare(Kind::Response, 2));
    harness.answer(OVER + 2, ONE, &error(3, "WITHDRAWN"));
    assert_eq!(harness.failed(), [(3, ErrorCode::Timeout)]);
    assert_eq!(harness.may_have_executed(3), Some(false));
    harness.tick_with(SEEN, &began(3));
    assert_eq!(harness.engine.holdings().calls, 0);
}

#[test]
fn calls_that_share_a_place_in_the_journal_are_withdrawn_one_after_the_other() {
    let (mut harness, withdrawn_first) = late(&[2, 3, 3 + 4096]);
    assert_eq!(withdrawn_first, [2, 3]);
    harness.tick_with(SEEN, &began(2));
    harness.answer(SEEN, ONE, &error(3, "WITHDRAWN"));
    harness.actions.commands.clear();
    harness.tick(OVER + 100_000);
    assert_eq!(withdrawn(&mut harness, OVER + 100_000), [3 + 4096]);
}

#[test]
fn of_a_worker_without_a_journal_nothing_is_claimed() {
    let (mut harness, _) = late(&[2, 3]);
    harness.tick_with(SEEN, &Journal::Unknown);
    assert_eq!(harness.failed(), []);
}
