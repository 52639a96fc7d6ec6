//! Descriptors, threads and children stay level.

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
