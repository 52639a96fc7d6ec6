//! Calls on behalf of one worker that are bound to another one, and the circles in which they would
//! wait for each other.

use std::collections::{BTreeMap, BTreeSet};

use synapse::engine::Nested;
use synapse::ids::{CallId, WorkerId};

use crate::simulation::world::World;

/// Which worker waits for which call, and the one that is to run it.
pub(super) type Errands = BTreeMap<CallId, (Nested, WorkerId)>;

impl World {
    /// Whether a call would wait for the very worker that waits for it.
    pub(super) fn closes_circle(&self, nested: Nested, runs: WorkerId) -> bool {
        if self.scenario.config.concurrency != 1 || !nested.of_call {
            return false;
        }
        let mut waited_for = BTreeSet::from([runs]);
        loop {
            let before = waited_for.len();
            for (
                call,
                (
                    Nested {
                        worker,
                        callback,
                        of_call,
                    },
                    runs,
                ),
            ) in &self.errands
            {
                let is_open = self.ledger.holds(*call) && self.ledger.told(*call).is_none();
                if *of_call
                    && is_open
                    && waited_for.contains(worker)
                    && self.waits(*worker, callback.0)
                {
                    waited_for.insert(*runs);
                }
            }
            if waited_for.len() == before {
                return waited_for.contains(&nested.worker);
            }
        }
    }
}
