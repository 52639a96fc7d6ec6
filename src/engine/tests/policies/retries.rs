//! Attempts that fail are made again.

use serde_json::json;

use super::{MS, guarded, idempotent, raise, stats};
use crate::engine::tests::bench::{Bench, NONE, ONE, THREE, TWO, pool};
use crate::engine::{
    CallOptions, Config, Event, PolicyConfig, PolicyHoldings, PolicySet, PoolRequest, SettledKind,
};
use crate::error::ErrorCode;
use crate::ids::{CallId, WorkerId};
use crate::policy::adaptive::AdaptivePolicy;
use crate::policy::budget::BudgetPolicy;
use crate::policy::codes::Codes;
use crate::policy::poison::PoisonPolicy;
use crate::policy::retry::{Delays, RetryPolicy};
use crate::protocol::header::{self, Kind};
use crate::protocol::message;

fn retry(delays: &[u64]) -> PolicySet {
    PolicySet {
        retry: Some(RetryPolicy {
            retries: 2,
            delays: Delays::List(delays.iter().copied().map(MS).collect()),
            jitter: 0.0,
            codes: Codes::of(&[ErrorCode::PythonError, ErrorCode::WorkerExited]),
        }),
        ..PolicySet::default()
    }
}

/// The only request that has been written to a worker since the last time.
fn next(bench: &mut Bench, worker: WorkerId) -> u32 {
    let requests = bench.requests(worker);
    assert_eq!(requests.len(), 1, "{requests:?}");
    requests[0]
}

#[test]
fn a_call_that_failed_is_made_again_after_its_delay_and_answered_as_itself() {
    let mut bench = guarded(1, retry(&[100]));
    bench.submit_with(1, idempotent());
    raise(&mut bench, ONE, 1);
    assert_eq!(bench.settled(), []);
    assert!(bench.told(&Event::Retry {
        call_id: CallId(1),
        handler: "main".to_owned(),
        attempt: 2,
        delay: 100,
        code: ErrorCode::PythonError,
    }));
    assert_eq!(bench.requests(ONE), [1]);
    bench.wait(99);
    assert_eq!(bench.requests(ONE), NONE);
    assert_eq!(bench.wakes_in(), Some(1));
    bench.wait(1);
    let attempt = next(&mut bench, ONE);
    assert!(
        attempt >= 1 << 30,
        "a late answer to the first is not for it"
    );
    bench.reply(ONE, Kind::Response, attempt);
    assert_eq!(bench.settled(), [(1, SettledKind::Response)]);
    for id in [2, 3] {
        bench.submit(id);
        bench.reply(ONE, Kind::Response, id);
    }
    let found = stats(&bench).retry;
    assert_eq!(
        (found.attempts, found.recovered, found.over_budget),
        (1, 1, 0)
    );
    let holdings = bench.engine.policy_holdings();
    assert_eq!(holdings, PolicyHoldings::default());
}

#[test]
fn without_a_delay_it_is_made_again_at_once_and_not_for_ever() {
    let mut bench = guarded(1, retry(&[]));
    bench.submit_with(1, idempotent());
    for attempt in 0..3 {
        let id = next(&mut bench, ONE);
        raise(&mut bench, ONE, id);
        let failed = bench.settled() == [(1, SettledKind::Error)];
        assert_eq!(failed, attempt == 2);
    }
    assert_eq!(bench.requests(ONE), NONE);
    assert_eq!(stats(&bench).retry.recovered, 0);
}

#[test]
fn what_may_have_run_and_is_not_idempotent_is_not_repeated() {
    let mut bench = guarded(2, retry(&[]));
    bench.submit(1);
    raise(&mut bench, ONE, 1);
    assert_eq!(bench.settled(), [(1, SettledKind::Error)]);
    bench.submit(2);
    bench.die(ONE);
    assert_eq!(bench.failed(), [2]);
    assert_eq!(bench.failure(2).details["callId"], 2);
}

#[test]
fn what_was_refused_before_it_ran_is_repeated() {
    let mut bench = guarded(1, retry(&[100]));
    let elsewhere = CallOptions {
        worker: Some(TWO),
        ..CallOptions::default()
    };
    bench.submit_with(1, elsewhere);
    assert_eq!(bench.failed(), NONE);
    assert_eq!(stats(&bench).retry.attempts, 1);
    // Even if its arguments are those of the worker that it is written to.
    bench.submit_frame(2, header::FUNCTIONS, &[], elsewhere);
    assert_eq!(bench.failed(), NONE);
    assert_eq!(stats(&bench).retry.attempts, 2);
}

