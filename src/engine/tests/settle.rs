//! Calls lose their worker: each is sent elsewhere or told why.

use super::bench::{Bench, NONE, ONE, THREE, TWO, pool};
use crate::engine::{CallOptions, Config, Event, Exit, SettledKind};
use crate::error::ErrorCode;
use crate::ids::CallId;
use crate::policy::poison::PoisonPolicy;
use crate::policy::restart::RestartPolicy;
use crate::protocol::header::Kind;
use crate::protocol::journal::Journal;

/// The first worker dies; this one it had begun last.
fn die_in_order(bench: &mut Bench, last: u32) {
    bench.die_as(
        ONE,
        Exit {
            code: Some(1),
            journal: Journal::InOrder { last },
            ..Exit::default()
        },
    );
}

fn on(worker: crate::ids::WorkerId) -> CallOptions {
    CallOptions {
        worker: Some(worker),
        ..CallOptions::default()
    }
}

/// The first worker has answered a call whose number another one runs by now.
fn number_used_again() -> Bench {
    let mut bench = Bench::ready(Config {
        concurrency: 3,
        ..pool(2)
    });
    bench.submit_with(1, on(ONE));
    bench.submit_with(2, on(ONE));
    bench.reply(ONE, Kind::Response, 2);
    bench.submit_with(2, on(TWO));
    bench
}

#[test]
fn a_call_of_another_worker_under_the_same_number_goes_on() {
    let mut bench = number_used_again();
    bench.die(ONE);
    assert_eq!(bench.failed(), [1]);
    bench.reply(TWO, Kind::Response, 2);
    assert_eq!(bench.settled(), [(2, SettledKind::Response)]);

    let mut bench = number_used_again();
    bench.cancel(2);
    bench.die(ONE);
    assert_eq!(bench.engine.holdings().calls, 1, "its answer is to come");

    for cancelled in [false, true] {
        let mut bench = number_used_again();
        if cancelled {
            bench.cancel(2);
        }
        bench.engine.closed(bench.now, ONE, &mut bench.actions);
        bench.wait(50);
        bench.wait(1_000);
        assert_eq!(bench.failed(), [1], "its worker does not exit");
        assert_eq!(bench.engine.holdings().calls, 1);
    }
}

#[test]
fn what_had_not_begun_runs_elsewhere_and_what_had_does_not() {
    let mut bench = Bench::ready(pool(2));
    bench
        .engine
        .workers
        .get_mut(&ONE)
        .unwrap()
        .window
        .replied(1, bench.now);
    for id in [1, 2] {
        bench.submit(id);
        // Two calls lie in the pipe of the first.
        assert_eq!(bench.requests(if id == 1 { ONE } else { TWO }), [id]);
    }
    die_in_order(&mut bench, 0);
    assert_eq!(bench.failed(), NONE);
    bench.wait(1_000);
    bench.reply(TWO, Kind::Response, 2);
    assert_eq!(bench.requests(TWO), [1]);

    let mut bench = Bench::ready(pool(2));
    bench.submit(1);
    die_in_order(&mut bench, 1);
    assert_eq!(bench.failure(1).code, ErrorCode::WorkerExited);
    assert_eq!(bench.failure(1).details["mayHaveExecuted"], true);
}

#[test]
fn an_idempotent_call_runs_again_once() {
    let idempotent = CallOptions {
        idempotent: true,
        ..CallOptions::default()
    };
    let mut bench = Bench::ready(pool(3));
    bench.submit_with(1, idempotent);
    bench.die(ONE);
    assert_eq!(bench.requests(TWO), [1]);
    bench.die(TWO);
    assert_eq!(bench.failed(), [1]);
    assert_eq!(bench.failure(1).details["mayHaveExecuted"], true);
}

#[test]
fn a_resumable_stream_goes_on_from_its_last_item_and_some_times_without_one() {
    let mut bench = Bench::ready(Config {
        restart: Some(RestartPolicy {
            max: 2,
            ..RestartPolicy::default()
        }),
        ..pool(4)
    });
    let stream = CallOptions {
        resumable: true,
        credit: 9,
        ..CallOptions::default()
    };
    bench.submit_with(1, stream);
    bench.reply(ONE, Kind::Item, 1);
    for (worker, next) in [(ONE, TWO), (TWO, THREE)] {
        bench.die(worker);
        let (id, resume_from) = (CallId(1), 1);
        assert!(bench.told(&Event::Resumed {
            id,
            worker,
            resume_from
        }));
        assert_eq!(bench.requests(next), [1]);
    }
    bench.die(THREE);
    assert_eq!(
        bench.failed(),
        [1],
        "two workers died without a further item"
    );
}

#[test]
fn a_call_for_one_worker_runs_on_no_other() {
    let mut bench = Bench::ready(pool(2));
    bench.submit_with(1, on(ONE));
    bench.submit_with(2, on(ONE));
    die_in_order(&mut bench, 0);
    assert_eq!(bench.failed(), [1, 2]);
    assert_eq!(bench.failure(1).details["mayHaveExecuted"], false);
    assert_eq!(bench.failure(2).details["mayHaveExecuted"], false);
}

#[test]
fn a_call_that_was_given_up_is_forgotten_with_its_worker() {
    let mut bench = Bench::ready(pool(2));
    bench.submit(1);
    bench.cancel(1);
    assert_eq!(bench.engine.holdings().calls, 1);
    bench.die(ONE);
    assert_eq!((bench.failed(), bench.engine.holdings().calls), (vec![], 0));
}

#[test]
fn a_call_that_is_given_up_before_it_began_anew_may_have_run_before() {
    let mut bench = Bench::ready(Config {
        poison: PoisonPolicy {
            deaths: 2,
            window: std::time::Duration::from_secs(60),
        },
        ..pool(3)
    });
    let idempotent = CallOptions {
        idempotent: true,
        ..CallOptions::default()
    };
    bench.submit_with(1, idempotent);
    bench.submit_with(2, on(THREE));
    bench.die(ONE);
    assert_eq!(bench.requests(TWO), [1]);
    bench.die(THREE);
    // Two workers have died with these arguments: it is not sent a third time.
    let journal = Journal::InOrder { last: 0 };
    bench.die_as(
        TWO,
        Exit {
            code: Some(1),
            journal,
            ..Exit::default()
        },
    );
    assert_eq!(bench.failure(1).details["mayHaveExecuted"], true);
}

#[test]
fn what_ran_beside_a_call_that_hung_is_told_why_it_does_not_run_again() {
    let hint = "; this call had begun, and is not idempotent, so it is not sent again";
    for (hangs, begun, told) in [(true, 2, true), (true, 1, false), (false, 2, false)] {
        let mut bench = Bench::ready(Config {
            concurrency: 2,
            ..pool(1)
        });
        for id in [1, 2] {
            bench.submit_with(id, on(ONE));
        }
        if hangs {
            bench.cancel(1);
            bench.wait(500);
            let now = bench.now;
            let journal = Journal::InOrder { last: begun };
            bench
                .engine
                .inspected(now, ONE, &journal, &mut bench.actions);
        }
        die_in_order(&mut bench, begun);
        let message = &bench.failure(2).message;
        assert_eq!(message.ends_with(hint), told, "{message}");
    }
}
