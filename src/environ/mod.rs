//! Layer 3. Finds Python, makes the module's virtual environment, and has installed what the module
//! asks for. Imports only [`crate::error`] of ours, and touches the world through the file system
//! and children that it runs to their end; what the machine offers ([`Surroundings`]) is handed in.
//!
//! [`Target::check`] looks at what `spawn` was given, [`prepare`] makes the environment,
//! [`worker_env`] says which variables a worker gets in it.
//!
//! | file | job |
//! |---|---|
//! | `target`, `script` | the checks of `spawn`, in the order of the contract: for Python, for other runtimes |
//! | `dependencies`, `metadata` | what to install, and its hash |
//! | `version`, `wish`, `catalogue`, `search`, `probe`, `discover` | which interpreter is wished for, which there are, which fits |
//! | `managed` | the interpreter that uv is asked to have |
//! | `layout`, `venv` | the virtual environment: where things lie, what state it is in, making it |
//! | `stamp` | the record that it is finished, and of what |
//! | `lock` | one build at a time |
//! | `install` | uv and pip |
//! | `environment` | what a module asks for, and what it gets |
//! | `build`, `prepare` | all of it in order |
//! | `surroundings`, `variables`, `command`, `progress`, `error`, `packages` | what the others use |
//!
//! Invariants: an environment with a stamp was completely installed. Whoever changes it holds its
//! lock. A warm [`prepare`] starts no process. What the user made is not thrown away unless it is
//! broken. No shell is run, and no program from a folder where anybody could have put it.

mod build;
mod catalogue;
mod command;
mod dependencies;
mod discover;
mod environment;
mod error;
mod install;
mod layout;
mod lock;
mod managed;
mod metadata;
mod packages;
mod prepare;
mod probe;
mod progress;
mod script;
mod search;
mod stamp;
mod surroundings;
mod target;
mod variables;
mod venv;
mod version;
mod wish;

pub use dependencies::DependencySource;
pub use discover::{Interpreter, resolve_python};
pub use environment::{EnvironSpec, Environment};
pub use error::{Candidate, EnvironError};
pub use install::Installer;
pub use packages::Package;
pub use prepare::prepare;
pub use progress::{Phase, Progress, Step};
pub use script::Script;
pub use surroundings::{Keeper, Surroundings};
pub use target::{Entry, Lookup, Target};
pub use variables::{Inherit, Variables, WorkerEnv, command_env, worker_env};
pub use version::{Constraint, Version};
pub use wish::Source;
