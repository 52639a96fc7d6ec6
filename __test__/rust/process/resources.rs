//! Descriptors, threads and children stay level.

use crate::process::host::Host;

#[test]
fn level_over_many_spawns() {
    let mut host = Host::start("churn 200");
    let [descriptors, threads, children] = host.numbers();
    let after: [usize; 3] = host.numbers();
    assert_eq!(
        (after[0], after[2]),
        (descriptors, children),
        "descriptors and children"
    );
    // The runtime may or may not have found the last sweep's thread idle again.
    assert!(
        after[1] <= threads + 1,
        "{threads} threads became {}",
        after[1]
    );
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
