//! The search for an interpreter, mostly among fake ones.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use synapse::environ::{
    Constraint, EnvironError, Interpreter, Source, Surroundings, Variables, resolve_python,
};
use synapse::error::{ErrorCode, Failure};
use tempfile::TempDir;

use crate::environ::support::{answer, fake_free_threaded, fake_python, program, python};

/// A machine without Python.
struct Machine {
    folder: TempDir,
    variables: Variables,
}

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = [folder.path().join("first"), folder.path().join("second")];
        for made in path.iter().chain([&folder.path().join("module")]) {
            fs::create_dir(made).unwrap();
        }
        let mut variables = Variables::default();
        variables.set("PATH", std::env::join_paths(path).unwrap());
        variables.set("HOME", folder.path().join("home"));
        Self { folder, variables }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn fake(&self, name: &str, version: &str) {
        fake_python(&self.at(name), version);
    }

    fn surroundings(&self) -> Surroundings {
        Surroundings {
            variables: self.variables.clone(),
            probe_limit: Duration::from_secs(30),
            keeper: None,
        }
    }

    fn fake_free_threaded(&self, name: &str, version: &str) {
        fake_free_threaded(&self.at(name), version);
    }

    async fn find(&self, option: Option<&str>) -> Result<Interpreter, EnvironError> {
        resolve_python(option, None, &self.at("module"), &self.surroundings()).await
    }

    /// The path that was found, relative to the machine, and where.
    async fn found(&self, option: Option<&str>) -> (String, Source) {
        let found = self.find(option).await.unwrap();
        let path = found
            .path
            .strip_prefix(self.folder.path())
            .unwrap()
            .to_str()
            .unwrap();
        (path.to_owned(), found.source)
    }

    /// Name and reason of everything that was refused.
    async fn refused(&self, option: Option<&str>) -> Vec<(String, String)> {
        let EnvironError::PythonNotFound { candidates, .. } = self.find(option).await.unwrap_err()
        else {
            panic!("another error")
        };
        let root = format!("{}/", self.folder.path().display());
        candidates
            .into_iter()
            .map(|c| (c.path.replace(&root, ""), c.reason))
            .collect()
    }

    /// The reason for which the only `python3` is refused.
    async fn reason(&self) -> String {
        let refused = self.refused(None).await;
        let own = refused
            .into_iter()
            .find(|(path, _)| path == "first/python3");
        own.unwrap().1
    }
}

#[tokio::test]
async fn the_order_is_the_documented_one() {
    let mut machine = Machine::new();
    let uv = "home/.local/share/uv/python/cpython-3.12.4-linux-x86_64-gnu/bin/python3";
    let pyenv = "home/.pyenv/versions/3.13.1/bin/python3";
    machine.fake(pyenv, "3.13.1");
    assert_eq!(machine.found(None).await, (pyenv.into(), Source::Pyenv));
    machine.fake("second/python3.10", "3.10.1");
    assert_eq!(
        machine.found(None).await,
        ("second/python3.10".into(), Source::Path)
    );
    machine.fake("first/python", "3.11.1");
    assert_eq!(
        machine.found(None).await,
        ("first/python".into(), Source::Path)
    );
    machine.fake("second/python3", "3.11.2");
    assert_eq!(
        machine.found(None).await,
        ("second/python3".into(), Source::Path)
    );
    machine.fake(uv, "3.12.4");
    assert_eq!(machine.found(None).await, (uv.into(), Source::Uv));
    machine.fake("module/.venv/bin/python", "3.11.3");
    assert_eq!(
        machine.found(None).await,
        ("module/.venv/bin/python".into(), Source::Venv)
    );
    machine.fake("other/python", "3.11.4");
    machine
        .variables
        .set("SYNAPSE_PYTHON", machine.at("other/python"));
    assert_eq!(
        machine.found(None).await,
        ("other/python".into(), Source::Variable)
    );
    machine.fake("chosen/python", "3.11.5");
    let chosen = machine.at("chosen/python");
    let found = machine.found(Some(chosen.to_str().unwrap())).await;
    assert_eq!(found, ("chosen/python".into(), Source::Option));
}

