//! Looks programs up in the folders of `PATH`, but not where anybody could have planted one.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::environ::variables::Variables;

/// A program of the name that was looked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// By its absolute path.
    Program(PathBuf),
    /// It stands where it cannot be trusted, for this reason.
    Unsafe(PathBuf, &'static str),
}

/// All programs of a name, in the order of `PATH`, each once.
pub(crate) fn programs(name: &str, variables: &Variables) -> Vec<Found> {
    let mut found = Vec::new();
    let folders = variables
        .get("PATH")
        .map(env::split_paths)
        .into_iter()
        .flatten();
    for folder in folders {
        // An empty entry means the current directory.
        let folder = if folder.as_os_str().is_empty() {
            PathBuf::from(".")
        } else {
            folder
        };
        let Ok(path) = which::which_in(name, Some(&folder), ".") else {
            continue;
        };
        let entry = if !folder.is_absolute() {
            Found::Unsafe(path, "its folder stands in PATH by a relative path")
        } else if writable_by_all(&folder) {
            Found::Unsafe(path, "its folder can be written to by everybody")
        } else {
            Found::Program(path)
        };
        if !found.contains(&entry) {
            found.push(entry);
        }
    }
    found
}

/// The first program of a name that can be trusted.
pub(crate) fn program(name: &str, variables: &Variables) -> Option<PathBuf> {
    programs(name, variables)
        .into_iter()
        .find_map(|found| match found {
            Found::Program(path) => Some(path),
            Found::Unsafe(..) => None,
        })
}

#[cfg(unix)]
fn writable_by_all(folder: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;

    fs::metadata(folder).is_ok_and(|metadata| metadata.permissions().mode() & 0o002 != 0)
}

/// Access lists decide there, and the folders that installers put on `PATH` are the user's own.
#[cfg(not(unix))]
fn writable_by_all(_folder: &Path) -> bool {
    false
}
