//! Where nothing can be written. Root may write everywhere, so the preparation runs in a process of
//! another user then.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::environ::races::{outcome, process};
use crate::environ::support::{Sandbox, With, output, program};

/// "nobody".
const SOMEBODY_ELSE: u32 = 65534;

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

/// Prepares without the right to write.
fn prepare_without_rights(sandbox: &Sandbox) -> String {
    let is_root = fs::metadata(sandbox.folder()).unwrap().uid() == 0;
    let helper: PathBuf = sandbox.folder().join("helper");
    fs::copy(std::env::current_exe().unwrap(), &helper).unwrap();
    let mut command = process(sandbox, &helper);
    if is_root {
        command.uid(SOMEBODY_ELSE).gid(SOMEBODY_ELSE);
    }
    set_mode(sandbox.folder(), 0o755);
    set_mode(&sandbox.module, 0o555);
    let outcome = outcome(command.spawn().unwrap());
    set_mode(&sandbox.module, 0o755);
    outcome
}

/// A module whose interpreter is one that everybody may run.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new(With::Pip);
    program(
        &sandbox.folder().join("bin/python3"),
        "exec /usr/bin/python3 \"$@\"",
    );
    sandbox
}

#[test]
fn a_directory_that_cannot_be_written_to_is_told() {
    let sandbox = sandbox();
    sandbox.require("");
    let outcome = prepare_without_rights(&sandbox);
    assert!(
        outcome.starts_with("error: cannot prepare the virtual environment"),
        "{outcome}"
    );
    assert!(
        outcome.contains("it cannot be written to: Permission denied"),
        "{outcome}"
    );
}

#[tokio::test]
async fn a_finished_environment_needs_no_right_to_write() {
    let sandbox = sandbox();
    sandbox.require("sample==1.0");
    assert!(sandbox.prepare().await.unwrap().built);
    set_mode(&sandbox.venv(), 0o555);
    assert_eq!(prepare_without_rights(&sandbox), "built: false");
    set_mode(&sandbox.venv(), 0o755);
}

#[test]
fn a_complete_environment_of_the_users_needs_none_either() {
    let sandbox = sandbox();
    sandbox.require("sample==1.0");
    output(
        Command::new("/usr/bin/python3")
            .args(["-m", "venv"])
            .arg(sandbox.venv()),
    );
    let requirements = sandbox.module.join("requirements.txt");
    let python = sandbox.venv().join("bin/python");
    output(
        Command::new(python)
            .args(["-m", "pip", "install", "-q", "-r"])
            .arg(requirements),
    );
    set_mode(&sandbox.venv(), 0o555);
    assert_eq!(prepare_without_rights(&sandbox), "built: false");

    sandbox.require("sample==2.0");
    let outcome = prepare_without_rights(&sandbox);
    assert!(
        outcome.starts_with("error: cannot install the dependencies"),
        "{outcome}"
    );
    set_mode(&sandbox.venv(), 0o755);
}
