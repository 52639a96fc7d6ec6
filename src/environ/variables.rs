//! Environment variables: those of the host, handed in and never read from the process here, and
//! those that installers and workers get.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use crate::environ::layout;

/// Names and values. On Windows a name's case does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Variables {
    map: BTreeMap<OsString, OsString>,
}

impl Variables {
    /// Those of this process. Call it where no other thread changes them.
    pub fn of_process() -> Self {
        env::vars_os().collect()
    }

    /// A variable's value, where it is set and not empty.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.map
            .get(self.key(name).as_ref()?)
            .map(OsString::as_os_str)
            .filter(|v| !v.is_empty())
    }

    /// Sets a variable.
    pub fn set(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) {
        self.remove(name.as_ref());
        self.map
            .insert(name.as_ref().to_owned(), value.as_ref().to_owned());
    }

    /// Sets a variable unless the user did.
    pub fn set_default(&mut self, name: &str, value: impl AsRef<OsStr>) {
        if self.get(name).is_none() {
            self.set(name, value);
        }
    }

    /// Takes a variable away.
    pub fn remove(&mut self, name: impl AsRef<OsStr>) {
        if let Some(key) = self.key(name) {
            self.map.remove(&key);
        }
    }

    /// All of them, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.map
            .iter()
            .map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }

    /// How the map spells a name.
    fn key(&self, name: impl AsRef<OsStr>) -> Option<OsString> {
        let name = name.as_ref();
        if cfg!(windows) {
            return self
                .map
                .keys()
                .find(|key| key.eq_ignore_ascii_case(name))
                .cloned();
        }
        self.map.contains_key(name).then(|| name.to_owned())
    }
}

impl<N: AsRef<OsStr>, V: AsRef<OsStr>> FromIterator<(N, V)> for Variables {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut variables = Self::default();
        for (name, value) in pairs {
            variables
                .map
                .insert(name.as_ref().to_owned(), value.as_ref().to_owned());
        }
        variables
    }
}

/// Which of the host's variables a worker gets: the option `inheritEnv`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Inherit {
    /// All of them.
    #[default]
    All,
    /// Only what a program needs to run at all; see [`worker_env`].
    Needed,
    /// What is needed, and these; a trailing `*` stands for any ending.
    Named(Vec<String>),
}

/// What decides a worker's variables.
#[derive(Debug, Clone, Copy)]
pub struct WorkerEnv<'a> {
    /// Those of the host.
    pub host: &'a Variables,
    /// The environment that the worker runs in; none if it runs in a bare interpreter.
    pub venv: Option<&'a Path>,
    /// The option `inheritEnv`.
    pub inherit: &'a Inherit,
    /// The option `env`, merged last; `None` takes a variable away.
    pub wished: &'a BTreeMap<String, Option<String>>,
    /// Threads that a numeric library may use in one worker; 1 in a worker that runs one call at a
    /// time, so that several workers do not fight for the cores.
    pub threads: u32,
}

/// Without these a program does not find its folders, its language or its certificates.
const NEEDED: [&str; 26] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "LC_*",
    "TZ",
    "TMPDIR",
    "TEMP",
    "TMP",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "SystemRoot",
    "SystemDrive",
    "windir",
    "COMSPEC",
    "PATHEXT",
    "USERPROFILE",
    "APPDATA",
    "LOCALAPPDATA",
    "PROGRAMDATA",
    "NUMBER_OF_PROCESSORS",
];

/// Numeric libraries start one thread a core in each process unless told otherwise.
const THREAD_LIMITS: [&str; 5] = [
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
];

/// They would let something else shadow what is installed in the environment.
const SHADOWING: [&str; 4] = [
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONSTARTUP",
    "__PYVENV_LAUNCHER__",
];

/// A worker's variables: what it inherits, without what shadows its environment; user site packages
/// off; standard streams in UTF-8, in which Synapse reads them; numeric libraries held to
/// `threads`; the virtual environment's programs first on `PATH`; and last what the user wishes.
pub fn worker_env(spec: &WorkerEnv<'_>) -> Variables {
    let mut variables = inherited(spec.host, spec.inherit);
    for name in SHADOWING {
        // Named by the user one by one: wanted.
        if !matches!(spec.inherit, Inherit::Named(names) if listed(name.as_ref(), names)) {
            variables.remove(name);
        }
    }
    variables.set("PYTHONNOUSERSITE", "1");
    variables.set_default("PYTHONIOENCODING", "utf-8:backslashreplace");
    for name in THREAD_LIMITS {
        variables.set_default(name, spec.threads.max(1).to_string());
    }
    if let Some(venv) = spec.venv {
        variables.set("VIRTUAL_ENV", venv);
        let scripts = layout::scripts(venv);
        let rest = variables
            .get("PATH")
            .map(env::split_paths)
            .into_iter()
            .flatten();
        let path = env::join_paths(std::iter::once(scripts.clone()).chain(rest));
        // A folder with a colon in its name cannot stand in PATH.
        if let Ok(path) = path {
            variables.set("PATH", path);
        }
    } else {
        variables.remove("VIRTUAL_ENV");
    }
    grant(&mut variables, spec.wished);
    variables
}

/// The variables of a worker that is not ours to set up: what it inherits, and what the user
/// wishes.
pub fn command_env(
    host: &Variables,
    inherit: &Inherit,
    wished: &BTreeMap<String, Option<String>>,
) -> Variables {
    let mut variables = inherited(host, inherit);
    grant(&mut variables, wished);
    variables
}

