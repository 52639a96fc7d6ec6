//! So many calls of a handler run at once, and so many wait.

use super::{MS, guarded, stats};
use crate::engine::tests::bench::{NONE, ONE, TWO};
use crate::engine::{CallOptions, PolicySet};
use crate::error::ErrorCode;
use crate::policy::bulkhead::BulkheadPolicy;
use crate::protocol::header::{self, Kind};

fn bulkhead(timeout: Option<u64>) -> PolicySet {
    PolicySet {
        bulkhead: Some(BulkheadPolicy {
            limit: 1,
            queue: 1,
            timeout: timeout.map(MS),
        }),
        ..PolicySet::default()
    }
}

#[test]
fn as_many_run_and_wait_as_the_bulkhead_has_room_for() {
    let mut bench = guarded(2, bulkhead(None));
    for id in 1..=3 {
        bench.submit(id);
    }
    let failure = bench.failure(3);
    assert_eq!(
        (failure.code, failure.message.as_str()),
        (
            ErrorCode::QueueFull,
            "the bulkhead of \"main\" is full: 1 calls run and 1 wait already"
        )
    );
    let found = stats(&bench);
    assert_eq!(found.bulkhead_refused, 1);
    let main = &found.bulkheads["main"];
    assert_eq!((main.running, main.waiting), (1, 1));
    let holdings = bench.engine.policy_holdings();
    assert_eq!((holdings.running, holdings.waiting), (1, 1));
    assert_eq!(
        (bench.requests(ONE), bench.requests(TWO)),
        (vec![1], vec![])
    );
    bench.wait(1_000);
    bench.reply(ONE, Kind::Response, 1);
    assert_eq!(bench.requests(ONE), [2], "its turn has come");
    bench.wait(1_000);
    bench.reply(ONE, Kind::Response, 2);
    assert_eq!(bench.engine.policy_holdings().running, 0);
}

#[test]
fn one_that_is_given_up_before_the_bulkhead_makes_room_there() {
    let mut bench = guarded(2, bulkhead(None));
    for id in [1, 2] {
        bench.submit(id);
    }
    bench.cancel(2);
    let holdings = bench.engine.policy_holdings();
    assert_eq!((holdings.running, holdings.waiting), (1, 0));
    bench.submit(3);
    assert_eq!(bench.failed(), NONE);
}

#[test]
fn the_wait_before_a_bulkhead_ends_with_its_limit_or_the_calls_own() {
    for (timeout, deadline, passed, after) in [
        (Some(50), None, "bulkhead.timeout", 50),
        (Some(50), Some(90), "bulkhead.timeout", 50),
        (Some(50), Some(40), "deadline", 40),
        (None, Some(40), "deadline", 40),
    ] {
        let mut bench = guarded(2, bulkhead(timeout));
        bench.submit(1);
        let deadline = deadline.map(|ms| bench.now + MS(ms));
        bench.submit_with(
            2,
            CallOptions {
                deadline,
                ..CallOptions::default()
            },
        );
        assert_eq!(bench.wakes_in(), Some(after));
        bench.wait(u64::try_from(after).unwrap() - 1);
        assert_eq!(bench.failed(), NONE);
        bench.wait(1);
        let failure = bench.failure(2);
        assert_eq!(
            (failure.code, failure.message.clone()),
            (
                ErrorCode::Timeout,
                format!("the call passed its {passed} while waiting for the bulkhead of \"main\"")
            )
        );
        assert_eq!(bench.engine.stats(bench.now).timeouts, 1);
        assert_eq!(bench.engine.policy_holdings().waiting, 0);
    }
}

#[test]
fn a_nested_call_does_not_wait_before_a_bulkhead() {
    let mut bench = guarded(1, bulkhead(None));
    bench.submit(1);
    let nested = bench.ask(ONE, header::CALLBACK_ID | 7);
    bench.submit_nested(2, nested, CallOptions::default());
    assert_eq!(bench.requests(ONE), [1, 2]);
}