#[tokio::test]
async fn the_free_threaded_build_is_found_where_it_is_asked_for() {
    let machine = Machine::new();
    let uv = "home/.local/share/uv/python/cpython-3.13.4+freethreaded-linux-x86_64-gnu/bin/python3";
    let pyenv = "home/.pyenv/versions/3.13.5t/bin/python3";
    machine.fake("home/.pyenv/versions/3.13.9/bin/python3", "3.13.9");
    machine.fake("first/python3", "3.13.8");
    let locked = "is Python 3.13.8 with the global lock, wanted is the free-threaded build";
    assert_eq!(
        machine.refused(Some("3.13t")).await[0],
        ("first/python3".into(), locked.into())
    );
    machine.fake_free_threaded(pyenv, "3.13.5");
    let found = machine.found(Some("3.13t")).await;
    assert_eq!(found, (pyenv.into(), Source::Pyenv));
    machine.fake_free_threaded("second/python3.13t", "3.13.5");
    let found = machine.found(Some("3.13t")).await;
    assert_eq!(found, ("second/python3.13t".into(), Source::Path));
    machine.fake_free_threaded(uv, "3.13.4");
    let found = machine.found(Some("3.13t")).await;
    assert_eq!(found, (uv.into(), Source::Uv));
    let found = machine.found(Some("3.13.5t")).await;
    assert_eq!(found, ("second/python3.13t".into(), Source::Path));
    // Whose versions are not that new.
    let refused = machine.find(Some("3.14t")).await.unwrap_err();
    let EnvironError::PythonNotFound { wanted, hint, .. } = refused else {
        panic!("another error")
    };
    assert_eq!(wanted, "free-threaded Python >=3.9,3.14");
    assert!(hint.contains("uv python install 3.14t"), "{hint}");
}

#[tokio::test]
async fn the_free_threaded_build_is_not_taken_unasked_while_it_is_an_experiment() {
    let machine = Machine::new();
    let uv = |version: &str| {
        format!("home/.local/share/uv/python/cpython-{version}-linux-x86_64-gnu/bin/python3")
    };
    machine.fake_free_threaded(&uv("3.13.5+freethreaded"), "3.13.5");
    let reason = "is the free-threaded build of Python 3.13.5, which python: '3.13t' asks for";
    for option in [None, Some("3.13"), Some(">=3.12")] {
        let refused = machine.refused(option).await;
        assert_eq!(refused[0], (uv("3.13.5+freethreaded"), reason.into()));
    }
    // From 3.14 on it is no experiment, but comes after those that have the lock.
    machine.fake_free_threaded(&uv("3.14.1+freethreaded"), "3.14.1");
    let found = machine.found(None).await;
    assert_eq!(found, (uv("3.14.1+freethreaded"), Source::Uv));
    machine.fake(&uv("3.12.4"), "3.12.4");
    assert_eq!(machine.found(None).await, (uv("3.12.4"), Source::Uv));
    // Whoever names it, or has made an environment of it, has asked for it.
    let named = machine.at(&uv("3.13.5+freethreaded"));
    let found = machine.found(named.to_str()).await;
    assert_eq!(found, (uv("3.13.5+freethreaded"), Source::Option));
    let own = "module/.venv/bin/python";
    machine.fake_free_threaded(own, "3.13.5");
    assert_eq!(machine.found(None).await, (own.into(), Source::Venv));
    assert_eq!(
        machine.found(Some("3.13t")).await,
        (own.into(), Source::Venv)
    );
    assert_eq!(
        machine.refused(Some("3.13")).await[0],
        (own.into(), reason.into())
    );
}

#[tokio::test]
async fn an_override_that_does_not_fit_is_an_error_and_nothing_else_is_tried() {
    let mut machine = Machine::new();
    machine.fake("first/python3", "3.12.0");
    let gone = machine.at("gone/python");
    let refused = machine.refused(Some(gone.to_str().unwrap())).await;
    assert_eq!(refused, [("gone/python".into(), "does not exist".into())]);
    let refused = machine.refused(Some("python3.77")).await;
    assert_eq!(
        refused,
        [("python3.77".into(), "is in no folder of PATH".into())]
    );
    machine.variables.set("SYNAPSE_PYTHON", &gone);
    assert_eq!(machine.refused(None).await.len(), 1);
}

