//! The payloads that Rust reads, from arbitrary and from damaged bytes.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use synapse::protocol::decoder::{self, Decoded};
use synapse::protocol::header::Kind;
use synapse::protocol::message::{self, Fault, Handler, Heartbeat, Hello, Log, Mark, Mode};
use synapse::protocol::{Limits, Malformed};

use crate::protocol::{Vectors, bytes_of};

/// The kinds that Rust reads.
const READ: [Kind; 5] = [
    Kind::Hello,
    Kind::Fault,
    Kind::Log,
    Kind::Mark,
    Kind::Heartbeat,
];

/// Reads a payload as what its kind says.
fn read(kind: Kind, payload: &[u8]) -> Result<(), Malformed> {
    let limits = Limits::default();
    match kind {
        Kind::Hello => message::read::<Hello>(kind, payload, limits).map(drop),
        Kind::Fault => message::read::<Fault>(kind, payload, limits).map(drop),
        Kind::Log => message::read::<Log>(kind, payload, limits).map(drop),
        Kind::Mark => message::read::<Mark>(kind, payload, limits).map(drop),
        _ => message::read::<Heartbeat>(kind, payload, limits).map(drop),
    }
}

/// Payloads of the golden vectors, by kind.
fn golden() -> Vec<(Kind, Vec<u8>)> {
    Vectors::read()
        .frames
        .iter()
        .map(|vector| {
            (
                Kind::from_number(vector.kind).unwrap(),
                bytes_of(&vector.payload_hex),
            )
        })
        .filter(|(kind, _)| READ.contains(kind))
        .collect()
}

fn hellos() -> impl Strategy<Value = Hello> {
    let handler =
        ("[a-z_.]{1,12}", any::<bool>(), any::<u32>()).prop_map(|(name, flag, number)| {
            let about = [
                ("idempotent", json!(flag)),
                ("timeout", json!(number)),
                ("doc", Value::Null),
            ];
            let about = about
                .map(|(key, value)| (key.to_owned(), value))
                .into_iter()
                .collect();
            Handler { name, about }
        });
    let mode = prop_oneof![Just(Mode::Synapse), Just(Mode::Stdio)];
    (
        any::<u32>(),
        mode,
        any::<u32>(),
        ".{0,20}",
        any::<Option<u16>>(),
        vec(handler, 0..5),
    )
        .prop_map(|(protocol, mode, pid, python, default, handlers)| Hello {
            protocol,
            mode,
            pid,
            executable: format!("/{python}"),
            python,
            sdk: "2.0.0".to_owned(),
            shared: pid % 2 == 0,
            withdrawals: false,
            default,
            heartbeat: u64::from(pid),
            handlers,
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_hello_is_read_as_it_was_written(hello in hellos(), id in any::<u32>()) {
        let limits = Limits::default();
        let bytes = message::frame(Kind::Hello, id, &hello).unwrap();
        let decoded = decoder::decode(&bytes, 0, limits);
        let Ok(Decoded::Frame(frame)) = decoded else { panic!("{decoded:?}") };
        prop_assert_eq!((frame.header.kind, frame.header.id), (Kind::Hello, id));
        prop_assert_eq!(frame.payload.end, bytes.len());
        prop_assert_eq!(message::read::<Hello>(Kind::Hello, &bytes[frame.payload], limits), Ok(hello));
    }

    #[test]
    fn arbitrary_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        for kind in READ {
            drop(read(kind, &bytes));
        }
    }

    #[test]
    fn damaged_payloads_are_read_or_refused(
        which in any::<prop::sample::Index>(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        length in any::<prop::sample::Index>(),
        cut in any::<bool>(),
    ) {
        let golden = golden();
        let (kind, mut bytes) = golden[which.index(golden.len())].clone();
        if cut {
            bytes.truncate(length.index(bytes.len()));
            prop_assert!(read(kind, &bytes).is_err(), "a cut payload was read");
        }
        for (at, byte) in damage {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
        }
        for kind in READ {
            drop(read(kind, &bytes));
        }
    }
}

#[test]
fn what_is_nested_too_deep_for_serde_is_refused_before_it_recurses() {
    let mut bytes = vec![0x81, 0xa5];
    bytes.extend(b"error");
    bytes.extend(vec![0x91; 100_000]);
    bytes.push(0xc0);
    for kind in READ {
        assert_eq!(read(kind, &bytes), Err(Malformed::TooDeep(128)));
    }
}

#[test]
fn what_is_missing_is_named() {
    let empty_map = [0x80];
    for (kind, field) in [
        (Kind::Hello, "protocol"),
        (Kind::Fault, "phase"),
        (Kind::Log, "stream"),
        (Kind::Mark, "replies"),
    ] {
        let broken = read(kind, &empty_map).unwrap_err().to_string();
        assert!(broken.contains(field), "{broken}");
    }
    // All fields of a heartbeat have defaults.
    assert_eq!(read(Kind::Heartbeat, &empty_map), Ok(()));
}
