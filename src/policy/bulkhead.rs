//! How many calls of one handler run at once, and how many more may wait: what fills one compartment
//! does not sink the ship. The wait's length is whoever's who keeps the clock.

use std::collections::VecDeque;
use std::time::Duration;

/// The option `bulkhead`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BulkheadPolicy {
    /// Calls that run at once; at least 1.
    pub limit: u32,
    /// Calls that may wait beside those.
    pub queue: usize,
    /// How long one may wait; `None` for as long as it takes.
    pub timeout: Option<Duration>,
}

/// What becomes of a call that wants in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// It runs.
    Runs,
    /// It waits until [`Bulkhead::leave`] names it.
    Waits,
    /// Too many wait already.
    Full,
}

/// The compartment of one handler; `Ticket` names a call.
#[derive(Debug, Clone)]
pub struct Bulkhead<Ticket> {
    policy: BulkheadPolicy,
    running: u32,
    waiting: VecDeque<Ticket>,
}

impl<Ticket: Copy + PartialEq> Bulkhead<Ticket> {
    /// An empty compartment.
    pub fn new(policy: BulkheadPolicy) -> Self {
        Self {
            policy,
            running: 0,
            waiting: VecDeque::new(),
        }
    }

    /// Calls that run.
    pub fn running(&self) -> u32 {
        self.running
    }

    /// Calls that wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// A call wants in.
    pub fn enter(&mut self, ticket: Ticket) -> Entry {
        if self.running < self.policy.limit.max(1) {
            self.running += 1;
            return Entry::Runs;
        }
        if self.waiting.len() >= self.policy.queue {
            return Entry::Full;
        }
        self.waiting.push_back(ticket);
        Entry::Waits
    }

    /// A call that ran is over; the answer is the one that runs in its place.
    pub fn leave(&mut self) -> Option<Ticket> {
        let next = self.waiting.pop_front();
        if next.is_none() {
            self.running = self.running.saturating_sub(1);
        }
        next
    }

    /// A call does not wait any longer.
    pub fn give_up(&mut self, ticket: Ticket) {
        self.waiting.retain(|other| *other != ticket);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn two_and_one() -> Bulkhead<u32> {
        Bulkhead::new(BulkheadPolicy {
            limit: 2,
            queue: 1,
            timeout: None,
        })
    }

    #[test]
    fn two_run_one_waits_and_the_next_is_refused() {
        let mut bulkhead = two_and_one();
        let entries = [1, 2, 3, 4].map(|ticket| bulkhead.enter(ticket));
        assert_eq!(
            entries,
            [Entry::Runs, Entry::Runs, Entry::Waits, Entry::Full]
        );
        assert_eq!(bulkhead.leave(), Some(3));
        assert_eq!((bulkhead.running(), bulkhead.waiting()), (2, 0));
        assert_eq!((bulkhead.leave(), bulkhead.leave()), (None, None));
        assert_eq!(bulkhead.running(), 0);
    }

    #[test]
    fn who_gives_up_waiting_is_not_called() {
        let mut bulkhead = two_and_one();
        for ticket in [1, 2, 3] {
            bulkhead.enter(ticket);
        }
        bulkhead.give_up(3);
        assert_eq!(bulkhead.leave(), None);
        assert_eq!(bulkhead.enter(5), Entry::Runs);
    }

    proptest! {
        #[test]
        fn counts_are_those_of_a_plain_list(steps in prop::collection::vec((0u8..3, 0usize..9), 0..200)) {
            let mut bulkhead = two_and_one();
            let (mut running, mut waiting) = (Vec::new(), Vec::new());
            for (ticket, (what, which)) in (0u32..).zip(steps) {
                match what {
                    0 => match bulkhead.enter(ticket) {
                        Entry::Runs => running.push(ticket),
                        Entry::Waits => waiting.push(ticket),
                        Entry::Full => prop_assert_eq!((running.len(), waiting.len()), (2, 1)),
                    },
                    1 if !running.is_empty() => {
                        running.swap_remove(which % running.len());
                        if let Some(next) = bulkhead.leave() {
                            prop_assert_eq!(next, waiting.remove(0));
                            running.push(next);
                        }
                    }
                    _ if !waiting.is_empty() => {
                        bulkhead.give_up(waiting.swap_remove(which % waiting.len()));
                    }
                    _ => {}
                }
                prop_assert!(running.len() <= 2 && waiting.len() <= 1);
                prop_assert_eq!(bulkhead.running() as usize, running.len());
                prop_assert_eq!(bulkhead.waiting(), waiting.len());
                prop_assert!(waiting.is_empty() || running.len() == 2);
            }
        }
    }
}
