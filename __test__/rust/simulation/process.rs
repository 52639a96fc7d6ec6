//! A scripted worker process: what it has been given, what it does with it, how it ends. It knows
//! nothing of the engine; bytes come in and bytes go out.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use synapse::ids::CallId;
use synapse::protocol::header::{Header, Kind};
use synapse::protocol::journal::{Journal, SLOTS};
use synapse::protocol::message::{self, Mode};
use synapse::time::Time;

use crate::simulation::frames::{State, Written, payload_of, written};

/// The handlers that there are.
pub(crate) const HANDLERS: [&str; 3] = ["add", "main", "rare"];

/// How a worker keeps its journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Journaling {
    None,
    InOrder,
    ByNumber,
}

#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts that are independent of each other"
)]
pub(crate) struct Process {
    pub(crate) mode: Mode,
    /// Its handlers in its own order.
    pub(crate) handlers: Vec<&'static str>,
    /// The driver holds it.
    pub(crate) started: bool,
    /// It is there no more, though perhaps nobody has been told.
    pub(crate) dead: bool,
    /// It has closed its channel and lives on.
    pub(crate) deaf: bool,
    /// It does not take what is written.
    pub(crate) stuck: bool,
    /// It gives no signs of life and does nothing.
    pub(crate) frozen: bool,
    /// It gives no signs of life and computes, since then.
    pub(crate) computes: Option<Time>,
    /// Processor time that it had used before.
    pub(crate) cpu: Duration,
    /// Calls that were done while it was frozen.
    pub(crate) held_up: Vec<CallId>,
    /// Bytes from the host that it has not taken.
    pub(crate) inbox: Vec<u8>,
    /// Calls that it has taken and not begun.
    pub(crate) waiting: VecDeque<CallId>,
    /// Calls that one of its handlers waits for, and that it has not begun.
    pub(crate) nested: Vec<CallId>,
    /// Callbacks that it waits for, and the calls that made them.
    pub(crate) asks: BTreeMap<u32, CallId>,
    /// Calls whose callbacks have been answered.
    pub(crate) resumed: Vec<CallId>,
    /// Callbacks that it has made.
    pub(crate) asked: u32,
    /// Calls that it runs.
    pub(crate) running: Vec<CallId>,
    /// Calls that it has begun, ever.
    pub(crate) begun: BTreeSet<CallId>,
    /// How it keeps its journal.
    pub(crate) journaling: Journaling,
    /// The call that it began last.
    last: u32,
    /// Requests that it has taken, and the number of each.
    taken: u32,
    numbers: BTreeMap<CallId, u32>,
    /// Calls that it is not to begin, and from when on it can see that.
    pub(crate) withdrawn: BTreeMap<CallId, Time>,
    slots: BTreeMap<u32, u32>,
    /// Items of streams that it may still send, by call.
    pub(crate) credit: BTreeMap<CallId, u32>,
    /// Streams that wait for credit.
    pub(crate) starved: BTreeSet<CallId>,
    /// Calls in sessions that it has, with what their sessions hold.
    pub(crate) sessions: BTreeMap<CallId, State>,
    /// Those of them of which it has told what they have changed.
    pub(crate) announced: BTreeSet<CallId>,
    /// Answers that it has written.
    pub(crate) replies: u64,
    /// Bytes to the host that have not arrived.
    pub(crate) pipe: VecDeque<u8>,
    /// The end of file comes when the pipe is empty.
    pub(crate) closing: bool,
    /// Arrived bytes that the engine has not consumed, and how many it waits for.
    pub(crate) arrived: Vec<u8>,
    pub(crate) need: usize,
}

impl Process {
    pub(crate) fn new(mode: Mode, handlers: Vec<&'static str>) -> Self {
        Self {
            mode,
            handlers,
            started: false,
            dead: false,
            deaf: false,
            stuck: false,
            frozen: false,
            computes: None,
            cpu: Duration::ZERO,
            held_up: Vec::new(),
            inbox: Vec::new(),
            waiting: VecDeque::new(),
            nested: Vec::new(),
            asks: BTreeMap::new(),
            resumed: Vec::new(),
            asked: 0,
            running: Vec::new(),
            begun: BTreeSet::new(),
            journaling: Journaling::None,
            last: 0,
            taken: 0,
            numbers: BTreeMap::new(),
            withdrawn: BTreeMap::new(),
            slots: BTreeMap::new(),
            credit: BTreeMap::new(),
            starved: BTreeSet::new(),
            sessions: BTreeMap::new(),
            announced: BTreeSet::new(),
            replies: 0,
            pipe: VecDeque::new(),
            closing: false,
            arrived: Vec::new(),
            need: 0,
        }
    }

