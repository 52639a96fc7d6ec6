//! From the options of `spawn` to a prepared environment and a worker's command line.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Value, json};

use crate::driver::options::{InheritEnv, Output, SpawnOptions};
use crate::environ::{
    Entry, EnvironSpec, Environment, Inherit, Installer, Lookup, Progress, Surroundings, Target,
    WorkerEnv, worker_env,
};
use crate::error::{ErrorCode, Failure};
use crate::process::{Launch, OwnerId};

/// The launcher, within the Python package.
const LAUNCHER: &str = "synapse/_launch.py";
/// What the launcher likes to find installed, within the Python package.
const REQUIREMENTS: &str = "synapse/_protocol/requirements.txt";

/// Everything that starting a worker takes.
#[derive(Debug)]
pub struct Prepared {
    environment: Environment,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    cwd: PathBuf,
    stdout: Output,
    stderr: Output,
}

/// What the launcher is told, as JSON in its only argument. `python/synapse/_worker/boot.py` reads
/// it.
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
    parent: u32,
    strict_values: bool,
    stdout: Output,
    stderr: Output,
}

#[derive(Serialize)]
struct BootLimits {
    frame: u32,
    depth: u32,
}

/// Checks the target, prepares its environment and composes the command line of its workers.
pub async fn prepare(options: SpawnOptions, progress: &dyn Progress) -> Result<Prepared, Failure> {
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
            ..Surroundings::of_process()
        },
    };
    let environment = crate::environ::prepare(&spec, progress).await?;
    Prepared::new(&options, &target, environment)
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
    fn new(
        options: &SpawnOptions,
        target: &Target,
        environment: Environment,
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
            data_in: 3,
            data_out: 4,
            control: 5,
            journal: 6,
            directory: &target.directory,
            entry: file,
            module,
            function,
            python_path: &options.python_path,
            protocol: &options.protocol,
            mode: &options.mode,
            concurrency: options.concurrency,
            limits: BootLimits {
                frame: options.frame_limit,
                depth: options.depth_limit,
            },
            heartbeat_ms: options.heartbeat_ms.unwrap_or(0.0),
            parent: options.node_parent,
            strict_values: true,
            stdout: options.stdout,
            stderr: options.stderr,
        };
        let boot = serde_json::to_string(&boot).map_err(|error| {
            Failure::new(
                ErrorCode::StartFailed,
                format!("the directory's name: {error}"),
            )
        })?;
        let inherit = match &options.inherit_env {
            InheritEnv::Switch(true) => Inherit::All,
            InheritEnv::Switch(false) => Inherit::Needed,
            InheritEnv::Names(names) => Inherit::Named(names.clone()),
        };
        let variables = worker_env(&WorkerEnv {
            host: &options.host_env.iter().collect(),
            venv: environment.venv.as_deref(),
            inherit: &inherit,
            wished: &options.env,
            threads: 1,
        });
        let cwd = match &options.cwd {
            Some(cwd) => target.directory.join(cwd),
            None => std::env::current_dir().unwrap_or_else(|_| target.directory.clone()),
        };
        let launcher = options.sdk_path.join(LAUNCHER).into_os_string();
        Ok(Self {
            environment,
            args: vec![OsString::from("-u"), launcher, OsString::from(boot)],
            env: variables
                .iter()
                .map(|(n, v)| (n.to_owned(), v.to_owned()))
                .collect(),
            cwd,
            stdout: options.stdout,
            stderr: options.stderr,
        })
    }

    /// One worker to start.
    pub fn launch(&self, owner: OwnerId) -> Launch {
        Launch {
            owner,
            program: self.environment.python.clone(),
            args: self.args.clone(),
            env: self.env.clone(),
            cwd: self.cwd.clone(),
            stdout: self.stdout.into(),
            stderr: self.stderr.into(),
        }
    }

    /// The environment as the facade shows it.
    pub fn describe(&self) -> Value {
        let environment = &self.environment;
        json!({
            "python": environment.python,
            "version": environment.version,
            "source": environment.source,
            "venv": environment.venv,
            "identity": environment.identity,
            "built": environment.built,
        })
    }
}
