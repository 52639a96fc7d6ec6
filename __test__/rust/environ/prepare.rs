//! The straight way: made once, kept while nothing changes, brought up to date when something does.

use std::fs;

use synapse::environ::{EnvironError, Phase, Surroundings, Variables, prepare};
use synapse::error::{ErrorCode, Failure};

use crate::environ::support::{BOTH, Sandbox, Steps, With, has_sample, python, run_in};

/// A machine on which no process could be started.
fn nothing() -> Surroundings {
    let mut surroundings = Surroundings::of_process();
    surroundings.variables = Variables::default();
    surroundings
}

#[tokio::test]
async fn an_environment_is_made_and_then_found_without_any_process() {
    for with in BOTH {
        let sandbox = Sandbox::new(with);
        sandbox.require("sample==1.0");
        let steps = Steps::default();
        let made = prepare(&sandbox.spec(), &steps.take()).await.unwrap();
        assert!(made.built);
        assert!(has_sample(&made, "1.0"));
        assert_eq!(made.venv.as_deref(), Some(sandbox.venv().as_path()));
        assert!(made.python.starts_with(sandbox.venv()));
        assert_eq!(
            run_in(
                &made,
                "import sys; print('%d.%d.%d' % sys.version_info[:3])"
            ),
            made.version
        );
        for phase in ["Venv", "Install", "Ready"] {
            assert!(
                steps.phases().contains(phase),
                "{with:?} {phase}: {:?}",
                steps.all()
            );
        }

        // Whatever would be started now would not be found, or would leave its trace.
        let before = fs::metadata(sandbox.venv().join(".synapse-stamp.json")).unwrap();
        fs::remove_dir_all(sandbox.folder().join("bin")).unwrap();
        let mut spec = sandbox.spec();
        spec.surroundings = nothing();
        let steps = Steps::default();
        let found = prepare(&spec, &steps.take()).await.unwrap();
        assert!(!found.built);
        assert_eq!(found.identity, made.identity);
        assert_eq!(found.source, made.source);
        let phases: Vec<Phase> = steps.all().iter().map(|step| step.phase).collect();
        assert_eq!(phases, [Phase::Ready]);
        let after = fs::metadata(sandbox.venv().join(".synapse-stamp.json")).unwrap();
        assert_eq!(before.modified().unwrap(), after.modified().unwrap());
    }
}

#[tokio::test]
async fn changed_requirements_are_installed_also_when_they_are_included() {
    for with in BOTH {
        let sandbox = Sandbox::new(with);
        sandbox.require("-r more.txt");
        sandbox.write("more.txt", "sample==1.0\n");
        assert!(has_sample(&sandbox.prepare().await.unwrap(), "1.0"));
        sandbox.write("more.txt", "sample==2.0\n");
        let updated = sandbox.prepare().await.unwrap();
        assert!(updated.built);
        assert!(has_sample(&updated, "2.0"));
        assert!(!sandbox.prepare().await.unwrap().built);
    }
}

#[tokio::test]
async fn another_version_of_the_sdk_installs_again() {
    let sandbox = Sandbox::new(With::Pip);
    sandbox.require("");
    assert!(sandbox.prepare().await.unwrap().built);
    let mut spec = sandbox.spec();
    spec.sdk_version = "2.0.1".to_owned();
    assert!(prepare(&spec, &|_| {}).await.unwrap().built);
    assert!(!prepare(&spec, &|_| {}).await.unwrap().built);
}

#[tokio::test]
async fn the_base_requirements_are_installed_besides() {
    for with in BOTH {
        let sandbox = Sandbox::new(with);
        sandbox.require("sample==1.0");
        let mut spec = sandbox.spec();
        spec.base_requirements = vec!["# the codec".to_owned(), "base-sample>=1".to_owned()];
        let made = prepare(&spec, &|_| {}).await.unwrap();
        let names: Vec<String> = made
            .packages()
            .into_iter()
            .map(|package| package.name)
            .collect();
        assert_eq!(names, ["base-sample", "sample"]);
    }
}

#[tokio::test]
async fn base_requirements_that_cannot_be_had_are_given_up() {
    for with in BOTH {
        let sandbox = Sandbox::new(with);
        sandbox.wheel("strict", "1.0", &["base-sample<1"]);
        for (wanted, base) in [
            ("sample==1.0", "no-such-thing"),
            ("strict", "base-sample>=1"),
        ] {
            sandbox.require(wanted);
            let mut spec = sandbox.spec();
            spec.base_requirements = vec![base.to_owned()];
            let steps = Steps::default();
            let made = prepare(&spec, &steps.take()).await;
            assert!(
                steps.mention(&format!("cannot install {base}")),
                "{with:?} {:?}",
                steps.all()
            );
            // A conflict within the user's own requirements stays an error.
            assert_eq!(made.is_ok(), wanted != "strict", "{with:?}");
        }
    }
}

