//! What becomes of calls: taken or refused, written to workers, answered, failed.

use synapse::engine::{CallOptions, Holdings, SettledKind};
use synapse::error::{ErrorCode, Failure};
use synapse::ids::{CallId, WorkerId};
use synapse::protocol::message::Mode;
use synapse::time::Time;

use crate::simulation::frames::Request;
use crate::simulation::ledger::{Intake, Ledger, Record, Told, Verdict, ensure};

impl Ledger {
    /// What must become of a call that is handed in now.
    pub(crate) fn intake(&self, options: CallOptions, held: &Holdings) -> Intake {
        if self.stop_asked || self.spawn_failed {
            return Intake::Refused(ErrorCode::Disposed);
        }
        if self.unhealthy {
            return Intake::RefusedAsUnhealthy;
        }
        if options.worker.is_some_and(|pin| !self.serves(pin)) {
            return Intake::Refused(ErrorCode::WorkerExited);
        }
        let free = held
            .workers
            .iter()
            .any(|load| load.takes && options.worker.is_none_or(|pin| pin == load.worker));
        let full = self.queue_max.is_some_and(|max| held.queued >= max);
        if full && !free {
            Intake::Refused(ErrorCode::QueueFull)
        } else {
            Intake::Taken
        }
    }

    /// A call is handed in.
    pub(crate) fn submitted(
        &mut self,
        now: Time,
        call: CallId,
        handler: Option<&'static str>,
        options: CallOptions,
    ) {
        let sequence = (self.calls.len() + self.done.len()) as u64;
        let (waits, at, told) = (Some(now), None, None);
        let writes = Vec::new();
        self.calls.insert(
            call,
            Record {
                options,
                handler,
                sequence,
                waits,
                queued: now,
                at,
                writes,
                streamed: false,
                seen: options.resume_from,
                credit: options.credit,
                fresh: 0,
                told,
                nested: None,
            },
        );
    }

    /// The caller took a call back.
    pub(crate) fn cancelled(&mut self, now: Time, call: CallId) {
        self.tell(now, call, Told::Cancelled);
    }

    /// A call runs at once on a worker that waits for it.
    pub(crate) fn nest(&mut self, call: CallId, worker: WorkerId) {
        if let Some(record) = self.calls.get_mut(&call) {
            record.nested = Some(worker);
        }
    }

    /// A call may run on one worker only, as the engine has decided.
    pub(crate) fn pin(&mut self, call: CallId, worker: WorkerId) {
        if let Some(record) = self.calls.get_mut(&call) {
            record.options.worker = Some(worker);
        }
    }

    /// The caller takes further items.
    pub(crate) fn allowed(&mut self, call: CallId, items: u32) {
        if let Some(record) = self.calls.get_mut(&call) {
            record.credit += items;
        }
    }

