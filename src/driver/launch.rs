//! From the options of `spawn` to a prepared environment and a worker's command line.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::driver::options::{InheritEnv, Output, Runtime, SpawnOptions};
use crate::environ::{
    Entry, EnvironSpec, Environment, Inherit, Installer, Keeper, Lookup, Progress, Script,
    Surroundings, Target, Variables, WorkerEnv, command_env, worker_env,
};
use crate::error::{ErrorCode, Failure};
use crate::process::{self, FIRST_INHERITED, Kept, Launch, OwnerId, ResourceLimits};

/// The launcher, within the Python package.
const LAUNCHER: &str = "synapse/_launch.py";
/// What the launcher likes to find installed, within the Python package.
const REQUIREMENTS: &str = "synapse/_protocol/requirements.txt";

/// The variable that tells a worker which is no Python what it is to do; see `docs/protocol.md`.
const WORKER_VARIABLE: &str = "SYNAPSE_WORKER";

/// Everything that starting a worker takes.
#[derive(Debug)]
pub struct Prepared {
    program: PathBuf,
    /// The environment as the facade shows it; null if there is none of ours.
    about: Value,
    args: Vec<OsString>,
    /// What Python's launcher is told by a further argument, see [`Boot`].
    boot: Option<Map<String, Value>>,
    /// Bytes of shared memory that a worker may keep idle.
    idle_memory: u64,
    env: Vec<(OsString, OsString)>,
    cwd: PathBuf,
    stdout: Output,
    stderr: Output,
    limits: ResourceLimits,
}

/// What a worker is told, as JSON: Python's launcher in its only argument, which
/// `python/synapse/_worker/boot.py` reads; others in [`WORKER_VARIABLE`], see `docs/protocol.md`.
#[derive(Serialize)]
struct Boot<'a> {
    data_in: i32,
    data_out: i32,
    control: i32,
    journal: i32,
    directory: &'a Path,
    entry: Option<&'a Path>,
    module: Option<&'a str>,
    function: Option<&'a str>,
    python_path: &'a [String],
    protocol: &'a str,
    mode: &'a str,
    concurrency: u32,
    limits: BootLimits,
    heartbeat_ms: f64,
    withdrawals: bool,
    parent: u32,
    values: &'a str,
    validate: bool,
    stdout: Output,
    stderr: Output,
}

/// Of [`Boot`], where there is shared memory: the descriptors of the host's arena and the worker's
/// own, and how many bytes the worker may keep idle.
#[derive(Serialize)]
struct BootMemory {
    host: i32,
    own: i32,
    idle: u64,
}

#[derive(Serialize)]
struct BootLimits {
    frame: u32,
    depth: u32,
}

/// Has installers ended by the guard if this process is killed. They are run on the reactor's thread.
#[derive(Debug)]
struct Guarded;

impl Keeper for Guarded {
    fn mark(&self) -> (&'static str, String) {
        (process::MARKER_VARIABLE, process::marker())
    }

    fn keep(&self, leader: u32) -> Box<dyn Send> {
        Box::new(Kept::new(leader))
    }
}

/// Checks the target, prepares its environment and composes the command line of its workers.
pub async fn prepare(options: SpawnOptions, progress: &dyn Progress) -> Result<Prepared, Failure> {
    match options.runtime {
        Runtime::Python => prepare_python(&options, progress).await,
        Runtime::Node => {
            let script = Script::check_node(&options.directory, &options.entrypoint)?;
            Prepared::command(&options, &script)
        }
        Runtime::Command => {
            let entry = &options.entrypoint;
            let script = Script::check_command(&options.directory, entry, &options.command)?;
            Prepared::command(&options, &script)
        }
    }
}

