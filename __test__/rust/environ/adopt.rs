//! Environments that others made: 1.4, or the user.

use std::fs;
use std::process::Command;

use synapse::environ::{Source, prepare};
use synapse::error::{ErrorCode, Failure};

use crate::environ::support::{BOTH, Sandbox, With, builder, has_sample, output, python};

/// Makes an environment: as 1.4 did, with pip in it, or without.
fn make(sandbox: &Sandbox, arguments: &[&str]) {
    let mut command = Command::new(python());
    output(
        command
            .args(["-m", "venv"])
            .args(arguments)
            .arg(sandbox.venv()),
    );
    fs::write(sandbox.venv().join("mine"), "").unwrap();
}

#[tokio::test]
async fn an_environment_of_1_4_is_kept_and_filled() {
    for with in BOTH {
        let sandbox = Sandbox::new(with);
        sandbox.require("sample==1.0");
        make(&sandbox, &[]);
        let adopted = sandbox.prepare().await.unwrap();
        assert!(adopted.built);
        assert_eq!(adopted.source, Source::Venv);
        assert!(has_sample(&adopted, "1.0"));
        assert!(sandbox.venv().join("mine").exists());
        assert!(!sandbox.prepare().await.unwrap().built);
    }
}

#[tokio::test]
async fn one_that_does_not_fit_is_not_thrown_away() {
    let sandbox = Sandbox::new(With::Pip);
    sandbox.require("");
    make(&sandbox, &["--without-pip"]);
    let mut spec = sandbox.spec();
    spec.python = Some(">=3.90".to_owned());
    let failure = Failure::from(prepare(&spec, &|_| {}).await.unwrap_err());
    assert_eq!(failure.code, ErrorCode::VenvFailed);
    assert!(
        failure.message.contains("wanted is >=3.9,>=3.90"),
        "{}",
        failure.message
    );
    assert!(sandbox.venv().join("mine").exists());
}

#[tokio::test]
async fn a_failed_installation_leaves_it_as_it_was() {
    let sandbox = Sandbox::new(With::Pip);
    sandbox.require("no-such-package-at-all");
    make(&sandbox, &["--without-pip"]);
    let error = sandbox.prepare().await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::InstallFailed);
    assert!(sandbox.venv().join("mine").exists());
    sandbox.require("sample==1.0");
    assert!(has_sample(&sandbox.prepare().await.unwrap(), "1.0"));
    assert!(sandbox.venv().join("mine").exists());
}

#[tokio::test]
async fn what_a_cut_off_installation_left_in_it_is_installed_again() {
    for with in BOTH {
        let sandbox = Sandbox::new(with);
        let slow = sandbox.slow_package();
        sandbox.require("sample==1.0\n./slow");
        make(&sandbox, &["--without-pip"]);
        let spec = sandbox.spec();
        tokio::select! {
            result = prepare(&spec, &|_| {}) => panic!("{result:?}"),
            _ = builder(&slow) => {}
        }
        // As if half of a package had been written.
        let folder = fs::read_dir(sandbox.venv().join("lib"))
            .unwrap()
            .next()
            .unwrap()
            .unwrap();
        let packages = folder.path().join("site-packages");
        fs::create_dir(packages.join("sample-1.0.dist-info")).unwrap();
        let metadata = "Metadata-Version: 2.1\nName: sample\nVersion: 1.0\n";
        fs::write(packages.join("sample-1.0.dist-info/METADATA"), metadata).unwrap();
        fs::write(packages.join("sample-1.0.dist-info/RECORD"), "").unwrap();
        fs::write(slow.join("go"), "").unwrap();
        assert!(
            has_sample(&sandbox.prepare().await.unwrap(), "1.0"),
            "{with:?}"
        );
        assert!(sandbox.venv().join("mine").exists());
    }
}

#[tokio::test]
async fn a_folder_of_that_name_that_is_no_environment_is_left_alone() {
    let sandbox = Sandbox::new(With::Pip);
    sandbox.require("");
    sandbox.write(".venv/notes.txt", "mine");
    let failure = Failure::from(sandbox.prepare().await.unwrap_err());
    assert_eq!(failure.code, ErrorCode::VenvFailed);
    assert!(
        failure.message.contains("is no virtual environment"),
        "{}",
        failure.message
    );
    assert!(sandbox.venv().join("notes.txt").exists());
}
