//! A call from submission to settlement.

use smallvec::SmallVec;

use crate::ids::{CallId, CallbackId, WorkerId};
use crate::session::Changes;
use crate::session::SessionUse;
use crate::time::Time;

/// A call as it enters the engine.
#[derive(Debug, Clone, Copy)]
pub struct Submission<'a> {
    /// Chosen by the facade, unique among the unsettled calls.
    pub id: CallId,
    /// The handler, by its number in the engine's table of names.
    pub handler: u16,
    /// The whole request frame, header included.
    pub frame: &'a [u8],
    /// How it is to be run.
    pub options: CallOptions,
}

/// On whose behalf a handler in Node makes a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nested {
    /// The worker that waits.
    pub worker: WorkerId,
    /// For the answer to this.
    pub callback: CallbackId,
    /// A call that the worker runs asked, and not a thread besides.
    pub of_call: bool,
}

/// The options of one call that the engine acts on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallOptions {
    /// When it is to be given up.
    pub deadline: Option<Time>,
    /// The call itself says so, or that there is no such time: its handler's own does not apply.
    pub own_deadline: bool,
    /// Lower runs first.
    pub priority: i32,
    /// Only this worker may run it.
    pub worker: Option<WorkerId>,
    /// It may be run again if a worker dies with it.
    pub idempotent: bool,
    /// The session whose state it carries.
    pub session: Option<SessionUse>,
    /// Its caller takes a stream, and so many items before it grants more; 0 for one result.
    pub credit: u32,
    /// It is a stream that goes on with another worker if its own dies.
    pub resumable: bool,
    /// Sequence number of the last item that its caller has from an earlier call; 0 for none.
    pub resume_from: u64,
}

impl CallOptions {
    /// Whether its frame is kept while a worker has it, to be sent again.
    pub(super) fn repeatable(&self) -> bool {
        self.idempotent || self.resumable
    }
}

/// A request frame that is kept. That of a small call lies in the call's own record: it is there when the
/// record is, and nothing is allocated for it.
pub(super) type RequestFrame = SmallVec<[u8; 64]>;

/// A call inside the engine.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) state: CallState,
    pub(super) handler: u16,
    pub(super) options: CallOptions,
    /// The request frame while it may still have to be written: queued, or with a worker that may
    /// die before the call begins, or idempotent.
    pub(super) frame: Option<RequestFrame>,
    /// What tells it from other calls, whoever makes it: handler and arguments.
    pub(super) fingerprint: u64,
    /// Order of submission; also tells a queue entry from an older one with the same id.
    pub(super) sequence: u64,
    pub(super) submitted: Time,
    /// When it joined the queue, for the last time if a worker died with it.
    pub(super) queued: Time,
    /// How often a worker died that may have begun it; of a resumable stream, since its last item.
    pub(super) deaths: u32,
    /// Its number among the requests that were written to its worker.
    pub(super) number: u32,
    /// Its worker runs it on top of another call, out of turn.
    pub(super) nested: bool,
    /// Items that may come before more are granted.
    pub(super) credit: u32,
    /// Sequence number of the last item that its caller has, or 0. Items are numbered from 1.
    pub(super) sequence_seen: u64,
    /// An item of it has come from the worker that has it.
    pub(super) got_further: bool,
    /// What its worker says that it has changed in its session: kept if it succeeds.
    pub(super) changes: Option<Box<Changes>>,
}

impl Call {
    /// Whether it may run again though it had begun when its worker died.
    ///
    /// An idempotent call may once, as long as no item of it has come: its frame is let go then. A
    /// resumable stream may as often as its workers get one item further, and up to `tries` times
    /// between two items.
    pub(super) fn may_run_again(&self, tries: u32) -> bool {
        if self.options.resumable {
            self.deaths < tries
        } else {
            self.options.idempotent && self.deaths == 0
        }
    }

    /// An item has come for its caller.
    pub(super) fn item_came(&mut self) {
        self.sequence_seen += 1;
        self.got_further = true;
        self.credit = self.credit.saturating_sub(1);
        if self.options.resumable {
            self.deaths = 0;
        } else {
            // What the caller has seen must not come again: the call is not repeated.
            self.frame = None;
        }
    }
}

/// Where a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallState {
    /// Not yet written to any worker.
    Queued,
    /// Written to a worker: it may have run.
    Sent(WorkerId),
    /// Settled for its caller, but the worker still owes an answer, which will be dropped.
    Abandoned(WorkerId),
}
