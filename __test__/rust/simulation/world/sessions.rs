//! Callers and workers that use sessions.

use synapse::engine::{Affinity, Engine, InSession, Nested, Submission};
use synapse::error::ErrorCode;
use synapse::ids::{CallId, WorkerId};
use synapse::session::{Changes, TimeToLive};

use crate::simulation::frames::{Change, change_payload};
use crate::simulation::ledger::{Intake, Verdict, ensure};
use crate::simulation::world::{Happening, World};

/// Bytes that are no map of changes.
const MALFORMED: &[u8] = b"\x81\xa3set\x81\xa1a\x07";
/// An id that no caller has used.
const NOBODY: CallId = CallId(1_000_000);

/// The session that a caller names.
#[derive(Debug, Clone)]
pub(crate) struct Chosen {
    id: String,
    affinity: Affinity,
    ttl: TimeToLive,
}

impl World {
    /// The session of the next call, if it has one.
    pub(super) fn session_of_a_call(&mut self) -> Option<Chosen> {
        let ids = self.scenario.sessions;
        if ids == 0 || !self.random.chance(70) {
            return None;
        }
        let id = self.session_id();
        Some(self.choose(id))
    }

    /// The session of a call on behalf of a callback: most often that of the call which waits.
    pub(super) fn session_of_a_nested_call(
        &mut self,
        Nested {
            worker, callback, ..
        }: Nested,
    ) -> Option<Chosen> {
        let process = self.process(worker);
        let waiting = process.asks.get(&callback.0);
        let own = waiting
            .and_then(|call| process.sessions.get(call))
            .map(|(id, _)| id.clone());
        if self.random.chance(30)
            && let Some(id) = self.session_of_another_that_waits(worker)
        {
            let affinity = Affinity::StrictQueue;
            return Some(Chosen {
                affinity,
                ..self.choose(id)
            });
        }
        match own {
            Some(id) if self.random.chance(70) => {
                self.seen.insert("nested in the same session");
                Some(self.choose(id))
            }
            _ => self.session_of_a_call(),
        }
    }

    /// A session that is bound to another worker which waits as well.
    fn session_of_another_that_waits(&self, worker: WorkerId) -> Option<String> {
        let longest = usize::try_from(self.scenario.sessions).unwrap();
        let mut ids = (1..=longest).map(|length| "s".repeat(length));
        ids.find(|id| {
            let bound = self.book.bound(id).filter(|bound| *bound != worker);
            bound.is_some_and(|bound| self.callbacks.iter().any(|(waits, _)| *waits == bound))
        })
    }

    /// How a caller names a session.
    fn choose(&mut self, id: String) -> Chosen {
        let affinity =
            self.random
                .pick(&[Affinity::Hint, Affinity::StrictQueue, Affinity::StrictFail]);
        let ttl = match self.random.within(0..=9) {
            0 => TimeToLive::Forever,
            1..=2 => TimeToLive::For(self.random.micros(100..=100_000)),
            _ => TimeToLive::Unchanged,
        };
        // Most sessions cling in one way.
        let affinity = match (self.random.chance(80), id.len()) {
            (true, 2) => Affinity::StrictQueue,
            (true, 3) => Affinity::Hint,
            _ => affinity,
        };
        Chosen { id, affinity, ttl }
    }

    fn session_id(&mut self) -> String {
        let length = self.random.within(1..=self.scenario.sessions);
        "s".repeat(usize::try_from(length).unwrap())
    }

    /// Joins a session and submits. Answers what must become of the call. `nested` is set if it is
    /// made on behalf of a callback: the worker that waits runs it, unless its session clings to
    /// another.
    pub(super) fn submit_in_session(
        &mut self,
        call: &mut Submission<'_>,
        session: &Chosen,
        nested: Option<Nested>,
    ) -> Result<Intake, String> {
        let Chosen { id, affinity, ttl } = session;
        let now = self.now;
        let held = self.engine.holdings();
        // Brings the model to this time.
        self.book
            .check(now, &self.ledger, &held, self.engine.sessions())?;
        let opens = self.book.open(now, id, *ttl);
        let entry = InSession {
            id,
            affinity: *affinity,
            ttl: *ttl,
        };
        let joined = self.engine.join(now, call, entry, &mut self.actions);
        ensure!(joined == opens, "{session:?} is opened: {joined}");
        if !joined {
            self.note(&format!("{} {session:?} is refused", call.id));
            return Ok(Intake::Refused(ErrorCode::SessionQuotaExceeded));
        }
        let mut errand = None;
        if let Some(nested) = nested
            && self.waits(nested.worker, nested.callback.0)
        {
            let ledger = &self.ledger;
            if self.book.may_nest(id, *affinity, nested.worker, ledger) {
                return Ok(self.submit_to_who_waits(call, session, nested));
            }
            self.seen.insert(match self.book.bound(id) {
                Some(_) => "nested, but bound elsewhere",
                None => "nested, and bound to one that stays",
            });
            errand = Some(nested);
        }
        let intake = self
            .book
            .intake(id, *affinity, call.options, &self.ledger, &held);
        self.note(&format!(
            "{} {session:?} {:?}: {intake:?}",
            call.id, call.options
        ));
        let plain = self.ledger.intake(call.options, &held);
        let is_open = matches!(plain, Intake::Taken | Intake::Refused(ErrorCode::QueueFull));
        let bound = self.book.bound(id);
        let alive = bound.filter(|worker| self.ledger.serves(*worker));
        if is_open && bound != alive {
            self.book.lose(id);
        }
        self.book.join(call.id, id);
        match nested {
            None => self.engine.submit(now, call, &mut self.actions),
            Some(nested) => self
                .engine
                .submit_nested(now, call, nested, &mut self.actions),
        }
        let placed = matches!(
            intake,
            Intake::Taken | Intake::Refused(ErrorCode::QueueFull)
        );
        if placed && is_open && *affinity != Affinity::Hint {
            let info = self.engine.sessions().info(now, id);
            let worker = info.and_then(|info| info.last_worker);
            let Some(worker) = worker.filter(|worker| self.ledger.serves(*worker)) else {
                return Err(format!("{session:?} is bound to {worker:?}"));
            };
            ensure!(
                alive.is_none_or(|alive| alive == worker),
                "{session:?} went from {alive:?} to {worker}"
            );
            self.book.bind(now, id, worker);
            self.ledger.pin(call.id, worker);
            if let Some(nested) = errand {
                if self.closes_circle(nested, worker) {
                    return Ok(Intake::Refused(ErrorCode::Deadlock));
                }
                self.errands.insert(call.id, (nested, worker));
            }
        }
        let preferred = alive.filter(|_| *affinity == Affinity::Hint && placed);
        self.preferred = preferred
            .filter(|worker| {
                held.workers.iter().any(|load| {
                    load.worker == *worker
                        && load.takes
                        && load.in_flight < self.scenario.config.concurrency
                })
            })
            .map(|worker| (call.id, worker));
        Ok(intake)
    }

