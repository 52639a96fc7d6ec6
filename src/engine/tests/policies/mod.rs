//! Calls under policies.

mod adaptive;
mod breakers;
mod bulkheads;
mod cache;
mod copies;
mod retries;

use std::time::Duration;

use serde_json::json;

use super::bench::{Bench, pool};
use crate::engine::{CallOptions, Config, PolicyConfig, PolicySet, PolicyStats};
use crate::ids::WorkerId;
use crate::protocol::header::Kind;
use crate::protocol::message;

const MS: fn(u64) -> Duration = Duration::from_millis;

/// A pool of so many workers, all of whose calls have these policies.
fn guarded(workers: u32, defaults: PolicySet) -> Bench {
    guarded_in(pool(workers), defaults)
}

fn guarded_in(config: Config, defaults: PolicySet) -> Bench {
    let mut bench = Bench::ready(config);
    bench.engine.set_policies(&PolicyConfig {
        defaults,
        ..PolicyConfig::default()
    });
    bench
}

fn idempotent() -> CallOptions {
    CallOptions {
        idempotent: true,
        ..CallOptions::default()
    }
}

/// A worker answers a call by an exception of the user's code.
fn raise(bench: &mut Bench, worker: WorkerId, call: u32) {
    let frame = message::frame(Kind::Error, call, &json!({"code": "X"})).unwrap();
    bench.receive(worker, &frame);
}

fn stats(bench: &Bench) -> PolicyStats {
    bench.engine.stats(bench.now).policies.unwrap()
}
