//! The class `NativeEngine`. Mirrors `ts/native.ts`, in its order.

use std::sync::{Arc, Mutex, PoisonError};

use napi::Env;
use napi::bindgen_prelude::{
    Buffer, BufferSlice, Error, Function, Result, Status, Uint8ArraySlice, Uint32Array,
};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi_derive::napi;

use crate::binding::table;
use crate::driver::node::NodeDriver;
use crate::driver::options::SpawnOptions;
use crate::engine::PoolRequest;
use crate::ids::{CallId, WorkerId};
use crate::memory::Loan;

/// One engine and its processes.
#[napi]
pub struct NativeEngine {
    pub(super) driver: NodeDriver,
    /// Where answers go. Held, not handed in with each call: looking at a typed array costs as much
    /// as scheduling a call.
    table: Uint32Array,
    /// What wakes the event loop; empty once released.
    bell: Arc<Mutex<Option<Bell>>>,
}

/// Weak: it does not keep Node up. Bounded: one pending wake-up stands for all.
type Bell = ThreadsafeFunction<(), (), (), Status, false, true, 1>;

impl std::fmt::Debug for NativeEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NativeEngine")
            .field("driver", &self.driver)
            .finish_non_exhaustive()
    }
}

#[napi]
impl NativeEngine {
    /// Every call fills in `table`, which is the engine's own. `wake` is called, on the JavaScript
    /// thread, when `poll` has work.
    #[napi(constructor, catch_unwind)]
    pub fn new(table: Uint32Array, wake: Function<'_, (), ()>) -> Result<Self> {
        let bell: Bell = wake
            .build_threadsafe_function::<()>()
            .weak::<true>()
            .max_queue_size::<1>()
            .build()?;
        let bell = Arc::new(Mutex::new(Some(bell)));
        let ring = Arc::clone(&bell);
        let wake = Arc::new(move || {
            if let Some(bell) = &*ring.lock().unwrap_or_else(PoisonError::into_inner) {
                // Full: one is on its way. Closing: nobody is left to be woken.
                let _status: Status = bell.call((), ThreadsafeFunctionCallMode::NonBlocking);
            }
        });
        Ok(Self {
            bell,
            driver: NodeDriver::new(wake),
            table,
        })
    }

    /// Prepares the environment and starts workers. The outcome comes as an event.
    #[napi(catch_unwind)]
    pub fn start(&mut self, config: String) -> Result<()> {
        let options: SpawnOptions = serde_json::from_str(&config)
            .map_err(|error| Error::new(Status::InvalidArg, format!("spawn options: {error}")))?;
        self.driver
            .start(options)
            .map_err(|error| Error::new(Status::GenericFailure, error.to_string()))
    }

    /// Takes the frames in `buffer` up to `end`.
    #[napi(catch_unwind)]
    pub fn submit(&mut self, buffer: Uint8ArraySlice<'_>, end: u32) {
        let bytes = buffer.get(..end as usize).unwrap_or_default();
        self.driver.submit(bytes);
        self.answer(0, 0);
    }

    /// Takes what a worker sent: the bytes of `buffer` up to `end`.
    #[napi(catch_unwind)]
    pub fn received(&mut self, worker: u32, buffer: Uint8ArraySlice<'_>, end: u32) {
        let bytes = buffer.get(..end as usize).unwrap_or_default();
        let room = table::room(self.table.len());
        let received = self.driver.received(WorkerId(worker), bytes, room);
        self.answer(received.consumed, received.need);
    }

    /// A worker's data channel is at its end.
    #[napi(catch_unwind)]
    pub fn closed(&mut self, worker: u32) {
        self.driver.closed(WorkerId(worker));
        self.answer(0, 0);
    }

    /// Takes what happened on other threads, and lets due timers fire.
    #[napi(catch_unwind)]
    pub fn poll(&mut self) {
        self.driver.poll();
        self.answer(0, 0);
    }

    /// The caller has given a call up.
    #[napi(catch_unwind)]
    pub fn cancel(&mut self, id: u32) {
        self.driver.cancel(CallId(id));
        self.answer(0, 0);
    }

    /// The consumer of a stream can take so many more items.
    #[napi(catch_unwind)]
    pub fn grant(&mut self, id: u32, items: u32) {
        self.driver.grant(CallId(id), items);
        self.answer(0, 0);
    }

