//! Layer 0. The end of a child's stderr, for the report of its death.

const MAX_BYTES: usize = 4096;
const MAX_LINES: usize = 20;

/// Keeps the last 4 KiB of a stream.
#[derive(Debug, Default)]
pub struct Tail {
    bytes: Vec<u8>,
}

impl Tail {
    /// Adds what was written.
    pub fn push(&mut self, bytes: &[u8]) {
        let bytes = &bytes[bytes.len().saturating_sub(MAX_BYTES)..];
        self.bytes.extend_from_slice(bytes);
        // Trimmed at twice the size, so that a flood of small writes does not move it each time.
        if self.bytes.len() > 2 * MAX_BYTES {
            self.bytes.drain(..self.bytes.len() - MAX_BYTES);
        }
    }

    /// The last lines. A line that the limit cuts is left out unless it is the only one.
    pub fn text(&self) -> String {
        let cut = self.bytes.len().saturating_sub(MAX_BYTES);
        let mut bytes = &self.bytes[cut..];
        if cut > 0 {
            match bytes.iter().position(|&byte| byte == b'\n') {
                Some(end) if end + 1 < bytes.len() => bytes = &bytes[end + 1..],
                _ => {
                    let start = bytes
                        .iter()
                        .position(|byte| byte & 0xC0 != 0x80)
                        .unwrap_or(0);
                    bytes = &bytes[start..];
                }
            }
        }
        let body = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let start = body
            .iter()
            .enumerate()
            .rev()
            .filter(|&(_, &byte)| byte == b'\n')
            .nth(MAX_LINES - 1)
            .map_or(0, |(index, _)| index + 1);
        String::from_utf8_lossy(&bytes[start..]).into_owned()
    }
}
