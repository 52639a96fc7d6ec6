//! How what happens on other threads gets to the thread of the driver.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use crate::driver::launch::Prepared;
use crate::environ::Step;
use crate::error::Failure;
use crate::ids::WorkerId;
use crate::process::{Child, Observer, ProcessEvent};
use crate::storage::{self, SessionFile};

/// Tells the event loop that the driver has work. Called on any thread.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// What happened.
pub(super) enum Message {
    Progress(Step),
    Prepared(Result<Prepared, Failure>),
    Restored(Result<(SessionFile, storage::Sessions), Failure>),
    StoreFailed(String),
    StoreClosed,
    Started(WorkerId, std::io::Result<Child>),
    Process(WorkerId, ProcessEvent),
}

/// Where other threads put what happened.
#[derive(Clone)]
pub(super) struct Post {
    sender: Sender<Message>,
    wake: Wake,
    /// A wake-up is on its way: no second one is needed.
    woken: Arc<AtomicBool>,
}

impl Post {
    /// The post, and where the driver finds what was put there.
    pub(super) fn new(wake: Wake) -> (Self, Receiver<Message>) {
        let (sender, inbox) = channel();
        let post = Self {
            sender,
            wake,
            woken: Arc::new(AtomicBool::new(false)),
        };
        (post, inbox)
    }

    pub(super) fn put(&self, message: Message) {
        if self.sender.send(message).is_ok() && !self.woken.swap(true, Ordering::AcqRel) {
            (self.wake)();
        }
    }

    /// The driver is about to look: what is put from now on wakes it again.
    pub(super) fn heard(&self) {
        self.woken.swap(false, Ordering::AcqRel);
    }
}

/// Posts what happens to one worker's process.
pub(super) struct ChildObserver {
    worker: WorkerId,
    post: Post,
}

impl Observer for ChildObserver {
    fn event(&self, event: ProcessEvent) {
        self.post.put(Message::Process(self.worker, event));
    }
}

impl ChildObserver {
    pub(super) fn new(worker: WorkerId, post: Post) -> Self {
        Self { worker, post }
    }
}