#[tokio::test]
async fn a_version_chooses_among_all() {
    let machine = Machine::new();
    machine.fake("first/python3", "3.11.7");
    machine.fake("second/python3", "3.10.2");
    machine.fake("second/python3.12", "3.12.1");
    for (option, expected) in [
        ("3.11", "first/python3"),
        ("3.10", "second/python3"),
        ("3.12", "second/python3.12"),
        (">=3.12", "second/python3.12"),
        ("==3.10.*", "second/python3"),
        ("python3.12", "second/python3.12"),
    ] {
        assert_eq!(machine.found(Some(option)).await.0, expected, "{option}");
    }
    let refused = machine.refused(Some("3.14")).await;
    let own = (
        "first/python3".to_owned(),
        "is Python 3.11.7, wanted is >=3.9,3.14".to_owned(),
    );
    assert!(refused.contains(&own), "{refused:?}");
}

#[tokio::test]
async fn uv_and_pyenv_offer_their_newest_that_fits() {
    let machine = Machine::new();
    for version in ["3.9.18", "3.10.13", "3.12.4"] {
        machine.fake(
            &format!("home/.pyenv/versions/{version}/bin/python3"),
            version,
        );
        let name = format!("cpython-{version}-linux-x86_64-gnu");
        machine.fake(
            &format!("home/.local/share/uv/python/{name}/bin/python3"),
            version,
        );
    }
    let found = |option| machine.found(option);
    assert!(found(None).await.0.contains("cpython-3.12.4"));
    assert!(found(Some("<3.12")).await.0.contains("cpython-3.10.13"));
    fs::remove_dir_all(machine.at("home/.local")).unwrap();
    assert!(found(Some("3.9")).await.0.contains("versions/3.9.18"));
}

#[tokio::test]
async fn what_the_module_demands_is_respected() {
    let machine = Machine::new();
    machine.fake("first/python3", "3.10.0");
    let demand = Constraint::parse(">=3.11").unwrap();
    let surroundings = machine.surroundings();
    let found = resolve_python(None, Some(&demand), &machine.at("module"), &surroundings).await;
    assert!(
        found
            .unwrap_err()
            .to_string()
            .contains("is Python 3.10.0, wanted is >=3.9,>=3.11")
    );
}

#[tokio::test]
async fn every_refusal_says_why() {
    let machine = Machine::new();
    let python3 = machine.at("first/python3");
    for (script, reason) in [
        (
            "echo hello",
            "is not Python: it ended with exit code 0 and said: hello",
        ),
        (
            "echo broken >&2; exit 3",
            "does not work: it ended with exit code 3 and said: broken",
        ),
        (
            "exit 1",
            "does not work: it ended with exit code 1 and said nothing",
        ),
        (
            "kill -9 $$",
            "does not work: it ended with signal 9 and said nothing",
        ),
        (
            "echo 'Unknown option: -I' >&2; exit 2",
            "is Python 3.3 or older",
        ),
        (
            "echo 'pyenv: python3: command not found' >&2; exit 127",
            "is a shim of pyenv for a version that is not selected here",
        ),
        (
            "echo '{\"synapse_probe\": 1, \"error\": \"no os\"}'",
            "cannot describe itself: no os",
        ),
    ] {
        program(&python3, script);
        assert_eq!(machine.reason().await, reason);
    }
    program(&python3, "echo '{\"synapse_probe\": 1}'");
    assert!(
        machine
            .reason()
            .await
            .starts_with("gave an answer that is not understood")
    );
    machine.fake("first/python3", "3.8.18");
    assert_eq!(machine.reason().await, "is Python 3.8.18, wanted is >=3.9");
    program(&python3, "#");
    fs::write(&python3, "#!/no/such/interpreter\n").unwrap();
    let reason = machine.reason().await;
    assert_eq!(
        reason,
        "cannot be run: the program that interprets it is missing"
    );
}

#[tokio::test]
async fn an_interpreter_that_hangs_is_refused_and_ends() {
    let machine = Machine::new();
    let pid = machine.at("pid");
    program(
        &machine.at("first/python3"),
        &format!("/bin/sleep 600 & echo $! > '{}'; wait", pid.display()),
    );
    let mut surroundings = machine.surroundings();
    // As long as a shell may take to start on a slow machine.
    surroundings.probe_limit = Duration::from_millis(3500);
    let found = resolve_python(None, None, &machine.at("module"), &surroundings).await;
    assert!(
        found
            .unwrap_err()
            .to_string()
            .contains("did not answer within 3.5 s")
    );
    let id = fs::read_to_string(pid).unwrap().trim().parse().unwrap();
    super::support::until("it ends", || super::support::has_ended(id)).await;
}

