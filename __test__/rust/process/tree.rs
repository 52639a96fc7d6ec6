//! What a worker has started goes with it.

use std::time::Duration;

use synapse::process::{Child, OwnerId, StopPlan, kill_owned};

use crate::process::{
    Worker, eventually, is_running, launch, marked, start, start_ready, start_with,
};

/// A worker with three grandchildren: in its group, in another session, forked twice.
fn family() -> (Worker, Vec<u32>) {
    let mut worker = start("leaves_children.py", &[]);
    let pids = std::str::from_utf8(worker.more_control()).unwrap();
    let pids: Vec<u32> = pids.split(' ').map(|pid| pid.parse().unwrap()).collect();
    assert_eq!(pids.len(), 3);
    assert!(pids.iter().all(|&pid| is_running(pid)));
    (worker, pids)
}

fn assert_gone(child: &Child, pids: &[u32]) {
    for &pid in pids {
        assert!(!is_running(pid), "{pid} of {pids:?} lives");
    }
    assert_eq!(marked(child.marker()), [0; 0]);
}

#[test]
fn after_an_exit() {
    let worker = start("leaves_children.py", &["exit"]);
    let (story, child) = worker.story();
    let pids = std::str::from_utf8(&story.control).unwrap();
    let pids: Vec<u32> = pids.split(' ').map(|pid| pid.parse().unwrap()).collect();
    assert_gone(&child, &pids);
    assert_eq!(story.exits[0].code, Some(0));
}

#[test]
fn after_a_stop() {
    let (worker, pids) = family();
    worker.child.stop(StopPlan::new(Duration::from_secs(3600)));
    let (_story, child) = worker.story();
    assert_gone(&child, &pids);
}

#[test]
fn after_a_kill() {
    let (worker, pids) = family();
    worker.child.kill();
    let (_story, child) = worker.story();
    assert_gone(&child, &pids);
}

#[test]
fn after_the_handle_is_dropped() {
    let (worker, pids) = family();
    let marker = worker.child.marker().to_owned();
    drop(worker);
    eventually("the whole family is gone", || {
        pids.iter().all(|&pid| !is_running(pid)) && marked(&marker).is_empty()
    });
}

#[test]
fn after_their_owner_is_killed_and_no_other() {
    let (owner, other) = (OwnerId::new(), OwnerId::new());
    let start_for = |owner| {
        let mut launch = launch("never_reads.py", &[]);
        launch.owner = owner;
        let mut worker = start_with(launch).unwrap();
        worker.wait_for_control(b"ready");
        worker
    };
    let (first, second, third) = (start_for(owner), start_for(owner), start_for(other));
    kill_owned(owner);
    assert_eq!(first.exit().signal, Some(libc::SIGKILL));
    assert_eq!(second.exit().signal, Some(libc::SIGKILL));
    assert!(is_running(third.child.pid()));
    kill_owned(other);
    assert_eq!(third.exit().signal, Some(libc::SIGKILL));
}

#[test]
fn a_fork_bomb_across_sessions() {
    let worker = start_ready("forks_for_ever.py");
    let marker = worker.child.marker().to_owned();
    eventually("there are many", || marked(&marker).len() > 50);
    worker.child.kill();
    let (_story, child) = worker.story();
    assert_gone(&child, &[]);
}

#[test]
fn one_worker_goes_and_its_neighbour_stays() {
    let (worker, _pids) = family();
    let (neighbour, neighbours) = family();
    worker.child.kill();
    worker.exit();
    assert!(neighbours.iter().all(|&pid| is_running(pid)));
    assert!(is_running(neighbour.child.pid()));
    neighbour.child.kill();
    neighbour.exit();
}
