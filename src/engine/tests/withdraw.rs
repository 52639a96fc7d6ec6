//! `queue.timeout` of calls that lie in a worker.

use std::time::Duration;

use serde_json::json;

use super::bench::{Bench, NONE, ONE, pool};
use crate::engine::{CallOptions, Command, Config, SettledKind};
use crate::ids::CallId;
use crate::protocol::header::{self, Kind};
use crate::protocol::journal::Journal;
use crate::protocol::message;

/// A worker that is so fast that calls may lie in its channel, and looks whether they are withdrawn.
fn fast(withdrawals: bool) -> Bench {
    let mut bench = Bench::starting(Config {
        queue_timeout: Some(Duration::from_millis(10)),
        ..pool(1)
    });
    bench.hello_with(ONE, &json!({"withdrawals": withdrawals}));
    bench.submit(9);
    bench.reply(ONE, Kind::Response, 9);
    bench
}

#[test]
fn a_call_that_lies_in_a_worker_is_withdrawn_and_told_so_when_it_has_not_begun() {
    let mut bench = fast(true);
    bench.submit(1);
    bench.submit(2);
    bench.wait(10);
    let withdraw = [1, 2].map(|id| Command::Withdraw(ONE, CallId(id)));
    assert_eq!(bench.actions.commands, withdraw);
    for id in [1, 2] {
        bench.engine.withdrawn(bench.now, ONE, CallId(id));
    }
    bench.wait(2);
    assert_eq!(bench.actions.commands, [Command::Inspect(ONE)]);
    let Bench {
        engine,
        actions,
        now,
    } = &mut bench;
    actions.clear();
    engine.inspected(*now, ONE, &Journal::InOrder { last: 1 }, actions);
    assert_eq!(bench.failed(), [2], "the first has begun");
    let failure = bench.failure(2);
    assert_eq!(
        failure.message,
        "the call passed its queue.timeout after 12 ms while waiting in worker 1"
    );
    assert_eq!(failure.details["phase"], "queue");
    assert_eq!(failure.details["mayHaveExecuted"], false);
    let stats = bench.engine.stats(bench.now);
    assert_eq!((stats.queue_timeouts, stats.timeouts), (1, 1));
}

#[test]
fn what_is_known_to_run_is_not_withdrawn() {
    let stream = CallOptions {
        credit: 9,
        ..CallOptions::default()
    };
    let mut bench = fast(true);
    bench.submit_frame(1, header::NESTED, &[], CallOptions::default());
    bench.submit_with(2, stream);
    bench.reply(ONE, Kind::Item, 2);
    bench.wait(10);
    assert_eq!((bench.actions.commands.len(), bench.failed()), (0, vec![]));
}

#[test]
fn nothing_is_withdrawn_from_a_worker_that_does_not_look_or_is_dying() {
    for (looks, dies) in [(false, false), (true, true)] {
        let mut bench = fast(looks);
        bench.submit(1);
        if dies {
            bench.engine.closed(bench.now, ONE, &mut bench.actions);
        }
        bench.wait(10);
        assert_eq!(bench.failed(), NONE);
        assert_eq!(bench.actions.commands, [], "looks: {looks}");
    }
}

#[test]
fn an_error_that_is_called_so_by_the_users_code_withdraws_nothing() {
    let mut bench = fast(true);
    bench.submit(1);
    bench.wait(5);
    bench.submit(2);
    bench.wait(5);
    let withdraw = Command::Withdraw(ONE, CallId(1));
    assert_eq!(bench.actions.commands, [withdraw]);
    for (id, settled, failed) in [
        (2, vec![(2, SettledKind::Error)], vec![]),
        (1, vec![], vec![1]),
    ] {
        let frame = message::frame(Kind::Error, id, &json!({"code": "WITHDRAWN"})).unwrap();
        bench.receive(ONE, &frame);
        assert_eq!((bench.settled(), bench.failed()), (settled, failed));
    }
}
