//! Environments and interpreters that the user names, or that are used as they are.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use synapse::environ::{Installer, Source, prepare};
use synapse::error::ErrorCode;

use crate::environ::support::{BOTH, Sandbox, With, has_sample, output, python, run_in};

fn own_venv(sandbox: &Sandbox) -> PathBuf {
    let venv = sandbox.folder().join("my venv");
    output(
        Command::new(python())
            .args(["-m", "venv", "--without-pip"])
            .arg(&venv),
    );
    venv
}

#[tokio::test]
async fn a_named_environment_is_used_as_it_is() {
    let sandbox = Sandbox::new(With::Pip);
    sandbox.require("sample==1.0");
    let venv = own_venv(&sandbox);
    for named in [venv.clone(), venv.join("bin/python")] {
        let mut spec = sandbox.spec();
        spec.python = Some(named.to_str().unwrap().to_owned());
        let found = prepare(&spec, &|_| {}).await.unwrap();
        assert_eq!((found.built, found.source), (false, Source::Option));
        assert_eq!(found.venv.as_ref(), Some(&venv));
        assert_eq!(
            run_in(&found, "import sys; print(sys.prefix)"),
            venv.to_str().unwrap()
        );
        assert!(found.packages().is_empty());
        assert!(!sandbox.venv().exists());
    }
}

#[tokio::test]
async fn a_named_environment_is_installed_into_when_an_installer_is_named_too() {
    for with in BOTH {
        let sandbox = Sandbox::new(with);
        sandbox.require("sample==1.0");
        let venv = own_venv(&sandbox);
        let mut spec = sandbox.spec();
        spec.python = Some(venv.to_str().unwrap().to_owned());
        spec.installer = if with == With::Uv {
            Installer::Uv
        } else {
            Installer::Pip
        };
        let found = prepare(&spec, &|_| {}).await.unwrap();
        assert!(found.built && has_sample(&found, "1.0"));
        assert_eq!((found.source, found.venv), (Source::Option, Some(venv)));
        assert!(!prepare(&spec, &|_| {}).await.unwrap().built);
        assert!(!sandbox.venv().exists());
    }
}

#[tokio::test]
async fn a_named_environment_that_is_broken_is_an_error_and_stays() {
    let sandbox = Sandbox::new(With::Pip);
    sandbox.require("");
    let venv = own_venv(&sandbox);
    fs::remove_file(venv.join("bin/python")).unwrap();
    let mut spec = sandbox.spec();
    spec.python = Some(venv.to_str().unwrap().to_owned());
    let error = prepare(&spec, &|_| {}).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::PythonNotFound);
    spec.installer = Installer::Pip;
    let error = prepare(&spec, &|_| {}).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::VenvFailed);
    assert!(venv.join("pyvenv.cfg").exists());
}

#[tokio::test]
async fn without_an_installer_nothing_is_made() {
    let sandbox = Sandbox::new(With::Pip);
    let mut spec = sandbox.spec_with(Vec::new());
    spec.installer = Installer::None;
    let found = prepare(&spec, &|_| {}).await.unwrap();
    assert_eq!(
        (found.built, found.source, found.venv),
        (false, Source::Path, None)
    );
    assert!(!sandbox.venv().exists());
    assert_eq!(
        fs::canonicalize(found.python).unwrap(),
        fs::canonicalize(python()).unwrap()
    );
    // The module's own environment is still the first to be found.
    output(
        Command::new(python())
            .args(["-m", "venv", "--without-pip"])
            .arg(sandbox.venv()),
    );
    let found = prepare(&spec, &|_| {}).await.unwrap();
    assert_eq!(
        (found.source, found.venv),
        (Source::Venv, Some(sandbox.venv()))
    );
}

#[tokio::test]
async fn the_identity_tells_interpreters_apart() {
    let sandbox = Sandbox::new(With::Pip);
    sandbox.require("");
    let made = sandbox.prepare().await.unwrap();
    let copy = sandbox.folder().join("my venv");
    output(
        Command::new(python())
            .args(["-m", "venv", "--without-pip", "--copies"])
            .arg(&copy),
    );
    let mut spec = sandbox.spec();
    spec.python = Some(copy.to_str().unwrap().to_owned());
    let other = prepare(&spec, &|_| {}).await.unwrap();
    assert!(
        made.identity
            .starts_with(&format!("cpython-{}-", made.version))
    );
    assert_ne!(made.identity, other.identity);
}
