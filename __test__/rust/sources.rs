//! The Rust files of a folder, for tests about the sources.

use std::fs;
use std::path::{Path, PathBuf};

/// Every Rust file below `folder`, in a fixed order.
pub(crate) fn rust_files(folder: &Path) -> Vec<PathBuf> {
    files(folder, "rs")
}

/// Every file below `folder` that ends so, in a fixed order.
pub(crate) fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path
            .extension()
            .is_some_and(|extension| extension == ending)
        {
            found.push(path);
        }
    }
    found.sort();
    found
}
