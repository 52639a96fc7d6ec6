//! Interpreters that uv is asked to have (`python: { managed: '3.12' }`): looked for among those that
//! it manages, and installed by it where they are missing.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::environ::catalogue::may_admit;
use crate::environ::command::{self, Finished, Invocation, Stream};
use crate::environ::install::gist;
use crate::environ::progress::{Phase, Progress, tell};
use crate::environ::search;
use crate::environ::surroundings::Surroundings;
use crate::environ::variables::installer_env;
use crate::environ::version::{Constraint, Version};
use crate::environ::wish::free_threaded;

/// Whether an interpreter that is missing is installed.
#[derive(Clone, Copy)]
pub(crate) enum Fetch<'a> {
    /// It is, and its steps are told.
    Allowed(&'a dyn Progress),
    /// It is not: the option `offline` is set.
    Offline,
    /// It is not: this is a question only.
    LookOnly,
}

impl<'a> Fetch<'a> {
    /// What the option `offline` allows.
    pub(crate) fn unless(offline: bool, progress: &'a dyn Progress) -> Self {
        if offline {
            Self::Offline
        } else {
            Self::Allowed(progress)
        }
    }
}

/// Why there is no such interpreter.
#[derive(Debug, Default)]
pub(crate) struct Missing {
    pub(crate) reason: String,
    /// The end of what uv said; empty if it did not run.
    pub(crate) output: String,
    pub(crate) hint: String,
}

/// The interpreter of a version (`3.12`, `3.12.4`) that uv manages. It is installed first if it is
/// missing and `fetch` allows it, but never if `demanded` refuses the version anyway.
pub(crate) async fn provide(
    version: &str,
    demanded: &Constraint,
    directory: &Path,
    surroundings: &Surroundings,
    fetch: Fetch<'_>,
) -> Result<PathBuf, Missing> {
    check(version, demanded)?;
    let Some(program) = search::program("uv", &surroundings.variables) else {
        return Err(Missing {
            reason: "uv is in no folder of PATH that can be trusted, and it is uv that manages \
                     interpreters"
                .to_owned(),
            hint: "install uv (https://docs.astral.sh/uv), or pass python: '/path/to/python'"
                .to_owned(),
            ..Missing::default()
        });
    };
    let uv = Uv {
        program,
        // Of other implementations only if they are named, which the option cannot do.
        request: format!("cpython@{version}"),
        directory,
        surroundings,
    };
    if let Ok(path) = uv.find().await? {
        return Ok(path);
    }
    let progress = match fetch {
        Fetch::Allowed(progress) => progress,
        Fetch::Offline => {
            return Err(Missing {
                reason: "uv has not installed it, and offline is set".to_owned(),
                hint: by_hand(version, "or leave offline out"),
                ..Missing::default()
            });
        }
        Fetch::LookOnly => {
            return Err(Missing {
                reason: "uv has not installed it".to_owned(),
                hint: by_hand(version, "or spawn with this option, which does so"),
                ..Missing::default()
            });
        }
    };
    uv.install(version, progress).await?;
    uv.find().await?.map_err(|said| Missing {
        reason: format!("uv installed it, but does not find it: {}", gist(&said)),
        output: said,
        hint: "see the output; UV_PYTHON_INSTALL_DIR says where uv keeps interpreters".to_owned(),
    })
}

/// Whether this is a version, and one that may be used: before anything is fetched.
fn check(version: &str, demanded: &Constraint) -> Result<(), Missing> {
    let version = free_threaded(version).unwrap_or(version);
    let parts: Vec<&str> = version.split('.').collect();
    let is_version = matches!(parts.len(), 2 | 3)
        && parts
            .iter()
            .all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit()));
    let hint = "pass a version such as 3.12, 3.12.4 or 3.13t".to_owned();
    let Some(number) = is_version.then(|| Version::parse(version)).flatten() else {
        return Err(Missing {
            reason: "is no version".to_owned(),
            hint,
            ..Missing::default()
        });
    };
    let fits = if parts.len() == 2 {
        may_admit(demanded, number)
    } else {
        demanded.admits(number)
    };
    if fits {
        return Ok(());
    }
    Err(Missing {
        reason: format!("does not fit, wanted is {demanded}"),
        hint: format!("{hint} that fits"),
        ..Missing::default()
    })
}

