//! The scan for nesting, against a plain recursive reader and against values that are really deep.

use proptest::collection::vec;
use proptest::prelude::*;
use rmp::Marker as M;
use synapse::protocol::header::Kind;
use synapse::protocol::{Malformed, depth};

const KIND: Kind = Kind::Hello;

/// One value around `inside`: its markers, and what follows what is inside.
#[derive(Debug, Clone, Copy)]
enum Shell {
    Array,
    Array16,
    Array32,
    /// The next value is the map's key: odd, but MessagePack.
    Key,
    Value,
    Map16,
    Map32,
}

impl Shell {
    const ALL: [Self; 7] = [
        Self::Array,
        Self::Array16,
        Self::Array32,
        Self::Key,
        Self::Value,
        Self::Map16,
        Self::Map32,
    ];

    fn before(self) -> &'static [u8] {
        match self {
            Self::Array => &[0x91],
            Self::Array16 => &[0xdc, 0, 1],
            Self::Array32 => &[0xdd, 0, 0, 0, 1],
            Self::Key => &[0x81],
            Self::Value => &[0x81, 0xa1, b'k'],
            Self::Map16 => &[0xde, 0, 1, 0x01],
            Self::Map32 => &[0xdf, 0, 0, 0, 1, 0xc3],
        }
    }

    fn after(self) -> &'static [u8] {
        match self {
            Self::Key => &[0xc0],
            _ => &[],
        }
    }
}

/// A value of so many levels, its shells taken in turn.
fn nested(shells: &[Shell], levels: usize) -> Vec<u8> {
    let chosen: Vec<Shell> = shells.iter().copied().cycle().take(levels).collect();
    let mut bytes: Vec<u8> = chosen
        .iter()
        .flat_map(|shell| shell.before())
        .copied()
        .collect();
    bytes.push(0xc0);
    bytes.extend(chosen.iter().rev().flat_map(|shell| shell.after()));
    bytes
}

#[test]
fn a_hundred_thousand_levels_are_counted_without_recursion() {
    // A thread with a stack on which a recursive scan of a hundredth of that would end.
    let scan = || {
        for shell in Shell::ALL {
            let bytes = nested(&[shell], 100_000);
            assert_eq!(depth::check(KIND, &bytes, 100_000), Ok(()), "{shell:?}");
            let refused = Err(Malformed::TooDeep(99_999));
            assert_eq!(depth::check(KIND, &bytes, 99_999), refused, "{shell:?}");
            assert_eq!(
                depth::check(KIND, &bytes, 512),
                Err(Malformed::TooDeep(512)),
                "{shell:?}"
            );
        }
    };
    std::thread::Builder::new()
        .stack_size(64 * 1024)
        .spawn(scan)
        .unwrap()
        .join()
        .unwrap();
}

#[test]
fn a_claim_of_four_billion_elements_is_refused() {
    for bytes in [
        [0xdd, 0xff, 0xff, 0xff, 0xff],
        [0xdf, 0xff, 0xff, 0xff, 0xff],
    ] {
        let reason = "value claims more than there is".to_owned();
        let broken = Malformed::Payload { kind: KIND, reason };
        assert_eq!(depth::check(KIND, &bytes, 512), Err(broken));
    }
    // A string and an extension that claim as much.
    for bytes in [
        [0xdb, 0xff, 0xff, 0xff, 0xff],
        [0xc9, 0xff, 0xff, 0xff, 0xff],
    ] {
        assert!(depth::check(KIND, &bytes, 512).is_err());
    }
}

/// The depth of the one value at the start of `bytes`, and where it ends; `None` if it is none.
/// Written against the specification of MessagePack with another reader of its markers.
fn reference(bytes: &[u8]) -> Option<(u32, usize)> {
    let mut rest = bytes;
    let marker = rmp::decode::read_marker(&mut rest).ok()?;
    let mut number = |width: usize| -> Option<usize> {
        let (head, tail) = rest.split_at_checked(width)?;
        rest = tail;
        Some(
            head.iter()
                .fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte)),
        )
    };
    let (skip, children) = match marker {
        M::Null | M::True | M::False | M::FixPos(_) | M::FixNeg(_) => (0, None),
        M::U8 | M::I8 => (1, None),
        M::U16 | M::I16 | M::FixExt1 => (2, None),
        M::U32 | M::I32 | M::F32 => (4, None),
        M::U64 | M::I64 | M::F64 => (8, None),
        M::FixStr(length) => (usize::from(length), None),
        M::Str8 | M::Bin8 => (number(1)?, None),
        M::Str16 | M::Bin16 => (number(2)?, None),
        M::Str32 | M::Bin32 => (number(4)?, None),
        M::FixExt2 => (3, None),
        M::FixExt4 => (5, None),
        M::FixExt8 => (9, None),
        M::FixExt16 => (17, None),
        M::Ext8 => (number(1)? + 1, None),
        M::Ext16 => (number(2)? + 1, None),
        M::Ext32 => (number(4)? + 1, None),
        M::FixArray(length) => (0, Some(usize::from(length))),
        M::FixMap(length) => (0, Some(2 * usize::from(length))),
        M::Array16 => (0, Some(number(2)?)),
        M::Array32 => (0, Some(number(4)?)),
        M::Map16 => (0, Some(2 * number(2)?)),
        M::Map32 => (0, Some(2 * number(4)?)),
        M::Reserved => return None,
    };
    rest = rest.get(skip..)?;
    let mut deepest = 0;
    for _ in 0..children.unwrap_or(0) {
        let (below, length) = reference(rest)?;
        deepest = deepest.max(below);
        rest = &rest[length..];
    }
    Some((
        deepest + u32::from(children.is_some()),
        bytes.len() - rest.len(),
    ))
}

/// Bytes that are often a value: markers weigh more than the rest.
fn likely_values() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        4 => prop::sample::select(vec![0x90, 0x91, 0x92, 0x80, 0x81, 0xa1, 0x01, 0xc0]),
        2 => 0xc0..=0xdf_u8,
        1 => any::<u8>(),
        1 => Just(0),
    ];
    vec(byte, 0..24)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_are_judged_as_a_recursive_reader_does(
        bytes in prop_oneof![likely_values(), vec(any::<u8>(), 0..40)],
        limit in 0..6_u32,
    ) {
        // The recursion of the reference is bounded by the number of bytes.
        let whole = reference(&bytes).filter(|(_, length)| *length == bytes.len());
        let found = depth::check(KIND, &bytes, u32::MAX);
        prop_assert_eq!(found.is_ok(), whole.is_some(), "{:?} for {:?}", found, whole);
        if let Some((deepest, _)) = whole {
            let wanted = if deepest <= limit { Ok(()) } else { Err(Malformed::TooDeep(limit)) };
            prop_assert_eq!(depth::check(KIND, &bytes, limit), wanted);
        }
    }

    #[test]
    fn mixed_containers_count_one_level_each(
        shells in vec(prop::sample::select(&Shell::ALL[..]), 1..10),
        levels in 0..600_usize,
        limit in 0..600_u32,
    ) {
        let outcome = depth::check(KIND, &nested(&shells, levels), limit);
        let fits = levels <= limit as usize;
        prop_assert_eq!(outcome, if fits { Ok(()) } else { Err(Malformed::TooDeep(limit)) });
    }
}