#[tokio::test]
async fn links_that_lead_nowhere_and_files_that_cannot_be_run_are_told() {
    let machine = Machine::new();
    symlink("/no/such/python", machine.at("first/link")).unwrap();
    fs::write(machine.at("first/text"), "").unwrap();
    for (name, reason) in [
        ("first/link", "is a link to a file that is gone"),
        ("first/text", "is not executable"),
        ("second", "is a folder, but no virtual environment"),
    ] {
        let refused = machine.refused(machine.at(name).to_str()).await;
        assert_eq!(refused, [(name.to_owned(), reason.to_owned())]);
    }
}

#[tokio::test]
async fn the_placeholder_of_the_microsoft_store_is_recognised() {
    let machine = Machine::new();
    let stub = machine.at("Microsoft/WindowsApps/python3");
    program(&stub, "exit 49");
    let refused = machine.refused(stub.to_str()).await;
    assert_eq!(
        refused[0].1,
        "is the placeholder of the Microsoft Store, not Python"
    );
}

#[tokio::test]
async fn a_planted_interpreter_is_not_run() {
    let mut machine = Machine::new();
    let ran = machine.at("ran");
    program(
        &machine.at("first/python3"),
        &format!("touch '{}'", ran.display()),
    );
    fs::set_permissions(machine.at("first"), PermissionsExt::from_mode(0o777)).unwrap();
    machine.fake("second/python3", "3.11.0");
    assert_eq!(machine.found(None).await.0, "second/python3");
    fs::remove_file(machine.at("second/python3")).unwrap();
    assert_eq!(
        machine.reason().await,
        "its folder can be written to by everybody"
    );
    // A relative entry of PATH would mean another folder in every directory.
    program(
        &Path::new(env!("CARGO_TARGET_TMPDIR")).join("planted/python3"),
        "exit 1",
    );
    let here = std::env::current_dir().unwrap();
    let up = "../".repeat(here.components().count() - 1);
    machine.variables.set(
        "PATH",
        format!("{up}{}/planted", env!("CARGO_TARGET_TMPDIR")),
    );
    let refused = machine.refused(None).await;
    assert_eq!(refused[0].1, "its folder stands in PATH by a relative path");
    assert!(!ran.exists());
}

#[tokio::test]
async fn noise_around_the_answer_does_not_matter() {
    let machine = Machine::new();
    let path = machine.at("first/python3");
    program(
        &path,
        &format!(
            "echo hello; echo '{}'; echo bye >&2",
            answer(&path, "3.11.0")
        ),
    );
    assert_eq!(machine.found(None).await.0, "first/python3");
}

#[tokio::test]
async fn behind_a_shim_the_real_interpreter_is_found() {
    let machine = Machine::new();
    let shim = machine.at("first/python3");
    program(&shim, &format!("exec '{}' \"$@\"", python().display()));
    let found = machine.find(None).await.unwrap();
    let real = |path: &Path| fs::canonicalize(path).unwrap();
    assert_eq!(real(&found.path), real(python()));
    assert_eq!(found.version.major, 3);
}

#[tokio::test]
async fn the_failure_carries_every_candidate_and_a_way_out() {
    let machine = Machine::new();
    machine.fake("first/python3", "3.11.7");
    let failure = Failure::from(machine.find(Some("3.12")).await.unwrap_err());
    assert_eq!(failure.code, ErrorCode::PythonNotFound);
    assert!(
        failure
            .message
            .contains("first/python3 (is Python 3.11.7, wanted is >=3.9,3.12)")
    );
    let candidates = failure.details["candidates"].as_array().unwrap();
    assert!(candidates.len() >= 2);
    assert!(
        candidates
            .iter()
            .all(|c| c["path"].is_string() && c["reason"].is_string())
    );
    assert!(
        failure.details["hint"]
            .as_str()
            .unwrap()
            .contains("uv python install 3.12")
    );
}
