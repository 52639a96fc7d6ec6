//! Calls that callbacks make in turn, under policies and in sessions or not: which attempts at them go
//! to the worker that waits.

use std::collections::BTreeMap;

use synapse::engine::Nested;
use synapse::ids::{CallId, CallbackId, WorkerId};
use synapse::protocol::header::{CALLBACK_ID, Header, Kind};

use crate::simulation::guarded::world::{What, World};
use crate::simulation::ledger::{Verdict, ensure};

/// Callbacks that are made in a world at most.
const MOST: u32 = 30;

/// What callbacks there are.
#[derive(Debug, Default)]
pub(super) struct Callbacks {
    made: u32,
    /// Those that workers wait for: which worker, and which attempt asks.
    asked: BTreeMap<u32, (WorkerId, CallId)>,
    /// Those of them that the host has heard of and not answered.
    open: BTreeMap<u32, WorkerId>,
    /// Calls on behalf of callbacks, and whether their session clings to a worker.
    nested: BTreeMap<CallId, (Nested, bool)>,
    /// The call that is handed in now, and the worker to which its session is bound before that.
    pub(super) bound: Option<(CallId, WorkerId)>,
}

impl World {
    /// An attempt makes a callback instead of being done: the bytes that say so, if it does.
    pub(super) fn asks(&mut self, worker: WorkerId, attempt: CallId) -> Option<Vec<u8>> {
        if self.callbacks.made >= MOST || !self.random.chance(self.scenario.callbacks) {
            return None;
        }
        self.callbacks.made += 1;
        let callback = CALLBACK_ID | self.callbacks.made;
        self.callbacks.asked.insert(callback, (worker, attempt));
        Some(Header::bare(Kind::Callback, callback).to_vec())
    }

    /// Whether an attempt waits for its callback.
    pub(super) fn waits(&self, attempt: CallId) -> bool {
        let mut asked = self.callbacks.asked.values();
        asked.any(|(_, asking)| *asking == attempt)
    }

    /// An attempt is aborted and with it what it waits for: the bytes that say so.
    pub(super) fn give_up(&mut self, attempt: CallId) -> Vec<u8> {
        let asked = &mut self.callbacks.asked;
        let given_up: Vec<u32> = asked
            .iter()
            .filter(|(_, (_, asking))| *asking == attempt)
            .map(|(callback, _)| *callback)
            .collect();
        asked.retain(|callback, _| !given_up.contains(callback));
        let cancels = given_up.into_iter();
        cancels
            .flat_map(|callback| Header::bare(Kind::Cancel, callback).to_vec())
            .collect()
    }

    /// The host hears of a callback.
    pub(super) fn asked(&mut self, callback: u32) -> Verdict {
        let Some((worker, _)) = self.callbacks.asked.get(&callback) else {
            // It is given up already, which the host hears next.
            return Ok(());
        };
        let twice = self.callbacks.open.insert(callback, *worker).is_some();
        ensure!(!twice, "callback {callback} is open already");
        let after = self.random.within(0..=2_000);
        self.plan(after, What::Host(callback));
        Ok(())
    }

    /// And that it was given up.
    pub(super) fn given_up(&mut self, callback: u32) {
        self.callbacks.open.remove(&callback);
    }

    /// The host answers a callback, or makes a call on its behalf first.
    pub(super) fn host(&mut self, callback: u32) -> Verdict {
        let Some((worker, attempt)) = self.callbacks.asked.get(&callback).copied() else {
            return Ok(());
        };
        if self.random.chance(60) {
            let after = self.random.within(0..=20_000);
            self.plan(after, What::Host(callback));
            let callback = CallbackId(callback);
            return self.call(Some(Nested {
                worker,
                callback,
                of_call: true,
            }));
        }
        self.callbacks.open.remove(&callback);
        self.callbacks.asked.remove(&callback);
        let frame = Header::bare(Kind::Response, callback).to_vec();
        if self.engine.answer(worker, &frame, &mut self.actions) {
            let after = self.random.within(1..=self.scenario.service);
            self.plan(after, What::Finish(worker, attempt));
        }
        self.carry_out(&[])
    }

    /// A call is about to be made on behalf of a callback.
    pub(super) fn nest(&mut self, call: CallId, nested: Nested, strict: bool) {
        self.callbacks.nested.insert(call, (nested, strict));
        self.ledger.seen.insert(if strict {
            "nested in a strict session"
        } else {
            "nested"
        });
    }

    /// It has joined the one session that there is.
    pub(super) fn nest_in_session(&mut self, call: CallId) {
        let session = self.engine.sessions().info(self.now, "s");
        let bound = session.and_then(|session| session.last_worker);
        self.callbacks.bound = bound.map(|worker| (call, worker));
    }

    /// Whether a worker waits for a call that may run on it, whatever its session: nothing then holds
    /// the call up.
    pub(super) fn runs_at_once(&mut self, call: CallId) -> bool {
        let nested = self.callbacks.nested.get(&call).copied();
        nested.is_some_and(|(nested, strict)| {
            let waits = self.callbacks.open.get(&nested.callback.0) == Some(&nested.worker);
            waits && !strict && !self.worker(nested.worker).doomed
        })
    }

    /// An attempt was written. It claims that a worker waits for it exactly if it goes to that worker
    /// and that still does, and it goes nowhere else then unless its session clings to another.
    pub(super) fn wrote_nested(&mut self, worker: WorkerId, call: CallId, claims: bool) -> Verdict {
        let Some((nested, strict)) = self.callbacks.nested.get(&call).copied() else {
            ensure!(!claims, "call {call} claims that a worker waits for it");
            return Ok(());
        };
        let Nested {
            worker: waiting,
            callback,
            ..
        } = nested;
        let waits = self.callbacks.open.get(&callback.0) == Some(&waiting);
        ensure!(
            !claims || waits && worker == waiting,
            "call {call} claims that worker {worker} waits for it, {waiting} may: {waits}"
        );
        let bound = self.callbacks.bound.filter(|(bound, _)| *bound == call);
        ensure!(
            !(claims && strict) || bound.is_none_or(|(_, bound)| bound == worker),
            "call {call} went to worker {worker}, which waits for it, though {bound:?}"
        );
        let able = waits && !self.worker(waiting).doomed;
        ensure!(
            claims || !able || strict,
            "call {call}, for which worker {waiting} waits, went to {worker}"
        );
        if strict && able && !claims {
            ensure!(
                worker != waiting,
                "call {call} has waited for worker {worker}, which waits for it"
            );
            self.ledger.seen.insert("nested, but bound elsewhere");
        }
        Ok(())
    }
}
