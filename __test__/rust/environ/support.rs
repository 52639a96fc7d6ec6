//! One folder a test: a module, local packages, and a machine of its own.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use synapse::environ::{
    DependencySource, EnvironError, EnvironSpec, Environment, Installer, Lookup, Phase, Step,
    Surroundings, Target, Variables, prepare,
};
use tempfile::TempDir;

const PACKAGE: &str = include_str!("package.py");
const SLOW_BACKEND: &str = include_str!("slow_backend.py");

/// A real interpreter, by its real path.
pub(crate) fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        PathBuf::from(output(Command::new("python3").args([
            "-I",
            "-c",
            "import sys; print(getattr(sys, '_base_executable', sys.executable))",
        ])))
    })
}

/// A real uv, installed once for all runs of the tests.
pub(crate) fn uv() -> &'static Path {
    static UV: OnceLock<PathBuf> = OnceLock::new();
    UV.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("uv");
        fs::create_dir_all(&folder).unwrap();
        // Every test may be a process of its own.
        let lock = File::create(folder.join("lock")).unwrap();
        lock.lock().unwrap();
        let uv = folder.join("venv/bin/uv");
        if !folder.join("complete").exists() {
            let venv = folder.join("venv");
            output(
                Command::new(python())
                    .args(["-m", "venv", "--clear"])
                    .arg(&venv),
            );
            output(
                Command::new(venv.join("bin/python")).args(["-m", "pip", "install", "-q", "uv"]),
            );
            File::create(folder.join("complete")).unwrap();
        }
        uv
    })
}

