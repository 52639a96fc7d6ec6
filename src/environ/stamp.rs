//! The record that an environment is finished, and of what. It is written last, whole or not at
//! all; without it, or when it does not match, the environment is looked at anew.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use crate::environ::layout;
use crate::environ::version::Version;
use crate::environ::wish::{Source, Wish};

const FILE: &str = ".synapse-stamp.json";
const DRAFT: &str = ".synapse-stamp.json.new";
/// Being built or changed: present from before the first change until just before the stamp.
const MARKER: &str = ".synapse-building";
/// Raised when the meaning of a field changes.
const FORMAT: u32 = 1;

/// Who made an environment: one of our own is thrown away when it does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Origin {
    Created,
    /// Made by the user, or by 1.4.
    Adopted,
}

/// An interpreter's file, as the file system describes it. The time counts in whole seconds, which
/// is what survives an image or an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    path: PathBuf,
    size: u64,
    modified: u64,
}

impl Identity {
    /// Of the file that a path leads to.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let real = fs::canonicalize(path)?;
        let metadata = fs::metadata(&real)?;
        let modified = metadata
            .modified()?
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        Ok(Self {
            path: real,
            size: metadata.len(),
            modified,
        })
    }
}

/// The record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stamp {
    pub(crate) format: u32,
    /// Hash of what was installed.
    pub(crate) dependencies: String,
    /// Version of the SDK.
    pub(crate) sdk: String,
    /// Which installer worked; for people.
    pub(crate) installer: String,
    pub(crate) origin: Origin,
    /// The interpreter that was asked for by path or name, if one was.
    pub(crate) request: Option<PathBuf>,
    /// Where it was found.
    pub(crate) source: Source,
    pub(crate) interpreter: Identity,
    pub(crate) version: String,
    #[serde(default)]
    pub(crate) free_threaded: bool,
    pub(crate) implementation: String,
    pub(crate) platform: String,
    /// Relative to the environment.
    pub(crate) site_packages: PathBuf,
}

/// What an environment must be now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected<'a> {
    pub(crate) dependencies: &'a str,
    pub(crate) sdk: &'a str,
    pub(crate) wish: &'a Wish,
}

impl Stamp {
    pub(crate) const FORMAT: u32 = FORMAT;

    /// Reads an environment's stamp; nothing if it has none that can be read, or is being built.
    pub(crate) fn read(venv: &Path) -> Option<Self> {
        let bytes = fs::read(venv.join(FILE)).ok()?;
        let stamp: Self = serde_json::from_slice(&bytes).ok()?;
        (stamp.format == FORMAT && Marker::read(venv).is_none()).then_some(stamp)
    }

    /// Whether the environment is still what the stamp says, and what is wanted now. Looks at
    /// metadata only: no process is started.
    pub(crate) fn holds(&self, venv: &Path, expected: &Expected<'_>) -> bool {
        self.dependencies == expected.dependencies
            && self.sdk == expected.sdk
            && self.fits(expected.wish)
            && Identity::of(&layout::python(venv)).is_ok_and(|found| found == self.interpreter)
            && layout::is_venv(venv)
            && venv.join(&self.site_packages).is_dir()
    }

    /// Whether the interpreter is one that is wished for.
    fn fits(&self, wish: &Wish) -> bool {
        let explicit = wish.explicit();
        (explicit.is_none() || explicit == self.request)
            && Version::parse(&self.version)
                .is_some_and(|version| wish.misfit(version, self.free_threaded, true).is_none())
    }

    /// Writes the stamp: after a crash there is the whole of it or none.
    pub(crate) fn write(&self, venv: &Path) -> io::Result<()> {
        let draft = venv.join(DRAFT);
        let mut file = File::create(&draft)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        file.sync_all()?;
        fs::rename(&draft, venv.join(FILE))?;
        // The folder holds the name. Windows neither needs nor allows it.
        #[cfg(unix)]
        File::open(venv)?.sync_all()?;
        Ok(())
    }
}

/// The sign that an environment is being built or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Marker {
    /// One of our own: whatever lies there is thrown away.
    Building,
    /// A user's: what was installed into it last is installed again.
    Changing,
}

impl Marker {
    pub(crate) fn read(venv: &Path) -> Option<Self> {
        match fs::read(venv.join(MARKER)) {
            Ok(content) if content == b"changing" => Some(Self::Changing),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            // Also when it is there but cannot be read.
            Ok(_) | Err(_) => Some(Self::Building),
        }
    }

    /// Says that a change begins: the stamp is void from here on.
    pub(crate) fn set(self, venv: &Path) -> io::Result<()> {
        let content = match self {
            Self::Building => "building",
            Self::Changing => "changing",
        };
        fs::write(venv.join(MARKER), content)?;
        remove(&venv.join(FILE))
    }

    /// Says that the change is complete, or that none was made.
    pub(crate) fn clear(venv: &Path) -> io::Result<()> {
        remove(&venv.join(MARKER))
    }

    /// Whether a file of this name says so.
    pub(crate) fn is_named(name: &std::ffi::OsStr) -> bool {
        name == MARKER
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
