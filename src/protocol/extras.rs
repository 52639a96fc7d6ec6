//! The map that precedes the arguments of a request with the `extras` flag.

use std::collections::BTreeMap;

use crate::protocol::header;

/// `remaining` and its float of 64 bits, which are the first of the extras if they are there.
const REMAINING: &[u8] = b"\xa9remaining\xcb";
const REMAINING_LEN: usize = REMAINING.len() + 8;

/// A request with the state of its session among its extras. `None` if it has no extras, or no room
/// among them: it goes as it is then.
pub fn with_session(frame: &[u8], id: &str, data: &BTreeMap<String, Box<[u8]>>) -> Option<Vec<u8>> {
    let (head, payload) = frame.split_at_checked(header::LEN)?;
    let (&count, entries) = payload.split_first()?;
    if head.get(5)? & header::EXTRAS == 0 || !(0x80..0x8f).contains(&count) {
        return None;
    }
    let first = if entries.starts_with(REMAINING) {
        REMAINING_LEN
    } else {
        0
    };
    let (first, rest) = entries.split_at_checked(first)?;
    let session = encode(id, data)?;
    let mut bytes = Vec::with_capacity(frame.len() + session.len());
    bytes.extend_from_slice(head);
    bytes.push(count + 1);
    bytes.extend_from_slice(first);
    bytes.extend_from_slice(&session);
    bytes.extend_from_slice(rest);
    let length = u32::try_from(bytes.len() - 4).ok()?;
    bytes.get_mut(..4)?.copy_from_slice(&length.to_le_bytes());
    Some(bytes)
}

/// The entry `session`: its key, and a map of `id` and `data`.
fn encode(id: &str, data: &BTreeMap<String, Box<[u8]>>) -> Option<Vec<u8>> {
    let mut bytes = b"\xa7session\x82\xa2id".to_vec();
    rmp::encode::write_str(&mut bytes, id).ok()?;
    bytes.extend_from_slice(b"\xa4data");
    rmp::encode::write_map_len(&mut bytes, u32::try_from(data.len()).ok()?).ok()?;
    for (key, value) in data {
        rmp::encode::write_str(&mut bytes, key).ok()?;
        rmp::encode::write_bin(&mut bytes, value).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::header::{Header, Kind};

    fn request(flags: u8, payload: &[u8]) -> Vec<u8> {
        let header = Header {
            payload: u32::try_from(payload.len()).unwrap(),
            kind: Kind::Request,
            flags,
            handler: 0,
            id: 1,
        };
        [&header.to_bytes(), payload].concat()
    }

    fn data() -> BTreeMap<String, Box<[u8]>> {
        BTreeMap::from([("k".to_owned(), Box::from(*b"\x07"))])
    }

    #[test]
    fn the_session_comes_after_the_remaining_time_and_before_the_rest() {
        let session = b"\xa7session\x82\xa2id\xa1s\xa4data\x81\xa1k\xc4\x01\x07";
        let remaining = b"\xa9remaining\xcb\x40\x59\0\0\0\0\0\0";
        let cases: [(&[u8], &[u8]); 3] = [(b"", b""), (remaining, b""), (remaining, b"\xa1m\x01")];
        for (first, rest) in cases {
            let count = u8::from(!first.is_empty()) + u8::from(!rest.is_empty());
            let extras = |count: u8, session: &[u8]| {
                [&[0x80 | count], first, session, rest, b"arguments"].concat()
            };
            let frame = request(header::EXTRAS, &extras(count, b""));
            assert_eq!(
                with_session(&frame, "s", &data()),
                Some(request(header::EXTRAS, &extras(count + 1, session)))
            );
        }
    }

    #[test]
    fn a_request_without_room_for_it_goes_as_it_is() {
        for frame in [
            request(0, b"\x80\x01"),
            request(header::EXTRAS, b"\x8f"),
            request(header::EXTRAS, b"\x01"),
            request(header::EXTRAS, b""),
            b"\0\0".to_vec(),
        ] {
            assert_eq!(with_session(&frame, "s", &data()), None);
        }
    }
}
