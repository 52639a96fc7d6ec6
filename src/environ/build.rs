//! Brings one virtual environment to what is wanted: finds that it is already, waits for its lock,
//! makes it anew, or installs into it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::environ::dependencies::Wanted;
use crate::environ::discover::{Interpreter, Search};
use crate::environ::environment::{EnvironSpec, Environment, identity};
use crate::environ::error::EnvironError;
use crate::environ::install::{Job, Tools, install};
use crate::environ::layout;
use crate::environ::lock::Lock;
use crate::environ::managed::Fetch;
use crate::environ::probe::Probe;
use crate::environ::progress::{Phase, Progress, tell};
use crate::environ::stamp::{Expected, Identity, Marker, Origin, Stamp};
use crate::environ::venv::{self, State};
use crate::environ::wish::{Source, Wish};

/// One environment on its way to what is wanted.
pub(crate) struct Build<'a> {
    pub(crate) spec: &'a EnvironSpec,
    pub(crate) wanted: &'a Wanted,
    pub(crate) wish: &'a Wish,
    pub(crate) venv: PathBuf,
    /// The user named the environment itself: it is changed, but never made anew.
    pub(crate) given: Option<Source>,
    pub(crate) progress: &'a dyn Progress,
}

impl Build<'_> {
    pub(crate) async fn run(&self) -> Result<Environment, EnvironError> {
        if let Some(environment) = self.finished() {
            return Ok(environment);
        }
        let tools = Tools::find(self.spec.installer, &self.spec.surroundings)?;
        let on_wait = || {
            let text = format!("waiting for whoever is preparing {}", self.venv.display());
            tell(self.progress, Phase::Venv, text);
        };
        let lock = match Lock::acquire(&self.venv, on_wait).await {
            Ok(lock) => lock,
            Err(error) if is_forbidden(&error) && layout::python(&self.venv).exists() => {
                return self.read_only(&tools, &error).await;
            }
            Err(error) => return Err(venv::unwritable(&self.venv, &error)),
        };
        // Whoever held the lock before may have done it.
        if let Some(environment) = self.finished() {
            return Ok(environment);
        }
        self.refresh(&tools, &lock).await
    }

    fn finished(&self) -> Option<Environment> {
        let stamp = Stamp::read(&self.venv)?;
        let expected = Expected {
            dependencies: &self.wanted.digest,
            sdk: &self.spec.sdk_version,
            wish: self.wish,
        };
        stamp
            .holds(&self.venv, &expected)
            .then(|| self.environment(&stamp, false))
    }

    fn environment(&self, stamp: &Stamp, built: bool) -> Environment {
        Environment {
            python: layout::python(&self.venv),
            version: stamp.version.clone(),
            source: stamp.source,
            venv: Some(self.venv.clone()),
            identity: identity(
                &stamp.implementation,
                &stamp.version,
                &stamp.platform,
                Some(&stamp.interpreter),
            ),
            built,
            site_packages: Some(self.venv.join(&stamp.site_packages)),
        }
    }

    /// Brings the environment to what is wanted, under its lock.
    async fn refresh(&self, tools: &Tools, lock: &Lock) -> Result<Environment, EnvironError> {
        let was_cut_off = Marker::read(&self.venv) == Some(Marker::Changing);
        let old = Stamp::read(&self.venv);
        let state = venv::examine(&self.venv, &self.spec.directory, &self.spec.surroundings).await;
        let own = old
            .as_ref()
            .is_some_and(|stamp| stamp.origin == Origin::Created);
        let broken = match state.map_err(|reason| self.unusable(reason))? {
            State::Sound(probe) => match self.mismatch(&probe).await? {
                None => return self.update(tools, lock, &probe, old, was_cut_off).await,
                // Nobody but us made it, so nobody misses it.
                Some(reason) if own => Some(reason),
                Some(reason) => return Err(self.unusable(reason)),
            },
            State::Broken(reason) => Some(reason),
            State::Unfinished => Some("its preparation was cut off".to_owned()),
            State::Absent => None,
        };
        if self.given.is_some() {
            let reason = broken.unwrap_or_else(|| "it is empty".to_owned());
            return Err(self.unusable(reason));
        }
        if let Some(reason) = &broken {
            let text = format!("making {} anew: {reason}", self.venv.display());
            tell(self.progress, Phase::Venv, text);
        }
        self.rebuild(tools, lock, broken.as_deref()).await
    }

    /// Why a sound environment is not what is wished for.
    async fn mismatch(&self, probe: &Probe) -> Result<Option<String>, EnvironError> {
        let misfit = self.wish.misfit(probe.version(), probe.free_threaded, true);
        if let Some(misfit) = misfit {
            return Ok(Some(format!("it uses {misfit}")));
        }
        if self.wish.explicit().is_none() {
            return Ok(None);
        }
        // An interpreter that was named must work, even where the environment has another by now.
        let named = self.search(None).await?;
        let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        Ok(
            (real(&named.path) != real(&probe.base_executable)).then(|| {
                format!(
                    "it uses {}, wanted is {}",
                    probe.base_executable.display(),
                    named.path.display()
                )
            }),
        )
    }

    async fn search(&self, refused: Option<&str>) -> Result<Interpreter, EnvironError> {
        let fetch = Fetch::unless(self.spec.offline, self.progress);
        let search = Search::new(
            self.wish,
            &self.spec.directory,
            &self.spec.surroundings,
            fetch,
        );
        let search = match refused {
            Some(reason) => search.having_refused(&layout::python(&self.venv), reason),
            None => search,
        };
        search.run(false).await
    }

    async fn rebuild(
        &self,
        tools: &Tools,
        lock: &Lock,
        broken: Option<&str>,
    ) -> Result<Environment, EnvironError> {
        let interpreter = self.search(broken).await?;
        let EnvironSpec {
            directory,
            surroundings,
            ..
        } = self.spec;
        let uv = tools.uv.as_deref();
        venv::create(
            &self.venv,
            &interpreter,
            uv,
            directory,
            surroundings,
            lock,
            self.progress,
        )
        .await?;
        // Of a virtual environment's own pip its base knows nothing.
        let base_pip = if interpreter.probe.in_venv() {
            None
        } else {
            interpreter.probe.pip()
        };
        let job = Job {
            base_pip,
            ..self.job(&interpreter.path, lock)
        };
        let installer = install(&job, tools).await?;
        let stamp = self.stamp(
            &interpreter.probe,
            interpreter.source,
            Origin::Created,
            installer,
        )?;
        self.seal(&stamp)
    }

    /// Installs into an environment that works.
    async fn update(
        &self,
        tools: &Tools,
        lock: &Lock,
        probe: &Probe,
        old: Option<Stamp>,
        reinstall: bool,
    ) -> Result<Environment, EnvironError> {
        let origin = old.as_ref().map_or(Origin::Adopted, |stamp| stamp.origin);
        let source = old
            .as_ref()
            .map_or(self.given.unwrap_or(Source::Venv), |stamp| stamp.source);
        let marker = match origin {
            Origin::Created => Marker::Building,
            Origin::Adopted => Marker::Changing,
        };
        let written = |error: io::Error| venv::unwritable(&self.venv, &error);
        marker.set(&self.venv).map_err(written)?;
        let job = Job {
            own_pip: probe.pip().is_some(),
            reinstall,
            ..self.job(&probe.base_executable, lock)
        };
        match install(&job, tools).await {
            Ok(installer) => {
                let stamp = self.stamp(probe, source, origin, installer)?;
                self.seal(&stamp)
            }
            Err(error) => {
                // It ended by itself and took back what it had done: all is as it was before.
                if !reinstall {
                    Marker::clear(&self.venv).map_err(written)?;
                    if let Some(stamp) = old {
                        stamp.write(&self.venv).map_err(written)?;
                    }
                }
                Err(error)
            }
        }
    }

    /// An environment that works but cannot be written to: right if the installer finds that
    /// everything is there. No lock is needed, for nobody can change it.
    async fn read_only(
        &self,
        tools: &Tools,
        error: &io::Error,
    ) -> Result<Environment, EnvironError> {
        let EnvironSpec {
            directory,
            surroundings,
            ..
        } = self.spec;
        let Ok(State::Sound(probe)) = venv::examine(&self.venv, directory, surroundings).await
        else {
            return Err(venv::unwritable(&self.venv, error));
        };
        if let Some(reason) = self.mismatch(&probe).await? {
            return Err(self.unusable(reason));
        }
        let lock = Lock::none();
        let own_pip = probe.pip().is_some();
        let job = Job {
            own_pip,
            ..self.job(&probe.base_executable, &lock)
        };
        let installer = install(&job, tools).await?;
        let source = self.given.unwrap_or(Source::Venv);
        let stamp = self.stamp(&probe, source, Origin::Adopted, installer)?;
        Ok(self.environment(&stamp, false))
    }

    fn job<'b>(&'b self, base: &'b Path, lock: &'b Lock) -> Job<'b> {
        Job {
            python: layout::python(&self.venv),
            own_pip: false,
            base,
            base_pip: None,
            wanted: self.wanted,
            offline: self.spec.offline,
            reinstall: false,
            directory: &self.spec.directory,
            surroundings: &self.spec.surroundings,
            lock,
            progress: self.progress,
        }
    }

    fn stamp(
        &self,
        probe: &Probe,
        source: Source,
        origin: Origin,
        installer: &str,
    ) -> Result<Stamp, EnvironError> {
        let interpreter = Identity::of(&layout::python(&self.venv))
            .map_err(|error| self.unusable(format!("its interpreter cannot be read: {error}")))?;
        let site_packages = layout::site_packages(&self.venv)
            .ok_or_else(|| self.unusable("its folder for packages is missing".to_owned()))?;
        Ok(Stamp {
            format: Stamp::FORMAT,
            dependencies: self.wanted.digest.clone(),
            sdk: self.spec.sdk_version.clone(),
            installer: installer.to_owned(),
            origin,
            request: self.wish.explicit(),
            source,
            interpreter,
            version: probe.version().to_string(),
            free_threaded: probe.free_threaded,
            implementation: probe.implementation.clone(),
            platform: probe.platform.clone(),
            site_packages,
        })
    }

    /// Says that the environment is finished. The marker goes first: between the two the environment
    /// counts as somebody's that must be looked at, never as finished.
    fn seal(&self, stamp: &Stamp) -> Result<Environment, EnvironError> {
        Marker::clear(&self.venv)
            .and_then(|()| stamp.write(&self.venv))
            .map_err(|error| venv::unwritable(&self.venv, &error))?;
        Ok(self.environment(stamp, true))
    }

    fn unusable(&self, reason: String) -> EnvironError {
        let hint = if self.given.is_some() {
            "repair that environment, or leave the option python out to have one made"
        } else {
            "delete the folder to have it made anew, or change the option python"
        };
        EnvironError::Venv {
            venv: self.venv.clone(),
            reason,
            output: String::new(),
            hint: hint.to_owned(),
        }
    }
}

/// Whether writing is not allowed here at all.
fn is_forbidden(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
    )
}
