//! Calls of a session: which worker they go to, the state they carry, and what they change.

use std::time::Duration;

use crate::engine::Engine;
use crate::engine::action::{Actions, Event};
use crate::engine::call::{Call, CallState, Submission};
use crate::engine::timers::Timer;
use crate::engine::worker::{Worker, WorkerState};
use crate::error::{ErrorCode, Failure};
use crate::ids::{CallId, WorkerId};
use crate::protocol::header::Kind;
use crate::protocol::{Malformed, extras, message};
use crate::session::{
    Affinity, Changes, Globals, InSession, Opened, Refusal, Session, SessionUse, Sessions,
};
use crate::time::Time;

/// How often sessions whose time is over are looked for. They are gone at read before that.
const SWEEP: Duration = Duration::from_secs(60);

impl Engine {
    /// Opens the session of a call that is about to be submitted, which gets it among its options.
    /// Answers false if it cannot be opened: the call has failed then.
    pub fn join(
        &mut self,
        now: Time,
        call: &mut Submission<'_>,
        session: InSession<'_>,
        actions: &mut Actions,
    ) -> bool {
        let InSession { id, affinity, ttl } = session;
        let opened = self.sessions.open(now, id, ttl);
        match self.session_opened(now, opened, actions) {
            Ok(()) => {
                let open = self.sessions.peek(now, id);
                call.options.session = open.map(|open| SessionUse {
                    number: open.number(),
                    affinity,
                });
                true
            }
            Err(failure) => {
                let failure = failure.with("session", id);
                actions.events.push(Event::Failed {
                    id: call.id,
                    failure,
                });
                false
            }
        }
    }

    /// Sessions, for the driver.
    pub fn sessions(&mut self) -> &mut Sessions {
        &mut self.sessions
    }

    /// Globals, for the driver.
    pub fn globals(&mut self) -> &mut Globals {
        &mut self.globals
    }

    /// Books that a session was opened: warns when there are many, and has those that are over
    /// swept from now on.
    pub fn session_opened(
        &mut self,
        now: Time,
        opened: Result<Opened, Refusal>,
        actions: &mut Actions,
    ) -> Result<(), Failure> {
        let opened = opened.map_err(|refusal| quota(&refusal))?;
        if let Opened::Created { warn: true } = opened {
            actions.events.push(Event::SessionsHigh {
                current: self.sessions.stats().current,
            });
        }
        self.sweep_later(now);
        Ok(())
    }

    /// Which worker takes a call of a session now; `None`: it waits, with a strict affinity for its
    /// worker, which becomes one of its options.
    pub(super) fn place_in_session(
        &mut self,
        now: Time,
        call: &mut Submission<'_>,
        SessionUse { number, affinity }: SessionUse,
        actions: &mut Actions,
    ) -> Result<Option<WorkerId>, Failure> {
        if let Some(failure) = self.takes_none() {
            return Err(failure);
        }
        let Some(id) = self.sessions.id(number).map(str::to_owned) else {
            return Ok(self.placement.pick());
        };
        let bound = self.sessions.peek(now, &id).and_then(|open| open.worker);
        let alive = bound.filter(|worker| self.workers.get(worker).is_some_and(lives));
        if let (Some(worker), None) = (bound, alive) {
            self.bind(now, &id, None);
            actions.events.push(Event::SessionLost {
                session: id.clone(),
                worker,
            });
            if affinity != Affinity::Hint {
                return Err(unavailable(&id, worker));
            }
        }
        if affinity == Affinity::Hint {
            let preferred = alive.filter(|worker| self.is_free(*worker));
            return Ok(preferred.or_else(|| self.placement.pick()));
        }
        let Some(worker) = alive.or_else(|| self.least_engaged()) else {
            let message = "no worker is running that the session could be bound to";
            let failure = Failure::new(ErrorCode::SessionWorkerUnavailable, message);
            return Err(failure.with("session", id));
        };
        if affinity == Affinity::StrictFail && !self.is_free(worker) {
            let message = format!("worker {worker}, to which session \"{id}\" is bound, is busy");
            let failure = Failure::new(ErrorCode::WorkerBusy, message);
            return Err(failure.with("session", id).with("worker", worker.0));
        }
        // Bound at once: the next call of the session may come before this one is written.
        self.bind(now, &id, Some(worker));
        call.options.worker = Some(worker);
        let takes = self
            .workers
            .get(&worker)
            .is_some_and(|w| w.capacity().is_some());
        Ok(takes.then_some(worker))
    }

