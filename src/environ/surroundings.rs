//! What the machine offers: the host's variables, and the interpreters that answer.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::environ::probe::{Probe, Refusal, probe};
use crate::environ::variables::Variables;

/// Sees to it that installers, and what they start, do not outlive this process.
pub trait Keeper: fmt::Debug + Send + Sync {
    /// A variable for the environment of a process that is about to start: name and value.
    fn mark(&self) -> (&'static str, String);

    /// Told of such a process, which leads a group. It is over when the answer is dropped.
    fn keep(&self, leader: u32) -> Box<dyn Send>;
}

/// What the machine offers. Handed in, so that a test can offer something else.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The host's variables; `PATH`, `HOME`, `SYNAPSE_PYTHON` and others are read from here only.
    pub variables: Variables,
    /// How long an interpreter may take to say what it is.
    pub probe_limit: Duration,
    /// Whom to tell of what is started; without one a killed process leaves its installers to finish.
    pub keeper: Option<Arc<dyn Keeper>>,
}

impl Surroundings {
    /// Those of this process; an interpreter has 10 s to answer.
    pub fn of_process() -> Self {
        Self {
            variables: Variables::of_process(),
            probe_limit: Duration::from_secs(10),
            keeper: None,
        }
    }

    pub(crate) async fn probe(&self, python: &Path, directory: &Path) -> Result<Probe, Refusal> {
        probe(python, directory, &self.variables, self.probe_limit).await
    }
}
