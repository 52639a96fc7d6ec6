//! The wire: golden vectors, and properties over arbitrary bytes.

mod depth;
mod framing;
mod messages;
mod regressions;
mod vectors;

use std::fs;
use std::path::Path;

use serde::Deserialize;

/// `__test__/vectors/frames.json`, which the tests of Python and TypeScript read too.
#[derive(Debug, Deserialize)]
pub(crate) struct Vectors {
    /// Whole frames, each with what its header says.
    pub(crate) frames: Vec<FrameVector>,
    /// Bytes that break a rule under the default limits.
    pub(crate) malformed: Vec<MalformedVector>,
    /// Whole replies in the framing of 1.4.
    pub(crate) stdio: Vec<StdioVector>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct FrameVector {
    pub(crate) name: String,
    pub(crate) hex: String,
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) handler: u16,
    pub(crate) id: u32,
    pub(crate) payload_hex: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct MalformedVector {
    pub(crate) name: String,
    pub(crate) hex: String,
    /// `too-short`, `too-large`, `unknown-kind` or `unknown-flags`.
    pub(crate) rule: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct StdioVector {
    pub(crate) name: String,
    pub(crate) hex: String,
    pub(crate) payload_hex: String,
}

impl Vectors {
    pub(crate) fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let text = fs::read_to_string(root.join("__test__/vectors/frames.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }
}

/// The bytes that a string of hexadecimal digits stands for.
pub(crate) fn bytes_of(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2), "odd number of digits: {hex}");
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}