#[test]
fn arguments_that_went_to_a_worker_are_not_sent_to_another() {
    for (flags, repeated) in [
        (0, true),
        (header::FUNCTIONS, false),
        (header::SHARED, false),
    ] {
        let mut bench = guarded(1, retry(&[100]));
        bench.submit_frame(1, flags, &[], idempotent());
        raise(&mut bench, ONE, 1);
        assert_eq!(bench.settled().is_empty(), repeated, "flags {flags}");
    }
}

#[test]
fn a_stream_of_which_an_item_has_come_is_not_repeated() {
    for (part, repeated) in [(Kind::Progress, true), (Kind::Item, false)] {
        let mut bench = guarded(1, retry(&[100]));
        bench.submit_with(
            1,
            CallOptions {
                credit: 2,
                ..idempotent()
            },
        );
        bench.reply(ONE, part, 1);
        assert_eq!(bench.settled().len(), 1);
        raise(&mut bench, ONE, 1);
        assert_eq!(bench.settled().is_empty(), repeated, "{part:?}");
    }
}

#[test]
fn there_is_no_attempt_that_would_have_no_time() {
    for (deadline, repeated) in [(100, false), (101, true)] {
        let mut bench = guarded(1, retry(&[100]));
        let deadline = Some(bench.now + MS(deadline));
        bench.submit_with(
            1,
            CallOptions {
                deadline,
                ..idempotent()
            },
        );
        raise(&mut bench, ONE, 1);
        assert_eq!(bench.settled().is_empty(), repeated, "{deadline:?}");
    }
}

#[test]
fn repetitions_are_paid_from_a_budget_that_calls_fill() {
    let policies = PolicyConfig {
        defaults: retry(&[100]),
        budget: Some(BudgetPolicy {
            ratio: 0.5,
            per_second: 0.0,
        }),
        ..PolicyConfig::default()
    };
    let mut bench = Bench::ready(pool(1));
    bench.engine.set_policies(&policies);
    for (id, repeated) in [(1, false), (2, true), (3, false)] {
        bench.submit_with(id, idempotent());
        raise(&mut bench, ONE, id);
        assert_eq!(bench.settled().is_empty(), repeated, "call {id}");
    }
    let found = stats(&bench).retry;
    assert_eq!((found.attempts, found.over_budget), (1, 2));
}

#[test]
fn what_is_said_of_an_attempt_is_said_of_its_call() {
    let mut bench = guarded(1, retry(&[]));
    bench.submit_with(1, idempotent());
    raise(&mut bench, ONE, 1);
    bench.written(ONE);
    let attempt = 1 << 30;
    let body = json!({"stream": "stdout", "text": "hi"});
    for (id, known) in [(attempt, 1), (attempt + 9, attempt + 9), (7, 7)] {
        bench.receive(ONE, &message::frame(Kind::Log, id, &body).unwrap());
        let event = &bench.actions.events[0];
        let known = Some(CallId(known));
        assert!(
            matches!(event, Event::Log { call_id, .. } if *call_id == known),
            "{event:?}"
        );
    }
}

#[test]
fn a_call_that_is_given_up_takes_its_attempts_along() {
    let mut bench = guarded(1, retry(&[100]));
    bench.submit_with(1, idempotent());
    raise(&mut bench, ONE, 1);
    bench.written(ONE);
    bench.cancel(1);
    bench.wait(1_000);
    assert_eq!(bench.requests(ONE), NONE);
    let holdings = bench.engine.policy_holdings();
    assert_eq!((holdings.guarded, holdings.attempts), (0, 0));
}

#[test]
fn a_drain_waits_for_calls_that_rest() {
    let mut bench = guarded(1, retry(&[100]));
    bench.submit_with(1, idempotent());
    raise(&mut bench, ONE, 1);
    bench.written(ONE);
    let holdings = bench.engine.policy_holdings();
    assert_eq!((holdings.guarded, holdings.idle), (1, 1));
    bench.operate(1, PoolRequest::Drain);
    assert_eq!(bench.done(), []);
    bench.wait(100);
    assert_eq!(bench.engine.policy_holdings().idle, 0);
    let attempt = next(&mut bench, ONE);
    bench.reply(ONE, Kind::Response, attempt);
    assert_eq!(bench.done(), [(1, true)]);
}