/// What a command prints; it must succeed.
pub(crate) fn output(command: &mut Command) -> String {
    let done = command.output().unwrap();
    assert!(
        done.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

/// Writes a program.
pub(crate) fn program(path: &Path, script: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
}

/// What a fake interpreter answers to the probe.
pub(crate) fn answer(path: &Path, version: &str) -> String {
    let path = path.display();
    format!(
        "{{\"synapse_probe\": 1, \"version\": \"{version}\", \"implementation\": \"cpython\", \
         \"platform\": \"linux\", \"executable\": \"{path}\", \"prefix\": \"/usr\", \
         \"base_prefix\": \"/usr\", \"base_executable\": \"{path}\", \"pip\": null}}"
    )
}

/// Writes a program that says it is the free-threaded build of this version.
pub(crate) fn fake_free_threaded(path: &Path, version: &str) {
    let field = "\"free_threaded\": true, \"version\"";
    let answer = answer(path, version).replacen("\"version\"", field, 1);
    program(path, &format!("echo '{answer}'"));
}

/// Writes a program that says it is this version of Python.
pub(crate) fn fake_python(path: &Path, version: &str) {
    program(path, &format!("echo '{}'", answer(path, version)));
}

/// Which installer a test runs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum With {
    Pip,
    Uv,
}

pub(crate) const BOTH: [With; 2] = [With::Pip, With::Uv];

/// A folder with a module in it.
pub(crate) struct Sandbox {
    folder: TempDir,
    pub(crate) module: PathBuf,
    path: Vec<PathBuf>,
}

impl Sandbox {
    /// With the real interpreter, and uv if it is asked for, on `PATH`; an empty `HOME`; an entry
    /// `main.py`; local packages `sample` 1.0 and 2.0 and `base-sample` 1.0.
    pub(crate) fn new(with: With) -> Self {
        Self::named(with, "module")
    }

    pub(crate) fn named(with: With, name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let module = folder.path().join(name);
        for made in [
            &module,
            &folder.path().join("wheels"),
            &folder.path().join("home"),
        ] {
            fs::create_dir(made).unwrap();
        }
        let bin = folder.path().join("bin");
        fs::create_dir(&bin).unwrap();
        // A link would do for the interpreter's name, but then uv would find its neighbours.
        program(
            &bin.join("python3"),
            &format!("exec '{}' \"$@\"", python().display()),
        );
        if with == With::Uv {
            std::os::unix::fs::symlink(uv(), bin.join("uv")).unwrap();
        }
        let sandbox = Self {
            folder,
            module,
            path: vec![bin, "/usr/bin".into(), "/bin".into()],
        };
        sandbox.write("main.py", "print('main')\n");
        for version in ["1.0", "2.0"] {
            sandbox.wheel("sample", version, &[]);
        }
        sandbox.wheel("base-sample", "1.0", &[]);
        sandbox
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn venv(&self) -> PathBuf {
        self.module.join(".venv")
    }

    /// Writes a file of the module.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.module.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Writes a requirements file that is served from the local packages.
    pub(crate) fn require(&self, text: &str) {
        let wheels = self.folder().join("wheels");
        let text = format!("--no-index\n--find-links {}\n{text}\n", wheels.display());
        self.write("requirements.txt", &text);
    }

    pub(crate) fn wheel(&self, name: &str, version: &str, requirements: &[&str]) {
        let script = self.folder().join("package.py");
        fs::write(&script, PACKAGE).unwrap();
        let mut command = Command::new(python());
        command
            .arg(script)
            .arg(self.folder().join("wheels"))
            .args([name, version]);
        output(command.args(requirements));
    }

    /// Puts a package into the module whose build waits; see `slow_backend.py`.
    pub(crate) fn slow_package(&self) -> PathBuf {
        self.write("slow/package.py", PACKAGE);
        self.write("slow/backend.py", SLOW_BACKEND);
        self.write(
            "slow/pyproject.toml",
            "[project]\nname = 'slow'\nversion = '1.0'\n\
             [build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n",
        );
        self.module.join("slow")
    }

    /// The machine: nothing of the real one but `PATH` as above.
    pub(crate) fn variables(&self) -> Variables {
        let path = std::env::join_paths(&self.path).unwrap();
        let home = self.folder().join("home");
        let cache = self.folder().join("cache");
        [
            ("PATH", path.as_os_str()),
            ("HOME", home.as_os_str()),
            ("UV_CACHE_DIR", cache.as_os_str()),
            ("LANG", "C.UTF-8".as_ref()),
        ]
        .into_iter()
        .collect()
    }

    pub(crate) fn surroundings(&self) -> Surroundings {
        Surroundings {
            variables: self.variables(),
            probe_limit: Duration::from_secs(30),
            keeper: None,
        }
    }

    /// The module's requirements as they are, and no others.
    pub(crate) fn spec(&self) -> EnvironSpec {
        let lookup = Lookup::Default;
        let target = Target::check(self.module.to_str().unwrap(), "main", lookup);
        self.spec_with(target.unwrap().dependencies)
    }

    pub(crate) fn spec_with(&self, dependencies: Vec<DependencySource>) -> EnvironSpec {
        EnvironSpec {
            directory: self.module.clone(),
            dependencies,
            python: None,
            installer: Installer::Auto,
            offline: false,
            base_requirements: Vec::new(),
            sdk_version: "2.0.0".to_owned(),
            surroundings: self.surroundings(),
        }
    }

    /// Prepares by the requirements as they are now.
    pub(crate) async fn prepare(&self) -> Result<Environment, EnvironError> {
        prepare(&self.spec(), &|_| {}).await
    }
}

/// What a program in the environment prints.
pub(crate) fn run_in(environment: &Environment, code: &str) -> String {
    output(Command::new(&environment.python).args(["-I", "-c", code]))
}

/// Whether the environment has that version of `sample`.
pub(crate) fn has_sample(environment: &Environment, version: &str) -> bool {
    run_in(environment, "import sample; print(sample.__version__)") == version
}

/// Collects the steps.
#[derive(Default)]
pub(crate) struct Steps {
    steps: Mutex<Vec<Step>>,
}

impl Steps {
    pub(crate) fn take(&self) -> impl Fn(Step) + Send + Sync {
        |step| self.steps.lock().unwrap().push(step)
    }

    pub(crate) fn all(&self) -> Vec<Step> {
        self.steps.lock().unwrap().clone()
    }

    pub(crate) fn phases(&self) -> BTreeSet<String> {
        let name = |phase: Phase| format!("{phase:?}");
        self.steps
            .lock()
            .unwrap()
            .iter()
            .map(|step| name(step.phase))
            .collect()
    }

    pub(crate) fn mention(&self, text: &str) -> bool {
        self.steps
            .lock()
            .unwrap()
            .iter()
            .any(|step| step.text.contains(text))
    }
}

/// Waits until something is so: only for what other processes do.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..3000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("in a minute it did not come to pass that {what}");
}

/// The process id that a slow build wrote, once it did.
pub(crate) async fn builder(slow: &Path) -> i32 {
    let file = slow.join("pid");
    until("the build begins", || file.exists()).await;
    let id = fs::read_to_string(&file).unwrap().parse().unwrap();
    fs::remove_file(file).unwrap();
    id
}

/// Whether a process has ended, be it that nobody has reaped it.
pub(crate) fn has_ended(id: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{id}/stat"));
    stat.map_or(true, |text| {
        text.rsplit(')')
            .next()
            .unwrap()
            .trim_start()
            .starts_with(['Z', 'X'])
    })
}
