//! What makes two calls the same call: the handler, how the arguments are laid out, and the arguments
//! in one canonical form of MessagePack, in which the order of a map's keys does not show.
//!
//! What the caller sends along counts as well, for the handler sees it: two calls with different
//! `metadata` are different calls. What only says when and for whom a call is made does not count.

use std::ops::Range;
use std::sync::Arc;

/// Extras that do not change what is asked.
const INCIDENTAL: [&[u8]; 2] = [b"remaining", b"traceparent"];
/// Extras by which a call is more than its arguments: its reply is not kept.
const PERSONAL: [&[u8]; 3] = [b"session", b"callback", b"resume_from"];
/// Nesting that is followed; what is deeper is not cached.
const DEEPEST: u32 = 128;

/// What a request consists of.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The handler's number.
    pub handler: u16,
    /// How the arguments are laid out.
    pub form: u8,
    /// Whether a map of extras precedes them.
    pub extras: bool,
    /// Both.
    pub payload: &'a [u8],
}

/// The key of a request; `None` if its reply must not answer another one, or if its payload is no
/// MessagePack.
pub fn of(request: Request<'_>) -> Option<Arc<[u8]>> {
    let mut key = Vec::with_capacity(request.payload.len() + 3);
    key.extend(request.handler.to_le_bytes());
    key.push(request.form);
    let mut reader = Reader {
        bytes: request.payload,
        at: 0,
    };
    if request.extras {
        reader.extras(&mut key)?;
    }
    reader.value(&mut key, DEEPEST)?;
    (reader.at == request.payload.len()).then(|| key.into())
}