    /// Whether a call that a worker waits for may run there though it belongs to a session: not if
    /// that clings to another worker, nor if it would cling to one that leaves and others stay.
    pub(super) fn may_run_nested(&self, session: Option<SessionUse>, worker: WorkerId) -> bool {
        let Some(SessionUse { number, affinity }) = session else {
            return true;
        };
        if affinity == Affinity::Hint {
            return true;
        }
        match self.sessions.bound(number) {
            Some(bound) => bound == worker,
            None => {
                self.workers.get(&worker).is_some_and(lives) || !self.workers.values().any(lives)
            }
        }
    }

    /// Such a call of a strict session stays with its worker, as one does that was placed: if that
    /// dies no other runs it. A pin in its options would have it refused by a worker that leaves.
    pub(super) fn pin_nested(&mut self, call: &Submission<'_>, worker: WorkerId) {
        let strict = |session: SessionUse| session.affinity != Affinity::Hint;
        if call.options.session.is_some_and(strict)
            && let Some(call) = self.calls.get_mut(&call.id)
        {
            call.options.worker = Some(worker);
        }
    }

    /// Whether a worker would begin a call at once.
    fn is_free(&self, worker: WorkerId) -> bool {
        self.workers.get(&worker).is_some_and(|worker| {
            worker.capacity().is_some() && worker.in_flight < self.config.concurrency
        })
    }

    fn bind(&mut self, now: Time, id: &str, worker: Option<WorkerId>) {
        if let Some(open) = self.sessions.touch(now, id) {
            open.worker = worker;
        }
    }

    /// The worker with the fewest calls; one that can take none now if there is no other.
    fn least_engaged(&self) -> Option<WorkerId> {
        self.workers
            .values()
            .filter(|worker| lives(worker))
            .min_by_key(|worker| {
                let waits = worker.state != WorkerState::Ready;
                (worker.capacity().is_none(), waits, worker.in_flight)
            })
            .map(|worker| worker.id)
    }

    /// The request with the state of its session, as it is written to `worker`. `None` if the
    /// session has ended since.
    pub(super) fn carry_session(
        sessions: &mut Sessions,
        now: Time,
        session: SessionUse,
        worker: WorkerId,
        frame: &[u8],
    ) -> Option<Vec<u8>> {
        let (id, open) = Self::run_in_session(sessions, now, session, worker)?;
        extras::with_session(frame, &id, open.data())
    }

    /// The session of a call that goes to `worker` now. `None` if it has ended since.
    pub(super) fn run_in_session(
        sessions: &mut Sessions,
        now: Time,
        session: SessionUse,
        worker: WorkerId,
    ) -> Option<(String, &Session)> {
        let id = sessions.id(session.number)?.to_owned();
        let open = sessions.touch(now, &id)?;
        open.worker = Some(worker);
        Some((id, open))
    }

    /// What a call has changed in its session, as its worker tells before it answers. It is held
    /// until then, for the call may still fail. Of several such frames the last one counts.
    pub(super) fn session_changed(
        &mut self,
        worker: WorkerId,
        call: CallId,
        payload: &[u8],
    ) -> Result<(), Malformed> {
        let changes: Changes = message::read(Kind::Session, payload, self.config.limits)?;
        if let Some(call) = self.calls.get_mut(&call)
            && call.state == CallState::Sent(worker)
            && call.options.session.is_some()
        {
            call.changes = Some(Box::new(changes));
        }
        Ok(())
    }

