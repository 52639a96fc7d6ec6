//! An attempt may take as long as others took.

use serde_json::json;

use super::{MS, guarded, raise, stats};
use crate::engine::tests::bench::{Bench, ONE, pool};
use crate::engine::{CallOptions, PolicyConfig, PolicySet};
use crate::error::ErrorCode;
use crate::policy::adaptive::AdaptivePolicy;
use crate::policy::codes::Codes;
use crate::policy::retry::{Delays, RetryPolicy};
use crate::protocol::header::Kind;

fn adaptive() -> PolicySet {
    PolicySet {
        adaptive: Some(AdaptivePolicy {
            base: MS(1_000),
            min: MS(10),
            max: MS(5_000),
            factor: 2.0,
            samples: 100,
        }),
        ..PolicySet::default()
    }
}

#[test]
fn an_attempt_may_take_as_long_as_those_before_it_took() {
    let mut bench = guarded(1, adaptive());
    bench.submit(1);
    assert_eq!(bench.wakes_in(), Some(1_000));
    bench.cancel(1);
    bench.reply(ONE, Kind::Response, 1);
    for id in 2..=11 {
        bench.submit(id);
        bench.wait(100);
        bench.reply(ONE, Kind::Response, id);
    }
    assert!((stats(&bench).timeouts["main"] - 200.0).abs() < 1e-9);
    bench.submit(12);
    assert_eq!(bench.wakes_in(), Some(200));
    bench.wait(200);
    assert_eq!(bench.failure(12).code, ErrorCode::Timeout);
}

#[test]
fn a_stream_has_no_such_limit_and_an_earlier_deadline_holds() {
    for (credit, deadline, wakes) in [
        (1, None, None),
        (0, Some(300), Some(300)),
        (0, Some(3_000), Some(1_000)),
    ] {
        let mut bench = guarded(1, adaptive());
        let deadline = deadline.map(|ms| bench.now + MS(ms));
        bench.submit_with(
            1,
            CallOptions {
                deadline,
                credit,
                ..CallOptions::default()
            },
        );
        assert_eq!(bench.wakes_in(), wakes);
    }
}

/// A worker whose handler gives its calls 50 ms.
fn with_a_timeout(defaults: PolicySet) -> Bench {
    let mut bench = Bench::starting(pool(1));
    let handler = json!({"name": "main", "timeout": 50});
    bench.hello_with(ONE, &json!({"handlers": [handler]}));
    bench.engine.set_policies(&PolicyConfig {
        defaults,
        ..PolicyConfig::default()
    });
    bench
}

#[test]
fn the_handlers_own_timeout_is_what_its_attempts_begin_with() {
    let mut bench = with_a_timeout(adaptive());
    for id in 1..=10 {
        bench.submit(id);
        assert_eq!(bench.wakes_in(), Some(50));
        bench.wait(40);
        bench.reply(ONE, Kind::Response, id);
    }
    bench.submit(11);
    assert_eq!(
        bench.wakes_in(),
        Some(80),
        "twice as long as the others took"
    );
}

#[test]
fn the_handlers_own_timeout_holds_for_streams_and_under_other_policies() {
    let mut bench = with_a_timeout(adaptive());
    let stream = CallOptions {
        credit: 1,
        ..CallOptions::default()
    };
    bench.submit_with(1, stream);
    assert_eq!(bench.wakes_in(), Some(50));

    let mut bench = with_a_timeout(PolicySet {
        retry: Some(RetryPolicy {
            retries: 1,
            delays: Delays::List(Vec::new()),
            jitter: 0.0,
            codes: Codes::of(&[ErrorCode::PythonError]),
        }),
        ..PolicySet::default()
    });
    bench.submit(1);
    assert_eq!(bench.wakes_in(), Some(50));
    raise(&mut bench, ONE, 1);
    bench.submit_guarded(2, &crate::engine::Overrides::default());
    assert_eq!(bench.wakes_in(), Some(50));

    let mut bench = with_a_timeout(PolicySet::default());
    bench.submit_guarded(1, &crate::engine::Overrides::default());
    assert_eq!(
        bench.wakes_in(),
        Some(50),
        "where there is no policy at all"
    );
}