fn inherited(host: &Variables, inherit: &Inherit) -> Variables {
    match inherit {
        Inherit::All => host.clone(),
        Inherit::Needed => host
            .iter()
            .filter(|(name, _)| listed(name, &NEEDED))
            .collect(),
        Inherit::Named(names) => host
            .iter()
            .filter(|(name, _)| listed(name, &NEEDED) || listed(name, names))
            .collect(),
    }
}

fn grant(variables: &mut Variables, wished: &BTreeMap<String, Option<String>>) {
    for (name, value) in wished {
        match value {
            Some(value) => variables.set(name, value),
            None => variables.remove(name),
        }
    }
}

fn listed<S: AsRef<str>>(name: &OsStr, names: &[S]) -> bool {
    let Some(name) = name.to_str() else {
        return false;
    };
    names.iter().map(AsRef::as_ref).any(|listed| {
        let (stem, any) = listed
            .strip_suffix('*')
            .map_or((listed, false), |stem| (stem, true));
        let head = if any {
            name.get(..stem.len())
        } else {
            Some(name)
        };
        head.is_some_and(|head| {
            if cfg!(windows) {
                head.eq_ignore_ascii_case(stem)
            } else {
                head == stem
            }
        })
    })
}

/// The same setting, under pip's name and under uv's. `uv` does not read pip's, so a mirror or a
/// certificate that is set up for pip alone would be missed.
const PIP_TO_UV: [(&str, &str); 5] = [
    ("PIP_INDEX_URL", "UV_DEFAULT_INDEX"),
    ("PIP_EXTRA_INDEX_URL", "UV_INDEX"),
    ("PIP_FIND_LINKS", "UV_FIND_LINKS"),
    ("PIP_TRUSTED_HOST", "UV_INSECURE_HOST"),
    ("PIP_CERT", "SSL_CERT_FILE"),
];

/// An installer's variables: the host's, with its proxies, mirrors and certificates, but nothing
/// that would have it ask a question, draw a bar, look at the user's own packages, or install
/// somewhere else.
pub(crate) fn installer_env(host: &Variables) -> Variables {
    let mut variables = host.clone();
    let elsewhere = [
        "VIRTUAL_ENV",
        "CONDA_PREFIX",
        "PIP_TARGET",
        "PIP_PREFIX",
        "PIP_ROOT",
        "PIP_PYTHON",
        "PIP_QUIET",
        "PIP_REQUIRE_VIRTUALENV",
        "UV_SYSTEM_PYTHON",
        "UV_BREAK_SYSTEM_PACKAGES",
        "UV_PYTHON",
        "UV_PROJECT_ENVIRONMENT",
        "UV_QUIET",
    ];
    for name in SHADOWING.iter().chain(&elsewhere) {
        variables.remove(name);
    }
    for (name, value) in [
        ("PYTHONNOUSERSITE", "1"),
        ("PYTHONDONTWRITEBYTECODE", "1"),
        ("PYTHONIOENCODING", "utf-8:backslashreplace"),
        ("PYTHONUNBUFFERED", "1"),
        ("PIP_NO_INPUT", "1"),
        ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
        ("PIP_USER", "0"),
        ("PIP_ROOT_USER_ACTION", "ignore"),
        ("PIP_PROGRESS_BAR", "off"),
        ("UV_NO_PROGRESS", "1"),
        ("UV_PYTHON_DOWNLOADS", "never"),
        ("NO_COLOR", "1"),
    ] {
        variables.set(name, value);
    }
    for (pip, uv) in PIP_TO_UV {
        if let Some(value) = host.get(pip).and_then(OsStr::to_str) {
            // pip parts several values by blanks, uv the links by commas.
            let value = match uv {
                "UV_FIND_LINKS" => value.split_whitespace().collect::<Vec<_>>().join(","),
                _ => value.to_owned(),
            };
            variables.set_default(uv, value);
        }
    }
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_up_for_pip_reaches_uv_unless_uv_has_its_own() {
        let host: Variables = [
            ("PIP_INDEX_URL", "http://127.0.0.1/simple"),
            ("PIP_FIND_LINKS", "/a /b"),
            ("PIP_CERT", "/ca.pem"),
            ("SSL_CERT_FILE", "/own.pem"),
            ("HTTPS_PROXY", "http://127.0.0.1:3128"),
        ]
        .into_iter()
        .collect();
        let variables = installer_env(&host);
        assert_eq!(
            variables.get("UV_DEFAULT_INDEX").unwrap(),
            "http://127.0.0.1/simple"
        );
        assert_eq!(variables.get("UV_FIND_LINKS").unwrap(), "/a,/b");
        assert_eq!(variables.get("SSL_CERT_FILE").unwrap(), "/own.pem");
        assert_eq!(
            variables.get("HTTPS_PROXY").unwrap(),
            "http://127.0.0.1:3128"
        );
    }

    #[test]
    fn an_installer_neither_asks_nor_strays() {
        let host: Variables = [
            ("PYTHONPATH", "/planted"),
            ("PIP_USER", "1"),
            ("PIP_TARGET", "/x"),
        ]
        .into_iter()
        .collect();
        let variables = installer_env(&host);
        assert_eq!(variables.get("PYTHONPATH"), None);
        assert_eq!(variables.get("PIP_TARGET"), None);
        assert_eq!(variables.get("PIP_USER").unwrap(), "0");
        assert_eq!(variables.get("PIP_NO_INPUT").unwrap(), "1");
        assert_eq!(variables.get("PYTHONNOUSERSITE").unwrap(), "1");
    }
}
