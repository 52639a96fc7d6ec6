//! Where interpreters usually are: their names in `PATH`, and the folders of uv and of pyenv.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::environ::variables::Variables;
use crate::environ::version::{Constraint, Version};

/// Names `python3.x` are tried from this minor version down.
const NEWEST_MINOR: u32 = 16;

/// The names under which an interpreter may stand in `PATH`, the likeliest first.
pub(crate) fn names(constraint: &Constraint) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    if let Some((major, minor)) = constraint.pinned_minor() {
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
pub(crate) fn uv_managed(variables: &Variables, constraint: &Constraint) -> Vec<PathBuf> {
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
    // Folders are named `cpython-3.12.1-linux-x86_64-gnu`.
    versions_in(folder, constraint, |name| {
        Version::parse(name.strip_prefix("cpython-")?.split('-').next()?)
    })
}

/// Interpreters that pyenv has installed, newest first.
pub(crate) fn pyenv_versions(variables: &Variables, constraint: &Constraint) -> Vec<PathBuf> {
    let root = variables.get("PYENV_ROOT").map(PathBuf::from);
    let root = root.or_else(|| Some(Path::new(variables.get("HOME")?).join(".pyenv")));
    versions_in(root.map(|root| root.join("versions")), constraint, |name| {
        name.chars()
            .all(|c| c.is_ascii_digit() || c == '.')
            .then(|| Version::parse(name))?
    })
}

fn versions_in(
    folder: Option<PathBuf>,
    constraint: &Constraint,
    version_of: impl Fn(&str) -> Option<Version>,
) -> Vec<PathBuf> {
    let entries = folder
        .and_then(|folder| fs::read_dir(folder).ok())
        .into_iter()
        .flatten();
    let mut found: Vec<(Version, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let version = version_of(entry.file_name().to_str()?)?;
            may_admit(constraint, version).then_some(())?;
            let python = if cfg!(windows) {
                "python.exe"
            } else {
                "bin/python3"
            };
            let path = entry.path().join(python);
            path.exists().then_some((version, path))
        })
        .collect();
    found.sort();
    found.into_iter().rev().map(|(_, path)| path).collect()
}
