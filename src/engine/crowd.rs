//! Calls that lie in a worker because their handler runs no more of them at once. They take no room
//! from the calls of others.

use rustc_hash::FxHashMap;

/// As many of them take no room. More of them do, lest what should wait in the queue, where it has its
/// priority and counts towards the queue's limit, piles up in one worker.
const MOST: u32 = 256;

/// The calls that a worker has of handlers with a limit of their own.
#[derive(Debug, Default)]
pub(super) struct Crowds {
    by_handler: FxHashMap<u16, Crowd>,
    waiting: u32,
}

#[derive(Debug)]
struct Crowd {
    limit: u32,
    calls: u32,
}

impl Crowds {
    /// The worker gets a call of a handler of which it runs `limit` at once.
    pub(super) fn join(&mut self, handler: u16, limit: u32) {
        let crowd = self
            .by_handler
            .entry(handler)
            .or_insert(Crowd { limit, calls: 0 });
        crowd.calls += 1;
        if crowd.calls > crowd.limit {
            self.waiting += 1;
        }
    }

    /// A call is over.
    pub(super) fn leave(&mut self, handler: u16) {
        let Some(crowd) = self.by_handler.get_mut(&handler) else {
            return;
        };
        if crowd.calls > crowd.limit {
            self.waiting -= 1;
        }
        crowd.calls -= 1;
        if crowd.calls == 0 {
            self.by_handler.remove(&handler);
        }
    }

    /// Calls that wait for others of their handler and take no room.
    pub(super) fn waiting(&self) -> u32 {
        self.waiting.min(MOST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_its_own_handler_takes_no_room() {
        let mut crowds = Crowds::default();
        for (handler, waiting) in [(1, 0), (2, 0), (1, 0), (1, 1), (2, 2), (1, 3)] {
            crowds.join(handler, if handler == 1 { 2 } else { 1 });
            assert_eq!(crowds.waiting(), waiting);
        }
        for (handler, waiting) in [(2, 2), (1, 1), (1, 0), (3, 0), (2, 0), (1, 0), (1, 0)] {
            crowds.leave(handler);
            assert_eq!(crowds.waiting(), waiting);
        }
        assert!(crowds.by_handler.is_empty());
    }

    #[test]
    fn a_crowd_without_end_takes_room() {
        let mut crowds = Crowds::default();
        for _ in 0..1_000 {
            crowds.join(1, 1);
        }
        assert_eq!(crowds.waiting(), MOST);
        for _ in 0..1_000 {
            crowds.leave(1);
        }
        assert_eq!(crowds.waiting(), 0);
    }
}
