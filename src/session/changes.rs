//! What a call did to its session.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};

use crate::session::Value;

/// Keys that get a value, and keys that go. Applied as a whole or not at all.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize)]
pub struct Changes {
    /// New values by key.
    #[serde(default, deserialize_with = "values")]
    pub set: BTreeMap<String, Value>,
    /// Keys to remove; unknown ones do not matter.
    #[serde(default)]
    pub delete: Vec<String>,
}

fn values<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Value>, D::Error> {
    let map: BTreeMap<String, Bin> = BTreeMap::deserialize(deserializer)?;
    Ok(map
        .into_iter()
        .map(|(key, Bin(value))| (key, value))
        .collect())
}

/// MessagePack `bin`, which serde would otherwise take for a sequence of numbers.
struct Bin(Value);

impl<'de> Deserialize<'de> for Bin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;

        impl<'de> Visitor<'de> for Bytes {
            type Value = Bin;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bin, E> {
                Ok(Bin(bytes.into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Bin, A::Error> {
                let mut bytes = Vec::with_capacity(sequence.size_hint().unwrap_or(0).min(4096));
                while let Some(byte) = sequence.next_element()? {
                    bytes.push(byte);
                }
                Ok(Bin(bytes.into()))
            }
        }

        deserializer.deserialize_bytes(Bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn are_read_from_message_pack() {
        let bytes = b"\x82\xa3set\x81\xa1k\xc4\x02\x91\x07\xa6delete\x92\xa1a\xa1b";
        let changes: Changes = rmp_serde::from_slice(bytes).unwrap();
        assert_eq!(
            changes.set,
            BTreeMap::from([("k".to_owned(), Value::from(*b"\x91\x07"))])
        );
        assert_eq!(changes.delete, ["a", "b"]);
        assert_eq!(
            rmp_serde::from_slice::<Changes>(b"\x80").unwrap(),
            Changes::default()
        );
    }

    #[test]
    fn values_that_are_no_bytes_are_refused() {
        assert!(rmp_serde::from_slice::<Changes>(b"\x81\xa3set\x81\xa1k\xa1v").is_err());
    }
}
