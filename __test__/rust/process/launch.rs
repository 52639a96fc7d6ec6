//! What a child finds when it starts, and starts that fail.

use std::io::ErrorKind;
use std::path::Path;

use serde_json::Value;
use synapse::process::MARKER_VARIABLE;

use crate::process::{launch, start_with};

#[test]
fn the_child_finds_its_channels_and_nothing_else() {
    // A descriptor that another library forgot to close on exec.
    let leaked = rustix::io::dup(std::io::stderr()).unwrap();
    let mut launch = launch("lists_descriptors.py", &[]);
    let directory = tempfile::tempdir().unwrap();
    launch.cwd = directory.path().canonicalize().unwrap();
    launch.env = vec![("ONLY".into(), "this".into())];
    let (story, child) = start_with(launch).unwrap().story();
    drop(leaked);
    let report: Value = serde_json::from_slice(&story.control).unwrap();

    let descriptors = report["descriptors"].as_object().unwrap();
    let mut names: Vec<_> = descriptors.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["0", "1", "2", "3", "4", "5", "6"]);
    assert_eq!(descriptors["0"], "/dev/null");
    for (name, kind) in [
        ("1", "pipe"),
        ("2", "pipe"),
        ("3", "pipe"),
        ("4", "pipe"),
        ("5", "socket"),
        ("6", "/memfd:synapse-journal"),
    ] {
        assert!(
            descriptors[name].as_str().unwrap().starts_with(kind),
            "{name} is no {kind}"
        );
    }
    assert_eq!(report["leads_group"], true);
    assert_eq!(report["blocked"], Value::Array(Vec::new()));
    // Python itself ignores SIGPIPE (13) and SIGXFSZ (25); nothing else may be ignored, of the
    // signals that the C library lets us change.
    let ignored = report["status"][1]
        .as_str()
        .unwrap()
        .strip_prefix("SigIgn:\t")
        .unwrap();
    let ignored = u64::from_str_radix(ignored, 16).unwrap();
    assert_eq!(ignored & 0x7fff_ffff, (1 << 12) | (1 << 24));
    assert_eq!(
        report["directory"],
        directory.path().canonicalize().unwrap().to_str().unwrap()
    );
    assert_eq!(report["environment"]["ONLY"], "this");
    assert_eq!(report["environment"][MARKER_VARIABLE], child.marker());
    assert_eq!(report["environment"].get("PATH"), None);
}

#[test]
fn markers_differ() {
    let first = start_with(launch("waits_for_end.py", &[])).unwrap();
    let second = start_with(launch("waits_for_end.py", &[])).unwrap();
    assert_ne!(first.child.marker(), second.child.marker());
    for worker in [first, second] {
        worker.child.kill();
        worker.exit();
    }
}

#[test]
fn a_missing_program_is_an_error() {
    let mut launch = launch("waits_for_end.py", &[]);
    launch.program = "/nonexistent/python".into();
    assert_eq!(
        start_with(launch).err().unwrap().kind(),
        ErrorKind::NotFound
    );
}

#[test]
fn a_missing_directory_is_an_error() {
    let mut launch = launch("waits_for_end.py", &[]);
    launch.cwd = "/nonexistent".into();
    assert_eq!(
        start_with(launch).err().unwrap().kind(),
        ErrorKind::NotFound
    );
}

#[test]
fn a_program_that_is_none_is_an_error() {
    let mut launch = launch("waits_for_end.py", &[]);
    launch.program = "/etc/passwd".into();
    assert_eq!(
        start_with(launch).err().unwrap().kind(),
        ErrorKind::PermissionDenied
    );
}

#[test]
fn a_program_without_a_slash_is_looked_for_in_the_path_of_the_child() {
    let mut launch = launch("", &[]);
    let folder = tempfile::tempdir().unwrap();
    // One that may not be executed does not hide a later one.
    std::fs::write(folder.path().join("sh"), "").unwrap();
    let path = [folder.path(), Path::new("/bin")];
    launch.program = "sh".into();
    launch.args = ["-c", "exit 9"].map(Into::into).to_vec();
    launch.env = vec![("PATH".into(), std::env::join_paths(path).unwrap())];
    assert_eq!(start_with(launch.clone()).unwrap().exit().code, Some(9));

    launch.env = vec![("PATH".into(), folder.path().into())];
    assert_eq!(
        start_with(launch.clone()).err().unwrap().kind(),
        ErrorKind::PermissionDenied
    );

    launch.program = "no-such-program".into();
    assert_eq!(
        start_with(launch).err().unwrap().kind(),
        ErrorKind::NotFound
    );
}

#[test]
fn an_argument_that_no_program_can_have_is_an_error() {
    let mut launch = launch("waits_for_end.py", &[]);
    launch.args.push("with a \0 in it".into());
    assert_eq!(
        start_with(launch).err().unwrap().kind(),
        ErrorKind::InvalidInput
    );
}