    /// Requests went out to a worker.
    #[expect(
        clippy::too_many_lines,
        reason = "one rule after the other, in the order of the engine"
    )]
    pub(crate) fn wrote(&mut self, now: Time, worker: WorkerId, requests: &[Request]) -> Verdict {
        if requests.is_empty() {
            return Ok(());
        }
        let Some(standing) = self.workers.get_mut(&worker) else {
            return Err(format!(
                "worker {worker} was written to before it was started"
            ));
        };
        ensure!(
            standing.ready,
            "worker {worker} was written to before its hello"
        );
        let only_nested = requests.iter().all(|request| request.nested);
        ensure!(
            !standing.stuck || only_nested,
            "worker {worker} was written to although it is backlogged"
        );
        ensure!(
            !standing.dropped && standing.gone.is_none() && !self.buried.contains(&worker),
            "worker {worker} was written to although it goes or is gone"
        );
        for Request {
            call,
            handler,
            credit,
            resume_from,
            nested,
            ..
        } in requests
        {
            let call = *call;
            let Some(record) = self
                .calls
                .get_mut(&call)
                .filter(|record| record.told.is_none())
            else {
                return Err(format!("call {call} was written after its caller was told"));
            };
            ensure!(
                record.may_run_on(worker),
                "call {call} was written to worker {worker}"
            );
            ensure!(
                *nested == (record.nested == Some(worker) && record.writes.is_empty()),
                "call {call} was written as nested: {nested}"
            );
            ensure!(
                !standing.leaving || *nested || record.options.worker == Some(worker),
                "call {call} was written to worker {worker}, which leaves"
            );
            ensure!(
                !standing.frozen || *nested || standing.beat == Some(now),
                "call {call} was written to worker {worker}, which is frozen"
            );
            ensure!(
                !record.writes.contains(&worker),
                "call {call} was written to worker {worker} twice"
            );
            if self.mode == Mode::Synapse {
                record.check_beginning(call, *credit, *resume_from)?;
            }
            if record.options.resumable {
                let tries = self.config.restart.unwrap_or_default().max as usize;
                let begun = |worker: &&WorkerId| {
                    !self.keeps_journals || self.begun.contains_key(&(**worker, call))
                };
                let deaths = record.writes[record.fresh..].iter().filter(begun).count();
                ensure!(
                    deaths <= tries,
                    "{deaths} workers died with call {call} between two items"
                );
            } else if !record.writes.is_empty() {
                ensure!(
                    !record.streamed,
                    "call {call} was written again after its first item"
                );
                let begun = |worker: &&WorkerId| self.begun.contains_key(&(**worker, call));
                let deaths = record.writes.iter().filter(begun).count();
                if self.keeps_journals {
                    ensure!(
                        deaths == 0 || record.options.idempotent,
                        "call {call} was written again although it had begun"
                    );
                } else {
                    ensure!(record.options.idempotent, "call {call} was written twice");
                    ensure!(
                        record.writes.len() < 2,
                        "call {call} was written more than twice"
                    );
                }
                ensure!(deaths < 2, "call {call} was begun more than twice");
            }
            if let (Some(number), Some(name)) = (handler, record.handler) {
                let found = standing.handlers.get(usize::from(*number));
                ensure!(
                    found == Some(&name),
                    "call {call} of {name} was written as {found:?}"
                );
            }
            record.writes.push(worker);
            if record.at.is_some() {
                // Its worker has just died; the event that says so comes behind.
                record.queued = now;
            }
            record.at = Some(worker);
            record.waits = None;
            standing.owed.push(call);
            if !nested {
                self.written.entry(worker).or_default().push(call);
            }
        }
        Ok(())
    }

    /// Credit went out to a worker.
    pub(crate) fn granted(&self, worker: WorkerId, call: CallId) -> Verdict {
        let record = self.record(call).filter(|record| record.told.is_none());
        let there = record.is_some_and(|record| record.at == Some(worker));
        ensure!(
            there,
            "credit for call {call}, which is not with worker {worker}"
        );
        Ok(())
    }

    /// The engine has consumed answers of a worker.
    pub(crate) fn answered(&mut self, worker: WorkerId, answers: &[Option<CallId>]) {
        let Some(standing) = self.workers.get_mut(&worker) else {
            return;
        };
        let mut answered = Vec::new();
        for answer in answers {
            let place = match answer {
                Some(call) => standing.owed.iter().position(|owed| owed == call),
                None => (!standing.owed.is_empty()).then_some(0),
            };
            let Some(place) = place else { continue };
            let call = standing.owed.remove(place);
            answered.push(call);
            if let Some(record) = self.calls.get_mut(&call) {
                record.at = None;
            }
        }
        for call in answered {
            self.retire(call);
        }
    }

    /// A part of a worker's answer reached a caller.
    pub(crate) fn part(&mut self, call: CallId, by: WorkerId, kind: SettledKind) -> Verdict {
        let record = self.open_record(call)?;
        ensure!(
            record.writes.last() == Some(&by),
            "a part of call {call} came from worker {by}"
        );
        if let Some(record) = self.calls.get_mut(&call)
            && kind == SettledKind::Item
        {
            ensure!(record.credit > 0, "call {call} got an item without credit");
            record.streamed = true;
            record.seen += 1;
            record.credit -= 1;
            record.fresh = record.writes.len() - 1;
        }
        Ok(())
    }

    /// A worker's answer reached a caller.
    pub(crate) fn settled(&mut self, now: Time, call: CallId, by: WorkerId) -> Verdict {
        let record = self.open_record(call)?;
        ensure!(
            record.writes.last() == Some(&by),
            "call {call} was answered by worker {by}, written to {:?}",
            record.writes
        );
        self.tell(now, call, Told::Answer);
        Ok(())
    }

    /// The engine failed a call.
    pub(super) fn failed(&mut self, now: Time, call: CallId, failure: &Failure) -> Verdict {
        let record = self.open_record(call)?;
        let detail = |name: &str| failure.details.get(name);
        if failure.code == ErrorCode::Timeout && detail("phase").is_some_and(|p| p != "start") {
            let in_worker = record.waits.is_none();
            let waited_out = self
                .config
                .queue_timeout
                .is_some_and(|limit| record.queued + limit <= now)
                && (!in_worker || self.withdraws && !record.runs_on_top());
            let due = record
                .options
                .deadline
                .is_some_and(|deadline| deadline <= now);
            ensure!(
                due || waited_out,
                "call {call} timed out too early: {failure:?}"
            );
            let phase = detail("phase").unwrap();
            let right = match in_worker {
                false => phase == "queue",
                true if phase == "queue" => waited_out && !self.begun_at_last(call, record),
                true => phase == "run" && due,
            };
            ensure!(right, "call {call} timed out in {failure:?}");
        }
        if failure.code == ErrorCode::PythonError {
            ensure!(
                failure.message == format!("[ERROR] {call}"),
                "call {call} was rejected by another's mark: {}",
                failure.message
            );
        }
        if detail("mayHaveExecuted").is_some_and(|value| value == false) {
            ensure!(
                !self.has_begun(call, record),
                "call {call} may have run, and its caller was told that it has not"
            );
        }
        if detail("mayHaveExecuted").is_some_and(|value| value == true)
            && failure.code == ErrorCode::WorkerExited
            && self.keeps_journals
            && record.nested.is_none()
        {
            ensure!(
                self.has_begun(call, record),
                "call {call} never began, and its caller was told that it may have run"
            );
        }
        if detail("phase").is_some_and(|phase| phase == "queue") {
            self.never.insert(call);
        }
        self.tell(now, call, Told::Error(failure.code));
        Ok(())
    }
}
