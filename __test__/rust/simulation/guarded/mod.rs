//! The engine under policies, in worlds that a seed decides: which policies there are, how workers fail,
//! what callers want. After every input the rules of `ledger.rs` are checked, by what can be seen from
//! outside. A world of its own beside that of `simulation/world`, for there an attempt is a call.
//!
//! The same variables choose seeds: `SYNAPSE_SIM_SEEDS`, `SYNAPSE_SIM_SEED`.

mod ledger;
mod scenario;
mod world;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::simulation::explore_all;
use crate::simulation::guarded::world::World;

/// Worlds of a normal run.
const SEEDS: u64 = 3_000;

fn explore(seed: u64, trace: bool) -> Result<BTreeSet<&'static str>, String> {
    let run = AssertUnwindSafe(|| World::new(seed, trace).run());
    catch_unwind(run).unwrap_or_else(|_| Err("panicked".to_owned())).map_err(|finding| {
        format!(
            "{finding}; replay: SYNAPSE_SIM_SEED={seed} cargo test --no-default-features --test it \
             simulation::guarded::worlds -- --nocapture"
        )
    })
}

#[test]
fn worlds() {
    explore_all(SEEDS, |seed, trace| explore(seed, trace).err());
}

/// A simulation in which no policy ever acts proves nothing.
#[test]
fn every_policy_acts() {
    let seen: BTreeSet<&str> = (0..500)
        .flat_map(|seed| explore(seed, false).unwrap())
        .collect();
    let wanted = [
        "answered",
        "cancelled",
        "CIRCUIT_OPEN",
        "RATE_LIMITED",
        "QUEUE_FULL",
        "TIMEOUT",
        "WORKER_EXITED",
        "PYTHON_ERROR",
        "DISPOSED",
        "kept",
        "stale",
        "retried",
        "recovered",
        "copied",
        "copy won",
        "over budget",
        "open",
        "half-open",
        "closed",
        "reset",
        "item",
        "nested",
        "nested in a strict session",
        "nested, but bound elsewhere",
    ];
    let missing: Vec<&str> = wanted
        .into_iter()
        .filter(|name| !seen.contains(name))
        .collect();
    assert!(missing.is_empty(), "never seen: {missing:?}");
}