fn by_hand(version: &str, otherwise: &str) -> String {
    format!("run \"uv python install {version}\" once with a network, {otherwise}")
}

/// uv, asked for one interpreter.
struct Uv<'a> {
    program: PathBuf,
    request: String,
    directory: &'a Path,
    surroundings: &'a Surroundings,
}

impl Uv<'_> {
    /// Looks among the interpreters that it manages; the inner error is what it said.
    async fn find(&self) -> Result<Result<PathBuf, String>, Missing> {
        let mut last = None;
        let mut take = |stream: Stream, line: &str| {
            if stream == Stream::Stdout && !line.trim().is_empty() {
                last = Some(PathBuf::from(line.trim()));
            }
        };
        // `--system`: not a virtual environment that was made from one.
        let arguments = ["find", "--managed-python", "--system", "--no-project"];
        let finished = self.run(&arguments, &mut take).await?;
        Ok(match last {
            Some(path) if finished.status.success() => Ok(path),
            _ => Err(said(&finished)),
        })
    }

    async fn install(&self, version: &str, progress: &dyn Progress) -> Result<(), Missing> {
        let text = format!("uv installs Python {version}");
        tell(progress, Phase::Download, text);
        let mut take = |_: Stream, line: &str| tell(progress, Phase::Download, line.trim());
        let finished = self.run(&["install"], &mut take).await?;
        if finished.status.success() {
            return Ok(());
        }
        let output = said(&finished);
        Err(Missing {
            reason: format!("uv cannot install it: {}", gist(&output)),
            output,
            hint: "see the output; \"uv python list\" shows the versions that there are, \
                   HTTPS_PROXY and UV_PYTHON_INSTALL_MIRROR are heeded"
                .to_owned(),
        })
    }

    async fn run(
        &self,
        arguments: &[&str],
        on_line: &mut (dyn FnMut(Stream, &str) + Send),
    ) -> Result<Finished, Missing> {
        let host = &self.surroundings.variables;
        let mut variables = installer_env(host);
        // That uv fetches no interpreter unasked does not hold here: it is asked.
        variables.remove("UV_PYTHON_DOWNLOADS");
        if let Some(own) = host.get("UV_PYTHON_DOWNLOADS") {
            variables.set("UV_PYTHON_DOWNLOADS", own);
        }
        // The user's PATH and registry are left alone.
        variables.set("UV_PYTHON_INSTALL_BIN", "0");
        variables.set("UV_PYTHON_INSTALL_REGISTRY", "0");
        let invocation = Invocation {
            program: self.program.clone(),
            arguments: ["python"]
                .iter()
                .chain(arguments)
                .copied()
                .chain([self.request.as_str()])
                .map(OsString::from)
                .collect(),
            directory: self.directory.to_path_buf(),
            variables,
            stdin: Stdio::null(),
            keeper: self.surroundings.keeper.clone(),
        };
        command::run(invocation, on_line)
            .await
            .map_err(|error| self.cannot_run(&error))
    }

    fn cannot_run(&self, error: &io::Error) -> Missing {
        Missing {
            reason: format!("cannot run {}: {error}", self.program.display()),
            hint: "repair or remove that program".to_owned(),
            ..Missing::default()
        }
    }
}

/// What uv said and how it ended, as [`gist`] reads it.
fn said(finished: &Finished) -> String {
    let ended = command::describe(finished.status);
    format!("{}\n({ended})", finished.tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_asked_of_uv_for_what_is_no_version_or_would_not_do() {
        let demanded = Constraint::parse(">=3.11,<3.13").unwrap();
        for (version, reason) in [
            ("latest", "is no version"),
            ("3", "is no version"),
            ("3.", "is no version"),
            ("3.12.1.1", "is no version"),
            ("--help", "is no version"),
            ("3t", "is no version"),
            ("3.12tt", "is no version"),
            ("3.10t", "does not fit, wanted is >=3.11,<3.13"),
            ("3.10", "does not fit, wanted is >=3.11,<3.13"),
            ("3.13.0", "does not fit, wanted is >=3.11,<3.13"),
        ] {
            assert_eq!(check(version, &demanded).unwrap_err().reason, reason);
        }
        assert!(check("3.12", &demanded).is_ok());
        assert!(check("3.11.7", &demanded).is_ok());
        assert!(check("3.12t", &demanded).is_ok());
    }
}
