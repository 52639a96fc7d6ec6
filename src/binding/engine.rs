//! The class `NativeEngine`. Mirrors `ts/native.ts`, in its order.

use std::cell::{RefCell, RefMut};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use napi::Env;
use napi::bindgen_prelude::{
    Buffer, BufferSlice, Error, Function, Result, Status, Uint8Array, Uint8ArraySlice, Uint32Array,
};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi_derive::napi;

use crate::binding::bridge::Bridge;
use crate::driver::node::NodeDriver;
use crate::driver::options::SpawnOptions;
use crate::engine::PoolRequest;
use crate::ids::{CallId, WorkerId};
use crate::memory::Loan;

/// One engine and its processes.
#[napi]
pub struct NativeEngine {
    bridge: Rc<RefCell<Bridge>>,
    /// What wakes the event loop; empty once released.
    bell: Arc<Mutex<Option<Bell>>>,
}

/// Weak: it does not keep Node up. Bounded: one pending wake-up stands for all.
type Bell = ThreadsafeFunction<(), (), (), Status, false, true, 1>;

impl std::fmt::Debug for NativeEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NativeEngine")
            .field("bridge", &self.bridge)
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
            bridge: Rc::new(RefCell::new(Bridge::new(NodeDriver::new(wake), table))),
        })
    }

    /// Prepares the environment and starts workers. The outcome comes as an event.
    #[napi(catch_unwind)]
    pub fn start(&mut self, config: String) -> Result<()> {
        let options: SpawnOptions = serde_json::from_str(&config)
            .map_err(|error| Error::new(Status::InvalidArg, format!("spawn options: {error}")))?;
        self.bridge()
            .driver
            .start(options)
            .map_err(|error| Error::new(Status::GenericFailure, error.to_string()))
    }

    /// Takes the frames in `buffer` up to `end`.
    #[napi(catch_unwind)]
    pub fn submit(&mut self, buffer: Uint8ArraySlice<'_>, end: u32) {
        self.bridge().submit(&buffer, end);
    }

    /// A function that does what `submit` does, always with this buffer: a third of a microsecond
    /// faster than a method, for which `this` and the buffer are looked at each time.
    #[napi(catch_unwind)]
    pub fn submitter<'env>(
        &self,
        env: &'env Env,
        buffer: Uint8Array,
    ) -> Result<Function<'env, u32, ()>> {
        let bridge = Rc::clone(&self.bridge);
        env.create_function_from_closure("submit", move |ctx| {
            bridge.borrow_mut().submit(&buffer, ctx.first_arg()?);
            Ok(())
        })
    }

    /// Takes what a worker sent: the bytes of `buffer` up to `end`.
    #[napi(catch_unwind)]
    pub fn received(&mut self, worker: u32, buffer: Uint8ArraySlice<'_>, end: u32) {
        self.bridge().received(WorkerId(worker), &buffer, end);
    }

    /// A function that does what `received` does, always with this worker and this buffer. Faster,
    /// as `submitter` is.
    #[napi(catch_unwind)]
    pub fn receiver<'env>(
        &self,
        env: &'env Env,
        worker: u32,
        buffer: Uint8Array,
    ) -> Result<Function<'env, u32, ()>> {
        let bridge = Rc::clone(&self.bridge);
        env.create_function_from_closure("received", move |ctx| {
            let end = ctx.first_arg()?;
            bridge.borrow_mut().received(WorkerId(worker), &buffer, end);
            Ok(())
        })
    }

    /// A worker's data channel is at its end.
    #[napi(catch_unwind)]
    pub fn closed(&mut self, worker: u32) {
        self.act(|driver| driver.closed(WorkerId(worker)));
    }

    /// Takes what happened on other threads, and lets due timers fire.
    #[napi(catch_unwind)]
    pub fn poll(&mut self) {
        self.act(NodeDriver::poll);
    }

    /// The caller has given a call up.
    #[napi(catch_unwind)]
    pub fn cancel(&mut self, id: u32) {
        self.act(|driver| driver.cancel(CallId(id)));
    }

    /// The consumer of a stream can take so many more items.
    #[napi(catch_unwind)]
    pub fn grant(&mut self, id: u32, items: u32) {
        self.act(|driver| driver.grant(CallId(id), items));
    }

    /// Begins an operation on the pool, which is JSON; the event `done` with this ticket ends it.
    #[napi(catch_unwind)]
    pub fn operate(&mut self, ticket: u32, request: String) -> Result<()> {
        let request: PoolRequest = serde_json::from_str(&request)
            .map_err(|error| Error::new(Status::InvalidArg, format!("operation: {error}")))?;
        self.act(|driver| driver.operate(ticket, request));
        Ok(())
    }

    /// Copies a large value into shared memory for a call (`worker` is 0), or for the answer to a
    /// callback of a worker. Returns where it begins; 0 if it has to take the pipe.
    #[napi(catch_unwind)]
    pub fn lend(&mut self, worker: u32, id: u32, value: Uint8ArraySlice<'_>) -> u32 {
        let block = self.bridge().driver.lend(WorkerId(worker), id, &value);
        block.map_or(0, |block| u32::try_from(block).unwrap_or_default())
    }

    /// What was lent for this call or answer is not sent.
    #[napi(catch_unwind)]
    pub fn withdraw(&mut self, worker: u32, id: u32) {
        self.bridge().driver.withdraw(WorkerId(worker), id);
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
            .bridge()
            .driver
            .borrow(WorkerId(worker), block as usize, length as usize)
            .map_err(|error| Error::new(Status::InvalidArg, error.to_string()))?;
        buffer_over(env, loan)
    }

    /// Lets a value of a worker go that nobody wants to see.
    #[napi(catch_unwind)]
    pub fn let_go(&self, worker: u32, block: u32, length: u32) {
        let loan = self
            .bridge()
            .driver
            .borrow(WorkerId(worker), block as usize, length as usize);
        drop(loan);
    }

    /// Rejects all calls and stops all workers.
    #[napi(catch_unwind)]
    pub fn stop(&mut self) {
        self.act(NodeDriver::stop);
    }

    /// Ends all processes at once, without a word.
    #[napi(catch_unwind)]
    pub fn kill(&mut self) {
        self.bridge().driver.kill();
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
        self.bridge().driver.take_kept().into()
    }

    /// Closes circuit breakers: that of a handler, or all.
    #[napi(catch_unwind)]
    pub fn reset_breaker(&mut self, handler: Option<String>) {
        self.act(|driver| driver.reset_breaker(handler.as_deref()));
    }

    /// Forgets kept replies: those of a handler, or all.
    #[napi(catch_unwind)]
    pub fn clear_cache(&mut self, handler: Option<String>) {
        self.bridge().driver.clear_cache(handler.as_deref());
    }

    /// What happened since the last time: a JSON array of events.
    #[napi(catch_unwind)]
    pub fn take_events(&mut self) -> String {
        serde_json::Value::Array(self.bridge().driver.take_news()).to_string()
    }

    /// Counters as JSON.
    #[napi(catch_unwind)]
    pub fn stats(&self) -> String {
        self.bridge().driver.stats().to_string()
    }

    /// The workers as JSON.
    #[napi(catch_unwind)]
    pub fn workers(&self) -> String {
        self.bridge().driver.workers().to_string()
    }

    /// Does something that settles no call.
    fn act(&self, act: impl FnOnce(&mut NodeDriver)) {
        let mut bridge = self.bridge();
        act(&mut bridge.driver);
        bridge.answer(0, 0);
    }

    /// What all functions of the engine work on. None of them runs JavaScript while it has it.
    pub(super) fn bridge(&self) -> RefMut<'_, Bridge> {
        self.bridge.borrow_mut()
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
