//! The map that precedes the arguments of a request with the `extras` flag.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::protocol::depth;
use crate::protocol::header::{self, Kind};

/// The key `remaining`, and what says that a float of 64 bits follows.
const REMAINING: &[u8] = b"\xa9remaining\xcb";

/// Puts `remaining` right in a request frame that carries it: the call has waited since the frame
/// was made. It is the first of the extras and a float of 64 bits. Answers whether it is there.
pub fn set_remaining(frame: &mut [u8], remaining: Duration) -> bool {
    let is_request = frame.get(4) == Some(&(Kind::Request as u8))
        && frame
            .get(5)
            .is_some_and(|flags| flags & header::EXTRAS != 0);
    let Some(key) = frame.get_mut(header::LEN + 1..).filter(|_| is_request) else {
        return false;
    };
    if !key.starts_with(REMAINING) {
        return false;
    }
    let Some(number) = key.get_mut(REMAINING.len()..REMAINING.len() + 8) else {
        return false;
    };
    number.copy_from_slice(&milliseconds(remaining));
    true
}

/// The request in `frame` with `remaining` first among its extras, which it does not hold yet.
pub fn with_remaining(frame: &[u8], remaining: Duration) -> Vec<u8> {
    let entry = [REMAINING, &milliseconds(remaining)].concat();
    with_extra(frame, &entry)
}

fn milliseconds(duration: Duration) -> [u8; 8] {
    (duration.as_secs_f64() * 1e3).to_be_bytes()
}

/// The request in `frame` with `resume_from` among its extras, which it does not hold yet.
pub fn with_resume_from(frame: &[u8], sequence: u64) -> Vec<u8> {
    const KEY: &[u8] = b"\xabresume_from\xcf";
    with_extra(frame, &[KEY, &sequence.to_be_bytes()].concat())
}

/// The request in `frame` with one more entry among its extras.
///
/// The extras, if there are any, are a map of less than 15 entries, as the host writes it. They stay
/// in front, and so does `remaining` among them.
fn with_extra(frame: &[u8], entry: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(frame.len() + entry.len() + 1);
    bytes.extend_from_slice(frame);
    let Some(flags) = bytes.get_mut(5) else {
        return bytes;
    };
    let had_extras = *flags & header::EXTRAS != 0;
    *flags |= header::EXTRAS;
    let at = if had_extras {
        if let Some(count) = bytes.get_mut(header::LEN) {
            *count = count.saturating_add(1);
        }
        let first = header::LEN.saturating_add(1);
        let rest = bytes.get(first..).unwrap_or_default();
        let is_remaining = rest.starts_with(REMAINING);
        first.saturating_add(if is_remaining { REMAINING.len() + 8 } else { 0 })
    } else {
        bytes.insert(header::LEN, 0x81);
        header::LEN.saturating_add(1)
    };
    let at = at.min(bytes.len());
    bytes.splice(at..at, entry.iter().copied());
    let length = u32::try_from(bytes.len().saturating_sub(4)).unwrap_or(u32::MAX);
    if let Some(field) = bytes.first_chunk_mut::<4>() {
        *field = length.to_le_bytes();
    }
    bytes
}

/// The arguments of a request, without the extras that may precede them.
pub fn arguments(frame: &[u8]) -> Option<&[u8]> {
    let payload = frame.get(header::LEN..)?;
    if frame.get(5)? & header::EXTRAS == 0 {
        return Some(payload);
    }
    payload.get(depth::first_value(payload)?..)
}

