//! pip: which one, how it is called and what its lines mean.
//!
//! An environment that we made has no pip of its own: the one of the base interpreter installs into
//! it by `--python`, which it can since 22.3. Where there is none, or an older one, the environment
//! gets its own from `ensurepip`.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::environ::command::{self, Invocation, Stream};
use crate::environ::error::EnvironError;
use crate::environ::install::{Count, Job, wanted};
use crate::environ::progress::{Phase, tell};
use crate::environ::variables::installer_env;
use crate::environ::version::Version;

/// Since then pip installs into another environment.
const PYTHON_OPTION: Version = Version {
    major: 22,
    minor: 3,
    patch: 0,
};

/// The pip that works.
#[derive(Debug)]
pub(crate) struct Runner {
    /// The interpreter that it runs in.
    program: PathBuf,
    /// Whether that is another one than the environment's.
    from_outside: bool,
}

impl Runner {
    /// `pip install` into the environment.
    pub(crate) fn command(&self, job: &Job<'_>, base: bool) -> (PathBuf, Vec<OsString>) {
        // Isolated: a `pip.py` beside the user's module is not the one that is meant.
        let mut arguments: Vec<OsString> = ["-I", "-m", "pip"].map(OsString::from).to_vec();
        if self.from_outside {
            arguments.extend([OsString::from("--python"), job.python.clone().into()]);
        }
        // What is imported is compiled then; compiling all of it takes longer than installing it.
        arguments.extend(["install", "--no-compile", "--no-warn-script-location"].map(Into::into));
        if job.offline {
            // pip has no "cache only": what it may still use are local folders (--find-links).
            arguments.push("--no-index".into());
        }
        if job.reinstall {
            arguments.push("--force-reinstall".into());
        }
        arguments.extend(wanted(job, base));
        (self.program.clone(), arguments)
    }
}

/// Finds a pip for the environment, or puts one into it.
pub(crate) async fn runner(job: &Job<'_>) -> Result<Runner, EnvironError> {
    let own = || Runner {
        program: job.python.clone(),
        from_outside: false,
    };
    if job.own_pip {
        return Ok(own());
    }
    let version = if job.base_pip.is_some() {
        job.base_pip
    } else {
        let probed = job.surroundings.probe(job.base, job.directory).await;
        probed.ok().and_then(|probe| probe.pip())
    };
    if version.is_some_and(|version| version >= PYTHON_OPTION) {
        return Ok(Runner {
            program: job.base.to_path_buf(),
            from_outside: true,
        });
    }
    ensure_pip(job).await?;
    Ok(own())
}

async fn ensure_pip(job: &Job<'_>) -> Result<(), EnvironError> {
    tell(
        job.progress,
        Phase::Venv,
        "putting pip into the environment",
    );
    let invocation = Invocation {
        program: job.python.clone(),
        arguments: ["-I", "-m", "ensurepip", "--default-pip"]
            .map(OsString::from)
            .to_vec(),
        directory: job.directory.to_path_buf(),
        variables: installer_env(&job.surroundings.variables),
        stdin: job.lock.stdin(),
        keeper: job.surroundings.keeper.clone(),
    };
    let mut take = |_: Stream, line: &str| tell(job.progress, Phase::Venv, line);
    let failure = match command::run(invocation, &mut take).await {
        Ok(finished) if finished.status.success() => return Ok(()),
        Ok(finished) => finished.tail,
        Err(error) => error.to_string(),
    };
    Err(EnvironError::Install {
        reason: format!(
            "{} has no pip 22.3 or newer, and no ensurepip",
            job.base.display()
        ),
        output: failure,
        hint: "install pip for that interpreter (on Debian and Ubuntu: python3-pip), or install uv"
            .to_owned(),
    })
}

/// Understands a line: `Collecting numpy`, `Downloading numpy-2.1.whl (16 MB)`,
/// `Installing collected packages: a, b`, `Successfully installed a-1 b-2`.
pub(crate) fn step(line: &str, count: &mut Count) -> Phase {
    if line.starts_with("Collecting ") {
        return count.one(Phase::Resolve);
    }
    if ["Downloading ", "Using cached ", "Processing "]
        .iter()
        .any(|verb| line.starts_with(verb))
    {
        return count.one(Phase::Download);
    }
    if let Some(names) = line.strip_prefix("Installing collected packages: ") {
        return count.set(Phase::Install, 0, Some(names.split(',').count() as u64));
    }
    if let Some(names) = line.strip_prefix("Successfully installed ") {
        let number = names.split_whitespace().count() as u64;
        return count.set(Phase::Install, number, Some(number));
    }
    count.phase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_understood() {
        let mut count = Count::default();
        for (line, phase, done, total) in [
            ("Looking in links: /wheels", Phase::Resolve, 0, None),
            ("Collecting numpy", Phase::Resolve, 1, None),
            (
                "Downloading numpy-2.1.0.whl (16 MB)",
                Phase::Download,
                1,
                None,
            ),
            ("Collecting rich>=13", Phase::Resolve, 1, None),
            (
                "Installing collected packages: numpy, rich",
                Phase::Install,
                0,
                Some(2),
            ),
            (
                "Successfully installed numpy-2.1.0 rich-13.0",
                Phase::Install,
                2,
                Some(2),
            ),
        ] {
            assert_eq!(step(line, &mut count), phase, "{line}");
            assert_eq!((count.done, count.total), (done, total), "{line}");
        }
    }
}
