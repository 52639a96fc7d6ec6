//! The golden vectors, both ways.

use synapse::protocol::decoder::{self, Decoded};
use synapse::protocol::header::{Header, Kind, LEN};
use synapse::protocol::message::{self, Fault, Heartbeat, Hello, Log, Mark};
use synapse::protocol::{Limits, Malformed, stdio};

use crate::protocol::{Vectors, bytes_of};

#[test]
fn every_frame_is_read_as_the_vector_says_and_written_as_it_was() {
    let vectors = Vectors::read();
    for vector in &vectors.frames {
        let bytes = bytes_of(&vector.hex);
        let decoded = decoder::decode(&bytes, 0, Limits::default());
        let Ok(Decoded::Frame(frame)) = decoded else {
            panic!("{}: {decoded:?}", vector.name)
        };
        let header = Header {
            payload: u32::try_from(vector.payload_hex.len() / 2).unwrap(),
            kind: Kind::from_number(vector.kind).unwrap(),
            flags: vector.flags,
            handler: vector.handler,
            id: vector.id,
        };
        assert_eq!(frame.header, header, "{}", vector.name);
        assert_eq!(
            bytes[frame.payload],
            bytes_of(&vector.payload_hex),
            "{}",
            vector.name
        );
        assert_eq!(bytes[..LEN], header.to_bytes(), "{}", vector.name);
    }
    for kind in Kind::ALL {
        assert!(
            vectors
                .frames
                .iter()
                .any(|vector| vector.kind == *kind as u8),
            "no vector of kind {kind:?}"
        );
    }
}

#[test]
fn every_malformed_vector_breaks_the_rule_that_it_names() {
    for vector in Vectors::read().malformed {
        let outcome = decoder::decode(&bytes_of(&vector.hex), 0, Limits::default());
        let rule = match &outcome {
            Err(Malformed::TooShort(_)) => "too-short",
            Err(Malformed::TooLarge { .. }) => "too-large",
            Err(Malformed::UnknownKind(_)) => "unknown-kind",
            Err(Malformed::UnknownFlags { .. }) => "unknown-flags",
            _ => "none",
        };
        assert_eq!(rule, vector.rule, "{}: {outcome:?}", vector.name);
    }
}

#[test]
fn every_reply_of_a_script_is_read() {
    for vector in Vectors::read().stdio {
        let bytes = bytes_of(&vector.hex);
        let decoded = stdio::decode(&bytes, 0, Limits::default());
        let Ok(stdio::Decoded::Reply(payload)) = decoded else {
            panic!("{}: {decoded:?}", vector.name)
        };
        assert_eq!(
            bytes[payload],
            bytes_of(&vector.payload_hex),
            "{}",
            vector.name
        );
    }
}

#[test]
fn what_rust_itself_reads_is_understood() {
    let mut read = 0;
    for vector in Vectors::read().frames {
        let kind = Kind::from_number(vector.kind).unwrap();
        let payload = bytes_of(&vector.payload_hex);
        let limits = Limits::default();
        let outcome = match kind {
            Kind::Hello => message::read::<Hello>(kind, &payload, limits).map(|hello| {
                assert_eq!(hello.protocol, 1);
                assert_eq!(hello.default.is_some(), !hello.handlers.is_empty());
            }),
            Kind::Fault => message::read::<Fault>(kind, &payload, limits).map(|fault| {
                assert_eq!(fault.phase, "import");
                assert_eq!(fault.error["type"], "ModuleNotFoundError");
            }),
            Kind::Log => message::read::<Log>(kind, &payload, limits).map(|log| {
                assert_eq!(log.about.contains_key("level"), log.stream == "logging");
            }),
            Kind::Heartbeat => message::read::<Heartbeat>(kind, &payload, limits).map(|beat| {
                let wanted = Heartbeat {
                    rss: 48 << 20,
                    calls: 2,
                    lag: 0.25,
                    cpu: 1.5,
                };
                assert_eq!(beat, wanted);
            }),
            Kind::Mark => message::read::<Mark>(kind, &payload, limits).map(|mark| {
                assert_eq!(
                    mark,
                    Mark {
                        replies: 2,
                        text: "[ERROR] no\n".to_owned()
                    }
                );
            }),
            _ => continue,
        };
        outcome.unwrap_or_else(|broken| panic!("{}: {broken}", vector.name));
        read += 1;
    }
    assert_eq!(read, 7, "vectors of the kinds that Rust reads");
}
