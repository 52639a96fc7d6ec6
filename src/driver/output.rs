//! From bytes of an output stream to text.

/// Decodes UTF-8 that arrives in pieces. A character cut by the edge of a chunk waits for its rest;
/// bytes that are no UTF-8 become U+FFFD.
#[derive(Debug, Default)]
pub struct Utf8 {
    /// The beginning of a character, at most three bytes.
    pending: Vec<u8>,
}

impl Utf8 {
    /// The text of the next chunk; empty if it only began a character.
    pub fn push(&mut self, chunk: &[u8]) -> String {
        let joined;
        let bytes = if self.pending.is_empty() {
            chunk
        } else {
            self.pending.extend_from_slice(chunk);
            joined = std::mem::take(&mut self.pending);
            &joined
        };
        let cut = incomplete_tail(bytes);
        let (whole, tail) = bytes.split_at(bytes.len() - cut);
        self.pending = tail.to_vec();
        String::from_utf8_lossy(whole).into_owned()
    }

    /// What is left when the stream ends.
    pub fn finish(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.pending)).into_owned()
    }
}

/// How many bytes at the end begin a character that is not complete.
fn incomplete_tail(bytes: &[u8]) -> usize {
    for back in 1..=bytes.len().min(3) {
        let Some(byte) = bytes.get(bytes.len() - back) else {
            return 0;
        };
        let length = match byte {
            0x80..=0xbf => continue,
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => 1,
        };
        return if length > back { back } else { 0 };
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_cut_gives_the_same_text() {
        let text = "snake 🐍, ümlaut, ascii";
        for cut in 0..=text.len() {
            let (head, tail) = text.as_bytes().split_at(cut);
            let mut utf8 = Utf8::default();
            let joined = utf8.push(head) + &utf8.push(tail) + &utf8.finish();
            assert_eq!(joined, text);
        }
    }

    #[test]
    fn broken_bytes_are_replaced_and_nothing_is_kept_for_ever() {
        let mut utf8 = Utf8::default();
        assert_eq!(utf8.push(b"a\xffb"), "a\u{fffd}b");
        assert_eq!(utf8.push(b"\xf0\x9f"), "");
        assert_eq!(utf8.finish(), "\u{fffd}");
    }
}
