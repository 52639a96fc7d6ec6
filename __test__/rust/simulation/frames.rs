//! The wire between the engine and a scripted worker, read and written by hand so that the code under
//! test does not check itself.

use std::collections::BTreeMap;

use rmp::decode::{read_array_len, read_bin_len, read_f64, read_int, read_map_len, read_str_len};
use rmp::encode::{write_array_len, write_bin, write_map_len, write_str};
use synapse::ids::CallId;
use synapse::protocol::header::{CALLBACK_ID, EXTRAS, Kind, LEN, NESTED, STREAM};
use synapse::protocol::message::Mode;
use synapse::protocol::stdio;

/// A call's payload, both ways: its id as a MessagePack `uint 32`.
pub(crate) fn payload_of(call: CallId) -> [u8; 5] {
    let [a, b, c, d] = call.0.to_be_bytes();
    [0xce, a, b, c, d]
}

/// The call that a payload names.
pub(crate) fn call_of(payload: &[u8]) -> CallId {
    assert_eq!(
        (payload.len(), payload[0]),
        (5, 0xce),
        "payload {payload:?}"
    );
    CallId(u32::from_be_bytes(*payload[1..].first_chunk().unwrap()))
}

/// A request as a worker sees it.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) call: CallId,
    /// The worker's own number of the handler; none in the framing of 1.4.
    pub(crate) handler: Option<u16>,
    pub(crate) stream: bool,
    /// A handler of this worker waits for it.
    pub(crate) nested: bool,
    /// Items that it may send at first; 0 where no stream is wanted.
    pub(crate) credit: u32,
    /// Sequence number of the last item that the caller has; 0 where the request names none.
    pub(crate) resume_from: u64,
    /// Its session and what that holds.
    pub(crate) session: Option<State>,
}

/// The id of a session and what it holds.
pub(crate) type State = (String, BTreeMap<String, Vec<u8>>);

/// What the host has written: whole requests, and further credit for streams.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) requests: Vec<Request>,
    pub(crate) grants: Vec<(CallId, u32)>,
    /// Callbacks that are answered for good.
    pub(crate) answers: Vec<u32>,
}

/// Reads what the host has written.
pub(crate) fn written(mode: Mode, bytes: &[u8]) -> Written {
    let mut rest = bytes;
    let mut found = Written::default();
    while !rest.is_empty() {
        let length = u32::from_le_bytes(*rest.first_chunk().unwrap()) as usize;
        let (whole, after) = rest.split_at(length + 4);
        rest = after;
        if mode == Mode::Stdio {
            let (handler, stream, credit, resume_from) = (None, false, 0, 0);
            found.requests.push(Request {
                call: call_of(&whole[4..]),
                handler,
                stream,
                nested: false,
                credit,
                resume_from,
                session: None,
            });
            continue;
        }
        let call = CallId(u32::from_le_bytes(*whole[8..].first_chunk().unwrap()));
        if whole[4] == Kind::Credit as u8 {
            // Its payload has the shape of a call's: a `uint 32`.
            let items = call_of(&whole[LEN..]).0;
            match found
                .requests
                .last_mut()
                .filter(|last| last.call == call && last.credit == 0)
            {
                Some(request) => request.credit = items,
                None => found.grants.push((call, items)),
            }
            continue;
        }
        if call.0 & CALLBACK_ID != 0 {
            if whole[4] != Kind::Item as u8 {
                found.answers.push(call.0);
            }
            continue;
        }
        assert_eq!(whole[4], Kind::Request as u8, "host wrote {whole:?}");
        let (extras, payload) = extras(whole);
        assert_eq!(call, call_of(payload), "header and payload disagree");
        let handler = Some(u16::from_le_bytes(*whole[6..].first_chunk().unwrap()));
        found.requests.push(Request {
            call,
            handler,
            stream: whole[5] & STREAM != 0,
            nested: whole[5] & NESTED != 0,
            credit: 0,
            resume_from: extras.resume_from,
            session: extras.session,
        });
    }
    found
}

/// What precedes the arguments of a request.
#[derive(Debug, Default)]
struct Extras {
    resume_from: u64,
    session: Option<State>,
}

/// The extras of a request, and what follows them.
fn extras(whole: &[u8]) -> (Extras, &[u8]) {
    let mut rest = &whole[LEN..];
    let mut found = Extras::default();
    if whole[5] & EXTRAS == 0 {
        return (found, rest);
    }
    for _ in 0..read_map_len(&mut rest).unwrap() {
        match text(&mut rest).unwrap().as_str() {
            "remaining" => assert!(read_f64(&mut rest).unwrap() >= 0.0),
            "resume_from" => found.resume_from = read_int(&mut rest).unwrap(),
            "session" => {
                assert_eq!(read_map_len(&mut rest).unwrap(), 2);
                assert_eq!(text(&mut rest).unwrap(), "id");
                let id = text(&mut rest).unwrap();
                assert_eq!(text(&mut rest).unwrap(), "data");
                found.session = Some((id, values(&mut rest).unwrap()));
            }
            other => assert_eq!(other, "", "what the engine does not add"),
        }
    }
    (found, rest)
}