/// The handler that a key belongs to.
pub fn handler(key: &[u8]) -> Option<u16> {
    key.first_chunk().map(|bytes| u16::from_le_bytes(*bytes))
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    /// A big-endian number of so many bytes.
    fn number(&mut self, bytes: usize) -> Option<usize> {
        let taken = self.take(bytes)?;
        Some(
            taken
                .iter()
                .fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
        )
    }

    /// Copies what was read since `from`.
    fn copy(&self, from: usize, out: &mut Vec<u8>) -> Option<()> {
        out.extend_from_slice(self.bytes.get(from..self.at)?);
        Some(())
    }

    /// The map of extras, without what does not count; nothing if nothing does. Their number before them
    /// tells them from arguments: those would end after its first byte.
    fn extras(&mut self, out: &mut Vec<u8>) -> Option<()> {
        let entries = match self.take(1)?.first()? {
            first @ 0x80..=0x8f => usize::from(first & 0x0f),
            0xde => self.number(2)?,
            0xdf => self.number(4)?,
            _ => return None,
        };
        let mut kept = Vec::new();
        for _ in 0..entries {
            let (name, entry) = self.entry(DEEPEST)?;
            // A short string: one byte of length before its text.
            let text = entry.get(name)?.get(1..)?;
            if PERSONAL.contains(&text) {
                return None;
            }
            if !INCIDENTAL.contains(&text) {
                kept.push(entry);
            }
        }
        if kept.is_empty() {
            return Some(());
        }
        kept.sort_unstable();
        out.extend(u32::try_from(kept.len()).ok()?.to_be_bytes());
        out.extend(kept.concat());
        Some(())
    }

    /// A key and its value in canonical form, and where in that the key is.
    fn entry(&mut self, depth: u32) -> Option<(Range<usize>, Vec<u8>)> {
        let mut entry = Vec::new();
        self.value(&mut entry, depth)?;
        let name = 0..entry.len();
        self.value(&mut entry, depth)?;
        Some((name, entry))
    }

    /// One value, in canonical form.
    fn value(&mut self, out: &mut Vec<u8>, depth: u32) -> Option<()> {
        let from = self.at;
        let first = *self.take(1)?.first()?;
        match first {
            0x80..=0x8f => self.map(from, usize::from(first & 0x0f), out, depth),
            0xde | 0xdf => {
                let entries = self.number(if first == 0xde { 2 } else { 4 })?;
                self.map(from, entries, out, depth)
            }
            0x90..=0x9f => self.array(from, usize::from(first & 0x0f), out, depth),
            0xdc | 0xdd => {
                let items = self.number(if first == 0xdc { 2 } else { 4 })?;
                self.array(from, items, out, depth)
            }
            _ => {
                let rest = match first {
                    0xa0..=0xbf => usize::from(first & 0x1f),
                    0xc4 | 0xd9 => self.number(1)?,
                    0xc5 | 0xda => self.number(2)?,
                    0xc6 | 0xdb => self.number(4)?,
                    0xc7 => self.number(1)?.checked_add(1)?,
                    0xc8 => self.number(2)?.checked_add(1)?,
                    0xc9 => self.number(4)?.checked_add(1)?,
                    0xcc | 0xd0 => 1,
                    0xcd | 0xd1 | 0xd4 => 2,
                    0xca | 0xce | 0xd2 => 4,
                    0xcb | 0xcf | 0xd3 => 8,
                    0xd5 => 3,
                    0xd6 => 5,
                    0xd7 => 9,
                    0xd8 => 17,
                    0xc1 => return None,
                    _ => 0,
                };
                self.take(rest)?;
                self.copy(from, out)
            }
        }
    }

    fn array(&mut self, from: usize, items: usize, out: &mut Vec<u8>, depth: u32) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        self.copy(from, out)?;
        (0..items).try_for_each(|_| self.value(out, depth))
    }

    /// Entries in the order of their bytes.
    fn map(&mut self, from: usize, entries: usize, out: &mut Vec<u8>, depth: u32) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        self.copy(from, out)?;
        let mut sorted = Vec::new();
        for _ in 0..entries {
            sorted.push(self.entry(depth)?.1);
        }
        sorted.sort_unstable();
        out.extend(sorted.concat());
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn packed(value: &Value) -> Vec<u8> {
        rmp_serde::to_vec_named(value).unwrap()
    }

    fn plain(handler: u16, payload: &[u8]) -> Option<Arc<[u8]>> {
        of(Request {
            handler,
            form: 0,
            extras: false,
            payload,
        })
    }

    fn with_extras(extras: &Value) -> Option<Arc<[u8]>> {
        let payload = [packed(extras), packed(&json!([1]))].concat();
        of(Request {
            handler: 1,
            form: 1,
            extras: true,
            payload: &payload,
        })
    }

    #[test]
    fn the_order_of_keys_does_not_show_and_that_of_items_does() {
        let one = b"\x82\xa1a\x01\xa1b\x82\xa1c\x02\xa1d\x03";
        let other = b"\x82\xa1b\x82\xa1d\x03\xa1c\x02\xa1a\x01";
        assert!(plain(1, one).is_some());
        assert_eq!(plain(1, one), plain(1, other));
        assert_ne!(plain(1, b"\x92\x01\x02"), plain(1, b"\x92\x02\x01"));
    }

    #[test]
    fn another_handler_form_or_type_is_another_call() {
        let int = b"\x01";
        let float = b"\xcb\x3f\xf0\0\0\0\0\0\0";
        assert_ne!(plain(1, int), plain(2, int));
        assert_ne!(plain(1, int), plain(1, float));
        let form = |form| {
            of(Request {
                handler: 1,
                form,
                extras: false,
                payload: b"\x90",
            })
        };
        assert_ne!(form(0), form(1));
        assert_eq!(plain(258, int).as_deref().and_then(handler), Some(258));
    }

    #[test]
    fn what_the_handler_sees_of_the_extras_counts() {
        let bare = with_extras(&json!({}));
        assert!(bare.is_some());
        assert_eq!(
            with_extras(&json!({"remaining": 5.0, "traceparent": "00-1"})),
            bare
        );
        let mine = with_extras(&json!({"metadata": {"user": "a"}}));
        assert_ne!(mine, bare);
        assert_ne!(mine, with_extras(&json!({"metadata": {"user": "b"}})));
        assert_eq!(
            mine,
            with_extras(&json!({"metadata": {"user": "a"}, "remaining": 1.0}))
        );
        for personal in ["session", "callback", "resume_from"] {
            assert_eq!(with_extras(&json!({personal: 1})), None);
        }
    }

    #[test]
    fn what_is_no_whole_value_has_no_key() {
        for payload in [
            &b""[..],
            b"\x92\x01",
            b"\xc1",
            b"\x01\x01",
            b"\xdf\xff\xff\xff\xff",
        ] {
            assert_eq!(plain(1, payload), None, "{payload:?}");
        }
        let deep = [vec![0x91; 200], vec![0xc0]].concat();
        assert_eq!(plain(1, &deep), None);
    }

    #[test]
    fn every_kind_of_value_is_as_long_as_the_format_says() {
        for (head, rest) in [
            (&b"\x7f"[..], 0),
            (b"\xe0", 0),
            (b"\xc0", 0),
            (b"\xc2", 0),
            (b"\xc3", 0),
            (b"\xa0", 0),
            (b"\xa3", 3),
            (b"\xbf", 31),
            (b"\xc4\x05", 5),
            (b"\xd9\x05", 5),
            (b"\xc5\x01\x02", 258),
            (b"\xda\x01\x02", 258),
            (b"\xc6\0\x01\x01\x02", 65_794),
            (b"\xdb\0\x01\x01\x02", 65_794),
            (b"\xc7\x05", 6),
            (b"\xc8\x01\x02", 259),
            (b"\xc9\0\x01\x01\x02", 65_795),
            (b"\xcc", 1),
            (b"\xd0", 1),
            (b"\xcd", 2),
            (b"\xd1", 2),
            (b"\xd4", 2),
            (b"\xca", 4),
            (b"\xce", 4),
            (b"\xd2", 4),
            (b"\xcb", 8),
            (b"\xcf", 8),
            (b"\xd3", 8),
            (b"\xd5", 3),
            (b"\xd6", 5),
            (b"\xd7", 9),
            (b"\xd8", 17),
            // Items and entries of one byte each.
            (b"\x93", 3),
            (b"\xdc\x01\x02", 258),
            (b"\xdd\0\0\x01\x02", 258),
            (b"\x83", 6),
            (b"\xde\x01\x02", 516),
            (b"\xdf\0\0\x01\x02", 516),
        ] {
            let whole = [head, &vec![0; rest]].concat();
            let more = [&whole[..], &[0]].concat();
            let key = plain(1, &whole);
            // The handler, the form, and the value itself.
            assert_eq!(key.map(|key| key[3..].to_vec()), Some(whole.clone()));
            assert_eq!(plain(1, &whole[..whole.len() - 1]), None, "{head:?}");
            assert_eq!(plain(1, &more), None, "{head:?}");
        }
    }

    #[test]
    fn nesting_is_followed_to_a_depth() {
        for (depth, kept) in [(128, true), (129, false)] {
            let arrays = [vec![0x91; depth], vec![0xc0]].concat();
            let maps = [b"\x81\x00".repeat(depth), vec![0xc0]].concat();
            for nested in [arrays, maps] {
                assert_eq!(plain(1, &nested).is_some(), kept, "{depth} levels");
            }
        }
    }

    #[test]
    fn extras_are_a_map_of_any_form_and_nothing_else() {
        let of_form = |head: &[u8]| {
            let payload = [head, b"\xa1a\x01", b"\x91\x01"].concat();
            of(Request {
                handler: 1,
                form: 1,
                extras: true,
                payload: &payload,
            })
        };
        let plain = of_form(b"\x81");
        assert!(plain.is_some());
        assert_eq!(of_form(b"\xde\0\x01"), plain);
        assert_eq!(of_form(b"\xdf\0\0\0\x01"), plain);
        assert_eq!(of_form(b"\x92"), None);
        let many: serde_json::Map<_, _> = (0..15)
            .map(|number| (format!("k{number}"), number.into()))
            .collect();
        assert!(
            with_extras(&many.into()).is_some(),
            "as many as one byte says"
        );
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,40}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..20).prop_map(Value::from),
                prop::collection::btree_map(".{0,4}", inner, 0..20)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn keys_are_the_same_exactly_where_the_arguments_are(one in values(), other in values()) {
            let (first, second) = (plain(1, &packed(&one)), plain(1, &packed(&other)));
            prop_assert!(first.is_some());
            prop_assert_eq!(first == second, one == other);
        }

        #[test]
        fn any_bytes_are_read_to_an_end(payload in prop::collection::vec(any::<u8>(), 0..80), extras: bool) {
            let _key: Option<Arc<[u8]>> =
                of(Request { handler: 0, form: 0, extras, payload: &payload });
        }
    }
}
