//! A call under policies, from its intake to its end.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::engine::call::{CallOptions, Nested};
use crate::engine::callbacks::has_flag;
use crate::engine::policies::config::PolicySet;
use crate::ids::CallId;
use crate::policy::breaker::Permit;
use crate::policy::cache::Key;
use crate::protocol::header;
use crate::time::Time;

/// A call under policies.
#[derive(Debug)]
pub(super) struct Guarded {
    pub(super) set: Arc<PolicySet>,
    /// The handler's number.
    pub(super) handler: u16,
    /// As it was called: by its number, or as the default handler.
    pub(super) called: u16,
    /// As the caller gave them; `idempotent` also where the handler says so.
    pub(super) options: CallOptions,
    pub(super) nested: Option<Nested>,
    /// The request, while another attempt may be made.
    pub(super) frame: Option<Box<[u8]>>,
    /// Tells it from an older call with the same id.
    pub(super) sequence: u64,
    pub(super) stage: Stage,
    pub(super) live: Vec<Attempt>,
    /// Attempts that failed and were made again.
    pub(super) repeated: u32,
    /// Copies that were sent beside an attempt.
    pub(super) copies: u32,
    /// The first attempt, which has the call's own id, has been made.
    pub(super) begun: bool,
    /// An item of its stream has reached its consumer.
    pub(super) streamed: bool,
    pub(super) permit: Option<Permit>,
    /// It holds a place in its bulkhead.
    pub(super) in_bulkhead: bool,
    /// Under which its reply is kept.
    pub(super) key: Option<Key>,
}

/// Where a guarded call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Before its bulkhead.
    Waits,
    /// Attempts are out.
    Runs,
    /// An attempt failed; the next is made later.
    Rests,
}

/// One attempt that is out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attempt {
    pub(super) id: CallId,
    pub(super) since: Time,
    /// It was sent beside another.
    pub(super) is_copy: bool,
    /// The engine did not take it: no worker has seen it.
    pub(super) refused: bool,
}

impl Guarded {
    /// Whether one of the attempts that are out has this id.
    pub(super) fn attempts_with(&self, id: CallId) -> bool {
        self.live.iter().any(|attempt| attempt.id == id)
    }

    /// Whether its arguments refer to functions or to memory, which are those of the worker that it
    /// was written to.
    pub(super) fn refers(&self) -> bool {
        let frame = self.frame.as_deref();
        frame.is_some_and(|frame| has_flag(frame, header::FUNCTIONS | header::SHARED))
    }

    /// Takes an attempt that is over out.
    pub(super) fn ended(&mut self, id: CallId) -> Option<Attempt> {
        let at = self.live.iter().position(|attempt| attempt.id == id)?;
        Some(self.live.swap_remove(at))
    }
}

/// What is looked at when its time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// The next attempt.
    Repeat { call: CallId, sequence: u64 },
    /// A copy, if the attempt with this number of repetitions is still out.
    Copy {
        call: CallId,
        sequence: u64,
        repeated: u32,
    },
    /// The end of the wait before a bulkhead.
    Wait { call: CallId, sequence: u64 },
}

impl Due {
    /// Whether it still means something.
    pub(super) fn is_live(&self, guarded: &FxHashMap<CallId, Guarded>) -> bool {
        let at = |call: &CallId, sequence: &u64| {
            guarded
                .get(call)
                .filter(|guarded| guarded.sequence == *sequence)
        };
        match self {
            Self::Repeat { call, sequence } => {
                at(call, sequence).is_some_and(|guarded| guarded.stage == Stage::Rests)
            }
            Self::Copy {
                call,
                sequence,
                repeated,
            } => at(call, sequence).is_some_and(|guarded| {
                guarded.stage == Stage::Runs && guarded.repeated == *repeated
            }),
            Self::Wait { call, sequence } => {
                at(call, sequence).is_some_and(|guarded| guarded.stage == Stage::Waits)
            }
        }
    }
}
