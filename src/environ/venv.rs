//! The virtual environment itself: what is there, throwing it away, making it.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::environ::command::{self, Invocation, Stream};
use crate::environ::discover::Interpreter;
use crate::environ::error::EnvironError;
use crate::environ::layout;
use crate::environ::lock::{self, Lock};
use crate::environ::probe::{Probe, Refusal};
use crate::environ::progress::{Phase, Progress, tell};
use crate::environ::stamp::Marker;
use crate::environ::surroundings::Surroundings;
use crate::environ::variables::installer_env;

/// What lies in the environment's folder.
#[derive(Debug)]
pub(crate) enum State {
    /// Nothing but what we put there ourselves.
    Absent,
    /// A build of ours that was cut off.
    Unfinished,
    /// It cannot work, for this reason.
    Broken(String),
    /// Its interpreter answers and is the one that it was made for.
    Sound(Box<Probe>),
}

/// Looks at an environment. `Err` means that it can be neither used nor thrown away.
pub(crate) async fn examine(
    venv: &Path,
    directory: &Path,
    surroundings: &Surroundings,
) -> Result<State, String> {
    if Marker::read(venv) == Some(Marker::Building) {
        return Ok(State::Unfinished);
    }
    if is_empty(venv).map_err(|error| format!("it cannot be read: {error}"))? {
        return Ok(State::Absent);
    }
    if !layout::is_venv(venv) {
        let python = layout::python(venv);
        if python.symlink_metadata().is_err() {
            return Err("the folder is there, but is no virtual environment".to_owned());
        }
        return Ok(State::Broken("pyvenv.cfg is missing".to_owned()));
    }
    let probe = match surroundings.probe(&layout::python(venv), directory).await {
        Ok(probe) => probe,
        Err(Refusal::Broken(reason)) => {
            return Ok(State::Broken(format!("its interpreter {reason}")));
        }
        Err(Refusal::Silent(reason)) => return Err(format!("its interpreter {reason}")),
    };
    let version = probe.version();
    match layout::recorded_version(venv) {
        Some(made_for) if (made_for.major, made_for.minor) != (version.major, version.minor) => {
            return Ok(State::Broken(format!(
                "it was made for Python {made_for}, but its interpreter is {version} now"
            )));
        }
        _ => {}
    }
    if !probe.in_venv() {
        return Ok(State::Broken(
            "its interpreter does not belong to it".to_owned(),
        ));
    }
    if layout::site_packages(venv).is_none() {
        return Ok(State::Broken(
            "its folder for packages is missing".to_owned(),
        ));
    }
    Ok(State::Sound(Box::new(probe)))
}

fn is_empty(venv: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(venv)? {
        if !is_kept(&entry?.file_name()) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The lock and the marker outlive what lies beside them.
fn is_kept(name: &std::ffi::OsStr) -> bool {
    name == lock::FILE || Marker::is_named(name)
}

/// Empties an environment's folder. Large ones take a while: done off the runtime's thread.
async fn clear(venv: &Path, lock: &Lock) -> io::Result<()> {
    let venv: PathBuf = venv.to_path_buf();
    let lock = lock.share()?;
    let work = move || {
        // To the end, also if nobody waits for it any more.
        let _lock = lock;
        for entry in fs::read_dir(&venv)? {
            let entry = entry?;
            if is_kept(&entry.file_name()) {
                continue;
            }
            // A link to a folder is a link: what it leads to is not ours.
            if entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            } else {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    };
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// Makes an environment anew, without pip in it, whose installation would take seconds: pip can
/// install from outside. With uv where that is given, and by `venv` where it is not or fails.
pub(crate) async fn create(
    venv: &Path,
    interpreter: &Interpreter,
    uv: Option<&Path>,
    directory: &Path,
    surroundings: &Surroundings,
    lock: &Lock,
    progress: &dyn Progress,
) -> Result<(), EnvironError> {
    let written = |error: io::Error| unwritable(venv, &error);
    Marker::Building.set(venv).map_err(written)?;
    clear(venv, lock).await.map_err(written)?;
    let text = format!(
        "making {} with Python {} ({})",
        venv.display(),
        interpreter.version,
        interpreter.path.display()
    );
    tell(progress, Phase::Venv, text);

    let python = interpreter.path.as_os_str();
    let by_uv = uv.map(|uv| {
        let mut arguments: Vec<OsString> = ["venv", "--allow-existing", "--no-project", "--python"]
            .map(OsString::from)
            .to_vec();
        arguments.extend([python.to_owned(), venv.as_os_str().to_owned()]);
        (uv, arguments)
    });
    let mut by_venv: Vec<OsString> = ["-I", "-m", "venv", "--without-pip"]
        .map(OsString::from)
        .to_vec();
    by_venv.push(venv.as_os_str().to_owned());

    let mut failure = (String::new(), String::new());
    for (program, arguments) in by_uv
        .into_iter()
        .chain([(interpreter.path.as_path(), by_venv)])
    {
        let invocation = Invocation {
            program: program.to_path_buf(),
            arguments,
            directory: directory.to_path_buf(),
            variables: installer_env(&surroundings.variables),
            stdin: lock.stdin(),
            keeper: surroundings.keeper.clone(),
        };
        let mut take = |_: Stream, line: &str| tell(progress, Phase::Venv, line);
        failure = match command::run(invocation, &mut take).await {
            Ok(finished) if finished.status.success() && layout::python(venv).exists() => {
                return Ok(());
            }
            Ok(finished) => {
                let ended = command::describe(finished.status);
                (
                    format!("{} ended with {ended}", program.display()),
                    finished.tail,
                )
            }
            Err(error) => (
                format!("cannot run {}: {error}", program.display()),
                String::new(),
            ),
        };
    }
    let (reason, output) = failure;
    let hint = "see the output; on Debian and Ubuntu the package python3-venv may be missing, and a \
                full disk shows here first";
    Err(EnvironError::Venv {
        venv: venv.to_path_buf(),
        reason,
        output,
        hint: hint.to_owned(),
    })
}

/// The error for a folder that cannot be written to.
pub(crate) fn unwritable(venv: &Path, error: &io::Error) -> EnvironError {
    let is_broken_link = venv
        .symlink_metadata()
        .is_ok_and(|metadata| metadata.is_symlink())
        && fs::metadata(venv).is_err();
    let reason = if is_broken_link {
        "it is a link to a folder that is gone".to_owned()
    } else {
        format!("it cannot be written to: {error}")
    };
    EnvironError::Venv {
        venv: venv.to_path_buf(),
        reason,
        output: String::new(),
        hint:
            "make the module's directory writable, or prepare the environment beforehand and pass \
               python: '/path/to/venv'"
                .to_owned(),
    }
}
