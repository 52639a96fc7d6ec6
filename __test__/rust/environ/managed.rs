//! `python: { managed }`: a real uv has interpreters, from an archive on this machine.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use synapse::environ::{
    EnvironSpec, Environment, Installer, Phase, Source, prepare, resolve_python,
};
use synapse::error::{ErrorCode, Failure};

use crate::environ::support::{Sandbox, Steps, With, has_sample, output, python, run_in};

/// A machine whose uv downloads from a folder.
struct Mirror {
    sandbox: Sandbox,
    /// The only version that there is: `3.11.7`.
    version: String,
}

impl Mirror {
    fn new() -> Self {
        let sandbox = Sandbox::new(With::Uv);
        sandbox.require("sample==1.0");
        let script = sandbox.folder().join("managed_archive.py");
        fs::write(&script, include_str!("managed_archive.py")).unwrap();
        let version = output(Command::new(python()).arg(script).arg(sandbox.folder()));
        Self { sandbox, version }
    }

    /// `3.11`
    fn minor(&self) -> &str {
        self.version.rsplit_once('.').unwrap().0
    }

    fn installed(&self) -> PathBuf {
        self.sandbox.folder().join("managed")
    }

    fn spec(&self, version: &str) -> EnvironSpec {
        let mut spec = self.sandbox.spec();
        spec.python = Some(format!("managed:{version}"));
        let downloads = self.sandbox.folder().join("downloads.json");
        let variables = &mut spec.surroundings.variables;
        variables.set("UV_PYTHON_INSTALL_DIR", self.installed());
        variables.set(
            "UV_PYTHON_DOWNLOADS_JSON_URL",
            format!("file://{}", downloads.display()),
        );
        spec
    }

    async fn prepare(&self) -> Environment {
        prepare(&self.spec(self.minor()), &|_| {}).await.unwrap()
    }

    async fn refused(&self, spec: &EnvironSpec) -> Failure {
        let failure = Failure::from(prepare(spec, &|_| {}).await.unwrap_err());
        assert_eq!(failure.code, ErrorCode::PythonNotFound);
        failure
    }
}

fn text<'a>(failure: &'a Failure, detail: &str) -> &'a str {
    failure.details[detail].as_str().unwrap()
}

#[tokio::test]
async fn a_version_that_is_missing_is_installed_and_the_environment_made_from_it() {
    let mirror = Mirror::new();
    let steps = Steps::default();
    let environment = prepare(&mirror.spec(mirror.minor()), &steps.take())
        .await
        .unwrap();
    assert!(environment.built);
    assert_eq!(environment.source, Source::Managed);
    assert_eq!(environment.version, mirror.version);
    assert_eq!(environment.venv, Some(mirror.sandbox.venv()));
    let base = run_in(&environment, "import sys; print(sys.base_prefix)");
    assert!(
        base.starts_with(mirror.installed().to_str().unwrap()),
        "{base}"
    );
    assert!(has_sample(&environment, "1.0"));

    assert!(steps.mention(&format!("uv installs Python {}", mirror.minor())));
    assert!(steps.mention(&format!("Installed Python {}", mirror.version)));
    assert_eq!(steps.all().first().unwrap().phase, Phase::Download);
    assert_eq!(steps.all().last().unwrap().phase, Phase::Ready);
    // The user's own folder of programs is none of our business.
    assert!(!mirror.sandbox.folder().join("home/.local/bin").exists());
}

#[tokio::test]
async fn a_finished_environment_needs_neither_uv_nor_a_process() {
    let mirror = Mirror::new();
    mirror.prepare().await;
    let mut spec = mirror.spec(mirror.minor());
    spec.surroundings.variables.set("PATH", "/nowhere");
    let again = prepare(&spec, &|_| {}).await.unwrap();
    assert!(!again.built);
    assert_eq!(again.source, Source::Managed);
}

#[tokio::test]
async fn an_interpreter_that_is_there_needs_no_network() {
    let mirror = Mirror::new();
    mirror.prepare().await;
    fs::remove_dir_all(mirror.sandbox.venv()).unwrap();
    fs::remove_file(mirror.sandbox.folder().join("python.tar.gz")).unwrap();
    let mut spec = mirror.spec(&mirror.version);
    spec.offline = true;
    let environment = prepare(&spec, &|_| {}).await.unwrap();
    assert_eq!(environment.source, Source::Managed);

    let surroundings = &spec.surroundings;
    let directory = mirror.sandbox.module.as_path();
    let found = resolve_python(spec.python.as_deref(), None, directory, surroundings)
        .await
        .unwrap();
    assert_eq!(found.source, Source::Managed);
    assert!(found.path.starts_with(mirror.installed()));
}

#[tokio::test]
async fn an_environment_of_another_interpreter_is_made_anew() {
    let mirror = Mirror::new();
    let before = mirror.sandbox.prepare().await.unwrap();
    assert_eq!(before.source, Source::Path);
    let after = mirror.prepare().await;
    assert!(after.built);
    assert_eq!(after.source, Source::Managed);
    let base = run_in(&after, "import sys; print(sys.base_prefix)");
    assert!(
        base.starts_with(mirror.installed().to_str().unwrap()),
        "{base}"
    );
}

#[tokio::test]
async fn without_an_installer_the_interpreter_itself_is_used() {
    let mirror = Mirror::new();
    let mut spec = mirror.spec(mirror.minor());
    spec.installer = Installer::None;
    let environment = prepare(&spec, &|_| {}).await.unwrap();
    assert_eq!(environment.venv, None);
    assert!(environment.python.starts_with(mirror.installed()));
}

#[tokio::test]
async fn offline_and_a_mere_question_install_nothing() {
    let mirror = Mirror::new();
    let mut spec = mirror.spec(mirror.minor());
    spec.offline = true;
    let failure = mirror.refused(&spec).await;
    assert!(
        failure.message.contains("offline is set"),
        "{}",
        failure.message
    );
    assert!(text(&failure, "hint").contains("uv python install"));

    let surroundings = &spec.surroundings;
    let directory = mirror.sandbox.module.as_path();
    let error = resolve_python(spec.python.as_deref(), None, directory, surroundings)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("uv has not installed it"),
        "{error}"
    );
    assert!(fs::read_dir(mirror.installed()).map_or(true, |entries| {
        !entries
            .flatten()
            .any(|entry| entry.file_name().to_string_lossy().starts_with("cpython"))
    }));
}

#[tokio::test]
async fn without_uv_the_error_says_how_to_get_it() {
    let sandbox = Sandbox::new(With::Pip);
    sandbox.require("sample==1.0");
    let mut spec = sandbox.spec();
    spec.python = Some("managed:3.12".to_owned());
    let failure = Failure::from(prepare(&spec, &|_| {}).await.unwrap_err());
    assert_eq!(failure.code, ErrorCode::PythonNotFound);
    assert!(
        failure.message.contains("uv is in no folder of PATH"),
        "{}",
        failure.message
    );
    assert!(text(&failure, "hint").contains("install uv"));
    assert_eq!(failure.details["candidates"][0]["path"], "managed:3.12");
}

#[tokio::test]
async fn a_version_that_is_not_to_be_had_is_an_error_with_what_uv_said() {
    let mirror = Mirror::new();
    let failure = mirror.refused(&mirror.spec("3.99")).await;
    assert!(
        failure.message.contains("managed:3.99"),
        "{}",
        failure.message
    );
    assert!(
        failure.message.contains("uv cannot install it"),
        "{}",
        failure.message
    );
    assert!(text(&failure, "output").contains("No download found"));
}
