//! Descriptors, threads and children stay level.

use std::process::{Command, Stdio};

use crate::process::host::Host;

#[test]
fn level_over_many_spawns() {
    let mut host = Host::start("churn 200");
    // The host itself has waited for its descriptors and children to be as many as before.
    let [threads, after] = host.numbers();
    // The runtime starts a thread where it finds those of earlier sweeps not idle again, which a busy
    // machine brings about now and then. A thread that leaked with each worker would make hundreds.
    assert!(after <= threads + 16, "{threads} threads became {after}");
    assert!(host.finish());
}

#[test]
fn a_lack_of_descriptors_is_an_error_that_leaves_nothing_behind() {
    let mut host = Host::start("starve");
    let [failures, successes] = host.numbers();
    assert!(
        failures > 5 && successes > 5,
        "{failures} failures, {successes} successes"
    );
    assert!(host.finish());
}

#[test]
fn a_lack_of_processes_is_an_error_and_what_runs_goes_on() {
    // No limit holds for the super-user.
    let ordinary = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
    ];
    let is_root = rustix::process::geteuid().is_root();
    let mut host = Host::start_by("crowded", if is_root { &ordinary } else { &[] });
    assert_eq!(host.line(), ["survived"]);
    assert!(host.finish());
}

#[test]
fn a_stranger_who_got_the_number_of_a_dead_worker_is_never_signalled() {
    // Numbers of their own, which begin anew, and the right to say which is next.
    let own = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"];
    let as_user = [&own[..], &["--user", "--map-root-user"]].concat();
    let may = |wrapper: &[&str]| {
        let (program, words) = wrapper.split_first().unwrap();
        let mut command = Command::new(program);
        command.args(words).arg("true").stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let wrapper = [&as_user[..], &own[..]]
        .into_iter()
        .find(|wrapper| may(wrapper));
    let wrapper = wrapper.expect("a namespace of process numbers: unshare(1) is refused here");
    let mut host = Host::start_by("reuse", wrapper);
    assert_eq!(host.line(), ["spared"]);
    assert!(host.finish());
}