    /// Takes all requests that have come.
    pub(crate) fn read_requests(&mut self) {
        let Written {
            requests,
            grants,
            answers,
        } = written(self.mode, &std::mem::take(&mut self.inbox));
        for request in requests {
            if request.nested {
                self.nested.push(request.call);
            } else {
                self.waiting.push_back(request.call);
            }
            self.taken += 1;
            self.numbers.insert(request.call, self.taken);
            if let Some(session) = request.session {
                self.sessions.insert(request.call, session);
            }
            if request.stream {
                self.credit.insert(request.call, request.credit);
            }
        }
        for callback in answers {
            self.resumed.extend(self.asks.remove(&callback));
        }
        for (call, items) in grants {
            *self.credit.entry(call).or_default() += items;
        }
    }

    /// Whether it finds a call withdrawn, which is about to begin.
    pub(crate) fn finds_withdrawn(&self, now: Time, call: CallId) -> bool {
        self.withdrawn.get(&call).is_some_and(|seen| *seen <= now)
    }

    /// Answers a call that it found withdrawn.
    pub(crate) fn refuse(&mut self, call: CallId) {
        self.credit.remove(&call);
        let refusal = serde_json::json!({"code": "WITHDRAWN", "message": "withdrawn"});
        self.replies += 1;
        self.pipe
            .extend(message::frame(Kind::Error, call.0, &refusal).unwrap());
    }

    /// Begins a call, and notes it.
    pub(crate) fn begin(&mut self, call: CallId, in_turn: bool) {
        self.running.push(call);
        self.begun.insert(call);
        if in_turn {
            self.last = call.0;
        }
        let number = self.numbers[&call];
        self.slots.insert(number % SLOTS, number);
    }

    /// What the host reads of its notes.
    pub(crate) fn journal(&self) -> Journal {
        match self.journaling {
            Journaling::None => Journal::Unknown,
            Journaling::InOrder => Journal::InOrder { last: self.last },
            Journaling::ByNumber => {
                let mut slots = vec![0; SLOTS as usize];
                for (slot, number) in &self.slots {
                    slots[*slot as usize] = *number;
                }
                Journal::ByNumber {
                    slots: slots.into(),
                }
            }
        }
    }

    /// Forgets a call, wherever it is. Answers whether it was there.
    pub(crate) fn give_up(&mut self, call: CallId) -> bool {
        let before = self.running.len() + self.waiting.len() + self.nested.len();
        self.running.retain(|running| *running != call);
        self.waiting.retain(|waiting| *waiting != call);
        self.nested.retain(|waiting| *waiting != call);
        before > self.running.len() + self.waiting.len() + self.nested.len()
    }

    /// Writes a frame about a callback; its payload names the callback.
    pub(crate) fn ask(&mut self, callback: u32, kind: Kind) {
        let header = Header {
            payload: 5,
            kind,
            flags: 0,
            handler: 0,
            id: callback,
        };
        self.pipe.extend(header.to_bytes());
        self.pipe.extend(payload_of(CallId(callback)));
    }

    /// Tells what a call has changed in its session.
    pub(crate) fn tell_session(&mut self, call: CallId, payload: &[u8]) {
        let header = Header {
            payload: u32::try_from(payload.len()).unwrap(),
            kind: Kind::Session,
            flags: 0,
            handler: 0,
            id: call.0,
        };
        self.pipe.extend(header.to_bytes());
        self.pipe.extend(payload);
    }

    /// Writes an answer, or a part of one; its payload names the call.
    pub(crate) fn answer(&mut self, call: CallId, kind: Kind) {
        if self.deaf {
            return;
        }
        let payload = payload_of(call);
        let payload = if kind == Kind::End { &[][..] } else { &payload };
        self.replies += 1;
        match self.mode {
            Mode::Stdio => self.pipe.extend(5_u32.to_le_bytes()),
            Mode::Synapse => {
                let header = Header {
                    payload: u32::try_from(payload.len()).unwrap(),
                    kind,
                    flags: 0,
                    handler: 0,
                    id: call.0,
                };
                self.pipe.extend(header.to_bytes());
            }
        }
        self.pipe.extend(payload);
    }
}
