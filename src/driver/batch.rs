//! What the facade sends in one tick, as it lies in its outgoing buffer: frames, each of which may be
//! preceded by records that have the header of a frame and a kind that the wire does not know:
//!
//! | kind | before | what follows the header |
//! |---|---|---|
//! | options | a request | `f64` milliseconds until the deadline (0 for none), `i32` priority, `u32` worker (0 for any), `u32` flags (bit 0: idempotent, bit 1: resumable, bit 2: the deadline, or that there is none, is the call's own word), `u32` credit, `f64` resume from (0 for the start) |
//! | policies | a request | what the call says for itself, as JSON (`driver/policies.rs`) |
//! | session | a request | `u8` affinity (0 hint, 1 wait, 2 fail), `f64` time to live in milliseconds (0 leaves it, infinity is for ever), the id |
//! | worker | an answer to a callback | nothing: the header's id is the worker that asked |
//! | worker | a request | `u32` callback on whose behalf the call is made; the header's id is the worker that waits for it |
//!
//! `ts/engine.ts` writes it.

use std::time::Duration;

use crate::engine::{Affinity, CallOptions, InSession, Nested, Submission};
use crate::ids::{CallId, CallbackId, WorkerId};
use crate::protocol::header::{self, Kind};
use crate::session::TimeToLive;
use crate::time::Time;

/// The options record's kind.
const OPTIONS: u8 = 0xf0;
/// The worker record's kind.
const WORKER: u8 = 0xf1;
/// A flag of it: a call of the worker made the callback.
const OF_CALL: u8 = 1;
/// The policies record's kind.
const POLICIES: u8 = 0xf2;
/// The session record's kind.
const SESSION: u8 = 0xf3;
/// The options record's flag: the call may be run again.
const IDEMPOTENT: u32 = 1;
/// Its flag: the stream goes on if its worker dies.
const RESUMABLE: u32 = 2;
/// The options record's flag: the call itself says when it is to be given up, or that it is not.
const OWN_DEADLINE: u32 = 4;

/// One frame of a batch, and the session that it belongs to.
#[derive(Debug)]
pub struct Entry<'a> {
    /// The frame.
    pub item: Item<'a>,
    /// Calls only.
    pub session: Option<InSession<'a>>,
}

impl<'a> Item<'a> {
    /// The call, if it is one.
    pub fn call(&mut self) -> Option<&mut Submission<'a>> {
        match self {
            Self::Call(call) | Self::Nested(call, _) | Self::Guarded(call, ..) => Some(call),
            Self::Answer { .. } => None,
        }
    }
}

/// A frame, and what its records say.
#[derive(Debug)]
pub enum Item<'a> {
    /// A call.
    Call(Submission<'a>),
    /// A call on behalf of a callback.
    Nested(Submission<'a>, Nested),
    /// A call that has policies of its own, and on whose behalf it is made.
    Guarded(Submission<'a>, Option<Nested>, &'a [u8]),
    /// The answer to a callback, in whole or in part.
    Answer {
        /// The worker that asked.
        worker: WorkerId,
        /// The whole frame, header included.
        frame: &'a [u8],
    },
}

/// Iterates over the frames in a buffer. The facade is trusted to lay them out right; bytes that are
/// not end the iteration.
#[derive(Debug)]
pub struct Batch<'a> {
    rest: &'a [u8],
    now: Time,
}

impl<'a> Batch<'a> {
    /// The frames in `bytes`; deadlines count from `now`.
    pub fn new(bytes: &'a [u8], now: Time) -> Self {
        Self { rest: bytes, now }
    }
}

