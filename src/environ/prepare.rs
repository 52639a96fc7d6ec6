//! From what a module asks for to an environment that it can run in.

use crate::environ::build::Build;
use crate::environ::dependencies::Wanted;
use crate::environ::discover::Search;
use crate::environ::environment::{EnvironSpec, Environment, identity};
use crate::environ::error::EnvironError;
use crate::environ::install::Installer;
use crate::environ::layout;
use crate::environ::managed::Fetch;
use crate::environ::progress::{Phase, Progress, tell};
use crate::environ::stamp::Identity;
use crate::environ::wish::{Request, Wish};

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
        _ if spec.installer == Installer::None => as_found(spec, &wish, progress).await?,
        Request::Venv(..) if !explicit_installer => as_found(spec, &wish, progress).await?,
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
async fn as_found(
    spec: &EnvironSpec,
    wish: &Wish,
    progress: &dyn Progress,
) -> Result<Environment, EnvironError> {
    let fetch = Fetch::unless(spec.offline, progress);
    let found = Search::new(wish, &spec.directory, &spec.surroundings, fetch)
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
