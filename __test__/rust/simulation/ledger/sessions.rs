//! Sessions by a simple model: what calls that have succeeded did, in order of their answers. Beside
//! it stands who was bound to whom, and when a session was last touched.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use synapse::engine::{Affinity, CallOptions, Event, Holdings};
use synapse::error::{ErrorCode, Failure};
use synapse::ids::{CallId, WorkerId};
use synapse::session::{Limits, Sessions, TimeToLive};
use synapse::time::Time;

use crate::simulation::frames::{Change, Heard, Request};
use crate::simulation::ledger::{Intake, Ledger, Verdict, ensure};

#[derive(Debug)]
struct Model {
    /// Tells it from earlier ones of the same id.
    generation: u64,
    data: BTreeMap<String, Vec<u8>>,
    ttl: Option<Duration>,
    /// When it was touched for certain.
    touched: Time,
    /// When it was touched at the latest.
    perhaps: Time,
    worker: Option<WorkerId>,
}

/// A call in a session.
#[derive(Debug)]
struct Member {
    session: String,
    generation: u64,
    changes: Option<Change>,
}

#[derive(Debug)]
pub(crate) struct Book {
    limits: Limits,
    models: BTreeMap<String, Model>,
    members: BTreeMap<CallId, Member>,
    generations: u64,
    /// Calls that are to fail because they have changed too much.
    overfull: BTreeSet<CallId>,
    /// A loss that is to be told in answer to this input.
    loss: Option<(String, WorkerId)>,
    /// What has happened at least once.
    pub(crate) seen: BTreeSet<&'static str>,
}

fn weight(data: &BTreeMap<String, Vec<u8>>) -> usize {
    data.iter()
        .map(|(key, value)| key.len() + value.len())
        .sum()
}

