//! What a module asks for, and what it gets.

use std::path::PathBuf;

use sha2::{Digest, Sha256};

use crate::environ::dependencies::{DependencySource, hex};
use crate::environ::install::Installer;
use crate::environ::packages::{self, Package};
use crate::environ::stamp::Identity;
use crate::environ::surroundings::Surroundings;
use crate::environ::wish::Source;

/// What a module asks for.
#[derive(Debug, Clone)]
pub struct EnvironSpec {
    /// The module's directory: absolute, as [`crate::environ::Target`] gives it.
    pub directory: PathBuf,
    /// What says what to install, as [`crate::environ::Target`] gives it.
    pub dependencies: Vec<DependencySource>,
    /// The option `python`: a version (`3.12`, `>=3.10`), the path or name of an interpreter, the
    /// folder of a virtual environment, or `managed:3.12` for an interpreter that uv manages. An interpreter inside a virtual environment means that
    /// environment, which is used as it is: nothing is installed into it unless `installer` is
    /// [`Installer::Uv`] or [`Installer::Pip`].
    pub python: Option<String>,
    /// The option `installer`.
    pub installer: Installer,
    /// No network: uv uses its cache only, pip the local folders that it is set up with.
    pub offline: bool,
    /// Requirements that the worker likes to have: lines of a requirements file. Left out where the
    /// user names the same distribution, given up where they cannot be installed.
    pub base_requirements: Vec<String>,
    /// Version of the SDK: another one installs again.
    pub sdk_version: String,
    /// What the machine offers.
    pub surroundings: Surroundings,
}

/// An environment that a worker can run in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Its interpreter: absolute, not resolved, for a virtual environment is known by that path.
    pub python: PathBuf,
    /// The interpreter's version, `3.11.7`.
    pub version: String,
    /// Where the interpreter was found.
    pub source: Source,
    /// Its folder; none if a bare interpreter is used.
    pub venv: Option<PathBuf>,
    /// Names the interpreter: implementation, version, platform and a hash over its file's path,
    /// size and time. Changes when the interpreter does.
    pub identity: String,
    /// Whether an installer ran, or the environment was made, just now.
    pub built: bool,
    pub(crate) site_packages: Option<PathBuf>,
}

impl Environment {
    /// What is installed in it, by name; empty for a bare interpreter. Reads a folder.
    pub fn packages(&self) -> Vec<Package> {
        self.site_packages
            .as_deref()
            .map(packages::installed)
            .unwrap_or_default()
    }
}

pub(crate) fn identity(
    implementation: &str,
    version: &str,
    platform: &str,
    file: Option<&Identity>,
) -> String {
    let mut digest = hex(&Sha256::digest(format!("{file:?}")));
    digest.truncate(12);
    format!("{implementation}-{version}-{platform}-{digest}")
}
