//! Properties of headers and of both decoders.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use synapse::protocol::decoder::{self, Decoded};
use synapse::protocol::header::{ARGUMENTS, EXTRAS, FUNCTIONS, Header, Kind, LEN, NESTED, STREAM};
use synapse::protocol::{Limits, Malformed, stdio};

/// What a stream of frames amounts to: each frame's header and payload, and how it ended.
type Reading = (Vec<(Option<Header>, Vec<u8>)>, Option<Malformed>);

/// One of the two decoders, with one answer for both: header if there is one, payload, next.
type Reader = fn(&[u8], usize, Limits) -> Result<Step, Malformed>;

enum Step {
    Frame(Option<Header>, std::ops::Range<usize>),
    NeedMore(usize),
}

fn frames(bytes: &[u8], start: usize, limits: Limits) -> Result<Step, Malformed> {
    Ok(match decoder::decode(bytes, start, limits)? {
        Decoded::Frame(frame) => Step::Frame(Some(frame.header), frame.payload),
        Decoded::NeedMore(total) => Step::NeedMore(total),
    })
}

fn replies(bytes: &[u8], start: usize, limits: Limits) -> Result<Step, Malformed> {
    Ok(match stdio::decode(bytes, start, limits)? {
        stdio::Decoded::Reply(payload) | stdio::Decoded::Mark(payload) => {
            Step::Frame(None, payload)
        }
        stdio::Decoded::NeedMore(total) => Step::NeedMore(total),
    })
}

/// Reads a stream that arrives in `chunks`, as the driver does: what is left waits for the rest.
fn read_all(reader: Reader, chunks: &[&[u8]], limits: Limits) -> Reading {
    let mut buffer = Vec::new();
    let mut at = 0;
    let mut found = Vec::new();
    for chunk in chunks {
        buffer.extend_from_slice(chunk);
        loop {
            match reader(&buffer, at, limits) {
                Ok(Step::Frame(header, payload)) => {
                    at = payload.end;
                    found.push((header, buffer[payload].to_vec()));
                }
                Ok(Step::NeedMore(total)) => {
                    assert!(
                        total > buffer.len() - at,
                        "needs {total}, has {}",
                        buffer.len() - at
                    );
                    break;
                }
                Err(broken) => return (found, Some(broken)),
            }
        }
    }
    (found, None)
}

/// Any header that the specification allows.
fn headers() -> impl Strategy<Value = Header> {
    (
        0..u32::MAX - 8,
        select(Kind::ALL),
        any::<u8>(),
        any::<u16>(),
        any::<u32>(),
    )
        .prop_map(|(payload, kind, flags, handler, id)| {
            let known = match kind {
                Kind::Request => ARGUMENTS | EXTRAS | STREAM | NESTED | FUNCTIONS,
                Kind::Callback => STREAM,
                _ => 0,
            };
            Header {
                payload,
                kind,
                flags: flags & known,
                handler,
                id,
            }
        })
}

/// A whole frame of any kind.
fn whole_frame() -> impl Strategy<Value = Vec<u8>> {
    (headers(), vec(any::<u8>(), 0..40)).prop_map(|(mut header, payload)| {
        header.payload = u32::try_from(payload.len()).unwrap();
        [&header.to_bytes()[..], &payload].concat()
    })
}

/// Frames, now and then with bytes between them that are none.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![9 => whole_frame(), 1 => vec(any::<u8>(), 0..20)];
    vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

/// `bytes` cut at the places that `cuts` names.
fn cut<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    places
        .windows(2)
        .map(|pair| &bytes[pair[0]..pair[1]])
        .collect()
}

/// Limits small enough that random lengths fall on both sides.
fn limits() -> impl Strategy<Value = Limits> {
    prop_oneof![Just(30), Just(256 << 20), Just(u32::MAX)]
        .prop_map(|frame| Limits { frame, depth: 512 })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_header_is_read_as_it_was_written(header in headers()) {
        let limits = Limits { frame: u32::MAX, depth: 512 };
        let bytes = header.to_bytes();
        if header.payload == 0 {
            let frame = decoder::Frame { header, payload: LEN..LEN };
            prop_assert_eq!(decoder::decode(&bytes, 0, limits), Ok(Decoded::Frame(frame)));
        } else {
            // All that is there is the header: the answer is how much there will be.
            let total = LEN + header.payload as usize;
            prop_assert_eq!(decoder::decode(&bytes, 0, limits), Ok(Decoded::NeedMore(total)));
        }
    }

    #[test]
    fn however_a_stream_is_cut_the_frames_are_the_same(
        bytes in streams(),
        cuts in vec(any::<prop::sample::Index>(), 0..12),
        limits in limits(),
    ) {
        for reader in [frames as Reader, replies] {
            let whole = read_all(reader, &[&bytes], limits);
            prop_assert_eq!(&read_all(reader, &cut(&bytes, &cuts), limits), &whole);
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            prop_assert_eq!(&read_all(reader, &single, limits), &whole);
        }
    }

    #[test]
    fn arbitrary_bytes_never_yield_a_frame_beyond_them(
        bytes in vec(any::<u8>(), 0..64),
        length in prop_oneof![0..80_u32, any::<u32>()],
        start in 0..80_usize,
        limits in limits(),
    ) {
        // A plausible length at the start lets many cases past the first check.
        let bytes = [&length.to_le_bytes()[..], &bytes].concat();
        for start in [0, start, usize::MAX] {
            for reader in [frames as Reader, replies] {
                match reader(&bytes, start, limits) {
                    Ok(Step::Frame(_, payload)) => {
                        prop_assert!(start < payload.start && payload.start <= payload.end);
                        prop_assert!(payload.end <= bytes.len());
                    }
                    Ok(Step::NeedMore(total)) => {
                        prop_assert!(total > bytes.len().saturating_sub(start));
                        // A mark has an escape before its frame.
                        prop_assert!(total <= limits.frame as usize + 8);
                    }
                    Err(_) => {}
                }
            }
        }
    }

    #[test]
    fn a_length_above_the_limit_is_refused_by_its_four_bytes(frame in 8..u32::MAX, above in any::<u32>()) {
        let limits = Limits { frame, depth: 512 };
        let length = frame.saturating_add(above).max(frame + 1);
        let broken = Malformed::TooLarge { length, limit: frame };
        let bytes = length.to_le_bytes();
        prop_assert_eq!(decoder::decode(&bytes, 0, limits), Err(broken.clone()));
        // In the framing of 1.4 the greatest length is none: a mark follows.
        let read = stdio::decode(&bytes, 0, limits);
        if length == stdio::ESCAPE {
            prop_assert_eq!(read, Ok(stdio::Decoded::NeedMore(stdio::LEN + LEN)));
        } else {
            prop_assert_eq!(read, Err(broken));
        }
    }
}

#[test]
fn the_limit_itself_is_allowed() {
    let limits = Limits {
        frame: 100,
        depth: 512,
    };
    assert_eq!(
        decoder::decode(&[100, 0, 0, 0], 0, limits),
        Ok(Decoded::NeedMore(104))
    );
    assert_eq!(
        stdio::decode(&[100, 0, 0, 0], 0, limits),
        Ok(stdio::Decoded::NeedMore(104))
    );
}
