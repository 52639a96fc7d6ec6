//! How a child ends by itself, and what is reported of it.

use synapse::process::OutputMode;

use crate::process::{launch, start, start_ready, start_with};

#[test]
fn last_words_come_before_the_exit_and_the_exit_before_the_end() {
    let (story, _child) = start("exits_with_code.py", &["42"]).story();
    assert_eq!(story.control, b"last control");
    assert_eq!(story.stdout, b"last stdout\n");
    assert_eq!(story.stderr, b"last stderr\n");
    assert_eq!(story.exits[0].code, Some(42));
    assert_eq!(story.exits[0].signal, None);
    assert_eq!(story.exits[0].stderr_tail, "last stderr\n");
    assert_eq!(
        story
            .order
            .iter()
            .filter(|name| **name == "control closed")
            .count(),
        1
    );
}

#[test]
fn last_words_are_whole_in_every_one_of_many_deaths() {
    for code in 0..40 {
        let (story, _child) = start("exits_with_code.py", &[&code.to_string()]).story();
        assert_eq!(story.control, b"last control");
        assert_eq!(story.stdout, b"last stdout\n");
        assert_eq!(story.stderr, b"last stderr\n");
        assert_eq!(story.exits[0].code, Some(code));
    }
}

#[test]
fn a_signal_is_reported_as_a_signal() {
    for signal in [
        libc::SIGKILL,
        libc::SIGSEGV,
        libc::SIGABRT,
        libc::SIGTERM,
        libc::SIGHUP,
    ] {
        let report = start("dies_by_signal.py", &[&signal.to_string()]).exit();
        assert_eq!((report.code, report.signal), (None, Some(signal)));
    }
}

#[test]
fn a_crash_leaves_the_fault_handlers_words_in_the_tail() {
    let report = start("segfaults.py", &[]).exit();
    assert_eq!(report.signal, Some(libc::SIGSEGV));
    assert!(
        report.stderr_tail.contains("Segmentation fault"),
        "{}",
        report.stderr_tail
    );
}

#[test]
fn a_traceback_is_in_the_tail_even_if_stderr_is_ignored() {
    let mut launch = launch("exits_with_code.py", &["no number"]);
    launch.stderr = OutputMode::Ignore;
    let (story, _child) = start_with(launch).unwrap().story();
    assert!(story.stderr.is_empty());
    assert_eq!(story.exits[0].code, Some(1));
    assert!(
        story.exits[0].stderr_tail.contains("ValueError"),
        "{}",
        story.exits[0].stderr_tail
    );
}

#[test]
fn the_exit_does_not_wait_for_streams_that_a_grandchild_holds() {
    let (story, _child) = start("child_holds_stdout.py", &[]).story();
    let grandchild = std::str::from_utf8(&story.control)
        .unwrap()
        .parse()
        .unwrap();
    // It has left the group and lost the marker, which is the documented way to be left alone.
    assert!(crate::process::is_running(grandchild));
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(grandchild.cast_signed()).unwrap(),
        rustix::process::Signal::KILL,
    )
    .unwrap();
    assert_eq!(story.exits[0].code, Some(3));
    assert_eq!(story.exits[0].stderr_tail, "left a child\n");
}

#[test]
fn killed_from_outside_while_idle() {
    let worker = start_ready("waits_for_end.py");
    let pid = rustix::process::Pid::from_raw(worker.child.pid().cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    assert_eq!(worker.exit().signal, Some(libc::SIGKILL));
}

#[test]
fn the_death_of_the_spawning_thread_is_not_the_death_of_the_child() {
    let worker = std::thread::spawn(|| start_ready("waits_for_end.py"))
        .join()
        .unwrap();
    // The thread is gone; only an event could tell that the child is too.
    std::thread::sleep(std::time::Duration::from_millis(100));
    assert!(worker.events.try_recv().is_err());
    assert!(crate::process::is_running(worker.child.pid()));
    worker.child.kill();
    assert_eq!(worker.exit().signal, Some(libc::SIGKILL));
}
