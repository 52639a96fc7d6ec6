//! `docs/protocol.md` is the wire's specification: it carries a hash of the sources that implement
//! it, so that neither changes without a look at the other.
//!
//! After a change, compare both and run this test with `SYNAPSE_UPDATE_PROTOCOL_HASH=1`.

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::sources::rust_files;

const PREFIX: &str = "Hash of `src/protocol`: `";
const SUFFIX: &str = "`";

/// SHA-256 over the names and the text of the sources. Line ends count as line feeds, so that a
/// checkout on any system has the same hash.
fn hash(folder: &Path) -> String {
    let mut files: Vec<(String, String)> = rust_files(folder)
        .into_iter()
        .map(|path| {
            let name = path
                .strip_prefix(folder)
                .unwrap()
                .to_str()
                .unwrap()
                .replace('\\', "/");
            (
                name,
                fs::read_to_string(&path).unwrap().replace("\r\n", "\n"),
            )
        })
        .collect();
    files.sort();
    let mut hasher = Sha256::new();
    for (name, text) in files {
        hasher.update(format!("{name}\n{}\n", text.len()));
        hasher.update(text);
    }
    let digits = |byte: u8| [byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16));
    hasher
        .finalize()
        .into_iter()
        .flat_map(digits)
        .flatten()
        .collect()
}

/// The hash that the document carries.
fn recorded(document: &str) -> Option<&str> {
    document
        .lines()
        .find_map(|line| line.strip_prefix(PREFIX)?.strip_suffix(SUFFIX))
}

#[test]
fn the_specification_answers_to_the_sources() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("docs/protocol.md");
    let document = fs::read_to_string(&path).unwrap();
    let actual = hash(&root.join("src/protocol"));
    let line = format!("{PREFIX}{actual}{SUFFIX}");
    if std::env::var_os("SYNAPSE_UPDATE_PROTOCOL_HASH").is_some() {
        let updated = match recorded(&document) {
            Some(old) => document.replace(&format!("{PREFIX}{old}{SUFFIX}"), &line),
            None => format!("{}\n\n{line}\n", document.trim_end()),
        };
        fs::write(&path, updated).unwrap();
        return;
    }
    assert_eq!(
        recorded(&document),
        Some(actual.as_str()),
        "src/protocol changed: compare it with docs/protocol.md, then run this test with \
         SYNAPSE_UPDATE_PROTOCOL_HASH=1"
    );
}

#[test]
fn the_hash_follows_names_and_text() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("a.rs", "one\n");
    let first = hash(folder.path());
    write("a.rs", "one\r\n");
    assert_eq!(hash(folder.path()), first);
    write("a.rs", "two\n");
    assert_ne!(hash(folder.path()), first);
    fs::remove_file(folder.path().join("a.rs")).unwrap();
    write("b.rs", "one\n");
    assert_ne!(hash(folder.path()), first);
}
