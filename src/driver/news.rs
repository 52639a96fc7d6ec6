//! What the driver itself tells the facade, and how all that is told crosses: as JSON.

use serde::Serialize;
use serde_json::Value;

use crate::environ::Step;
use crate::error::{ErrorCode, Failure};
use crate::ids::WorkerId;

/// What the driver itself tells the facade, beside the engine's events.
#[derive(Serialize)]
#[serde(tag = "type")]
pub(super) enum News {
    #[serde(rename = "setup")]
    Setup {
        #[serde(flatten)]
        step: Step,
    },
    #[serde(rename = "prepared")]
    Prepared { environment: Value },
    #[serde(rename = "worker:start")]
    WorkerStart { worker: WorkerId, pid: u32, fd: i32 },
    #[serde(rename = "store-failed")]
    StoreFailed { message: String },
}

/// Our own types serialise; if one does not, the facade gets the reason instead.
pub(super) fn json<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or_else(|error| {
        let failure = Failure::new(ErrorCode::Protocol, error.to_string());
        Value::String(failure.message)
    })
}
