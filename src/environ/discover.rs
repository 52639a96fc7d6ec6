//! Finds an interpreter. The order is documented for users, and every refusal is kept for the error:
//!
//! 1. the option `python`;
//! 2. the variable `SYNAPSE_PYTHON`;
//! 3. the module's `.venv`;
//! 4. interpreters that uv manages, newest first;
//! 5. `python3`, `python` and `python3.x` in the folders of `PATH`;
//! 6. interpreters that pyenv has installed, newest first.
//!
//! If one of the first two names an interpreter that does not fit, that is an error: nothing else is
//! tried. If it gives a version, the others are tried for it. If it asks for one that uv manages, that
//! is found or installed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::environ::catalogue::{names, pyenv_versions, uv_managed};
use crate::environ::error::{Candidate, EnvironError};
use crate::environ::layout;
use crate::environ::managed::{self, Fetch};
use crate::environ::probe::Probe;
use crate::environ::search::{self, Found};
use crate::environ::surroundings::Surroundings;
use crate::environ::version::{Constraint, Version};
use crate::environ::wish::{MANAGED, Request, Source, Variant, Wish};

/// An interpreter that fits.
#[derive(Debug, Clone)]
pub struct Interpreter {
    /// Its own path, absolute: behind a shim, the real one; behind a virtual environment that stands
    /// on `PATH`, the interpreter that it was made from.
    pub path: PathBuf,
    /// Its version.
    pub version: Version,
    /// Where it was found.
    pub source: Source,
    pub(crate) probe: Probe,
}

/// Finds an interpreter for the module in `directory` by the order above: `python` is the option,
/// `requires_python` what the module itself demands. Starts the candidates; makes nothing.
///
/// # Errors
/// [`EnvironError::PythonNotFound`] with every candidate and why it was refused.
pub async fn resolve_python(
    python: Option<&str>,
    requires_python: Option<&Constraint>,
    directory: &Path,
    surroundings: &Surroundings,
) -> Result<Interpreter, EnvironError> {
    let wish = Wish::new(python, requires_python, &surroundings.variables);
    let directory = layout::resolve(directory);
    Search::new(&wish, &directory, surroundings, Fetch::LookOnly)
        .run(true)
        .await
}

/// One search: what is looked for, and what has been refused so far.
pub(crate) struct Search<'a> {
    wish: &'a Wish,
    directory: &'a Path,
    surroundings: &'a Surroundings,
    fetch: Fetch<'a>,
    seen: BTreeSet<PathBuf>,
    refused: Vec<Candidate>,
    /// Where uv was asked for the interpreter: the end of what it said, and the way out.
    unmanaged: Option<(String, String)>,
}

impl<'a> Search<'a> {
    pub(crate) fn new(
        wish: &'a Wish,
        directory: &'a Path,
        surroundings: &'a Surroundings,
        fetch: Fetch<'a>,
    ) -> Self {
        Self {
            wish,
            directory,
            surroundings,
            fetch,
            seen: BTreeSet::new(),
            refused: Vec::new(),
            unmanaged: None,
        }
    }

    /// Counts something as refused that was looked at before the search.
    pub(crate) fn having_refused(mut self, path: &Path, reason: &str) -> Self {
        self.refuse(path.display().to_string(), reason.to_owned());
        self
    }

    /// Searches; `with_venv` says whether the module's `.venv` is a candidate, which it is not when
    /// the search is for an interpreter to make it from.
    pub(crate) async fn run(mut self, with_venv: bool) -> Result<Interpreter, EnvironError> {
        let found = match self.wish.request.clone() {
            Request::Interpreter(path, source) => self.consider(&path, source).await,
            Request::Venv(venv, source) => self.consider(&layout::python(&venv), source).await,
            Request::Name(name, source) => self.consider_name(&name, source).await,
            Request::Managed(version, _) => self.consider_managed(&version).await,
            Request::Any => self.anything(with_venv).await,
        };
        found.ok_or_else(|| self.nothing())
    }

