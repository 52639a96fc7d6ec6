//! What is installed in an environment, read from its folder: no process is started for it.

use std::fs;
use std::path::Path;

use serde::Serialize;

/// An installed distribution.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Package {
    /// As its metadata spells it.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// The distributions in a folder of packages, by name. One without readable metadata is left out.
pub(crate) fn installed(site_packages: &Path) -> Vec<Package> {
    let mut packages: Vec<Package> = fs::read_dir(site_packages)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let folder = entry.path();
            let file = match folder.extension()?.to_str()? {
                "dist-info" => "METADATA",
                "egg-info" => "PKG-INFO",
                _ => return None,
            };
            package(&fs::read_to_string(folder.join(file)).ok()?)
        })
        .collect();
    packages.sort();
    packages
}

/// Reads the headers, which end at the first empty line.
fn package(metadata: &str) -> Option<Package> {
    let header = |name: &str| {
        metadata
            .lines()
            .take_while(|line| !line.is_empty())
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(|value| value.trim().to_owned())
    };
    Some(Package {
        name: header("Name")?,
        version: header("Version")?,
    })
}
