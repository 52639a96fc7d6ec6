//! Slow calls are sent twice.

use std::time::Duration;

use super::{guarded, guarded_in, idempotent, raise, stats};
use crate::engine::tests::bench::{Bench, NONE, ONE, TWO, pool};
use crate::engine::{Affinity, CallOptions, Command, Config, InSession, PolicySet, SettledKind};
use crate::error::ErrorCode;
use crate::policy::codes::Codes;
use crate::policy::hedge::HedgePolicy;
use crate::policy::retry::{Delays, RetryPolicy};
use crate::protocol::header::{self, Header, Kind};
use crate::session::TimeToLive;

const ATTEMPT: u32 = 1 << 30;

fn hedge() -> PolicySet {
    PolicySet {
        hedge: Some(HedgePolicy {
            after: Some(Duration::from_millis(50)),
            copies: 1,
        }),
        ..PolicySet::default()
    }
}

/// A call that its worker has taken long for.
fn copied_in(config: Config) -> Bench {
    let mut bench = guarded_in(config, hedge());
    bench.submit_with(1, idempotent());
    bench.wait(49);
    assert_eq!(bench.requests(TWO), NONE);
    bench.wait(1);
    assert_eq!(
        (bench.requests(ONE), bench.requests(TWO)),
        (vec![1], vec![ATTEMPT])
    );
    bench
}

fn copied() -> Bench {
    copied_in(pool(2))
}

#[test]
fn the_first_answer_wins_and_the_other_copy_is_cancelled() {
    for (winner, id, loser, other, won) in [(ONE, 1, TWO, ATTEMPT, 0), (TWO, ATTEMPT, ONE, 1, 1)] {
        let mut bench = copied();
        bench.reply(winner, Kind::Response, id);
        assert_eq!(bench.settled(), [(1, SettledKind::Response)]);
        let cancel = Header::bare(Kind::Cancel, other).to_vec();
        assert!(bench.wants(&Command::Control(loser, cancel)));
        bench.reply(loser, Kind::Response, other);
        assert_eq!(bench.settled(), [], "it comes too late");
        let found = stats(&bench).hedge;
        assert_eq!((found.sent, found.won), (1, won));
    }
}

#[test]
fn a_call_fails_when_its_last_copy_has() {
    let mut bench = copied_in(Config {
        restart: None,
        ..pool(2)
    });
    bench.die(ONE);
    assert_eq!(bench.failed(), NONE);
    bench.die(TWO);
    assert_eq!(bench.failed(), [1]);
    assert_eq!(bench.engine.policy_holdings().attempts, 0);
    assert_eq!(stats(&bench).hedge.won, 0);
}

#[test]
fn there_are_as_many_copies_as_may_be() {
    let mut bench = copied();
    bench.wait(1_000);
    assert_eq!(stats(&bench).hedge.sent, 1);
    assert_eq!(bench.wakes_in(), None);
}

#[test]
fn only_calls_that_may_run_twice_anywhere_are_copied() {
    let plain = idempotent();
    let not_idempotent = CallOptions::default();
    let stream = CallOptions { credit: 1, ..plain };
    let pinned = CallOptions {
        worker: Some(ONE),
        ..plain
    };
    for (flags, options, copies) in [
        (0, plain, 1),
        (0, not_idempotent, 0),
        (0, stream, 0),
        (0, pinned, 0),
        (header::FUNCTIONS, plain, 0),
        (header::SHARED, plain, 0),
    ] {
        let mut bench = guarded(2, hedge());
        bench.submit_frame(1, flags, &[], options);
        bench.wait(50);
        assert_eq!(stats(&bench).hedge.sent, copies, "{flags} {options:?}");
    }
    let mut bench = guarded(2, hedge());
    let session = InSession {
        id: "s",
        affinity: Affinity::Hint,
        ttl: TimeToLive::Unchanged,
    };
    bench.submit_in_with(1, session, plain);
    bench.wait(50);
    assert_eq!(stats(&bench).hedge.sent, 0, "of a session");

    let mut bench = guarded(2, hedge());
    let nested = bench.ask(ONE, header::CALLBACK_ID | 7);
    bench.submit_nested(1, nested, plain);
    bench.wait(50);
    assert_eq!(stats(&bench).hedge.sent, 0, "nested");
}

#[test]
fn a_copy_may_be_sent_when_nineteen_of_twenty_would_be_answered() {
    let mut bench = guarded(
        2,
        PolicySet {
            hedge: Some(HedgePolicy {
                after: None,
                copies: 1,
            }),
            ..PolicySet::default()
        },
    );
    for id in 1..=10 {
        bench.submit_with(id, idempotent());
        assert_eq!(bench.wakes_in(), None, "too few are known");
        bench.wait(20);
        bench.reply(ONE, Kind::Response, id);
    }
    bench.submit_with(11, idempotent());
    assert_eq!(bench.wakes_in(), Some(20));
}

#[test]
fn late_answers_of_a_call_that_is_over_let_go_of_their_memory() {
    let mut bench = copied();
    bench.reply(ONE, Kind::Response, 1);
    let mut frame = Header::bare(Kind::Response, ATTEMPT);
    frame[5] |= header::SHARED;
    bench.receive(TWO, &frame);
    let entries = bench.settled();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].1, SettledKind::Unwanted);
}

/// Two copies that one worker runs.
fn copied_at_home(defaults: PolicySet) -> Bench {
    let config = Config {
        concurrency: 2,
        ..pool(1)
    };
    let mut bench = guarded_in(config, defaults);
    bench.submit_with(1, idempotent());
    bench.wait(50);
    assert_eq!(bench.requests(ONE), [1, ATTEMPT]);
    bench
}

#[test]
fn of_two_answers_that_come_together_the_first_counts() {
    for (ids, flags, settled) in [
        ([ATTEMPT, 1], 0, vec![(1, SettledKind::Response)]),
        ([1, ATTEMPT], 0, vec![(1, SettledKind::Response)]),
        (
            [ATTEMPT, 1],
            header::SHARED,
            vec![(1, SettledKind::Response), (1, SettledKind::Unwanted)],
        ),
        (
            [1, ATTEMPT],
            header::SHARED,
            vec![(1, SettledKind::Response), (ATTEMPT, SettledKind::Unwanted)],
        ),
    ] {
        let mut bench = copied_at_home(hedge());
        let frames = ids.map(|id| {
            let mut frame = Header::bare(Kind::Response, id);
            frame[5] = flags;
            frame
        });
        bench.receive(ONE, &frames.concat());
        assert_eq!(bench.settled(), settled, "{ids:?}");
    }
}

#[test]
fn an_exception_of_one_copy_is_the_calls_and_not_tried_again() {
    let mut bench = copied_at_home(PolicySet {
        retry: Some(RetryPolicy {
            retries: 1,
            delays: Delays::List(Vec::new()),
            jitter: 0.0,
            codes: Codes::of(&[ErrorCode::PythonError]),
        }),
        ..hedge()
    });
    raise(&mut bench, ONE, ATTEMPT);
    assert_eq!(bench.settled(), [(1, SettledKind::Error)]);
    assert_eq!(stats(&bench).retry.attempts, 0);
}