    async fn anything(&mut self, with_venv: bool) -> Option<Interpreter> {
        let own = layout::python(&self.directory.join(layout::FOLDER));
        if with_venv && own.symlink_metadata().is_ok() {
            let found = self.consider(&own, Source::Venv).await;
            if found.is_some() {
                return found;
            }
        }
        for path in uv_managed(&self.surroundings.variables, self.wish) {
            let found = self.consider(&path, Source::Uv).await;
            if found.is_some() {
                return found;
            }
        }
        for name in names(self.wish) {
            let found = self.consider_name(&name, Source::Path).await;
            if found.is_some() {
                return found;
            }
        }
        for path in pyenv_versions(&self.surroundings.variables, self.wish) {
            let found = self.consider(&path, Source::Pyenv).await;
            if found.is_some() {
                return found;
            }
        }
        None
    }

    async fn consider_managed(&mut self, version: &str) -> Option<Interpreter> {
        let demanded = &self.wish.constraint;
        let found = managed::provide(
            version,
            demanded,
            self.directory,
            self.surroundings,
            self.fetch,
        )
        .await;
        match found {
            Ok(path) => self.consider(&path, Source::Managed).await,
            Err(missing) => {
                self.refuse(format!("{MANAGED}{version}"), missing.reason);
                self.unmanaged = Some((missing.output, missing.hint));
                None
            }
        }
    }

    async fn consider_name(&mut self, name: &str, source: Source) -> Option<Interpreter> {
        let found = search::programs(name, &self.surroundings.variables);
        // The two names that everybody expects; `python3.9` not being there is no news.
        if found.is_empty() && (source != Source::Path || matches!(name, "python3" | "python")) {
            self.refuse(name.to_owned(), "is in no folder of PATH".to_owned());
        }
        for found in found {
            match found {
                Found::Program(path) => {
                    let interpreter = self.consider(&path, source).await;
                    if interpreter.is_some() {
                        return interpreter;
                    }
                }
                Found::Unsafe(path, reason) => {
                    self.refuse(path.display().to_string(), reason.to_owned());
                }
            }
        }
        None
    }

    async fn consider(&mut self, path: &Path, source: Source) -> Option<Interpreter> {
        if !self.seen.insert(path.to_path_buf()) {
            return None;
        }
        let shown = path.display().to_string();
        if path.is_dir() {
            self.refuse(shown, "is a folder, but no virtual environment".to_owned());
            return None;
        }
        let probe = match self.surroundings.probe(path, self.directory).await {
            Ok(probe) => probe,
            Err(refusal) => {
                self.refuse(shown, refusal.reason());
                return None;
            }
        };
        let version = probe.version();
        let stands = source == Source::Venv;
        if let Some(misfit) = self.wish.misfit(version, probe.free_threaded, stands) {
            self.refuse(shown, format!("is {misfit}"));
            return None;
        }
        let given = matches!(self.wish.request, Request::Venv(..)) || source == Source::Venv;
        let own = if given {
            &probe.executable
        } else {
            &probe.base_executable
        };
        Some(Interpreter {
            path: own.clone(),
            version,
            source,
            probe,
        })
    }

    fn refuse(&mut self, path: String, reason: String) {
        self.refused.push(Candidate { path, reason });
    }

    fn nothing(mut self) -> EnvironError {
        let (output, hint) = self
            .unmanaged
            .take()
            .unwrap_or_else(|| (String::new(), self.hint()));
        EnvironError::PythonNotFound {
            wanted: self.wish.describe(),
            candidates: self.refused,
            output,
            hint,
        }
    }

    fn hint(&self) -> String {
        match (&self.wish.request, self.wish.constraint.pinned_minor()) {
            (Request::Any, Some((major, minor))) => {
                let suffix = match self.wish.variant {
                    Variant::FreeThreaded => "t",
                    Variant::Unsaid | Variant::Usual => "",
                };
                format!(
                    "install Python {major}.{minor}{suffix} (with uv: \
                     \"uv python install {major}.{minor}{suffix}\"), \
                     or pass python: '/path/to/python'"
                )
            }
            (Request::Any, None) => {
                "install Python 3.9 or newer (with uv: \"uv python install\"), \
                 or pass python: '/path/to/python'"
                    .to_owned()
            }
            (_, _) => {
                "pass a working interpreter, a virtual environment's folder or a version, or \
                 leave it out to have one searched for"
                    .to_owned()
            }
        }
    }
}
