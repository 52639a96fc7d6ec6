//! Calls that one worker waits for and another one runs: errands.
//!
//! A nested call goes to the worker that waits for it, unless it is bound to another one. There it
//! waits for its turn, and where workers run one call at a time that does not come before what runs
//! there is over. So workers may wait for each other in a circle, in which nothing would ever go on:
//! the call that would close it is refused.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::engine::Engine;
use crate::engine::call::{CallOptions, CallState, Nested, Submission};
use crate::error::{ErrorCode, Failure};
use crate::ids::{CallId, WorkerId};

/// The errands that are under way.
#[derive(Debug, Default)]
pub(super) struct Errands {
    /// On whose behalf each is made, and who is to run it.
    known: FxHashMap<CallId, (Nested, WorkerId)>,
    /// The same by who waits and for whom.
    between: FxHashMap<WorkerId, FxHashMap<WorkerId, FxHashSet<CallId>>>,
}

impl Errands {
    /// Errands that are under way.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    fn insert(&mut self, call: CallId, nested: Nested, runs: WorkerId) {
        self.known.insert(call, (nested, runs));
        let from = self.between.entry(nested.worker).or_default();
        from.entry(runs).or_default().insert(call);
    }

    /// A call leaves the engine.
    pub(super) fn remove(&mut self, call: CallId) {
        // Of most engines there are none.
        if self.known.is_empty() {
            return;
        }
        let Some((Nested { worker, .. }, runs)) = self.known.remove(&call) else {
            return;
        };
        let Some(from) = self.between.get_mut(&worker) else {
            return;
        };
        if let Some(calls) = from.get_mut(&runs) {
            calls.remove(&call);
            if calls.is_empty() {
                from.remove(&runs);
            }
        }
        if from.is_empty() {
            self.between.remove(&worker);
        }
    }
}

impl Engine {
    /// A nested call is about to go to another worker than the one that waits for it. Answers why it
    /// must not.
    pub(super) fn circle(&self, call: &Submission<'_>, nested: Nested) -> Option<Failure> {
        let runs = call.options.worker?;
        if !self.blocks(nested) {
            return None;
        }
        let way = self.way(runs, nested.worker)?;
        let session = |options: CallOptions| {
            let session = options.session?;
            self.sessions.id(session.number)
        };
        let within = |options: CallOptions| match session(options) {
            Some(id) => format!("a call in session \"{id}\""),
            None => "a call".to_owned(),
        };
        let waits = |errand: &CallId| {
            let options = self.calls.get(errand)?.options;
            let (_, runs) = self.errands.known.get(errand)?;
            Some(format!(
                "{} on worker {runs}, which waits for ",
                within(options)
            ))
        };
        let message = format!(
            "{} would never begin: worker {runs} waits for {}this one; give one of them the affinity \
             \"hint\", or the workers a higher concurrency",
            within(call.options),
            way.iter().filter_map(waits).collect::<String>(),
        );
        let failure = Failure::new(ErrorCode::Deadlock, message).with("worker", runs.0);
        Some(match session(call.options) {
            Some(id) => failure.with("session", id),
            None => failure,
        })
    }

    /// It has gone there.
    pub(super) fn sent_on_errand(&mut self, call: CallId, nested: Nested) {
        let known = self.calls.get(&call);
        if let Some(runs) = known.and_then(|call| call.options.worker)
            && self.blocks(nested)
        {
            self.errands.insert(call, nested, runs);
        }
    }

    /// Whether a worker begins nothing else before it has its answer, as far as can be known.
    fn blocks(&self, nested: Nested) -> bool {
        self.config.concurrency == 1 && nested.of_call
    }

    /// The errands by which one worker waits for another, if it does: each is run by whoever waits
    /// for the next one.
    fn way(&self, from: WorkerId, to: WorkerId) -> Option<Vec<CallId>> {
        let mut came_by: FxHashMap<WorkerId, (WorkerId, CallId)> = FxHashMap::default();
        let mut open = vec![from];
        while let Some(worker) = open.pop() {
            if worker == to {
                break;
            }
            for (next, calls) in self.errands.between.get(&worker).into_iter().flatten() {
                if *next != from
                    && !came_by.contains_key(next)
                    && let Some(call) = calls.iter().find(|call| self.is_waited_for(**call))
                {
                    came_by.insert(*next, (worker, *call));
                    open.push(*next);
                }
            }
        }
        let mut way = Vec::new();
        let mut at = to;
        while at != from {
            let (before, call) = came_by.get(&at)?;
            way.push(*call);
            at = *before;
        }
        way.reverse();
        Some(way)
    }

    /// Whether the answer to an errand is still wanted by a worker that is there.
    fn is_waited_for(&self, call: CallId) -> bool {
        let is_out = |state| matches!(state, CallState::Queued | CallState::Sent(_));
        let known = self.errands.known.get(&call);
        self.calls.get(&call).is_some_and(|call| is_out(call.state))
            && known.is_some_and(|(nested, _)| self.waits(*nested))
    }
}