async fn prepare_python(
    options: &SpawnOptions,
    progress: &dyn Progress,
) -> Result<Prepared, Failure> {
    let installer = installer(&options.installer)?;
    let lookup = match (&options.requirements, installer) {
        (Some(file), _) => Lookup::File(Path::new(file)),
        (None, Installer::None) => Lookup::Optional,
        (None, _) => Lookup::Default,
    };
    let target = Target::check(&options.directory, &options.entrypoint, lookup)?;
    let spec = EnvironSpec {
        directory: target.directory.clone(),
        dependencies: target.dependencies.clone(),
        python: options.python.clone(),
        installer,
        offline: options.offline,
        base_requirements: base_requirements(&options.sdk_path),
        sdk_version: env!("CARGO_PKG_VERSION").to_owned(),
        surroundings: Surroundings {
            variables: options.host_env.iter().collect(),
            keeper: Some(Arc::new(Guarded)),
            ..Surroundings::of_process()
        },
    };
    let environment = crate::environ::prepare(&spec, progress).await?;
    Prepared::python(options, &target, &environment)
}

fn installer(name: &str) -> Result<Installer, Failure> {
    match name {
        "auto" => Ok(Installer::Auto),
        "uv" => Ok(Installer::Uv),
        "pip" => Ok(Installer::Pip),
        "none" => Ok(Installer::None),
        other => Err(Failure::new(
            ErrorCode::InstallFailed,
            format!("unknown installer \"{other}\""),
        )),
    }
}

fn base_requirements(sdk: &Path) -> Vec<String> {
    // Without the list a worker runs on its own codec, only slower.
    let text = fs::read_to_string(sdk.join(REQUIREMENTS)).unwrap_or_default();
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

impl Prepared {
    fn python(
        options: &SpawnOptions,
        target: &Target,
        environment: &Environment,
    ) -> Result<Self, Failure> {
        let (module, function) = match &target.entry {
            Entry::File(_) => (None, None),
            Entry::Function {
                module, function, ..
            } => (Some(module.as_str()), Some(function.as_str())),
        };
        let file = match &target.entry {
            Entry::File(file) => Some(file.as_path()),
            Entry::Function { .. } => None,
        };
        let boot = Boot {
            module,
            function,
            ..boot(options, &target.directory, file)
        }
        .map()?;
        let launcher = options.sdk_path.join(LAUNCHER).into_os_string();
        let variables = worker_env(&WorkerEnv {
            host: &options.host_env.iter().collect(),
            venv: environment.venv.as_deref(),
            inherit: &inherit(options),
            wished: &options.env,
            threads: 1,
        });
        let here = std::env::current_dir().unwrap_or_else(|_| target.directory.clone());
        let about = json!({
            "python": environment.python,
            "version": environment.version,
            "source": environment.source,
            "venv": environment.venv,
            "identity": environment.identity,
            "built": environment.built,
        });
        Ok(Self {
            program: environment.python.clone(),
            about,
            args: vec!["-u".into(), launcher],
            boot: Some(boot),
            idle_memory: options.shared_memory,
            env: listed(&variables),
            cwd: cwd(options, &target.directory, here),
            stdout: options.stdout,
            stderr: options.stderr,
            limits: options.resources(),
        })
    }

    /// A worker that the option `command` runs. Its relative words count from its directory.
    fn command(options: &SpawnOptions, script: &Script) -> Result<Self, Failure> {
        let mut words = options.command.iter().map(OsString::from);
        let program = words.next().map(PathBuf::from).unwrap_or_default();
        let mut args: Vec<OsString> = words.collect();
        let here = if options.runtime == Runtime::Node {
            std::env::current_dir().unwrap_or_else(|_| script.directory.clone())
        } else {
            script.directory.clone()
        };
        if options.runtime == Runtime::Command && !script.named {
            args.push(script.entry.clone().into_os_string());
        }
        let host: Variables = options.host_env.iter().collect();
        let mut variables = command_env(&host, &inherit(options), &options.env);
        let boot = boot(options, &script.directory, Some(&script.entry));
        variables.set(WORKER_VARIABLE, Value::Object(boot.map()?).to_string());
        Ok(Self {
            program,
            about: Value::Null,
            args,
            boot: None,
            idle_memory: 0,
            env: listed(&variables),
            cwd: cwd(options, &script.directory, here),
            stdout: options.stdout,
            stderr: options.stderr,
            limits: options.resources(),
        })
    }

    /// One worker to start. `memory` is shared with it: the host's arena and its own.
    pub fn launch(&self, owner: OwnerId, memory: Option<[Arc<OwnedFd>; 2]>) -> Launch {
        let mut args = self.args.clone();
        if let Some(mut boot) = self.boot.clone() {
            if memory.is_some() {
                let memory = BootMemory {
                    host: FIRST_INHERITED,
                    own: FIRST_INHERITED + 1,
                    idle: self.idle_memory,
                };
                boot.insert("memory".to_owned(), json!(memory));
            }
            args.push(Value::Object(boot).to_string().into());
        }
        Launch {
            owner,
            program: self.program.clone(),
            args,
            inherited: memory.into_iter().flatten().collect(),
            env: self.env.clone(),
            cwd: self.cwd.clone(),
            stdout: self.stdout.into(),
            stderr: self.stderr.into(),
            limits: self.limits,
        }
    }

    /// The environment as the facade shows it; null for a runtime that has none of ours.
    pub fn describe(&self) -> Value {
        self.about.clone()
    }

    /// Why a worker could not be started, with the name of the program.
    pub fn explain(&self, error: &io::Error) -> String {
        let program = self.program.display();
        if !self.cwd.is_dir() {
            return format!("its working directory {} is not there", self.cwd.display());
        }
        let searched = self.program.components().count() == 1;
        if error.kind() == io::ErrorKind::NotFound && searched {
            return format!("there is no program \"{program}\" on the PATH");
        }
        format!("\"{program}\" in {}: {error}", self.cwd.display())
    }
}

impl Boot<'_> {
    fn map(&self) -> Result<Map<String, Value>, Failure> {
        match serde_json::to_value(self) {
            Ok(Value::Object(map)) => Ok(map),
            Ok(_) => Ok(Map::new()),
            Err(error) => Err(Failure::new(
                ErrorCode::StartFailed,
                format!("the directory's name: {error}"),
            )),
        }
    }
}

