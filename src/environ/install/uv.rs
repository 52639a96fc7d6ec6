//! uv: how it is called and what its lines mean.

use std::ffi::OsString;

use crate::environ::install::{Count, Job, wanted};
use crate::environ::progress::Phase;

/// `uv pip install` into the environment.
pub(crate) fn arguments(job: &Job<'_>, base: bool) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = ["pip", "install", "--python"].map(OsString::from).to_vec();
    arguments.push(job.python.clone().into());
    if job.offline {
        arguments.push("--offline".into());
    }
    if job.reinstall {
        arguments.push("--reinstall".into());
    }
    arguments.extend(wanted(job, base));
    arguments
}

/// Understands a line: `Resolved 5 packages in 2ms`, `Downloading numpy (16MiB)`,
/// `Prepared 3 packages in 1s`, `Installed 5 packages in 3ms`, ` + numpy==2.1`.
pub(crate) fn step(line: &str, count: &mut Count) -> Phase {
    let mut words = line.split_whitespace();
    let verb = words.next().unwrap_or_default();
    let number = words.next().and_then(|word| word.parse::<u64>().ok());
    match (verb, number) {
        ("Resolved", Some(number)) => count.set(Phase::Resolve, number, Some(number)),
        ("Prepared", Some(number)) => count.set(Phase::Download, number, Some(number)),
        ("Installed" | "Audited" | "Checked", Some(number)) => {
            count.set(Phase::Install, number, Some(number))
        }
        ("Downloading" | "Building", _) => Phase::Download,
        ("Downloaded" | "Built", _) => count.one(Phase::Download),
        _ => count.phase(),
    }
}

/// Whether uv failed because it could not get at an index or trust it, rather than because of what
/// it was asked for.
pub(crate) fn is_unreachable(said: &str) -> bool {
    let signs = [
        "error sending request",
        "Failed to fetch",
        "certificate",
        "was not found in the package registry",
        "dns error",
        "Could not connect",
    ];
    signs.iter().any(|sign| said.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_understood() {
        let mut count = Count::default();
        for (line, phase, done, total) in [
            (
                "Using Python 3.11.7 environment at: /x",
                Phase::Resolve,
                0,
                None,
            ),
            ("Resolved 5 packages in 2ms", Phase::Resolve, 5, Some(5)),
            ("Downloading numpy (16.0MiB)", Phase::Download, 5, Some(5)),
            ("Downloaded numpy", Phase::Download, 1, Some(5)),
            ("Prepared 2 packages in 1s", Phase::Download, 2, Some(2)),
            ("Installed 5 packages in 3ms", Phase::Install, 5, Some(5)),
            ("+ numpy==2.1", Phase::Install, 5, Some(5)),
        ] {
            assert_eq!(step(line, &mut count), phase, "{line}");
            assert_eq!((count.done, count.total), (done, total), "{line}");
        }
    }
}
