//! What can go wrong before a worker runs, and how it is told to the user: the code and the text
//! of the public contract, what was tried, the end of what the installer said, and a way out.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;

use crate::error::{ErrorCode, Failure};

/// An interpreter that was looked at and not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Candidate {
    /// Where it is; for a name that no folder of `PATH` holds, the name.
    pub path: String,
    /// Why it was refused, in words.
    pub reason: String,
}

/// A failure of `spawn` before the worker starts.
#[derive(Debug, thiserror::Error)]
pub enum EnvironError {
    /// The module's directory is not there. Code `DIRECTORY_NOT_FOUND`.
    #[error("Directory \"{directory}\" does not exist.")]
    DirectoryNotFound {
        /// As the user wrote it.
        directory: String,
    },

    /// The entry file is not there. Code `ENTRYPOINT_NOT_FOUND`.
    #[error("Entrypoint \"{entrypoint}\" does not exist.")]
    EntrypointNotFound {
        /// As the user wrote it, with `.py`.
        entrypoint: String,
    },

    /// Nothing says what to install. Code `REQUIREMENTS_NOT_FOUND`.
    #[error("\"{file}\" file is missing.")]
    RequirementsNotFound {
        /// `requirements.txt`, or the file that the option `requirements` names.
        file: String,
    },

    /// No interpreter fits. Code `PYTHON_NOT_FOUND`.
    #[error("{}", python_not_found(wanted, candidates))]
    PythonNotFound {
        /// What was looked for: `Python >=3.9`, `Python 3.12 (option python)`.
        wanted: String,
        /// Everything that was looked at, in order.
        candidates: Vec<Candidate>,
        /// The end of what uv said; empty if it was not asked for the interpreter.
        output: String,
        /// The way out.
        hint: String,
    },

    /// The virtual environment cannot be made or used. Code `VENV_FAILED`.
    #[error("cannot prepare the virtual environment {}: {reason}", venv.display())]
    Venv {
        /// The environment's folder.
        venv: PathBuf,
        /// Why, in words.
        reason: String,
        /// The end of what the tool said; empty if none ran.
        output: String,
        /// The way out.
        hint: String,
    },

    /// The dependencies cannot be read or installed. Code `INSTALL_FAILED`.
    #[error("cannot install the dependencies: {reason}")]
    Install {
        /// Why, in words.
        reason: String,
        /// The end of what the installer said; empty if none ran.
        output: String,
        /// The way out.
        hint: String,
    },
}

impl EnvironError {
    /// The stable code.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::DirectoryNotFound { .. } => ErrorCode::DirectoryNotFound,
            Self::EntrypointNotFound { .. } => ErrorCode::EntrypointNotFound,
            Self::RequirementsNotFound { .. } => ErrorCode::RequirementsNotFound,
            Self::PythonNotFound { .. } => ErrorCode::PythonNotFound,
            Self::Venv { .. } => ErrorCode::VenvFailed,
            Self::Install { .. } => ErrorCode::InstallFailed,
        }
    }

    /// The way out, in words.
    pub fn hint(&self) -> &str {
        match self {
            Self::DirectoryNotFound { .. } => {
                "pass the folder that holds the module; relative paths start at process.cwd()"
            }
            Self::EntrypointNotFound { .. } => {
                "pass the entry file relative to the directory, with or without its extension; for Python also module:function"
            }
            Self::RequirementsNotFound { .. } => {
                "add a requirements.txt (it may be empty), a pyproject.toml or a \"# /// script\" block"
            }
            Self::PythonNotFound { hint, .. }
            | Self::Venv { hint, .. }
            | Self::Install { hint, .. } => hint,
        }
    }
}

/// Names every candidate: the message alone must tell the reader what to repair.
fn python_not_found(wanted: &str, candidates: &[Candidate]) -> String {
    let mut text = format!("no interpreter fits {wanted}");
    for (index, Candidate { path, reason }) in candidates.iter().enumerate() {
        text.push_str(if index == 0 { "; tried " } else { ", " });
        text.push_str(path);
        text.push_str(" (");
        text.push_str(reason);
        text.push(')');
    }
    text
}

impl From<EnvironError> for Failure {
    fn from(error: EnvironError) -> Self {
        let failure =
            Self::new(error.code(), error.to_string()).with("hint", error.hint().to_owned());
        match error {
            EnvironError::PythonNotFound {
                candidates, output, ..
            } => {
                let listed = candidates
                    .into_iter()
                    .map(|Candidate { path, reason }| {
                        Value::from_iter([("path", path), ("reason", reason)])
                    })
                    .collect::<Vec<_>>();
                let failure = failure.with("candidates", listed);
                if output.is_empty() {
                    failure
                } else {
                    failure.with("output", output)
                }
            }
            EnvironError::Venv { output, .. } | EnvironError::Install { output, .. }
                if !output.is_empty() =>
            {
                failure.with("output", output)
            }
            _ => failure,
        }
    }
}
