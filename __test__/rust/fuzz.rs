//! Replays through the fuzz targets what they started from and what they have found. The fuzzing
//! itself needs a nightly toolchain: `docs/testing.md`.

#[expect(unreachable_pub, reason = "the fuzz targets are another crate")]
#[path = "../../bench/fuzz/src/targets.rs"]
mod targets;

use std::fs;
use std::path::Path;

use crate::protocol::{Vectors, bytes_of};

/// The golden vectors, valid and malformed, one by one and all in a row.
fn vectors() -> Vec<Vec<u8>> {
    let Vectors {
        frames,
        malformed,
        stdio,
    } = Vectors::read();
    let hex = frames.into_iter().map(|vector| vector.hex);
    let hex = hex.chain(stdio.into_iter().map(|vector| vector.hex));
    let mut seeds: Vec<Vec<u8>> = hex.map(|hex| bytes_of(&hex)).collect();
    seeds.push(seeds.concat());
    seeds.extend(malformed.iter().map(|vector| bytes_of(&vector.hex)));
    seeds
}

/// Runs every seed with several first bytes, by which the targets cut the stream.
fn replay(name: &str, target: fn(&[u8])) {
    for seed in vectors() {
        for cut in [0, 1, 3, 11, 255] {
            target(&[&[cut, cut], &seed[..]].concat());
        }
    }
    let findings = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("bench/fuzz/findings")
        .join(name);
    // A target that has found nothing yet has no folder.
    for entry in fs::read_dir(findings).into_iter().flatten() {
        target(&fs::read(entry.unwrap().path()).unwrap());
    }
}

#[test]
fn decoder() {
    replay("decoder", targets::decoder);
}

#[test]
fn stdio() {
    replay("stdio", targets::stdio);
}

#[test]
fn control() {
    replay("control", targets::control);
}

#[test]
fn received() {
    replay("received", targets::received);
}