fn text(rest: &mut &[u8]) -> Option<String> {
    let length = read_str_len(rest).ok()? as usize;
    let (text, after) = rest.split_at_checked(length)?;
    *rest = after;
    String::from_utf8(text.to_vec()).ok()
}

fn values(rest: &mut &[u8]) -> Option<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    for _ in 0..read_map_len(rest).ok()? {
        let key = text(rest)?;
        let length = read_bin_len(rest).ok()? as usize;
        let (value, after) = rest.split_at_checked(length)?;
        *rest = after;
        found.insert(key, value.to_vec());
    }
    Some(found)
}

/// What a call says of its session: keys with new values, and keys that go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) set: BTreeMap<String, Vec<u8>>,
    pub(crate) delete: Vec<String>,
}

/// The payload of a session frame.
pub(crate) fn change_payload(change: &Change) -> Vec<u8> {
    let mut bytes = b"\x82\xa3set".to_vec();
    write_map_len(&mut bytes, u32::try_from(change.set.len()).unwrap()).unwrap();
    for (key, value) in &change.set {
        write_str(&mut bytes, key).unwrap();
        write_bin(&mut bytes, value).unwrap();
    }
    bytes.extend(b"\xa6delete");
    write_array_len(&mut bytes, u32::try_from(change.delete.len()).unwrap()).unwrap();
    for key in &change.delete {
        write_str(&mut bytes, key).unwrap();
    }
    bytes
}

/// What a session frame says; `None` if it is not as the specification wants it.
fn change(mut payload: &[u8]) -> Option<Change> {
    let mut found = Change::default();
    for _ in 0..read_map_len(&mut payload).ok()? {
        match text(&mut payload)?.as_str() {
            "set" => found.set = values(&mut payload)?,
            "delete" => {
                for _ in 0..read_array_len(&mut payload).ok()? {
                    found.delete.push(text(&mut payload)?);
                }
            }
            _ => return None,
        }
    }
    Some(found)
}

/// What a worker says of calls, as far as sessions go.
#[derive(Debug)]
pub(crate) enum Heard {
    /// What a call has changed.
    Session(CallId, Change),
    /// A call is over, and whether it has succeeded.
    Answer(CallId, bool),
}

/// What whole frames at the start of `bytes` say, up to one that breaks a rule.
pub(crate) fn heard(mode: Mode, bytes: &[u8], oldest: &[CallId]) -> Vec<Heard> {
    let mut rest = bytes;
    let mut found = Vec::new();
    if mode == Mode::Stdio {
        let replies = answers(mode, bytes).len();
        return oldest
            .iter()
            .take(replies)
            .map(|call| Heard::Answer(*call, true))
            .collect();
    }
    while let Some(prefix) = rest.first_chunk() {
        let length = u32::from_le_bytes(*prefix) as usize;
        let Some((whole, after)) = rest.split_at_checked(length.saturating_add(4)) else {
            break;
        };
        rest = after;
        let call = CallId(u32::from_le_bytes(*whole[8..].first_chunk().unwrap()));
        match whole[4] {
            kind if kind == Kind::Session as u8 => match change(&whole[LEN..]) {
                Some(change) => found.push(Heard::Session(call, change)),
                None => break,
            },
            kind if kind == Kind::Response as u8 || kind == Kind::End as u8 => {
                found.push(Heard::Answer(call, true));
            }
            kind if kind == Kind::Error as u8 => found.push(Heard::Answer(call, false)),
            _ => {}
        }
    }
    found
}

/// The calls that whole answers at the start of `bytes` are for: `None` for a reply of 1.4, which
/// is for the oldest.
pub(crate) fn answers(mode: Mode, bytes: &[u8]) -> Vec<Option<CallId>> {
    let mut rest = bytes;
    let mut found = Vec::new();
    while let Some(prefix) = rest.first_chunk() {
        let length = u32::from_le_bytes(*prefix);
        let is_mark = mode == Mode::Stdio && length == stdio::ESCAPE;
        if is_mark {
            // Its frame follows, which answers nothing.
            rest = &rest[4..];
        }
        let Some(length) = rest
            .first_chunk()
            .map(|prefix| u32::from_le_bytes(*prefix) as usize)
        else {
            break;
        };
        let Some((whole, after)) = rest.split_at_checked(length + 4) else {
            break;
        };
        rest = after;
        match mode {
            Mode::Stdio if is_mark => {}
            Mode::Stdio => found.push(None),
            Mode::Synapse
                if [Kind::Response as u8, Kind::Error as u8, Kind::End as u8]
                    .contains(&whole[4]) =>
            {
                found.push(Some(CallId(u32::from_le_bytes(
                    *whole[8..].first_chunk().unwrap(),
                ))));
            }
            Mode::Synapse => {}
        }
    }
    found
}
