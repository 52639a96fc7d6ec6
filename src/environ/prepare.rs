//! From what a module asks for to an environment that it can run in.

use std::path::PathBuf;

use sha2::{Digest, Sha256};

use crate::environ::build::Build;
use crate::environ::dependencies::{DependencySource, Wanted, hex};
use crate::environ::discover::{Search, Surroundings};
use crate::environ::error::EnvironError;
use crate::environ::install::Installer;
use crate::environ::layout;
use crate::environ::packages::{self, Package};
use crate::environ::progress::{Phase, Progress, tell};
use crate::environ::stamp::Identity;
use crate::environ::wish::{Request, Source, Wish};

/// What a module asks for.
#[derive(Debug, Clone)]
pub struct EnvironSpec {
    /// The module's directory: absolute, as [`crate::environ::Target`] gives it.
    pub directory: PathBuf,
    /// What says what to install, as [`crate::environ::Target`] gives it.
    pub dependencies: Vec<DependencySource>,
    /// The option `python`: a version (`3.12`, `>=3.10`), the path or name of an interpreter, or the
    /// folder of a virtual environment. An interpreter inside a virtual environment means that
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

/// Makes the environment that a module asks for, or finds that it is there already: then no process
/// is started. Steps are told to `progress`, the last one always with [`Phase::Ready`]. Dropping the
/// future kills the installer and leaves nothing that a later call would take for finished. Needs a
/// tokio runtime with I/O and time.
///
/// # Errors
/// Any [`EnvironError`] but the one for the entry file.
pub async fn prepare(
    spec: &EnvironSpec,
    progress: &dyn Progress,
) -> Result<Environment, EnvironError> {
    if !spec.directory.is_dir() {
        let directory = spec.directory.display().to_string();
        return Err(EnvironError::DirectoryNotFound { directory });
    }
    let wanted = Wanted::read(&spec.dependencies, &spec.base_requirements)?;
    let wish = Wish::new(
        spec.python.as_deref(),
        wanted.requires_python.as_ref(),
        &spec.surroundings.variables,
    );
    let explicit_installer = matches!(spec.installer, Installer::Uv | Installer::Pip);
    let environment = match &wish.request {
        _ if spec.installer == Installer::None => as_found(spec, &wish).await?,
        Request::Venv(..) if !explicit_installer => as_found(spec, &wish).await?,
        request => {
            let (venv, given) = match request {
                Request::Venv(folder, source) => (folder.clone(), Some(*source)),
                _ => (spec.directory.join(layout::FOLDER), None),
            };
            let build = Build {
                spec,
                wanted: &wanted,
                wish: &wish,
                venv,
                given,
                progress,
            };
            build.run().await?
        }
    };
    let text = format!(
        "Python {} ({})",
        environment.version,
        environment.python.display()
    );
    tell(progress, Phase::Ready, text);
    Ok(environment)
}

/// Uses an interpreter as it is found, with the packages that it has.
async fn as_found(spec: &EnvironSpec, wish: &Wish) -> Result<Environment, EnvironError> {
    let found = Search::new(wish, &spec.directory, &spec.surroundings)
        .run(true)
        .await?;
    let probe = &found.probe;
    let venv = probe.in_venv().then(|| probe.prefix.clone());
    Ok(Environment {
        python: probe.executable.clone(),
        version: found.version.to_string(),
        source: found.source,
        site_packages: venv
            .as_deref()
            .and_then(|v| Some(v.join(layout::site_packages(v)?))),
        venv,
        identity: identity(
            &probe.implementation,
            &found.version.to_string(),
            &probe.platform,
            Identity::of(&probe.executable).ok().as_ref(),
        ),
        built: false,
    })
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
