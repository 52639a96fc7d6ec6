//! What the system lets one child use. Each limit is off unless set, and holds for every process
//! that the child starts, each by itself.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit};

/// The options `limits.memory`, `limits.cpu` and `limits.files`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ResourceLimits {
    /// Address space, in bytes. Beyond it allocations fail: a `MemoryError` in Python.
    pub memory: Option<u64>,
    /// Processor time, in seconds. Beyond it the child is ended by SIGXCPU, and a second later by
    /// SIGKILL.
    pub cpu: Option<u64>,
    /// Open file descriptors.
    pub files: Option<u64>,
}

/// A limit as it is set between fork and exec.
pub(super) type Bound = (Resource, Rlimit);

impl ResourceLimits {
    /// The limits to set. Fails if one is above what the system lets this process have.
    pub(super) fn bounds(self) -> io::Result<Vec<Bound>> {
        let wished = [
            ("limits.memory", Resource::As, self.memory, 0),
            ("limits.cpu", Resource::Cpu, self.cpu, 1),
            ("limits.files", Resource::Nofile, self.files, 0),
        ];
        let mut bounds = Vec::new();
        for (name, resource, limit, beyond) in wished {
            let Some(limit) = limit else { continue };
            let most = getrlimit(resource).maximum;
            if let Some(most) = most.filter(|most| limit > *most) {
                let message = format!("{name} of {limit} is above the system's limit of {most}");
                return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
            }
            let hard = limit.saturating_add(beyond);
            bounds.push((
                resource,
                Rlimit {
                    current: Some(limit),
                    maximum: Some(most.map_or(hard, |most| most.min(hard))),
                },
            ));
        }
        Ok(bounds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_wished_for_is_set() {
        assert!(ResourceLimits::default().bounds().unwrap().is_empty());
        let limits = ResourceLimits {
            cpu: Some(5),
            files: Some(32),
            ..ResourceLimits::default()
        };
        let bounds = limits.bounds().unwrap();
        let found: Vec<_> = bounds.iter().map(|(_, limit)| limit.current).collect();
        assert_eq!(found, [Some(5), Some(32)]);
    }

    #[test]
    fn what_is_above_the_systems_limit_is_refused_by_name() {
        let Some(most) = getrlimit(Resource::Nofile).maximum else {
            return;
        };
        let limits = ResourceLimits {
            files: Some(most + 1),
            ..ResourceLimits::default()
        };
        let error = limits.bounds().unwrap_err().to_string();
        assert!(error.contains("limits.files"), "{error}");
    }
}
