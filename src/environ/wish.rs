//! Which interpreter is wished for: by the option, by the variable, by what the module demands.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::environ::layout;
use crate::environ::variables::Variables;
use crate::environ::version::{Constraint, OLDEST, Version};

/// The override that is set from outside.
const VARIABLE: &str = "SYNAPSE_PYTHON";

/// What stands before the version where uv is asked for an interpreter: `managed:3.12`.
pub(crate) const MANAGED: &str = "managed:";

/// Where an interpreter was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// The option `python`.
    #[serde(rename = "option")]
    Option,
    /// `SYNAPSE_PYTHON`.
    #[serde(rename = "SYNAPSE_PYTHON")]
    Variable,
    /// The module's own virtual environment.
    #[serde(rename = ".venv")]
    Venv,
    /// An interpreter that uv manages.
    #[serde(rename = "uv")]
    Uv,
    /// A folder of `PATH`.
    #[serde(rename = "PATH")]
    Path,
    /// A version of pyenv that is not selected.
    #[serde(rename = "pyenv")]
    Pyenv,
    /// One that uv was asked to have.
    #[serde(rename = "managed")]
    Managed,
}

impl Source {
    /// Its name for users: `option`, `SYNAPSE_PYTHON`, `.venv`, `uv`, `PATH`, `pyenv` or
    /// `managed`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Option => "option",
            Self::Variable => VARIABLE,
            Self::Venv => layout::FOLDER,
            Self::Uv => "uv",
            Self::Path => "PATH",
            Self::Pyenv => "pyenv",
            Self::Managed => "managed",
        }
    }
}

/// What `python` (or `SYNAPSE_PYTHON`) asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request {
    /// Any that fits.
    Any,
    /// This interpreter.
    Interpreter(PathBuf, Source),
    /// The virtual environment in this folder, as it is.
    Venv(PathBuf, Source),
    /// An interpreter of this name in a folder of `PATH`.
    Name(String, Source),
    /// An interpreter of this version that uv manages, installed if it is missing.
    Managed(String, Source),
}

/// Which builds of a version fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variant {
    /// Nothing was said of a version.
    Unsaid,
    /// A version was given: `3.13`.
    Usual,
    /// The one without the global lock was asked for: `3.13t`.
    FreeThreaded,
}

/// The first minor version whose free-threaded build is no experiment: it is taken unasked, as uv does.
const SETTLED: u32 = 14;

/// What stands after the version where the free-threaded build is asked for.
const FREE_THREADED: char = 't';

/// The version before the `t` of `3.13t`, as uv and pyenv write the free-threaded build.
pub(crate) fn free_threaded(text: &str) -> Option<&str> {
    let version = text.trim().strip_suffix(FREE_THREADED)?;
    let is_version = version.starts_with(|c: char| c.is_ascii_digit())
        && version.contains('.')
        && !version.contains(',');
    (is_version && Constraint::parse(version).is_some()).then_some(version)
}

/// A request and the versions that fit.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) request: Request,
    pub(crate) constraint: Constraint,
    pub(crate) variant: Variant,
}

impl Wish {
    /// Understands the option and the variable. `managed:3.12` asks uv for an interpreter; a version
    /// (`3.12`, `>=3.10`) is a constraint; anything with a separator, or that exists, is a path; the rest is a program's name.
    pub(crate) fn new(
        option: Option<&str>,
        requires_python: Option<&Constraint>,
        variables: &Variables,
    ) -> Self {
        let mut constraint = Constraint::parse(OLDEST).unwrap_or_default();
        if let Some(required) = requires_python {
            constraint = constraint.and(required);
        }
        let from_variable = variables.get(VARIABLE).and_then(OsStr::to_str);
        let (text, source) = match (option, from_variable) {
            (Some(text), _) => (text, Source::Option),
            (None, Some(text)) => (text, Source::Variable),
            (None, None) => {
                return Self {
                    request: Request::Any,
                    constraint,
                    variant: Variant::Unsaid,
                };
            }
        };
        if let Some(version) = text.strip_prefix(MANAGED) {
            return Self {
                request: Request::Managed(version.to_owned(), source),
                constraint,
                variant: free_threaded(version).map_or(Variant::Usual, |_| Variant::FreeThreaded),
            };
        }
        let (release, variant) = match free_threaded(text) {
            Some(version) => (version, Variant::FreeThreaded),
            None => (text, Variant::Usual),
        };
        if let Some(version) = Constraint::parse(release) {
            return Self {
                request: Request::Any,
                constraint: constraint.and(&version),
                variant,
            };
        }
        let path = Path::new(text);
        let request = if path.components().count() < 2 && !path.exists() {
            Request::Name(text.to_owned(), source)
        } else {
            let path = layout::resolve(path);
            // An environment of conda has no pyvenv.cfg, but its interpreter in the same place.
            if layout::is_venv(&path) || layout::python(&path).exists() {
                Request::Venv(path, source)
            } else if let Some(venv) = layout::enclosing(&path) {
                Request::Venv(venv, source)
            } else {
                Request::Interpreter(path, source)
            }
        };
        Self {
            request,
            constraint,
            variant: Variant::Unsaid,
        }
    }

    /// What an interpreter is and should not be; nothing if it fits. `stands` says whether it is that
    /// of a virtual environment that is there.
    pub(crate) fn misfit(
        &self,
        version: Version,
        is_free_threaded: bool,
        stands: bool,
    ) -> Option<String> {
        if !self.constraint.admits(version) {
            return Some(format!("Python {version}, wanted is {}", self.constraint));
        }
        if self.variant == Variant::FreeThreaded && !is_free_threaded {
            return Some(format!(
                "Python {version} with the global lock, wanted is the free-threaded build"
            ));
        }
        let is_chosen = self.request != Request::Any
            || self.variant == Variant::FreeThreaded
            || (stands && self.variant == Variant::Unsaid);
        (is_free_threaded && !is_chosen && version.minor < SETTLED).then(|| {
            format!(
                "the free-threaded build of Python {version}, which python: '{}.{}{FREE_THREADED}' asks for",
                version.major, version.minor
            )
        })
    }

    /// The interpreter that was asked for by its path, its name or of uv, as the stamp records it.
    pub(crate) fn explicit(&self) -> Option<PathBuf> {
        match &self.request {
            Request::Interpreter(path, _) => Some(path.clone()),
            Request::Name(name, _) => Some(PathBuf::from(name)),
            Request::Managed(version, _) => Some(PathBuf::from(format!("{MANAGED}{version}"))),
            Request::Any | Request::Venv(..) => None,
        }
    }

    /// What is looked for, for the error.
    pub(crate) fn describe(&self) -> String {
        let wanted = self.describe_request();
        match self.variant {
            Variant::FreeThreaded => format!("free-threaded {wanted}"),
            Variant::Unsaid | Variant::Usual => wanted,
        }
    }

    fn describe_request(&self) -> String {
        match &self.request {
            Request::Any => format!("Python {}", self.constraint),
            Request::Interpreter(path, source) | Request::Venv(path, source) => {
                format!(
                    "Python {} ({}: {})",
                    self.constraint,
                    label(*source),
                    path.display()
                )
            }
            Request::Name(name, source) => {
                format!("Python {} ({}: {name})", self.constraint, label(*source))
            }
            Request::Managed(version, source) => format!(
                "Python {} ({}: {}{version})",
                self.constraint,
                label(*source),
                MANAGED
            ),
        }
    }
}

fn label(source: Source) -> &'static str {
    if source == Source::Option {
        "option python"
    } else {
        source.as_str()
    }
}