impl Book {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            models: BTreeMap::new(),
            members: BTreeMap::new(),
            generations: 0,
            overfull: BTreeSet::new(),
            loss: None,
            seen: BTreeSet::new(),
        }
    }

    /// Brings the model to this time and compares it with what the engine has.
    pub(crate) fn check(
        &mut self,
        now: Time,
        ledger: &Ledger,
        held: &Holdings,
        sessions: &Sessions,
    ) -> Verdict {
        for (call, member) in &self.members {
            if !ledger.holds(*call)
                && let Some(model) = self.models.get_mut(&member.session)
                && model.generation == member.generation
            {
                model.perhaps = now;
            }
        }
        self.members.retain(|call, _| ledger.holds(*call));
        ensure!(self.loss.is_none(), "{:?} is lost in silence", self.loss);
        let mut over = Vec::new();
        let mut certain = 0;
        for (id, model) in &self.models {
            let inside =
                |member: &&Member| member.session == *id && member.generation == model.generation;
            let members = self.members.values().filter(inside).count();
            let waited_for = self
                .members
                .iter()
                .filter(|(call, member)| inside(member) && ledger.told(**call).is_none())
                .count();
            certain += waited_for;
            let ended = |since: Time| model.ttl.is_some_and(|ttl| since + ttl <= now);
            let session = sessions.peek(now, id);
            let lives = session.is_some();
            ensure!(
                lives || (waited_for == 0 && ended(model.touched)),
                "session {id} is gone before its time"
            );
            ensure!(
                !lives || members > 0 || !ended(model.perhaps),
                "session {id} is seen after its time"
            );
            let Some(session) = session else {
                over.push(id.clone());
                continue;
            };
            let same = session.data().len() == model.data.len()
                && session
                    .data()
                    .iter()
                    .all(|(key, value)| model.data.get(key).is_some_and(|v| v[..] == **value));
            ensure!(
                same,
                "session {id} holds {:?} instead of {:?}",
                session.data(),
                model.data
            );
            ensure!(
                session.worker == model.worker,
                "session {id} is bound to {:?} instead of {:?}",
                session.worker,
                model.worker
            );
            let bytes = sessions.info(now, id).map_or(0, |info| info.bytes);
            ensure!(
                bytes == weight(&model.data),
                "session {id} counts {bytes} bytes"
            );
            ensure!(bytes <= self.limits.bytes, "session {id} is too large");
        }
        for id in over {
            self.models.remove(&id);
            self.seen.insert("session expired");
        }
        let listed = sessions.list(now);
        let known: Vec<&str> = self.models.keys().map(String::as_str).collect();
        ensure!(listed == known, "sessions {listed:?} instead of {known:?}");
        ensure!(listed.len() <= self.limits.sessions, "too many sessions");
        let kept = held.sessions;
        ensure!(
            kept.numbers == kept.sessions && kept.sessions >= listed.len(),
            "{kept:?} with {listed:?}"
        );
        ensure!(
            (certain..=self.members.len()).contains(&(kept.calls as usize)),
            "{} calls are in sessions, {certain} for certain",
            kept.calls
        );
        Ok(())
    }

    /// A session is opened. Answers whether that must succeed.
    pub(crate) fn open(&mut self, now: Time, id: &str, ttl: TimeToLive) -> bool {
        let over = |before: Option<Duration>| match ttl {
            TimeToLive::Unchanged => before,
            TimeToLive::Forever => None,
            TimeToLive::For(ttl) => Some(ttl),
        };
        if let Some(model) = self.models.get_mut(id) {
            model.ttl = over(model.ttl);
            (model.touched, model.perhaps) = (now, now);
            return true;
        }
        if self.models.len() >= self.limits.sessions {
            return false;
        }
        self.generations += 1;
        let model = Model {
            generation: self.generations,
            data: BTreeMap::new(),
            ttl: over(self.limits.ttl),
            touched: now,
            perhaps: now,
            worker: None,
        };
        self.models.insert(id.to_owned(), model);
        true
    }

    /// A session is ended. Answers whether there is one.
    pub(crate) fn delete(&mut self, id: &str) -> bool {
        self.models.remove(id).is_some()
    }

    /// A session is changed from outside. Answers whether that must succeed.
    pub(crate) fn change(&mut self, now: Time, id: &str, change: &Change) -> bool {
        let before = self.models.get(id).map(|model| model.data.clone());
        let mut data = before.unwrap_or_default();
        for key in &change.delete {
            data.remove(key);
        }
        data.extend(change.set.clone());
        if weight(&data) > self.limits.bytes || !self.open(now, id, TimeToLive::Unchanged) {
            return false;
        }
        if let Some(model) = self.models.get_mut(id) {
            model.data = data;
        }
        true
    }

    /// A call of a session is about to be submitted.
    pub(crate) fn join(&mut self, call: CallId, id: &str) {
        let Some(model) = self.models.get(id) else {
            return;
        };
        self.members.insert(
            call,
            Member {
                session: id.to_owned(),
                generation: model.generation,
                changes: None,
            },
        );
    }

    /// The worker to which a session is bound.
    pub(crate) fn bound(&self, id: &str) -> Option<WorkerId> {
        self.models.get(id)?.worker
    }

    /// Whether a call in a session may run on a worker that waits for it.
    pub(crate) fn may_nest(
        &self,
        id: &str,
        affinity: Affinity,
        worker: WorkerId,
        ledger: &Ledger,
    ) -> bool {
        let stays = || ledger.serves(worker) || !ledger.any_serves();
        affinity == Affinity::Hint || self.bound(id).map_or_else(stays, |bound| bound == worker)
    }

    /// Its next call finds that the worker of a session is gone.
    pub(crate) fn lose(&mut self, id: &str) {
        if let Some(model) = self.models.get_mut(id) {
            self.loss = model.worker.take().map(|worker| (id.to_owned(), worker));
        }
    }

    /// A session is bound from now on.
    pub(crate) fn bind(&mut self, now: Time, id: &str, worker: WorkerId) {
        if let Some(model) = self.models.get_mut(id) {
            model.worker = Some(worker);
            (model.touched, model.perhaps) = (now, now);
        }
    }

    /// What must become of a call in a session that is handed in now.
    pub(crate) fn intake(
        &self,
        id: &str,
        affinity: Affinity,
        options: CallOptions,
        ledger: &Ledger,
        held: &Holdings,
    ) -> Intake {
        let plain = ledger.intake(options, held);
        if !matches!(plain, Intake::Taken | Intake::Refused(ErrorCode::QueueFull)) {
            return plain;
        }
        let bound = self.bound(id);
        if affinity == Affinity::Hint {
            return plain;
        }
        let unavailable = Intake::Refused(ErrorCode::SessionWorkerUnavailable);
        if bound.is_some_and(|worker| !ledger.serves(worker)) {
            return unavailable;
        }
        let able = |worker: WorkerId| match bound {
            Some(bound) => bound == worker,
            None => ledger.serves(worker),
        };
        if !held.workers.iter().any(|load| able(load.worker)) {
            return unavailable;
        }
        let concurrency = ledger.config.concurrency;
        let free = |limit: u32| {
            held.workers
                .iter()
                .any(|load| able(load.worker) && load.takes && load.in_flight < limit)
        };
        if affinity == Affinity::StrictFail && !free(concurrency) {
            return Intake::Refused(ErrorCode::WorkerBusy);
        }
        let full = ledger.queue_max.is_some_and(|max| held.queued >= max);
        if full && !free(u32::MAX) {
            return Intake::Refused(ErrorCode::QueueFull);
        }
        Intake::Taken
    }

    /// A request was written.
    pub(crate) fn wrote(&mut self, now: Time, worker: WorkerId, request: &Request) -> Verdict {
        let call = request.call;
        let Some(member) = self.members.get_mut(&call) else {
            ensure!(request.session.is_none(), "call {call} carries a session");
            return Ok(());
        };
        // What an earlier worker said of it is worth nothing.
        member.changes = None;
        let current = self
            .models
            .get_mut(&member.session)
            .filter(|model| model.generation == member.generation);
        let Some(model) = current else {
            ensure!(
                request.session.is_none(),
                "call {call} carries a session that has ended"
            );
            return Ok(());
        };
        model.worker = Some(worker);
        (model.touched, model.perhaps) = (now, now);
        if request.handler.is_none() {
            return Ok(());
        }
        let Some((id, data)) = &request.session else {
            return Err(format!("call {call} carries no session"));
        };
        ensure!(
            *id == member.session && *data == model.data,
            "call {call} carries {data:?} of {id} instead of {:?}",
            model.data
        );
        Ok(())
    }

    /// The engine has read what a worker sent, in order.
    pub(crate) fn heard(&mut self, now: Time, worker: WorkerId, heard: &[Heard], ledger: &Ledger) {
        let mut answered = BTreeSet::new();
        for said in heard {
            let (Heard::Session(call, _) | Heard::Answer(call, _)) = said;
            if ledger.at(*call) != Some(worker) || answered.contains(call) {
                continue;
            }
            let Some(member) = self.members.get_mut(call) else {
                continue;
            };
            match said {
                Heard::Session(_, change) => member.changes = Some(change.clone()),
                Heard::Answer(_, succeeded) => {
                    answered.insert(*call);
                    let change = member.changes.take();
                    let id = member.session.clone();
                    let current = self
                        .models
                        .get_mut(&id)
                        .filter(|model| model.generation == member.generation);
                    let Some(model) = current else { continue };
                    (model.touched, model.perhaps) = (now, now);
                    let Some(change) = change else { continue };
                    if !succeeded || ledger.told(*call).is_some() {
                        self.seen.insert("session unchanged");
                    } else if self.change(now, &id, &change) {
                        self.seen.insert(if ledger.is_nested(*call) {
                            "session changed by a nested call"
                        } else {
                            "session changed"
                        });
                    } else {
                        self.overfull.insert(*call);
                    }
                }
            }
        }
    }

    /// The engine says something.
    pub(crate) fn event(&mut self, now: Time, event: &Event) -> Verdict {
        match event {
            Event::SessionLost { session, worker } => {
                let Some(model) = self.models.get_mut(session) else {
                    return Err(format!("session {session} is lost and not there"));
                };
                (model.touched, model.perhaps) = (now, now);
                ensure!(
                    self.loss.take() == Some((session.clone(), *worker)),
                    "session {session} is said to have lost worker {worker}"
                );
            }
            Event::Failed { id, failure } => self.failed(*id, failure)?,
            _ => {}
        }
        Ok(())
    }

    fn failed(&mut self, call: CallId, failure: &Failure) -> Verdict {
        let of_a_call = failure.code == ErrorCode::SessionQuotaExceeded
            && failure.details.contains_key("worker");
        let due = self.overfull.remove(&call);
        ensure!(
            due == of_a_call,
            "call {call} has changed too much: {due}, and is told {failure:?}"
        );
        Ok(())
    }

    /// An answer reached its caller.
    pub(crate) fn settled(&self, call: CallId) -> Verdict {
        ensure!(
            !self.overfull.contains(&call),
            "call {call} has changed too much and succeeds"
        );
        Ok(())
    }
}