/// A request with the state of its session among its extras. `None` if it has no extras, or no room
/// among them: it goes as it is then.
pub fn with_session(frame: &[u8], id: &str, data: &BTreeMap<String, Box<[u8]>>) -> Option<Vec<u8>> {
    let (head, payload) = frame.split_at_checked(header::LEN)?;
    let count = payload.first()?;
    if head.get(5)? & header::EXTRAS == 0 || !(0x80..0x8f).contains(count) {
        return None;
    }
    Some(with_extra(frame, &encode(id, data)?))
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
    use crate::protocol::header::Header;

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

    #[test]
    fn the_arguments_come_after_the_extras_if_there_are_any() {
        for arguments in [&b"\x07"[..], b"\x82\xa1a\x01\xa1b\x92\x02\x03", b""] {
            for extras in [
                &b"\x80"[..],
                b"\x82\xa9remaining\xcb\x40\x59\0\0\0\0\0\0\xa1m\x81\xa1k\x01",
            ] {
                let frame = request(header::EXTRAS, &[extras, arguments].concat());
                assert_eq!(super::arguments(&frame), Some(arguments));
            }
            assert_eq!(super::arguments(&request(0, arguments)), Some(arguments));
        }
        assert_eq!(
            super::arguments(&request(header::EXTRAS, b"\x81\xa1k")),
            None
        );
        assert_eq!(super::arguments(&[0; header::LEN - 1]), None);
    }

    #[test]
    fn where_to_resume_is_added_to_the_extras_or_is_the_only_one() {
        const ENTRY: &[u8] = b"\xabresume_from\xcf\0\0\0\0\0\0\x01\x02";
        const REMAINING: &[u8] = b"\xa9remaining\xcb\x40\x59\0\0\0\0\0\0";
        const METADATA: &[u8] = b"\xa8metadata\x80";
        let cases = [
            (vec![], vec![b"\x81", ENTRY]),
            (vec![&b"\x80"[..]], vec![b"\x81", ENTRY]),
            (vec![b"\x81", METADATA], vec![b"\x82", ENTRY, METADATA]),
            (
                vec![b"\x82", REMAINING, METADATA],
                vec![b"\x83", REMAINING, ENTRY, METADATA],
            ),
        ];
        for (before, after) in cases {
            let extras = if before.is_empty() { 0 } else { header::EXTRAS };
            let arguments = |extras: Vec<&[u8]>| [&extras.concat()[..], b"\x07"].concat();
            let frame = request(header::STREAM | extras, &arguments(before));
            let wanted = request(header::STREAM | header::EXTRAS, &arguments(after));
            assert_eq!(with_resume_from(&frame, 258), wanted);
        }
    }

    #[test]
    fn the_remaining_time_is_put_right_only_where_it_is() {
        let extras = b"\x81\xa9remaining\xcb\x40\x59\0\0\0\0\0\0\x01";
        let mut frame = request(header::EXTRAS, extras);
        assert!(set_remaining(&mut frame, Duration::from_micros(1_500)));
        assert_eq!(frame[24..32], 1.5_f64.to_be_bytes());
        assert_eq!(frame[32], 1);
        for mut other in [
            request(0, extras),
            request(header::EXTRAS, b"\x81\xa8metadata\x80\x01"),
            request(header::EXTRAS, b"\x81\xa9remaining\xcb\x40"),
            request(header::EXTRAS, b""),
        ] {
            let before = other.clone();
            assert!(!set_remaining(&mut other, Duration::from_secs(1)));
            assert_eq!(other, before);
        }
    }

    #[test]
    fn the_remaining_time_becomes_the_first_of_the_extras() {
        const ENTRY: &[u8] = b"\xa9remaining\xcb\x3f\xf8\0\0\0\0\0\0";
        let left = Duration::from_micros(1_500);
        let bare = with_remaining(&request(0, b"\x07"), left);
        let wanted = [b"\x81", ENTRY, b"\x07"].concat();
        assert_eq!(bare, request(header::EXTRAS, &wanted));
        let given = request(header::EXTRAS, b"\x81\xa8metadata\x80\x07");
        let mut both = with_remaining(&given, left);
        let wanted = [b"\x82", ENTRY, b"\xa8metadata\x80\x07"].concat();
        assert_eq!(both, request(header::EXTRAS, &wanted));
        assert!(set_remaining(&mut both, Duration::ZERO));
    }
}
