//! The engine in worlds that a seed decides: workers that start late or never, crash, stall, answer
//! twice or never; callers that cancel and dispose. After every input the invariants of
//! `ledger/check.rs` are checked. No clock, no process, no thread: a failing seed replays exactly.
//!
//! - `SYNAPSE_SIM_SEEDS=<count>`: how many worlds, 10,000 by default
//! - `SYNAPSE_SIM_SEED=<seed>`: that one only, every step printed

mod frames;
mod guarded;
mod ledger;
mod process;
mod random;
mod regressions;
mod scenario;
mod script;
mod world;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use crate::simulation::world::World;

/// Worlds of a normal run.
const SEEDS: u64 = 10_000;

/// Findings after which a thread gives up.
const SHOWN: usize = 5;

/// Runs one world. A panic inside it is a finding like any other: its seed is what counts.
fn explore(seed: u64, trace: bool) -> Result<BTreeSet<&'static str>, String> {
    let run = AssertUnwindSafe(|| World::new(seed, trace).run());
    catch_unwind(run).unwrap_or_else(|_| Err("panicked".to_owned())).map_err(|finding| {
        format!(
            "{finding}; replay: SYNAPSE_SIM_SEED={seed} cargo test --no-default-features --test it \
             simulation::worlds -- --nocapture"
        )
    })
}

#[expect(clippy::panic, reason = "a number that is none fails the test")]
fn number_in(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|error| panic!("{variable}={text}: {error}")),
    )
}

/// Runs so many worlds, or the one that is asked for. `look` answers what is wrong with a seed's.
fn explore_all(usual: u64, look: fn(u64, bool) -> Option<String>) {
    if let Some(seed) = number_in("SYNAPSE_SIM_SEED") {
        assert_eq!(look(seed, true), None);
        return;
    }
    let seeds = number_in("SYNAPSE_SIM_SEEDS").unwrap_or(usual);
    let threads = thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let every = usize::try_from(threads).unwrap();
    let findings: Vec<String> = thread::scope(|scope| {
        let share = |first: u64| {
            let seeds = (first..seeds).step_by(every);
            move || -> Vec<String> {
                seeds
                    .filter_map(|seed| look(seed, false))
                    .take(SHOWN)
                    .collect()
            }
        };
        let shares: Vec<_> = (0..threads)
            .map(|first| scope.spawn(share(first)))
            .collect();
        shares
            .into_iter()
            .flat_map(|share| share.join().unwrap())
            .collect()
    });
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

#[test]
fn worlds() {
    explore_all(SEEDS, |seed, trace| explore(seed, trace).err());
}

/// A simulation in which nothing goes wrong proves nothing.
#[test]
fn worlds_are_bad_enough() {
    let seen: BTreeSet<&str> = (0..1_500)
        .flat_map(|seed| explore(seed, false).unwrap())
        .collect();
    let wanted = [
        // How calls fail.
        "TIMEOUT in the queue",
        "TIMEOUT in a worker",
        "refused as withdrawn",
        "TIMEOUT while running",
        "QUEUE_FULL",
        "WORKER_EXITED",
        "START_FAILED",
        "FRAME_TOO_LARGE",
        "HANDLER_NOT_FOUND",
        "PYTHON_ERROR",
        "DISPOSED",
        // Why workers go.
        "stopped",
        "exited",
        "protocol",
        "hung",
        "start",
        "frozen",
        "scaled",
        "idle",
        "restarted",
        "reloaded",
        "recycle:calls",
        "recycle:ttl",
        "recycle:idleTtl",
        "recycle:rss",
        // What becomes of the rest.
        "spawned",
        "spawn failed",
        "all gone",
        "unhealthy",
        "healthy",
        "restart",
        "written again",
        "resumed",
        "item",
        "misses",
        "misses while busy",
        "freezes",
        "thaws",
        "drained",
        "done",
        "not done",
        // What sessions meet.
        "session changed",
        "session unchanged",
        "session expired",
        "session lost",
        "many sessions",
        "SESSION_WORKER_UNAVAILABLE",
        "SESSION_QUOTA_EXCEEDED",
        "WORKER_BUSY",
        // What callbacks meet.
        "callback",
        "callback given up",
        "callback answered",
        "answered too late",
        "nested",
        "nested too late",
        // What both meet at once.
        "nested in the same session",
        "nested in a strict session",
        "nested, but bound elsewhere",
        "nested, and bound to one that stays",
        "session changed by a nested call",
    ];
    let missing: Vec<&str> = wanted
        .into_iter()
        .filter(|name| !seen.contains(name))
        .collect();
    assert!(missing.is_empty(), "never seen: {missing:?}");
}