    /// A call was answered: if it has succeeded what it has changed is kept. If that would be too
    /// much nothing changes, and the call fails with what is returned.
    pub(super) fn end_in_session(
        &mut self,
        now: Time,
        worker: WorkerId,
        call: &mut Call,
        failed: bool,
    ) -> Option<Failure> {
        let session = call.options.session?;
        let wanted = call.state == CallState::Sent(worker) && !failed;
        let changes = call.changes.take().filter(|_| wanted);
        let id = self.sessions.id(session.number).map(str::to_owned);
        let refused = match (changes, &id) {
            (Some(changes), Some(id)) => self.sessions.apply(now, id, *changes).err(),
            // It was ended meanwhile: there is nothing that could be changed.
            _ => None,
        };
        self.leave_session(now, Some(session));
        let refusal = refused?;
        Some(
            quota(&refusal)
                .with("session", id)
                .with("worker", worker.0)
                .with("mayHaveExecuted", true),
        )
    }

    /// A call of a session is in the engine: until it leaves its session lives.
    pub(super) fn enter_session(&mut self, now: Time, session: Option<SessionUse>) {
        if let Some(SessionUse { number, .. }) = session {
            self.sessions.enter(now, number);
        }
    }

    /// And is there no more.
    pub(super) fn leave_session(&mut self, now: Time, session: Option<SessionUse>) {
        if let Some(SessionUse { number, .. }) = session {
            self.sessions.leave(now, number);
        }
    }

    /// Has what is over looked for from now on, as long as there is anything that may expire.
    pub fn sweep_later(&mut self, now: Time) {
        if !self.sweeping {
            self.sweeping = true;
            self.timers.set(now + SWEEP, Timer::Sweep);
        }
    }

    /// The time to look for what is over.
    pub(super) fn sweep_sessions(&mut self, now: Time) {
        self.sessions.sweep(now);
        self.globals.sweep(now);
        self.sweeping = false;
        if self.sessions.may_expire() || self.globals.may_expire() {
            self.sweep_later(now);
        }
    }
}

fn lives(worker: &Worker) -> bool {
    worker.leaving.is_none() && matches!(worker.state, WorkerState::Starting | WorkerState::Ready)
}

fn quota(refusal: &Refusal) -> Failure {
    Failure::new(ErrorCode::SessionQuotaExceeded, refusal.to_string())
}

fn unavailable(session: &str, worker: WorkerId) -> Failure {
    let message = format!(
        "worker {worker}, to which session \"{session}\" was bound, is gone; what the session holds \
         is kept, and its next call binds it to another worker"
    );
    Failure::new(ErrorCode::SessionWorkerUnavailable, message)
        .with("session", session)
        .with("worker", worker.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Config;
    use crate::session::{TimeToLive, Value};

    #[test]
    fn what_is_over_is_swept_each_minute_as_long_as_anything_may_be() {
        let at = |seconds: u64| Time(seconds * 1_000_000);
        let mut engine = Engine::new(Config::default());
        let mut actions = Actions::default();
        let ttl = TimeToLive::For(Duration::from_secs(10));
        let opened = engine.sessions().open(at(0), "s", ttl);
        engine.session_opened(at(0), opened, &mut actions).unwrap();
        let value = Value::from(*b"v");
        let ninety = Some(Duration::from_secs(90));
        engine.globals().put(at(0), "g", value, ninety);
        engine.sweep_later(at(0));
        let left = |engine: &mut Engine| {
            let sessions = engine.sessions().stats();
            (sessions.current, engine.globals().stats().current)
        };

        assert_eq!(engine.next_wake(), Some(at(60)));
        engine.tick(at(59), &mut actions);
        assert_eq!(left(&mut engine), (1, 1));
        engine.tick(at(60), &mut actions);
        assert_eq!(left(&mut engine), (0, 1));
        assert_eq!(engine.next_wake(), Some(at(120)));
        engine.tick(at(120), &mut actions);
        assert_eq!(left(&mut engine), (0, 0));
        assert_eq!(engine.next_wake(), None);
        assert_eq!(engine.sessions().stats().cleanup_runs, 2);
    }
}