    /// Begins an operation on the pool, which is JSON; the event `done` with this ticket ends it.
    #[napi(catch_unwind)]
    pub fn operate(&mut self, ticket: u32, request: String) -> Result<()> {
        let request: PoolRequest = serde_json::from_str(&request)
            .map_err(|error| Error::new(Status::InvalidArg, format!("operation: {error}")))?;
        self.driver.operate(ticket, request);
        self.answer(0, 0);
        Ok(())
    }

    /// Copies a large value into shared memory for a call (`worker` is 0), or for the answer to a
    /// callback of a worker. Returns where it begins; 0 if it has to take the pipe.
    #[napi(catch_unwind)]
    pub fn lend(&mut self, worker: u32, id: u32, value: Uint8ArraySlice<'_>) -> u32 {
        let block = self.driver.lend(WorkerId(worker), id, &value);
        block.map_or(0, |block| u32::try_from(block).unwrap_or_default())
    }

    /// What was lent for this call or answer is not sent.
    #[napi(catch_unwind)]
    pub fn withdraw(&mut self, worker: u32, id: u32) {
        self.driver.withdraw(WorkerId(worker), id);
    }

    /// A large value that a worker has put into shared memory, without a copy. The worker gets the
    /// memory back when JavaScript has no reference to it any more.
    #[napi(catch_unwind)]
    pub fn borrow<'env>(
        &self,
        env: &'env Env,
        worker: u32,
        block: u32,
        length: u32,
    ) -> Result<BufferSlice<'env>> {
        let loan = self
            .driver
            .borrow(WorkerId(worker), block as usize, length as usize)
            .map_err(|error| Error::new(Status::InvalidArg, error.to_string()))?;
        buffer_over(env, loan)
    }

    /// Lets a value of a worker go that nobody wants to see.
    #[napi(catch_unwind)]
    pub fn let_go(&self, worker: u32, block: u32, length: u32) {
        let loan = self
            .driver
            .borrow(WorkerId(worker), block as usize, length as usize);
        drop(loan);
    }

    /// Rejects all calls and stops all workers.
    #[napi(catch_unwind)]
    pub fn stop(&mut self) {
        self.driver.stop();
        self.answer(0, 0);
    }

    /// Ends all processes at once, without a word.
    #[napi(catch_unwind)]
    pub fn kill(&mut self) {
        self.driver.kill();
    }

    /// Lets go of the event loop: nothing will happen any more.
    #[napi(catch_unwind)]
    pub fn release(&mut self) {
        self.bell
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
    }

    /// Calls answered by kept replies: each its id, the length of the payload, and the payload.
    #[napi(catch_unwind)]
    pub fn take_kept(&mut self) -> Buffer {
        self.driver.take_kept().into()
    }

    /// Closes circuit breakers: that of a handler, or all.
    #[napi(catch_unwind)]
    pub fn reset_breaker(&mut self, handler: Option<String>) {
        self.driver.reset_breaker(handler.as_deref());
        self.answer(0, 0);
    }

    /// Forgets kept replies: those of a handler, or all.
    #[napi(catch_unwind)]
    pub fn clear_cache(&mut self, handler: Option<String>) {
        self.driver.clear_cache(handler.as_deref());
    }

    /// What happened since the last time: a JSON array of events.
    #[napi(catch_unwind)]
    pub fn take_events(&mut self) -> String {
        serde_json::Value::Array(self.driver.take_news()).to_string()
    }

    /// Counters as JSON.
    #[napi(catch_unwind)]
    pub fn stats(&self) -> String {
        self.driver.stats().to_string()
    }

    /// The workers as JSON.
    #[napi(catch_unwind)]
    pub fn workers(&self) -> String {
        self.driver.workers().to_string()
    }

    /// After a call that settles nothing.
    pub(super) fn after(&mut self) {
        self.answer(0, 0);
    }

    fn answer(&mut self, consumed: usize, need: usize) {
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

/// A buffer over the memory of a loan, which ends when JavaScript lets go of the buffer.
#[expect(unsafe_code, reason = "memory of the worker becomes a buffer")]
fn buffer_over(env: &Env, loan: Loan) -> Result<BufferSlice<'_>> {
    let pointer = loan.pointer().as_ptr();
    // SAFETY: the loan holds the mapping, whose size cannot change and within which its bytes lie;
    // it is dropped by the finaliser, and no second buffer is made over the same bytes before. What
    // the worker might write there meanwhile are bytes like any others.
    unsafe { BufferSlice::from_external(env, pointer, loan.length(), loan, |_, loan| drop(loan)) }
}
