//! Where things lie in a virtual environment.

use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::environ::version::Version;

/// The environment's folder, beside the module, as in 1.4.
pub(crate) const FOLDER: &str = ".venv";

#[cfg(windows)]
const SCRIPTS: &str = "Scripts";
#[cfg(not(windows))]
const SCRIPTS: &str = "bin";

#[cfg(windows)]
const PYTHON: &str = "python.exe";
#[cfg(not(windows))]
const PYTHON: &str = "python";

/// The folder of an environment's programs.
pub(crate) fn scripts(venv: &Path) -> PathBuf {
    venv.join(SCRIPTS)
}

/// An environment's interpreter.
pub(crate) fn python(venv: &Path) -> PathBuf {
    scripts(venv).join(PYTHON)
}

/// Whether a folder is a virtual environment.
pub(crate) fn is_venv(folder: &Path) -> bool {
    folder.join("pyvenv.cfg").is_file()
}

/// The environment that an interpreter belongs to, if any.
pub(crate) fn enclosing(python: &Path) -> Option<PathBuf> {
    let folder = python.parent()?.parent()?;
    is_venv(folder).then(|| folder.to_path_buf())
}

/// The folder that packages are installed into, relative to the environment.
pub(crate) fn site_packages(venv: &Path) -> Option<PathBuf> {
    if cfg!(windows) {
        let folder = PathBuf::from("Lib").join("site-packages");
        return venv.join(&folder).is_dir().then_some(folder);
    }
    let mut found: Vec<PathBuf> = fs::read_dir(venv.join("lib"))
        .ok()?
        .flatten()
        .map(|entry| {
            Path::new("lib")
                .join(entry.file_name())
                .join("site-packages")
        })
        .filter(|folder| venv.join(folder).is_dir())
        .collect();
    found.sort();
    found.pop()
}

/// The version of Python that an environment was made for, by its `pyvenv.cfg`.
pub(crate) fn recorded_version(venv: &Path) -> Option<Version> {
    let text = fs::read_to_string(venv.join("pyvenv.cfg")).ok()?;
    text.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        // `version` is what venv writes, `version_info` what uv and virtualenv do.
        matches!(key.trim(), "version" | "version_info").then(|| Version::parse(value))?
    })
}

/// A path made absolute and rid of `.` and `..` by its text alone, as `path.resolve` of Node does:
/// a symbolic link in it stays.
pub(crate) fn resolve(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let mut resolved = PathBuf::new();
    for part in absolute.components() {
        match part {
            Component::ParentDir => {
                resolved.pop();
            }
            Component::CurDir => {}
            other => resolved.push(other),
        }
    }
    resolved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_resolve_by_their_text() {
        assert_eq!(resolve(Path::new("/a/./b/../c/")), Path::new("/a/c"));
        assert_eq!(resolve(Path::new("/../a")), Path::new("/a"));
        assert!(resolve(Path::new("x")).is_absolute());
    }

    #[test]
    fn the_version_is_read_from_both_spellings() {
        let folder = tempfile::tempdir().unwrap();
        for (text, expected) in [
            ("home = /usr/bin\nversion = 3.11.7\n", "3.11.7"),
            (
                "home = /usr/bin\nuv = 0.9.0\nversion_info = 3.12.1\n",
                "3.12.1",
            ),
        ] {
            fs::write(folder.path().join("pyvenv.cfg"), text).unwrap();
            assert_eq!(
                recorded_version(folder.path()).unwrap().to_string(),
                expected
            );
        }
    }
}