#[test]
fn a_stop_rejects_calls_that_rest_in_their_order() {
    let mut bench = guarded(3, retry(&[100]));
    for id in [3, 1, 2] {
        bench.submit_with(id, idempotent());
    }
    for (worker, id) in [(TWO, 1), (THREE, 2), (ONE, 3)] {
        raise(&mut bench, worker, id);
    }
    bench.actions.clear();
    bench.engine.stop(bench.now, &mut bench.actions);
    bench.engine.review(bench.now, &mut bench.actions);
    assert_eq!(bench.failed(), [3, 1, 2]);
    for id in 1..=3 {
        assert_eq!(bench.failure(id).code, ErrorCode::Disposed);
    }
}

#[test]
fn a_number_that_is_used_again_has_nothing_to_do_with_the_rest_of_the_call_before() {
    let mut bench = guarded(1, retry(&[100]));
    bench.submit_with(1, idempotent());
    raise(&mut bench, ONE, 1);
    bench.cancel(1);
    bench.wait(50);
    bench.submit_with(1, idempotent());
    raise(&mut bench, ONE, 1);
    bench.written(ONE);
    bench.wait(50);
    assert_eq!(bench.requests(ONE), NONE, "that was the other one's time");
    bench.wait(50);
    assert_eq!(bench.requests(ONE).len(), 1);
}

/// Failures with this code are tried again.
fn retry_of(code: ErrorCode) -> PolicySet {
    let mut set = retry(&[100]);
    if let Some(policy) = &mut set.retry {
        policy.codes = Codes::of(&[code]);
    }
    set
}

#[test]
fn a_call_that_its_worker_cannot_run_is_tried_elsewhere() {
    let mut bench = guarded(1, retry_of(ErrorCode::HandlerNotFound));
    bench.submit(1);
    bench.submit(2);
    bench.operate(1, PoolRequest::Scale { min: 2, max: 2 });
    let other = json!({"handlers": [{"name": "other"}], "default": null});
    bench.hello_with(TWO, &other);
    assert_eq!(bench.failed(), NONE);
    assert_eq!(stats(&bench).retry.attempts, 1);
}

#[test]
fn a_call_that_waited_too_long_was_never_written_and_may_go_to_any_worker() {
    let mut bench = Bench::ready(Config {
        queue_timeout: Some(MS(10)),
        ..pool(1)
    });
    let defaults = retry_of(ErrorCode::Timeout);
    bench.engine.set_policies(&PolicyConfig {
        defaults,
        ..PolicyConfig::default()
    });
    for id in [1, 2] {
        bench.submit_frame(id, header::FUNCTIONS, &[], CallOptions::default());
    }
    bench.wait(10);
    assert_eq!(bench.failed(), NONE);
    assert_eq!(stats(&bench).retry.attempts, 1);
}

#[test]
fn a_call_whose_attempt_took_too_long_is_not_sent_to_another_worker_with_its_functions() {
    let mut set = retry_of(ErrorCode::Timeout);
    set.adaptive = Some(AdaptivePolicy {
        base: MS(10),
        min: MS(10),
        max: MS(10),
        factor: 1.0,
        samples: 10,
    });
    for (flags, failed) in [(0, vec![]), (header::FUNCTIONS, vec![1])] {
        let mut bench = guarded(1, set.clone());
        bench.submit_frame(1, flags, &[], idempotent());
        bench.wait(10);
        assert_eq!(bench.failed(), failed, "flags {flags}");
    }
}

#[test]
fn an_exception_with_a_code_of_ours_is_one_of_that_code() {
    for (code, repeated) in [("", false), (ErrorCode::Timeout.as_str(), true)] {
        let mut bench = guarded(1, retry_of(ErrorCode::Timeout));
        bench.submit_with(1, idempotent());
        let frame = message::frame(Kind::Error, 1, &json!({"code": code})).unwrap();
        bench.receive(ONE, &frame);
        assert_eq!(bench.settled().is_empty(), repeated, "code {code:?}");
    }
}

#[test]
fn a_call_that_workers_died_with_is_final() {
    let mut bench = Bench::ready(Config {
        poison: PoisonPolicy {
            deaths: 1,
            window: MS(60_000),
        },
        ..pool(3)
    });
    bench.submit(1);
    bench.die(ONE);
    let defaults = retry(&[100]);
    bench.engine.set_policies(&PolicyConfig {
        defaults,
        ..PolicyConfig::default()
    });
    bench.submit_with(2, idempotent());
    assert_eq!(bench.failed(), [2]);
}
