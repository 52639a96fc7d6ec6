//! Signs of life: heard, missed, and what is done about it.

use std::time::Duration;

use crate::engine::Engine;
use crate::engine::action::{Actions, Command, Event};
use crate::engine::timers::Timer;
use crate::engine::worker::{Cause, Reason, WorkerState};
use crate::ids::WorkerId;
use crate::policy::liveness::Vitals;
use crate::protocol::message::Heartbeat;
use crate::time::Time;

impl Engine {
    /// A worker has got ready: its signs of life are waited for from now on.
    pub(super) fn beat_begins(&mut self, now: Time, id: WorkerId) {
        let (Some(policy), Some(worker)) = (&self.config.heartbeat, self.workers.get_mut(&id))
        else {
            return;
        };
        worker.last_beat = now;
        worker.liveness.begin(policy, now);
        let due = worker.liveness.due();
        self.timers.set(due, Timer::Beat { worker: id });
    }

    /// A sign of life.
    pub(super) fn beat(
        &mut self,
        now: Time,
        id: WorkerId,
        beat: &Heartbeat,
        actions: &mut Actions,
    ) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        let cpu = Duration::try_from_secs_f64(beat.cpu).unwrap_or_default();
        let since = now.since(worker.last_beat).as_secs_f64();
        let used = cpu.saturating_sub(worker.cpu).as_secs_f64();
        worker.cpu_share = if since > 0.0 { used / since } else { 0.0 };
        (worker.rss, worker.cpu, worker.last_beat) = (beat.rss, cpu, now);
        let ready = worker.state == WorkerState::Ready;
        actions.events.push(Event::Heartbeat {
            worker: id,
            rss: beat.rss,
            cpu: beat.cpu,
            lag: beat.lag,
            calls: beat.calls,
        });
        let Some(policy) = &self.config.heartbeat else {
            return;
        };
        if worker.liveness.beat(policy, cpu, now) && ready {
            Self::place(&mut self.placement, worker);
            actions.events.push(Event::WorkerHealthy { worker: id });
            self.fill(now, id, actions);
        }
        if ready && self.config.recycle.rss.is_some_and(|most| beat.rss > most) {
            self.renew(now, id, Reason::Memory, actions);
        }
    }

    /// A sign of life is due, unless one has come meanwhile.
    pub(super) fn beat_is_due(&mut self, now: Time, id: WorkerId, actions: &mut Actions) {
        let (Some(policy), Some(worker)) = (&self.config.heartbeat, self.workers.get_mut(&id))
        else {
            return;
        };
        if worker.state != WorkerState::Ready {
            return;
        }
        if worker.liveness.due() <= now && worker.liveness.miss(policy, now) {
            actions.commands.push(Command::Look(id));
        }
        let due = worker.liveness.due();
        self.timers.set(due, Timer::Beat { worker: id });
    }

    /// What the system says of a worker's process, as [`Command::Look`] asked; `None` where it does
    /// not tell.
    pub fn looked(
        &mut self,
        now: Time,
        id: WorkerId,
        vitals: Option<Vitals>,
        actions: &mut Actions,
    ) {
        let (Some(policy), Some(worker)) = (&self.config.heartbeat, self.workers.get_mut(&id))
        else {
            return;
        };
        if worker.state != WorkerState::Ready {
            return;
        }
        let restart = policy.restart;
        let look = worker.liveness.look(policy, vitals);
        let silence = now.since(worker.last_beat);
        let silent = u64::try_from(silence.as_millis()).unwrap_or(u64::MAX);
        actions.events.push(Event::HeartbeatMissed {
            worker: id,
            missed: look.missed,
            busy: look.busy,
            silent,
        });
        if !look.freezes {
            return;
        }
        Self::place(&mut self.placement, worker);
        actions
            .events
            .push(Event::WorkerUnhealthy { worker: id, silent });
        if restart {
            self.kill(now, id, Cause::Frozen(silence), actions);
        }
    }
}
