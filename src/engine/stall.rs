//! A worker that stops in the middle of a frame has broken the protocol: what it owes never comes, and
//! whatever it writes would be taken for the rest.

use crate::engine::Engine;
use crate::engine::action::{Actions, Command};
use crate::engine::timers::Timer;
use crate::engine::worker::Cause;
use crate::error::{ErrorCode, Failure};
use crate::ids::WorkerId;
use crate::policy::liveness::Vitals;
use crate::policy::stall::Due;
use crate::time::Time;

impl Engine {
    /// Bytes of a worker were read; `part`: the last of them belong to a frame that is not whole.
    pub(super) fn heard(&mut self, now: Time, id: WorkerId, part: bool) {
        let (Some(limit), Some(worker)) = (self.config.frame_timeout, self.workers.get_mut(&id))
        else {
            return;
        };
        if !part {
            worker.stall.whole();
        } else if let Some(due) = worker.stall.part(limit, now) {
            self.timers.set(due, Timer::Frame { worker: id });
        }
    }

    /// More of a frame is due, unless it has come meanwhile.
    pub(super) fn frame_is_due(&mut self, now: Time, id: WorkerId, actions: &mut Actions) {
        let (Some(limit), Some(worker)) = (self.config.frame_timeout, self.workers.get_mut(&id))
        else {
            return;
        };
        if !worker.is_heard() {
            return;
        }
        match worker.stall.check(limit, now) {
            Due::Nothing => {}
            Due::At(due) => self.timers.set(due, Timer::Frame { worker: id }),
            Due::Look => actions.commands.push(Command::LookMidFrame(id)),
        }
    }

    /// What the system says of a worker's process, as [`Command::LookMidFrame`] asked; `None` where it
    /// does not tell.
    pub fn looked_mid_frame(
        &mut self,
        now: Time,
        id: WorkerId,
        vitals: Option<Vitals>,
        actions: &mut Actions,
    ) {
        let (Some(limit), Some(worker)) = (self.config.frame_timeout, self.workers.get_mut(&id))
        else {
            return;
        };
        if !worker.is_heard() {
            return;
        }
        if let Some(due) = worker.stall.look(limit, vitals, now) {
            self.timers.set(due, Timer::Frame { worker: id });
            return;
        }
        let message = format!(
            "the worker broke the protocol: the rest of a frame has not come for {} ms; raise \
             limits.frameTimeout if it may take longer",
            worker.stall.silence(now).as_millis()
        );
        let failure = Failure::new(ErrorCode::Protocol, message);
        self.kill(now, id, Cause::Protocol(failure), actions);
    }
}
