//! The file in which sessions survive, opened and heard off the thread of the driver.

use std::path::PathBuf;

use crate::driver::post::{Message, Post};
use crate::error::{ErrorCode, Failure};
use crate::storage::{self, SessionFile};

/// Opens the file on a thread that may wait for the disk.
pub(super) async fn restore(
    path: PathBuf,
    post: Post,
) -> Result<(SessionFile, storage::Sessions), Failure> {
    tokio::task::spawn_blocking(move || SessionFile::open(&path, StoreObserver { post }))
        .await
        .unwrap_or_else(|error| Err(Failure::new(ErrorCode::StartFailed, error.to_string())))
}

/// Brings what the writing thread tells to the thread of the driver.
struct StoreObserver {
    post: Post,
}

impl storage::Observer for StoreObserver {
    fn failed(&self, reason: String) {
        self.post.put(Message::StoreFailed(reason));
    }

    fn closed(&self) {
        self.post.put(Message::StoreClosed);
    }
}
