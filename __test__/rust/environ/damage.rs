//! Faults 46 and 48: what is damaged is made anew once; what cannot be is an error.

use std::fs;
use std::os::unix::fs::symlink;

use synapse::environ::{EnvironError, prepare};
use synapse::error::{ErrorCode, Failure};

use crate::environ::support::{
    BOTH, Sandbox, Steps, With, builder, has_ended, has_sample, program, until,
};

#[tokio::test]
async fn damage_of_every_kind_is_found_and_repaired() {
    type Damage = fn(&Sandbox);
    let kinds: [(&str, Damage); 6] = [
        ("interpreter removed", |sandbox| {
            fs::remove_file(sandbox.venv().join("bin/python")).unwrap();
        }),
        ("interpreter's link leads nowhere", |sandbox| {
            let python = sandbox.venv().join("bin/python");
            fs::remove_file(&python).unwrap();
            symlink("/no/such/python", python).unwrap();
        }),
        ("interpreter is something else", |sandbox| {
            let python = sandbox.venv().join("bin/python");
            fs::remove_file(&python).unwrap();
            program(&python, "exit 1");
        }),
        ("configuration removed", |sandbox| {
            fs::remove_file(sandbox.venv().join("pyvenv.cfg")).unwrap();
        }),
        ("packages removed", |sandbox| {
            fs::remove_dir_all(sandbox.venv().join("lib")).unwrap();
        }),
        ("all removed", |sandbox| {
            fs::remove_dir_all(sandbox.venv()).unwrap();
        }),
    ];
    for with in BOTH {
        let sandbox = Sandbox::new(with);
        sandbox.require("sample==1.0");
        sandbox.prepare().await.unwrap();
        // pip is slow, and what is found does not depend on it.
        let few = if with == With::Pip { 1 } else { kinds.len() };
        for (kind, damage) in kinds.into_iter().take(few) {
            damage(&sandbox);
            let repaired = sandbox
                .prepare()
                .await
                .unwrap_or_else(|error| panic!("{kind}: {error}"));
            assert!(repaired.built, "{kind}");
            assert!(has_sample(&repaired, "1.0"), "{kind}");
            assert!(!sandbox.prepare().await.unwrap().built, "{kind}");
        }
    }
}

#[tokio::test]
async fn damage_that_cannot_be_repaired_is_told_with_all_that_was_tried() {
    let sandbox = Sandbox::new(With::Pip);
    sandbox.require("");
    sandbox.prepare().await.unwrap();
    let python = sandbox.venv().join("bin/python");
    fs::remove_file(&python).unwrap();
    symlink("/no/such/python", python).unwrap();
    let mut spec = sandbox.spec();
    spec.surroundings
        .variables
        .set("PATH", sandbox.folder().join("home"));
    let failure = Failure::from(prepare(&spec, &|_| {}).await.unwrap_err());
    assert_eq!(failure.code, ErrorCode::PythonNotFound);
    assert!(
        failure
            .message
            .contains("its interpreter is a link to a file that is gone")
    );
    assert!(
        failure
            .message
            .contains("python3 (is in no folder of PATH)"),
        "{}",
        failure.message
    );
}

#[tokio::test]
async fn an_environment_that_cannot_be_made_is_an_error_with_the_output() {
    let sandbox = Sandbox::new(With::Pip);
    sandbox.require("");
    let python = sandbox.folder().join("bin/python3");
    let answer = crate::environ::support::answer(&python, "3.11.0");
    program(
        &python,
        &format!(
            "case \"$*\" in *synapse_probe*) echo '{answer}';; *) echo no space left; exit 28;; esac"
        ),
    );
    let error = sandbox.prepare().await.unwrap_err();
    assert!(matches!(error, EnvironError::Venv { .. }), "{error}");
    let failure = Failure::from(error);
    assert_eq!(failure.code, ErrorCode::VenvFailed);
    assert_eq!(failure.details["output"], "no space left");
    assert!(
        failure.message.contains("exit code 28"),
        "{}",
        failure.message
    );
}

#[tokio::test]
async fn a_dropped_preparation_takes_its_children_with_it_and_is_never_taken_for_finished() {
    for with in BOTH {
        let sandbox = Sandbox::new(with);
        let slow = sandbox.slow_package();
        sandbox.require("sample==1.0\n./slow");
        let spec = sandbox.spec();
        let id = tokio::select! {
            result = prepare(&spec, &|_| {}) => panic!("{result:?}"),
            id = builder(&slow) => id,
        };
        // A grandchild: the installer's build.
        until("the build has ended", || has_ended(id)).await;
        assert!(!sandbox.venv().join(".synapse-stamp.json").exists());
        fs::write(sandbox.venv().join("half"), "").unwrap();
        fs::write(slow.join("go"), "").unwrap();
        let steps = Steps::default();
        let made = prepare(&spec, &steps.take()).await.unwrap();
        assert!(made.built && has_sample(&made, "1.0"));
        assert!(steps.mention("its preparation was cut off"));
        assert!(!sandbox.venv().join("half").exists());
        assert!(!sandbox.prepare().await.unwrap().built);
    }
}