impl<'a> Iterator for Batch<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut options = CallOptions::default();
        let mut about: Option<(WorkerId, u8, &[u8])> = None;
        let mut policies: Option<&[u8]> = None;
        let mut session = None;
        loop {
            let head = self.rest.first_chunk::<{ header::LEN }>()?;
            let [l0, l1, l2, l3, kind, flags, h0, h1, i0, i1, i2, i3] = *head;
            let total = u32::from_le_bytes([l0, l1, l2, l3]) as usize + 4;
            let (record, rest) = self.rest.split_at_checked(total)?;
            self.rest = rest;
            if kind == OPTIONS {
                options = parse_options(record.get(header::LEN..)?, self.now)?;
                continue;
            }
            if kind == POLICIES {
                policies = Some(record.get(header::LEN..)?);
                continue;
            }
            if kind == SESSION {
                session = Some(parse_session(record.get(header::LEN..)?)?);
                continue;
            }
            let id = u32::from_le_bytes([i0, i1, i2, i3]);
            if kind == WORKER {
                about = Some((WorkerId(id), flags, record.get(header::LEN..)?));
                continue;
            }
            let call = Submission {
                id: CallId(id),
                handler: u16::from_le_bytes([h0, h1]),
                frame: record,
                options,
            };
            let nested = match about {
                Some((worker, flags, callback)) if kind == Kind::Request as u8 => Some(Nested {
                    worker,
                    callback: CallbackId(u32::from_le_bytes(*callback.first_chunk()?)),
                    of_call: flags & OF_CALL != 0,
                }),
                _ => None,
            };
            let item = match (about, nested, policies) {
                (_, nested, Some(policies)) => Item::Guarded(call, nested, policies),
                (_, Some(nested), None) => Item::Nested(call, nested),
                (None, None, None) => Item::Call(call),
                (Some((worker, ..)), None, None) => Item::Answer {
                    worker,
                    frame: record,
                },
            };
            return Some(Entry { item, session });
        }
    }
}

fn parse_session(bytes: &[u8]) -> Option<InSession<'_>> {
    let (&affinity, rest) = bytes.split_first()?;
    let (ttl, id) = rest.split_first_chunk::<8>()?;
    Some(InSession {
        id: std::str::from_utf8(id).ok()?,
        affinity: match affinity {
            1 => Affinity::StrictQueue,
            2 => Affinity::StrictFail,
            _ => Affinity::Hint,
        },
        ttl: TimeToLive::from_ms(f64::from_le_bytes(*ttl)),
    })
}

fn parse_options(bytes: &[u8], now: Time) -> Option<CallOptions> {
    let (timeout, rest) = bytes.split_first_chunk::<8>()?;
    let (priority, rest) = rest.split_first_chunk::<4>()?;
    let (worker, rest) = rest.split_first_chunk::<4>()?;
    let (flags, rest) = rest.split_first_chunk::<4>()?;
    let (credit, rest) = rest.split_first_chunk::<4>()?;
    let resume_from = f64::from_le_bytes(*rest.first_chunk::<8>()?);
    let flags = u32::from_le_bytes(*flags);
    let timeout = f64::from_le_bytes(*timeout);
    let worker = u32::from_le_bytes(*worker);
    Some(CallOptions {
        deadline: (timeout > 0.0)
            .then(|| Duration::try_from_secs_f64(timeout / 1e3).ok())
            .flatten()
            .map(|after| now + after),
        priority: i32::from_le_bytes(*priority),
        worker: (worker != 0).then_some(WorkerId(worker)),
        own_deadline: flags & OWN_DEADLINE != 0,
        idempotent: flags & IDEMPOTENT != 0,
        credit: u32::from_le_bytes(*credit),
        session: None,
        resumable: flags & RESUMABLE != 0,
        resume_from: whole(resume_from),
    })
}

