//! Asks an interpreter what it is, by running `probe.py` in it.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;

use crate::environ::command::{self, Invocation, Stream};
use crate::environ::variables::Variables;
use crate::environ::version::Version;

const SCRIPT: &str = include_str!("probe.py");
/// Marks the one line that counts: a `.pth` file or a wrapper may print others.
const TAG: &str = "{\"synapse_probe\":";
/// What a shell, and the placeholder of the Microsoft Store, exit with for a missing program.
const STORE_STUB: i32 = 9009;
const NOT_FOUND: i32 = 127;

/// What an interpreter says about itself.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Probe {
    version: String,
    /// Whether it was built without the global lock.
    #[serde(default)]
    pub(crate) free_threaded: bool,
    pub(crate) implementation: String,
    pub(crate) platform: String,
    /// `sys.executable`: for a shim of pyenv, the real interpreter.
    pub(crate) executable: PathBuf,
    pub(crate) prefix: PathBuf,
    base_prefix: PathBuf,
    /// The interpreter that a virtual environment was made from; else `executable`.
    pub(crate) base_executable: PathBuf,
    pip: Option<String>,
}

impl Probe {
    pub(crate) fn version(&self) -> Version {
        Version::parse(&self.version).unwrap_or(Version {
            major: 0,
            minor: 0,
            patch: 0,
        })
    }

    pub(crate) fn in_venv(&self) -> bool {
        self.prefix != self.base_prefix
    }

    /// The version of its pip, if it has one.
    pub(crate) fn pip(&self) -> Option<Version> {
        self.pip.as_deref().and_then(Version::parse)
    }
}

#[derive(Deserialize)]
struct Failed {
    error: String,
}

/// Why a file is no interpreter that can be used.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It is broken for good: missing, not executable, or it ended without an answer.
    Broken(String),
    /// It did not answer in time, which may pass.
    Silent(String),
}

impl Refusal {
    pub(crate) fn reason(self) -> String {
        match self {
            Self::Broken(reason) | Self::Silent(reason) => reason,
        }
    }
}

/// Runs the probe. `directory` is the module's: shims choose the version by a file in it.
pub(crate) async fn probe(
    python: &Path,
    directory: &Path,
    variables: &Variables,
    limit: Duration,
) -> Result<Probe, Refusal> {
    let invocation = Invocation {
        program: python.to_path_buf(),
        arguments: ["-I", "-B", "-c", SCRIPT].map(OsString::from).to_vec(),
        directory: directory.to_path_buf(),
        variables: variables.clone(),
        stdin: Stdio::null(),
        // It has seconds, and gets no end of file from us.
        keeper: None,
    };
    let mut answer = None;
    let mut take = |stream: Stream, line: &str| {
        if stream == Stream::Stdout && line.starts_with(TAG) {
            answer = Some(line.to_owned());
        }
    };
    let finished = match tokio::time::timeout(limit, command::run(invocation, &mut take)).await {
        Err(_) => {
            return Err(Refusal::Silent(format!(
                "did not answer within {} s",
                limit.as_secs_f32()
            )));
        }
        Ok(Err(error)) => return Err(Refusal::Broken(cannot_run(python, &error))),
        Ok(Ok(finished)) => finished,
    };
    match answer {
        Some(line) => read(&line).map_err(Refusal::Broken),
        None => Err(Refusal::Broken(no_answer(
            python,
            finished.status,
            &finished.tail,
        ))),
    }
}

fn read(line: &str) -> Result<Probe, String> {
    if let Ok(failed) = serde_json::from_str::<Failed>(line) {
        return Err(format!("cannot describe itself: {}", failed.error));
    }
    serde_json::from_str(line)
        .map_err(|error| format!("gave an answer that is not understood: {error}"))
}

fn cannot_run(python: &Path, error: &io::Error) -> String {
    let is_link = python
        .symlink_metadata()
        .is_ok_and(|metadata| metadata.is_symlink());
    match error.kind() {
        io::ErrorKind::NotFound if is_link => "is a link to a file that is gone".to_owned(),
        io::ErrorKind::NotFound if python.exists() => {
            "cannot be run: the program that interprets it is missing".to_owned()
        }
        io::ErrorKind::NotFound => "does not exist".to_owned(),
        io::ErrorKind::PermissionDenied => "is not executable".to_owned(),
        _ => format!("cannot be run: {error}"),
    }
}

fn no_answer(python: &Path, status: std::process::ExitStatus, tail: &str) -> String {
    let in_store = python
        .components()
        .any(|part| part.as_os_str() == "WindowsApps");
    if in_store || status.code() == Some(STORE_STUB) {
        return "is the placeholder of the Microsoft Store, not Python".to_owned();
    }
    if tail.contains("Unknown option: -I") {
        return "is Python 3.3 or older".to_owned();
    }
    let last = tail.lines().last().unwrap_or_default();
    if status.code() == Some(NOT_FOUND) && tail.starts_with("pyenv:") {
        return "is a shim of pyenv for a version that is not selected here".to_owned();
    }
    let said = if last.is_empty() {
        "and said nothing"
    } else {
        "and said: "
    };
    if status.success() {
        format!(
            "is not Python: it ended with {} {said}{last}",
            command::describe(status)
        )
    } else {
        format!(
            "does not work: it ended with {} {said}{last}",
            command::describe(status)
        )
    }
}
