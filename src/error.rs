//! Layer 0. The table of error codes, and the failure that carries one to the facade, where
//! `ts/errors.ts` makes a real class of it. `docs/errors.md` explains each code.

use serde::Serialize;
use serde_json::{Map, Value};

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal, $class:literal;)*) => {
        /// What went wrong, as a stable name. Users match on it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode { $($(#[$doc])* $variant,)* }

        impl ErrorCode {
            /// Every code, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The code as users see it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The class that the facade makes of it.
            pub fn class(self) -> &'static str {
                match self { $(Self::$variant => $class,)* }
            }
        }
    };
}

codes! {
    /// A handler raised an exception.
    PythonError = "PYTHON_ERROR", "PythonError";
    /// A deadline passed; the detail `phase` says which: `queue`, `run` or `start`.
    Timeout = "TIMEOUT", "TimeoutError";
    /// The worker's process died.
    WorkerExited = "WORKER_EXITED", "WorkerExitedError";
    /// The queue held `queue.max` calls already.
    QueueFull = "QUEUE_FULL", "QueueFullError";
    /// The circuit breaker is open.
    CircuitOpen = "CIRCUIT_OPEN", "CircuitOpenError";
    /// The rate limit of the handler is reached.
    RateLimited = "RATE_LIMITED", "RateLimitedError";
    /// No handler has that name; the detail `available` lists those there are.
    HandlerNotFound = "HANDLER_NOT_FOUND", "HandlerNotFoundError";
    /// Arguments do not fit the Python type hints.
    Validation = "VALIDATION", "ValidationError";
    /// A value cannot cross; the detail `path` names it.
    Encode = "ENCODE", "EncodeError";
    /// Bytes that are no valid frame.
    Protocol = "PROTOCOL", "ProtocolError";
    /// A frame above `limits.frame`.
    FrameTooLarge = "FRAME_TOO_LARGE", "ProtocolError";
    /// The worker speaks another version of the protocol.
    ProtocolMismatch = "PROTOCOL_MISMATCH", "ProtocolError";
    /// No interpreter fits; the detail `candidates` lists those tried and why each was refused.
    PythonNotFound = "PYTHON_NOT_FOUND", "EnvironmentError";
    /// The virtual environment could not be made.
    VenvFailed = "VENV_FAILED", "EnvironmentError";
    /// The installer failed; the detail `output` holds the end of what it said.
    InstallFailed = "INSTALL_FAILED", "EnvironmentError";
    /// The directory given to `spawn` does not exist.
    DirectoryNotFound = "DIRECTORY_NOT_FOUND", "SpawnError";
    /// The entry file does not exist.
    EntrypointNotFound = "ENTRYPOINT_NOT_FOUND", "SpawnError";
    /// There is no dependency file.
    RequirementsNotFound = "REQUIREMENTS_NOT_FOUND", "SpawnError";
    /// The module named by `module:function` cannot be found.
    ModuleNotFound = "MODULE_NOT_FOUND", "SpawnError";
    /// The module has no such function.
    FunctionNotFound = "FUNCTION_NOT_FOUND", "SpawnError";
    /// The worker did not get ready.
    StartFailed = "START_FAILED", "SpawnError";
    /// The instance runs another target.
    AlreadySpawned = "ALREADY_SPAWNED", "SpawnError";
    /// Used before `spawn`.
    NotSpawned = "NOT_SPAWNED", "DisposedError";
    /// Used after `dispose`, or disposed of while in use.
    Disposed = "DISPOSED", "DisposedError";
    /// There are as many sessions as may be, or a session would hold more than it may.
    SessionQuotaExceeded = "SESSION_QUOTA_EXCEEDED", "SessionError";
    /// A session of that id exists already.
    SessionExists = "SESSION_EXISTS", "SessionError";
    /// The worker that a session is bound to is gone.
    SessionWorkerUnavailable = "SESSION_WORKER_UNAVAILABLE", "SessionError";
    /// The worker that a session is bound to is busy, and the session does not wait.
    WorkerBusy = "WORKER_BUSY", "SessionError";
    /// Workers would wait for each other in a circle.
    Deadlock = "DEADLOCK", "SessionError";
    /// A hub has no pool and no group of that name; the detail `available` lists those there are.
    PoolNotFound = "POOL_NOT_FOUND", "HubError";
    /// A hub has a pool or a group of that name already.
    PoolExists = "POOL_EXISTS", "HubError";
    /// A group of a hub has no pool.
    GroupEmpty = "GROUP_EMPTY", "HubError";
}

impl Serialize for ErrorCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A failure on its way to the user: a code, a sentence, and the fields of the error's class.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Failure {
    /// Which error it is.
    pub code: ErrorCode,
    /// A sentence that names the thing and the value.
    pub message: String,
    /// The further fields of the error's class, in the facade's spelling (`exitCode`,
    /// `stderrTail`, …).
    #[serde(flatten)]
    pub details: Map<String, Value>,
}

impl Failure {
    /// A failure without further fields.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            details: Map::new(),
        }
    }

    /// The same failure with one more field.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }
}
