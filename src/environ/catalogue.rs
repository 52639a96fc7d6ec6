//! Where interpreters usually are: their names in `PATH`, and the folders of uv and of pyenv.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::environ::variables::Variables;
use crate::environ::version::{Constraint, Version};
use crate::environ::wish::{Variant, Wish};

/// Names `python3.x` are tried from this minor version down.
const NEWEST_MINOR: u32 = 16;

/// The names under which an interpreter may stand in `PATH`, the likeliest first.
pub(crate) fn names(wish: &Wish) -> Vec<String> {
    let constraint = &wish.constraint;
    let mut names: Vec<String> = Vec::new();
    if let Some((major, minor)) = constraint.pinned_minor() {
        if wish.variant == Variant::FreeThreaded {
            names.push(format!("python{major}.{minor}t"));
        }
        names.push(format!("python{major}.{minor}"));
    }
    names.extend(["python3".to_owned(), "python".to_owned()]);
    names.extend(
        (9..=NEWEST_MINOR)
            .rev()
            .filter(|minor| {
                may_admit(
                    constraint,
                    Version {
                        major: 3,
                        minor: *minor,
                        patch: 0,
                    },
                )
            })
            .map(|minor| format!("python3.{minor}")),
    );
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

/// Whether some patch release of a minor version may fit.
pub(crate) fn may_admit(constraint: &Constraint, version: Version) -> bool {
    constraint.admits(version)
        || constraint.admits(Version {
            patch: 99,
            ..version
        })
        || constraint.pinned_minor() == Some((version.major, version.minor))
}

/// Interpreters that uv has installed, newest first.
pub(crate) fn uv_managed(variables: &Variables, wish: &Wish) -> Vec<PathBuf> {
    let folder = variables
        .get("UV_PYTHON_INSTALL_DIR")
        .map(PathBuf::from)
        .or_else(|| {
            if cfg!(windows) {
                return Some(Path::new(variables.get("APPDATA")?).join("uv/data/python"));
            }
            let data = variables.get("XDG_DATA_HOME").map(PathBuf::from);
            let data =
                data.or_else(|| Some(Path::new(variables.get("HOME")?).join(".local/share")));
            Some(data?.join("uv/python"))
        });
    // Folders are named `cpython-3.12.1-linux-x86_64-gnu`, or `cpython-3.13.1+freethreaded-…`.
    versions_in(folder, wish, |name| {
        let version = name.strip_prefix("cpython-")?.split('-').next()?;
        let is_free_threaded = version.contains("+freethreaded");
        Some((Version::parse(version)?, is_free_threaded))
    })
}

/// Interpreters that pyenv has installed, newest first.
pub(crate) fn pyenv_versions(variables: &Variables, wish: &Wish) -> Vec<PathBuf> {
    let root = variables.get("PYENV_ROOT").map(PathBuf::from);
    let root = root.or_else(|| Some(Path::new(variables.get("HOME")?).join(".pyenv")));
    versions_in(root.map(|root| root.join("versions")), wish, |name| {
        let version = name.strip_suffix('t').unwrap_or(name);
        let is_version = version.chars().all(|c| c.is_ascii_digit() || c == '.');
        let version = is_version.then(|| Version::parse(version))??;
        Some((version, name.ends_with('t')))
    })
}

/// `version_of` answers the version of a folder, and whether it is free-threaded. Those come last
/// where they are not asked for, and alone where they are.
fn versions_in(
    folder: Option<PathBuf>,
    wish: &Wish,
    version_of: impl Fn(&str) -> Option<(Version, bool)>,
) -> Vec<PathBuf> {
    let entries = folder
        .and_then(|folder| fs::read_dir(folder).ok())
        .into_iter()
        .flatten();
    let mut found: Vec<(bool, Version, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let (version, is_free_threaded) = version_of(entry.file_name().to_str()?)?;
            may_admit(&wish.constraint, version).then_some(())?;
            (is_free_threaded || wish.variant != Variant::FreeThreaded).then_some(())?;
            let python = if cfg!(windows) {
                "python.exe"
            } else {
                "bin/python3"
            };
            let path = entry.path().join(python);
            path.exists().then_some((!is_free_threaded, version, path))
        })
        .collect();
    found.sort();
    found.into_iter().rev().map(|(_, _, path)| path).collect()
}
