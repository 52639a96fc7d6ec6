//! Nothing outlives the process that started it, however it ends.

use crate::process::host::Host;
use crate::process::{eventually, marked};

/// Kills a host with such a worker and waits until nothing that bears its mark is left.
fn outlived_by_nothing(name: &str, least: usize) {
    let mut host = Host::start(&format!("keep {name}"));
    let marker = host.line().remove(0);
    // In the middle of an exec a process has no environment that could be seen.
    eventually("all are there", || marked(&marker).len() >= least);
    host.kill();
    eventually("nothing with the mark is left", || {
        marked(&marker).is_empty()
    });
}

#[test]
fn idle() {
    outlived_by_nothing("never_reads.py", 1);
}

#[test]
fn busy() {
    outlived_by_nothing("loops.py", 1);
}

#[test]
fn holding_the_interpreter_lock() {
    outlived_by_nothing("holds_gil.py", 1);
}

#[test]
fn ignoring_sigterm() {
    outlived_by_nothing("ignores_term.py", 1);
}

#[test]
fn with_grandchildren_in_and_out_of_the_group() {
    outlived_by_nothing("leaves_children.py", 4);
}

#[test]
fn with_a_fork_bomb() {
    outlived_by_nothing("forks_for_ever.py", 1);
}

#[test]
fn after_an_orderly_exit_that_does_not_wait() {
    let mut host = Host::start("exit leaves_children.py");
    let marker = host.line().remove(0);
    assert!(host.finish());
    eventually("nothing with the mark is left", || {
        marked(&marker).is_empty()
    });
}

#[test]
fn the_guard_survives_the_signals_that_end_a_terminal_and_goes_with_the_host() {
    let mut host = Host::start("keep leaves_children.py");
    let marker = host.line().remove(0);
    let run = marker.split('-').next().unwrap().to_owned();
    let guards = || -> Vec<i32> {
        std::fs::read_dir("/proc")
            .unwrap()
            .filter_map(|process| process.unwrap().file_name().to_str()?.parse().ok())
            .filter(|pid: &i32| {
                std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| {
                    line.split(|&byte| byte == 0)
                        .any(|argument| argument == run.as_bytes())
                })
            })
            .collect()
    };
    // It is one that can be found once it is past its exec.
    eventually("there is one guard", || guards().len() == 1);
    let guard = guards()[0];
    let guard_pid = rustix::process::Pid::from_raw(guard).unwrap();
    assert_eq!(rustix::process::getsid(Some(guard_pid)).unwrap(), guard_pid);
    let descriptors = || {
        std::fs::read_dir(format!("/proc/{guard}/fd"))
            .unwrap()
            .count()
    };
    eventually("it has three descriptors", || descriptors() == 3);
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        let signal = rustix::process::Signal::from_named_raw(signal).unwrap();
        rustix::process::kill_process(guard_pid, signal).unwrap();
    }
    host.kill();
    eventually("nothing with the mark is left", || {
        marked(&marker).is_empty()
    });
    eventually("the guard is gone", || guards().is_empty());
}

#[test]
fn a_guard_that_was_killed_is_replaced() {
    let mut host = Host::start("replace");
    let marker = host.line().remove(0);
    host.kill();
    eventually("nothing with the mark is left", || {
        marked(&marker).is_empty()
    });
}
