//! What the preparation tells while it runs: the `setup` event and the option `onProgress`.

use serde::Serialize;

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The installer works out which versions fit together.
    Resolve,
    /// An interpreter is looked for, and the virtual environment made.
    Venv,
    /// Packages are fetched.
    Download,
    /// Packages are put into the environment.
    Install,
    /// The environment can be used.
    Ready,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What is being done.
    pub phase: Phase,
    /// Packages that are through this phase.
    pub done: u64,
    /// Packages that go through it, where the installer said so.
    pub total: Option<u64>,
    /// A line for people: mostly the installer's own.
    pub text: String,
}

/// Who is told. Called on the thread that runs the preparation: must not block.
pub trait Progress: Send + Sync {
    /// Takes one step.
    fn report(&self, step: Step);
}

impl<F: Fn(Step) + Send + Sync> Progress for F {
    fn report(&self, step: Step) {
        self(step);
    }
}

/// Tells a step that counts nothing.
pub(crate) fn tell(progress: &dyn Progress, phase: Phase, text: impl Into<String>) {
    progress.report(Step {
        phase,
        done: 0,
        total: None,
        text: text.into(),
    });
}