/// A number of JavaScript that counts something.
fn whole(number: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it saturates, and the facade sends safe integers only"
    )]
    let whole = number as u64;
    whole
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::header::Header;

    fn request(id: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap();
        let header = Header {
            payload: length,
            kind: Kind::Request,
            flags: 0,
            handler: 3,
            id,
        };
        [header.to_bytes().as_slice(), payload].concat()
    }

    fn options(timeout: f64, priority: i32, worker: u32, flags: u32) -> Vec<u8> {
        let mut bytes = vec![40, 0, 0, 0, OPTIONS, 0, 0, 0, 0, 0, 0, 0];
        bytes.extend(timeout.to_le_bytes());
        bytes.extend(priority.to_le_bytes());
        bytes.extend(worker.to_le_bytes());
        bytes.extend(flags.to_le_bytes());
        bytes.extend(64_u32.to_le_bytes());
        bytes.extend(57_f64.to_le_bytes());
        bytes
    }

    #[test]
    fn options_apply_to_the_next_call_only() {
        let bytes = [
            request(1, b"a"),
            options(1.5, -2, 7, 7),
            request(2, b""),
            request(3, b"cc"),
        ];
        let bytes = bytes.concat();
        let calls: Vec<_> = Batch::new(&bytes, Time(100))
            .map(|entry| match entry.item {
                Item::Call(call) => call,
                other => panic!("{other:?}"),
            })
            .collect();
        let ids: Vec<_> = calls.iter().map(|call| call.id.0).collect();
        assert_eq!(ids, [1, 2, 3]);
        assert_eq!(calls[0].options, CallOptions::default());
        assert_eq!(
            calls[1].options,
            CallOptions {
                deadline: Some(Time(1600)),
                own_deadline: true,
                priority: -2,
                worker: Some(WorkerId(7)),
                idempotent: true,
                credit: 64,
                session: None,
                resumable: true,
                resume_from: 57,
            }
        );
        assert_eq!(calls[2].options, CallOptions::default());
        assert_eq!(calls[2].frame.len(), header::LEN + 2);
    }

    fn worker(id: u32, callback: Option<u32>) -> Vec<u8> {
        let payload = callback.map(u32::to_le_bytes);
        let payload = payload.as_ref().map_or(&[][..], |bytes| &bytes[..]);
        let length = u8::try_from(payload.len()).unwrap() + 8;
        let mut bytes = vec![length, 0, 0, 0, WORKER, OF_CALL, 0, 0];
        bytes.extend(id.to_le_bytes());
        bytes.extend(payload);
        bytes
    }

    #[test]
    fn a_worker_record_makes_an_answer_or_a_nested_call_of_what_follows() {
        let answer = Header::bare(Kind::End, 0x8000_0007);
        let bytes = [
            worker(3, None),
            answer.to_vec(),
            options(0.0, 5, 0, 0),
            worker(4, Some(0x8000_0009)),
            request(1, b"a"),
            request(2, b"b"),
        ];
        let bytes = bytes.concat();
        let items: Vec<_> = Batch::new(&bytes, Time::ZERO)
            .map(|entry| entry.item)
            .collect();
        let [
            Item::Answer {
                worker: WorkerId(3),
                frame,
            },
            Item::Nested(first, nested),
            Item::Call(second),
        ] = items.as_slice()
        else {
            panic!("{items:?}")
        };
        assert_eq!(*frame, answer);
        assert_eq!((first.id, first.options.priority), (CallId(1), 5));
        assert_eq!(
            *nested,
            Nested {
                worker: WorkerId(4),
                callback: CallbackId(0x8000_0009),
                of_call: true,
            }
        );
        assert_eq!((second.id, second.options.priority), (CallId(2), 0));
    }

    #[test]
    fn a_session_record_belongs_to_the_call_that_follows() {
        let id = "é".as_bytes();
        let length = u8::try_from(8 + 1 + 8 + id.len()).unwrap();
        let mut bytes = vec![length, 0, 0, 0, SESSION, 0, 0, 0, 0, 0, 0, 0, 2];
        bytes.extend(1500_f64.to_le_bytes());
        bytes.extend(id);
        bytes.extend(request(1, b"a"));
        bytes.extend(request(2, b"b"));
        let sessions: Vec<_> = Batch::new(&bytes, Time::ZERO)
            .map(|entry| entry.session)
            .collect();
        let expected = InSession {
            id: "é",
            affinity: Affinity::StrictFail,
            ttl: TimeToLive::For(Duration::from_millis(1500)),
        };
        assert_eq!(sessions, [Some(expected), None]);
    }
}
