//! Finds and ends what dead workers left running outside their process groups. For Linux; elsewhere
//! only groups can be found.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use tokio::sync::oneshot;

use crate::process::marked::end_all;
use crate::process::run::Mark;

struct Request {
    mark: Mark,
    done: oneshot::Sender<()>,
}

struct Queue {
    /// What waits for the next pass: one pass over all processes serves all of them.
    requests: Vec<Request>,
    /// Whether a thread is at it, which takes what is added meanwhile.
    is_running: bool,
}

static QUEUE: Mutex<Queue> = Mutex::new(Queue {
    requests: Vec::new(),
    is_running: false,
});

/// Ends every process that bears this mark, and waits until they are gone.
pub(super) async fn sweep(mark: Mark) {
    let (done, rx) = oneshot::channel();
    let start = {
        let mut queue = lock();
        queue.requests.push(Request { mark, done });
        !std::mem::replace(&mut queue.is_running, true)
    };
    if start {
        // Detached: it answers each request. Not a thread of the runtime's, which panics if the system
        // has none left.
        let thread = thread::Builder::new().name("synapse-sweep".to_owned());
        if thread.spawn(serve).is_err() {
            // Then everybody waits, but only for processes that are being killed.
            serve();
        }
    }
    // It fails only if the runtime is going down.
    rx.await.ok();
}

/// Serves requests until there are none.
fn serve() {
    loop {
        let requests = {
            let mut queue = lock();
            if queue.requests.is_empty() {
                queue.is_running = false;
                return;
            }
            std::mem::take(&mut queue.requests)
        };
        let (marks, waiting): (Vec<_>, Vec<_>) = requests
            .into_iter()
            .map(|request| (request.mark, request.done))
            .unzip();
        end_all(&marks);
        for done in waiting {
            // Nobody waits if the runtime is going down.
            done.send(()).ok();
        }
    }
}

fn lock() -> MutexGuard<'static, Queue> {
    QUEUE.lock().unwrap_or_else(PoisonError::into_inner)
}
