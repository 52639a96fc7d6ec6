//! The stop ladder.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use synapse::process::StopPlan;

use crate::process::{eventually, start_ready, start_with};

const NEVER: Duration = Duration::MAX;

fn plan(close: Duration, term: Duration, grace: Duration) -> StopPlan {
    StopPlan {
        close_after: close,
        term_after: term,
        grace,
    }
}

#[test]
fn end_of_file_alone_ends_a_worker_that_listens() {
    let worker = start_ready("waits_for_end.py");
    worker.child.stop(plan(Duration::ZERO, NEVER, NEVER));
    let report = worker.exit();
    assert_eq!((report.code, report.signal), (Some(0), None));
}

#[test]
fn data_and_control_both_end_but_control_can_still_be_answered() {
    let mut worker = start_ready("reports_term.py");
    worker.child.stop(plan(Duration::ZERO, NEVER, NEVER));
    worker.wait_for_control(b"closed");
    // A second plan adds what the first left out.
    worker.child.stop(plan(NEVER, Duration::ZERO, NEVER));
    worker.wait_for_control(b"term");
    assert_eq!(worker.exit().code, Some(7));
}

#[test]
fn what_waits_on_control_is_written_before_the_end() {
    // A child that reads control only when it sees the end of data.
    let mut launch = crate::process::launch("waits_for_end.py", &[]);
    launch.args = [
        "-S",
        "-c",
        "import os\nos.write(5, b'ready')\nos.read(3, 1)\ntotal = 0\n\
        while part := os.read(5, 65536): total += len(part)\nos.write(5, str(total).encode())",
    ]
    .map(Into::into)
    .to_vec();
    let mut worker = start_with(launch).unwrap();
    worker.wait_for_control(b"ready");
    let frame = vec![7; 512 * 1024];
    worker.child.control(&frame).unwrap();
    worker.child.stop(plan(Duration::ZERO, NEVER, NEVER));
    let (story, _child) = worker.story();
    assert_eq!(story.control, frame.len().to_string().as_bytes());
    assert_eq!(story.exits[0].code, Some(0));
}

#[test]
fn sigterm_comes_at_once_and_sigkill_not_before_the_grace() {
    let worker = start_ready("ignores_term.py");
    let start = Instant::now();
    worker.child.stop(StopPlan::new(Duration::from_millis(300)));
    let report = worker.exit();
    assert_eq!((report.code, report.signal), (None, Some(libc::SIGKILL)));
    assert!(start.elapsed() >= Duration::from_millis(300));

    let worker = start_ready("never_reads.py");
    worker.child.stop(StopPlan::new(NEVER));
    assert_eq!(worker.exit().signal, Some(libc::SIGTERM));
}

#[test]
fn a_stopped_process_dies_at_the_grace() {
    let worker = start_ready("never_reads.py");
    let pid = Pid::from_raw(worker.child.pid().cast_signed()).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    eventually("it is stopped", || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", worker.child.pid())).unwrap();
        stat.contains(") T ")
    });
    worker.child.stop(StopPlan::new(Duration::from_millis(50)));
    assert_eq!(worker.exit().signal, Some(libc::SIGKILL));
}

#[test]
fn a_worker_that_holds_the_interpreter_lock_dies_at_the_grace() {
    let worker = start_ready("holds_gil.py");
    worker
        .child
        .stop(plan(Duration::ZERO, NEVER, Duration::from_millis(50)));
    assert_eq!(worker.exit().signal, Some(libc::SIGKILL));
}

#[test]
fn stopping_again_can_only_make_it_faster() {
    let worker = start_ready("ignores_term.py");
    worker.child.stop(StopPlan::new(NEVER));
    worker.child.stop(StopPlan::new(Duration::from_millis(20)));
    worker.child.stop(StopPlan::new(NEVER));
    assert_eq!(worker.exit().signal, Some(libc::SIGKILL));
}

#[test]
fn stopping_killing_and_writing_after_the_end_are_harmless() {
    let worker = start_ready("waits_for_end.py");
    worker.child.kill();
    let (_story, child) = worker.story();
    child.stop(StopPlan::default());
    child.kill();
    assert!(child.data.write(b"late").is_err());
    assert!(child.control(b"late").is_err());
    assert_eq!(child.data.backlog(), 0);
}
