//! Calls are refused while others fail, or while there are too many.

use std::time::Duration;

use super::{guarded, raise, stats};
use crate::engine::tests::bench::{Bench, NONE, ONE};
use crate::engine::{Event, PolicySet};
use crate::error::ErrorCode;
use crate::policy::breaker::BreakerPolicy;
use crate::policy::bulkhead::BulkheadPolicy;
use crate::policy::codes::Codes;
use crate::policy::rate_limit::RateLimitPolicy;
use crate::protocol::header::Kind;

fn breaker() -> PolicySet {
    PolicySet {
        breaker: Some(BreakerPolicy {
            failures: 2,
            codes: Codes::of(&[ErrorCode::PythonError]),
            ..BreakerPolicy::default()
        }),
        ..PolicySet::default()
    }
}

fn break_it(bench: &mut Bench) {
    for id in [1, 2] {
        bench.submit(id);
        raise(bench, ONE, id);
    }
}

#[test]
fn a_breaker_opens_and_closes_again_by_what_calls_say() {
    let mut bench = guarded(1, breaker());
    break_it(&mut bench);
    assert!(bench.told(&Event::Breaker {
        handler: "main".to_owned(),
        state: "open",
        previous: "closed",
        failures: 2,
        retry_after: 30_000,
    }));
    bench.wait(10_000);
    bench.submit(3);
    let failure = bench.failure(3);
    assert_eq!(
        (failure.code, failure.message.as_str()),
        (
            ErrorCode::CircuitOpen,
            "the circuit breaker of \"main\" is open: try again in 20000 ms"
        )
    );
    assert_eq!(failure.details["retryAfter"], 20_000);
    bench.wait(20_000);
    bench.written(ONE);
    bench.submit(4);
    bench.submit(5);
    let message = &bench.failure(5).message;
    assert!(message.ends_with("is half open and its probes are out"));
    assert_eq!(bench.engine.policy_holdings().probing, 1);
    bench.reply(ONE, Kind::Response, 4);
    assert_eq!(stats(&bench).breakers["main"].state, "closed");
    assert_eq!(stats(&bench).breakers["main"].refused, 2);
    assert_eq!(bench.engine.policy_holdings().probing, 0);
}

#[test]
fn an_exception_that_does_not_count_and_a_call_that_is_given_up_open_no_breaker() {
    let mut bench = guarded(
        1,
        PolicySet {
            breaker: Some(BreakerPolicy {
                failures: 1,
                ..BreakerPolicy::default()
            }),
            ..PolicySet::default()
        },
    );
    bench.submit(1);
    raise(&mut bench, ONE, 1);
    bench.submit(2);
    bench.cancel(2);
    assert_eq!(stats(&bench).breakers["main"].failures, 0);
}

#[test]
fn what_the_engine_itself_tells_counts_too() {
    let mut bench = guarded(
        2,
        PolicySet {
            breaker: Some(BreakerPolicy {
                failures: 1,
                ..BreakerPolicy::default()
            }),
            ..PolicySet::default()
        },
    );
    bench.submit(1);
    bench.die(ONE);
    assert_eq!(bench.failed(), [1]);
    assert_eq!(stats(&bench).breakers["main"].state, "open");
}

#[test]
fn a_call_that_a_policy_refuses_says_nothing_of_its_handler() {
    let mut bench = guarded(
        1,
        PolicySet {
            bulkhead: Some(BulkheadPolicy {
                limit: 1,
                queue: 0,
                timeout: None,
            }),
            breaker: Some(BreakerPolicy {
                failures: 1,
                codes: Codes::of(&[ErrorCode::QueueFull]),
                ..BreakerPolicy::default()
            }),
            ..PolicySet::default()
        },
    );
    bench.submit(1);
    bench.submit(2);
    assert_eq!(bench.failure(2).code, ErrorCode::QueueFull);
    assert_eq!(stats(&bench).breakers["main"].failures, 0);
}

#[test]
fn a_breaker_is_closed_by_hand_by_its_name() {
    for (name, state) in [
        (None, "closed"),
        (Some("main"), "closed"),
        (Some("x"), "open"),
    ] {
        let mut bench = guarded(1, breaker());
        break_it(&mut bench);
        let now = bench.now;
        bench.engine.reset_breaker(now, name, &mut bench.actions);
        assert_eq!(stats(&bench).breakers["main"].state, state, "{name:?}");
    }
}

#[test]
fn calls_above_the_rate_are_refused_until_it_has_room() {
    let mut bench = guarded(
        1,
        PolicySet {
            rate_limit: Some(RateLimitPolicy {
                calls: 10.0,
                interval: Duration::from_secs(1),
                burst: 1.0,
            }),
            ..PolicySet::default()
        },
    );
    bench.submit(1);
    bench.submit(2);
    let failure = bench.failure(2);
    assert_eq!(failure.code, ErrorCode::RateLimited);
    assert_eq!(failure.details["retryAfter"], 101, "not a moment too early");
    assert_eq!(stats(&bench).rate_limited, 1);
    bench.wait(101);
    bench.submit(3);
    assert_eq!(bench.failed(), NONE);
}

#[test]
fn whoever_waits_before_a_bulkhead_is_refused_when_the_breaker_opens() {
    let mut bench = guarded(
        1,
        PolicySet {
            bulkhead: Some(BulkheadPolicy {
                limit: 1,
                queue: 9,
                timeout: None,
            }),
            breaker: Some(BreakerPolicy {
                failures: 1,
                codes: Codes::of(&[ErrorCode::PythonError]),
                ..BreakerPolicy::default()
            }),
            ..PolicySet::default()
        },
    );
    for id in 1..=3 {
        bench.submit(id);
    }
    raise(&mut bench, ONE, 1);
    assert_eq!(bench.failed(), [2, 3]);
    assert_eq!(bench.failure(2).code, ErrorCode::CircuitOpen);
    let holdings = bench.engine.policy_holdings();
    assert_eq!((holdings.guarded, holdings.running), (0, 0));
}
