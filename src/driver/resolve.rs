//! `resolvePython`: which interpreter would be used. Nothing is made or installed.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::environ::{EnvironError, Interpreter, Surroundings, resolve_python};
use crate::error::Failure;
use crate::process::Reactor;

/// What is asked. Mirrors `ts/resolve-python.ts`; absent is null.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResolveOptions {
    /// The option `python`, as in [`crate::driver::options::SpawnOptions`].
    pub python: Option<String>,
    /// The module's directory, whose `.venv` is a candidate; relative to that of the process.
    pub directory: PathBuf,
    /// The host's variables.
    pub host_env: BTreeMap<String, String>,
}

/// A search that can begin: the thread that runs it is there.
#[derive(Debug)]
pub struct Resolve {
    reactor: &'static Reactor,
    options: ResolveOptions,
}

impl Resolve {
    /// # Errors
    /// If the reactor's thread cannot be started.
    pub fn new(options: ResolveOptions) -> io::Result<Self> {
        let reactor = Reactor::global()?;
        Ok(Self { reactor, options })
    }

    /// Searches on the reactor's thread, and hands `done` the outcome there: the JSON of
    /// `{ ok: { path, version, source } }` or of `{ failure }`.
    pub fn run(self, done: impl FnOnce(String) + Send + 'static) {
        let Self { reactor, options } = self;
        let task = async move {
            let surroundings = Surroundings {
                variables: options.host_env.iter().collect(),
                ..Surroundings::of_process()
            };
            let python = options.python.as_deref();
            let outcome = resolve_python(python, None, &options.directory, &surroundings).await;
            done(tagged(outcome).to_string());
        };
        // To its end: each candidate has a time limit.
        drop(reactor.handle().spawn(task));
    }
}

fn tagged(outcome: Result<Interpreter, EnvironError>) -> Value {
    match outcome {
        Ok(found) => json!({
            "ok": {
                "path": found.path.to_string_lossy(),
                "version": found.version.to_string(),
                "source": found.source,
            },
        }),
        Err(error) => json!({ "failure": Failure::from(error) }),
    }
}