    /// A call for which a worker waits that may run it: there is always room for it there, and a
    /// session that clings has it run nowhere else.
    fn submit_to_who_waits(
        &mut self,
        call: &Submission<'_>,
        session: &Chosen,
        nested: Nested,
    ) -> Intake {
        let held = self.engine.holdings();
        let intake = match self.ledger.intake(call.options, &held) {
            Intake::Refused(ErrorCode::QueueFull) => Intake::Taken,
            other => other,
        };
        self.note(&format!("{} {session:?} {nested:?}: {intake:?}", call.id));
        self.book.join(call.id, &session.id);
        self.ledger.nest(call.id, nested.worker);
        if session.affinity != Affinity::Hint {
            self.ledger.pin(call.id, nested.worker);
            self.seen.insert("nested in a strict session");
        }
        self.engine
            .submit_nested(self.now, call, nested, &mut self.actions);
        intake
    }

    /// Somebody looks after a session from outside.
    pub(super) fn use_session(&mut self) -> Verdict {
        let id = self.session_id();
        let now = self.now;
        let held = self.engine.holdings();
        self.book
            .check(now, &self.ledger, &held, self.engine.sessions())?;
        match self.random.within(0..=5) {
            0..=1 => {
                self.note(&format!("{id} ends"));
                let there = self.book.delete(&id);
                let found = self.engine.sessions().delete(now, &id);
                ensure!(found == there, "session {id} was deleted: {found}");
            }
            2..=3 => {
                let change = self.change();
                self.note(&format!("{id} {change:?}"));
                let fits = self.book.change(now, &id, &change);
                let Change { set, delete } = change;
                let set = set.into_iter().map(|(key, v)| (key, v.into())).collect();
                let changes = Changes { set, delete };
                let outcome = self.engine.sessions().apply(now, &id, changes);
                ensure!(outcome.is_ok() == fits, "session {id}: {outcome:?}");
            }
            4 => {
                self.engine.sessions().sweep(now);
                let held = self.engine.sessions().holdings().sessions;
                let left = self.engine.sessions().list(now).len();
                ensure!(held == left, "{held} sessions after a sweep of {left}");
            }
            _ => {
                self.engine.sessions().take_journal(now);
            }
        }
        self.input(false, |_: &mut Engine, _, _| {})
    }

    /// What somebody does to a session.
    fn change(&mut self) -> Change {
        let mut change = Change::default();
        for _ in 0..self.random.within(0..=3) {
            let key = self.random.pick(&["a", "b", "c", "dd"]).to_owned();
            if self.random.chance(30) {
                change.delete.push(key);
            } else {
                let length = self.random.pick(&[0, 1, 3, 8, 30]);
                let byte = u8::try_from(self.random.within(0..=255)).unwrap();
                change.set.insert(key, vec![byte; length]);
            }
        }
        change
    }

    /// Tells what a call has changed in its session. Answers whether the call goes on after that.
    pub(crate) fn session_first(&mut self, worker: WorkerId, call: CallId) -> bool {
        let process = self.process(worker);
        if process.deaf
            || !process.sessions.contains_key(&call)
            || process.announced.contains(&call)
        {
            return false;
        }
        if !self.random.chance(70) {
            return false;
        }
        let faults = self.scenario.faults;
        let payload = change_payload(&self.change());
        if self.random.chance(faults.surplus) {
            // For a call that nobody made, for one that is over, and once more for this one.
            let other = CallId(self.random.within(1..=60).try_into().unwrap());
            let more = change_payload(&self.change());
            self.process(worker).tell_session(NOBODY, &payload);
            self.process(worker).tell_session(call, &more);
            if !self.process(worker).sessions.contains_key(&other) {
                self.process(worker).tell_session(other, &more);
            }
        }
        let process = self.process(worker);
        process.tell_session(call, &payload);
        process.announced.insert(call);
        if self.random.chance(faults.garbage) {
            self.process(worker).tell_session(call, MALFORMED);
        }
        if self.random.chance(50) {
            return false;
        }
        self.send(worker);
        let after = self.random.within(1..=self.scenario.service);
        self.plan(after, Happening::Finish(worker, call));
        if self.random.chance(faults.crash * 4) {
            // It dies between what it has changed and its answer.
            self.plan(after / 2, Happening::Die(worker, 0));
        }
        true
    }
}
