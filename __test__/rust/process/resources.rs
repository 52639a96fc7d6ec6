//! Descriptors, threads and children stay level.

use crate::process::host::Host;

#[test]
fn level_over_many_spawns() {
    let mut host = Host::start("churn 200");
    let before = host.line();
    let after = host.line();
    assert_eq!(before, after, "descriptors, threads, children");
    assert!(host.finish());
}

#[test]
fn a_lack_of_descriptors_is_an_error_that_leaves_nothing_behind() {
    let mut host = Host::start("starve");
    let said = host.line();
    let (failures, successes): (u32, u32) = (said[0].parse().unwrap(), said[1].parse().unwrap());
    assert!(
        failures > 5 && successes > 5,
        "{failures} failures, {successes} successes"
    );
    assert!(host.finish());
}