#[tokio::test]
async fn a_script_block_and_a_pyproject_are_installed() {
    for with in BOTH {
        let sandbox = Sandbox::new(with);
        let wheels = sandbox.folder().join("wheels");
        let prepare_it = async |sandbox: &Sandbox| {
            let mut spec = sandbox.spec();
            spec.surroundings.variables.set("PIP_NO_INDEX", "1");
            spec.surroundings.variables.set("UV_NO_INDEX", "1");
            spec.surroundings.variables.set("PIP_FIND_LINKS", &wheels);
            prepare(&spec, &|_| {}).await
        };
        sandbox.write(
            "pyproject.toml",
            "[project]\nname = 'x'\nversion = '1'\nrequires-python = '>=3.9'\n\
             dependencies = ['sample<2']\n",
        );
        assert!(has_sample(&prepare_it(&sandbox).await.unwrap(), "1.0"));
        sandbox.write(
            "main.py",
            "# /// script\n# dependencies = ['sample>1']\n# ///\n",
        );
        assert!(has_sample(&prepare_it(&sandbox).await.unwrap(), "2.0"));
    }
}

#[tokio::test]
async fn a_module_for_a_newer_python_finds_none_and_loses_nothing() {
    let sandbox = Sandbox::new(With::Pip);
    sandbox.require("");
    let made = sandbox.prepare().await.unwrap();
    let mut spec = sandbox.spec();
    spec.python = Some(">=3.90".to_owned());
    let failure = Failure::from(prepare(&spec, &|_| {}).await.unwrap_err());
    assert_eq!(failure.code, ErrorCode::PythonNotFound);
    let listed = failure.details["candidates"].to_string();
    assert!(
        listed.contains(".venv/bin/python") && listed.contains("wanted is"),
        "{listed}"
    );
    let found = sandbox.prepare().await.unwrap();
    assert_eq!((found.built, found.identity), (false, made.identity));
}

#[tokio::test]
async fn another_named_interpreter_makes_the_environment_anew() {
    let sandbox = Sandbox::new(With::Pip);
    sandbox.require("");
    let made = sandbox.prepare().await.unwrap();
    fs::write(sandbox.venv().join("trace"), "").unwrap();
    let mut spec = sandbox.spec();
    // By another name, but the same: kept.
    spec.python = Some(python().to_str().unwrap().to_owned());
    assert_eq!(
        prepare(&spec, &|_| {}).await.unwrap().identity,
        made.identity
    );
    assert!(sandbox.venv().join("trace").exists());
    assert!(!prepare(&spec, &|_| {}).await.unwrap().built);
    // One that is not the same: a wrapper that says it is another interpreter.
    let other = sandbox.folder().join("other/python");
    let real = python().display();
    let patch = format!(
        "sed 's,\"base_executable\": \"[^\"]*\",\"base_executable\": \"{}\",'",
        other.display()
    );
    let script = format!(
        "case \"$*\" in *synapse_probe*) '{real}' \"$@\" | {patch};; *) exec '{real}' \"$@\";; esac"
    );
    crate::environ::support::program(&other, &script);
    spec.python = Some(other.to_str().unwrap().to_owned());
    assert!(prepare(&spec, &|_| {}).await.unwrap().built);
    assert!(!sandbox.venv().join("trace").exists());
}

#[tokio::test]
async fn folders_with_blanks_and_foreign_letters_work() {
    for with in BOTH {
        let sandbox = Sandbox::named(with, "ein Modul – Ünïcode 数据 'quoted'");
        sandbox.require("sample==1.0");
        assert!(
            has_sample(&sandbox.prepare().await.unwrap(), "1.0"),
            "{with:?}"
        );
        assert!(!sandbox.prepare().await.unwrap().built);
    }
}

#[tokio::test]
async fn a_failed_installation_says_what_the_installer_said_and_can_be_repaired() {
    for with in BOTH {
        let sandbox = Sandbox::new(with);
        sandbox.require("no-such-package-at-all");
        let error = sandbox.prepare().await.unwrap_err();
        assert!(matches!(error, EnvironError::Install { .. }), "{error}");
        let failure = Failure::from(error);
        assert_eq!(failure.code, ErrorCode::InstallFailed);
        assert!(
            failure.message.contains("no-such-package-at-all"),
            "{}",
            failure.message
        );
        let output = failure.details["output"].as_str().unwrap();
        assert!(output.contains("no-such-package-at-all"), "{output}");
        sandbox.require("sample==1.0");
        assert!(has_sample(&sandbox.prepare().await.unwrap(), "1.0"));
        // A later failure leaves what there was.
        sandbox.require("no-such-package-at-all");
        sandbox.prepare().await.unwrap_err();
        sandbox.require("sample==1.0");
        let kept = sandbox.prepare().await.unwrap();
        assert!(!kept.built, "{with:?}");
        assert!(has_sample(&kept, "1.0"));
    }
}

#[tokio::test]
async fn a_directory_that_is_gone_is_told() {
    let sandbox = Sandbox::new(With::Pip);
    sandbox.require("");
    let mut spec = sandbox.spec();
    spec.directory = sandbox.folder().join("gone");
    let error = prepare(&spec, &|_| {}).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::DirectoryNotFound);
}

#[test]
fn a_preparation_can_be_moved_between_threads() {
    fn movable<T: Send>(_: &T) {}
    let sandbox = Sandbox::new(With::Pip);
    sandbox.require("");
    movable(&prepare(&sandbox.spec(), &|_| {}));
}
