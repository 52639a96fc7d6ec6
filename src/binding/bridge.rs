//! What the functions of one engine share: the driver, and the table through which it answers.

use std::fmt;

use napi::bindgen_prelude::Uint32Array;

use crate::binding::table;
use crate::driver::node::NodeDriver;
use crate::ids::WorkerId;

/// One engine.
pub(super) struct Bridge {
    pub(super) driver: NodeDriver,
    /// Where answers go. Held, not handed in with each call: looking at a typed array costs as much
    /// as scheduling a call.
    table: Uint32Array,
}

impl fmt::Debug for Bridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bridge")
            .field("driver", &self.driver)
            .finish_non_exhaustive()
    }
}

impl Bridge {
    pub(super) fn new(driver: NodeDriver, table: Uint32Array) -> Self {
        Self { driver, table }
    }

    /// Takes the frames in `buffer` up to `end`.
    pub(super) fn submit(&mut self, buffer: &[u8], end: u32) {
        let bytes = buffer.get(..end as usize).unwrap_or_default();
        self.driver.submit(bytes);
        self.answer(0, 0);
    }

    /// Takes what a worker sent: the bytes of `buffer` up to `end`.
    pub(super) fn received(&mut self, worker: WorkerId, buffer: &[u8], end: u32) {
        let bytes = buffer.get(..end as usize).unwrap_or_default();
        let room = table::room(self.table.len());
        let received = self.driver.received(worker, bytes, room);
        self.answer(received.consumed, received.need);
    }

    /// Writes into the table what the driver has done.
    pub(super) fn answer(&mut self, consumed: usize, need: usize) {
        let wake = self.driver.wake_in();
        let has_news = self.driver.has_news();
        let has_kept = self.driver.has_kept();
        table::fill(
            table::numbers(&mut self.table),
            self.driver.settled(),
            consumed,
            need,
            wake,
            has_news,
            has_kept,
        );
        self.driver.clear();
    }
}
