//! Calls that a handler in Node makes for a callback.

use serde_json::json;

use super::bench::{Bench, ONE, TWO, pool};
use crate::engine::CallOptions;
use crate::error::ErrorCode;
use crate::protocol::header;

const ASKED: u32 = header::CALLBACK_ID | 7;

#[test]
fn a_handler_speaks_for_nested_calls_too() {
    let mut bench = Bench::starting(pool(1));
    let slow = json!({"handlers": [{"name": "main", "timeout": 50}]});
    bench.hello_with(ONE, &slow);
    let nested = bench.ask(ONE, ASKED);
    bench.submit_nested(1, nested, CallOptions::default());
    bench.wait(50);
    assert_eq!(bench.failure(1).code, ErrorCode::Timeout);
}

#[test]
fn one_that_names_a_worker_goes_there_and_not_to_the_one_that_waits() {
    let mut bench = Bench::ready(pool(2));
    let nested = bench.ask(ONE, ASKED);
    for (id, worker) in [(1, ONE), (2, TWO)] {
        let worker = Some(worker);
        bench.submit_nested(
            id,
            nested,
            CallOptions {
                worker,
                ..CallOptions::default()
            },
        );
    }
    assert_eq!(bench.requests(ONE), [1]);
    assert_eq!(bench.requests(TWO), [2]);
}
