//! What the machine offers: the host's variables, and the interpreters that answer.

use std::path::Path;
use std::time::Duration;

use crate::environ::probe::{Probe, Refusal, probe};
use crate::environ::variables::Variables;

/// What the machine offers. Handed in, so that a test can offer something else.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The host's variables; `PATH`, `HOME`, `SYNAPSE_PYTHON` and others are read from here only.
    pub variables: Variables,
    /// How long an interpreter may take to say what it is.
    pub probe_limit: Duration,
}

impl Surroundings {
    /// Those of this process; an interpreter has 10 s to answer.
    pub fn of_process() -> Self {
        Self {
            variables: Variables::of_process(),
            probe_limit: Duration::from_secs(10),
        }
    }

    pub(crate) async fn probe(&self, python: &Path, directory: &Path) -> Result<Probe, Refusal> {
        probe(python, directory, &self.variables, self.probe_limit).await
    }
}