/// What every worker is told.
fn boot<'a>(options: &'a SpawnOptions, directory: &'a Path, entry: Option<&'a Path>) -> Boot<'a> {
    Boot {
        data_in: 3,
        data_out: 4,
        control: 5,
        journal: 6,
        directory,
        entry,
        module: None,
        function: None,
        python_path: &options.python_path,
        protocol: &options.protocol,
        mode: &options.mode,
        concurrency: options.concurrency,
        limits: BootLimits {
            frame: options.frame_limit,
            depth: options.depth_limit,
        },
        heartbeat_ms: options
            .heartbeat
            .map_or(0.0, |heartbeat| heartbeat.interval_ms),
        withdrawals: options.queue_timeout_ms.is_some(),
        parent: options.node_parent,
        values: &options.values,
        validate: options.validate,
        stdout: options.stdout,
        stderr: options.stderr,
    }
}

fn inherit(options: &SpawnOptions) -> Inherit {
    match &options.inherit_env {
        InheritEnv::Switch(true) => Inherit::All,
        InheritEnv::Switch(false) => Inherit::Needed,
        InheritEnv::Names(names) => Inherit::Named(names.clone()),
    }
}

/// The option `cwd`, which counts from the directory.
fn cwd(options: &SpawnOptions, directory: &Path, otherwise: PathBuf) -> PathBuf {
    options
        .cwd
        .as_ref()
        .map_or(otherwise, |cwd| directory.join(cwd))
}

fn listed(variables: &Variables) -> Vec<(OsString, OsString)> {
    variables
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}
