//! Has the dependencies installed, by uv or by pip.
//!
//! The user's dependencies and those that the worker likes to have go into one run, whose resolver
//! sees them together. The latter are a wish: where they stand in the way, the run is repeated
//! without them, and the worker does with its built-in codec.

mod pip;
mod uv;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::environ::command::{self, Invocation, Stream};
use crate::environ::dependencies::{Item, Wanted, written_name};
use crate::environ::error::EnvironError;
use crate::environ::lock::Lock;
use crate::environ::progress::{Phase, Progress, Step, tell};
use crate::environ::search;
use crate::environ::surroundings::Surroundings;
use crate::environ::variables::installer_env;
use crate::environ::version::Version;

/// The option `installer`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Installer {
    /// uv where it is on `PATH`, else pip.
    #[default]
    Auto,
    /// uv, or an error.
    Uv,
    /// pip.
    Pip,
    /// Nothing is installed and nothing made: the interpreter is used as it is found.
    None,
}

/// One installation.
pub(crate) struct Job<'a> {
    /// The environment's interpreter.
    pub(crate) python: PathBuf,
    /// Whether the environment has a pip of its own.
    pub(crate) own_pip: bool,
    /// The interpreter that the environment was made from.
    pub(crate) base: &'a Path,
    /// The version of that interpreter's pip, where it is known already.
    pub(crate) base_pip: Option<Version>,
    pub(crate) wanted: &'a Wanted,
    pub(crate) offline: bool,
    /// An earlier installation was cut off: what is there cannot be trusted.
    pub(crate) reinstall: bool,
    pub(crate) directory: &'a Path,
    pub(crate) surroundings: &'a Surroundings,
    pub(crate) lock: &'a Lock,
    pub(crate) progress: &'a dyn Progress,
}

/// Which installer will work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tools {
    pub(crate) uv: Option<PathBuf>,
    /// Whether pip may be used instead.
    pip: bool,
}

impl Tools {
    /// Looks for what the option allows.
    pub(crate) fn find(
        installer: Installer,
        surroundings: &Surroundings,
    ) -> Result<Self, EnvironError> {
        let uv = || search::program("uv", &surroundings.variables);
        match installer {
            Installer::Auto => Ok(Self {
                uv: uv(),
                pip: true,
            }),
            Installer::Pip | Installer::None => Ok(Self {
                uv: None,
                pip: true,
            }),
            Installer::Uv => match uv() {
                Some(uv) => Ok(Self {
                    uv: Some(uv),
                    pip: false,
                }),
                None => Err(EnvironError::Install {
                    reason: "uv is in no folder of PATH that can be trusted".to_owned(),
                    output: String::new(),
                    hint: "install uv, or leave the option installer at 'auto'".to_owned(),
                }),
            },
        }
    }
}

/// Installs what is wanted; returns the name of the installer that did it.
pub(crate) async fn install(job: &Job<'_>, tools: &Tools) -> Result<&'static str, EnvironError> {
    if job.wanted.items.is_empty() && job.wanted.base.is_empty() {
        return Ok("none");
    }
    let Some(uv) = &tools.uv else {
        return by_pip(job).await;
    };
    let arguments = |base: bool| (uv.clone(), uv::arguments(job, base));
    match attempt(job, arguments, uv::step).await? {
        Ok(()) => Ok("uv"),
        // pip may know of a mirror, a proxy or a certificate that uv does not.
        Err(said) if tools.pip && !job.offline && uv::is_unreachable(&said) => {
            tell(
                job.progress,
                Phase::Resolve,
                "uv cannot reach the packages; trying pip",
            );
            by_pip(job).await
        }
        Err(said) => Err(failed(job, "uv", said)),
    }
}

async fn by_pip(job: &Job<'_>) -> Result<&'static str, EnvironError> {
    let runner = pip::runner(job).await?;
    match attempt(job, |base| runner.command(job, base), pip::step).await? {
        Ok(()) => Ok("pip"),
        Err(said) => Err(failed(job, "pip", said)),
    }
}

/// How an installer's line is understood, given what was counted so far.
type Understand = fn(&str, &mut Count) -> Phase;

/// What has been counted.
#[derive(Debug, Default)]
struct Count {
    phase: Option<Phase>,
    done: u64,
    total: Option<u64>,
}

impl Count {
    /// One more package is through a phase.
    fn one(&mut self, phase: Phase) -> Phase {
        if self.phase != Some(phase) {
            *self = Self {
                phase: Some(phase),
                done: 0,
                total: self.total,
            };
        }
        self.done += 1;
        phase
    }

    /// So many are through a phase.
    fn set(&mut self, phase: Phase, done: u64, total: Option<u64>) -> Phase {
        *self = Self {
            phase: Some(phase),
            done,
            total,
        };
        phase
    }

    fn phase(&self) -> Phase {
        self.phase.unwrap_or(Phase::Resolve)
    }
}

/// Runs an installer, and once more without the base requirements if they are what failed. The
/// inner error is what it said.
async fn attempt(
    job: &Job<'_>,
    command: impl Fn(bool) -> (PathBuf, Vec<OsString>),
    understand: Understand,
) -> Result<Result<(), String>, EnvironError> {
    let first = run(job, command(true), understand).await?;
    let Err(said) = first else { return Ok(Ok(())) };
    let in_the_way = job.wanted.base.iter().find(|line| mentions(&said, line));
    let Some(requirement) = in_the_way else {
        return Ok(Err(said));
    };
    let text = format!("cannot install {requirement}: the built-in codec will do");
    tell(job.progress, Phase::Resolve, text);
    if job.wanted.items.is_empty() {
        return Ok(Ok(()));
    }
    run(job, command(false), understand).await
}

/// Whether an installer complains of the distribution of a requirement: names it other than to say
/// that it gets on with it.
fn mentions(said: &str, requirement: &str) -> bool {
    const WELL: [&str; 6] = [
        "collecting ",
        "downloading ",
        "using cached ",
        "requirement already",
        "obtaining ",
        "+ ",
    ];
    let name = written_name(requirement);
    said.lines()
        .map(|line| line.trim_start().to_ascii_lowercase())
        .filter(|line| !WELL.iter().any(|start| line.starts_with(start)))
        .any(|line| line.contains(&name))
}

async fn run(
    job: &Job<'_>,
    (program, arguments): (PathBuf, Vec<OsString>),
    understand: Understand,
) -> Result<Result<(), String>, EnvironError> {
    let name = program.display().to_string();
    let invocation = Invocation {
        program,
        arguments,
        directory: job.directory.to_path_buf(),
        variables: installer_env(&job.surroundings.variables),
        stdin: job.lock.stdin(),
        keeper: job.surroundings.keeper.clone(),
    };
    let mut count = Count::default();
    let mut take = |_: Stream, line: &str| {
        let phase = understand(line.trim(), &mut count);
        let Count { done, total, .. } = count;
        job.progress.report(Step {
            phase,
            done,
            total,
            text: line.trim().to_owned(),
        });
    };
    let finished =
        command::run(invocation, &mut take)
            .await
            .map_err(|error| EnvironError::Install {
                reason: format!("cannot run {name}: {error}"),
                output: String::new(),
                hint: "repair or remove that program".to_owned(),
            })?;
    Ok(if finished.status.success() {
        Ok(())
    } else {
        Err(format!(
            "{}\n({})",
            finished.tail,
            command::describe(finished.status)
        ))
    })
}

/// The arguments that name what is to be installed.
fn wanted(job: &Job<'_>, base: bool) -> Vec<OsString> {
    let mut arguments = Vec::new();
    for item in &job.wanted.items {
        match item {
            Item::File(path) => arguments.extend([OsString::from("-r"), path.clone().into()]),
            Item::Requirement(requirement) => arguments.push(requirement.into()),
        }
    }
    if base {
        arguments.extend(job.wanted.base.iter().map(OsString::from));
    }
    arguments
}

fn failed(job: &Job<'_>, installer: &str, output: String) -> EnvironError {
    let reason = format!("{installer} failed: {}", gist(&output));
    let hint = if job.offline {
        "offline is set: uv then uses its cache only, pip the folders in PIP_FIND_LINKS only; \
         install once with a network, or leave offline out"
    } else {
        "see the output; proxies, mirrors and certificates are taken from the usual variables \
         (HTTPS_PROXY, PIP_INDEX_URL, UV_DEFAULT_INDEX, SSL_CERT_FILE)"
    };
    EnvironError::Install {
        reason,
        output,
        hint: hint.to_owned(),
    }
}

/// The sentence that says most: the first error with the cause below it, else the last line.
pub(crate) fn gist(output: &str) -> String {
    let mut lines = output.lines().map(str::trim);
    let error = lines.find_map(|line| {
        let start = ["error:", "ERROR:", "×"]
            .iter()
            .find(|start| line.starts_with(**start))?;
        Some(line.trim_start_matches(start).trim())
    });
    let Some(error) = error else {
        // The very last one is the status, which follows what the installer itself said.
        return output
            .lines()
            .rev()
            .nth(1)
            .unwrap_or(output)
            .trim()
            .to_owned();
    };
    let below = lines.next().unwrap_or_default();
    let cause = ["cause:", "Caused by:", "╰─▶"]
        .iter()
        .find_map(|mark| below.strip_prefix(mark));
    cause.map_or_else(
        || error.to_owned(),
        |cause| format!("{error}: {}", cause.trim()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gist_of_an_installers_output_names_the_cause() {
        for (output, expected) in [
            (
                "Using Python\nerror: No solution\n  cause: Because of x\n\n(exit code 1)",
                "No solution: Because of x",
            ),
            (
                "  × No solution\n  ╰─▶ Because of x\n(exit code 1)",
                "No solution: Because of x",
            ),
            (
                "Collecting x\nERROR: No match for x\nERROR: more\n(exit code 1)",
                "No match for x",
            ),
            ("killed\n(signal 9)", "killed"),
            ("\n(signal 9)", ""),
        ] {
            assert_eq!(gist(output), expected);
        }
    }

    #[test]
    fn a_requirement_is_blamed_only_where_something_is_wrong_with_it() {
        assert!(mentions(
            "ERROR: No matching distribution found for msgspec",
            "msgspec>=0.18"
        ));
        assert!(mentions(
            "  cause: Because MsgSpec was not found",
            "msgspec>=0.18"
        ));
        assert!(!mentions(
            "Collecting msgspec>=0.18\nERROR: no matching numpy",
            "msgspec>=0.18"
        ));
    }
}
