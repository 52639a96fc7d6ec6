//! Which worker gets the next call: the one with the fewest calls in flight, the first registered
//! of equals.

use std::collections::BTreeSet;

use crate::ids::WorkerId;

/// The workers that can take a call, ordered by load.
#[derive(Debug, Default)]
pub(super) struct Placement {
    available: BTreeSet<(u32, WorkerId)>,
}

impl Placement {
    /// The least busy worker that can take a call.
    pub(super) fn pick(&self) -> Option<WorkerId> {
        self.available.first().map(|(_, worker)| *worker)
    }

    /// A worker's load went from `before` to `after`; `None` where it can take no call.
    pub(super) fn update(&mut self, worker: WorkerId, before: Option<u32>, after: Option<u32>) {
        if before == after {
            return;
        }
        if let Some(load) = before {
            self.available.remove(&(load, worker));
        }
        if let Some(load) = after {
            self.available.insert((load, worker));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_busy_comes_first_and_the_first_registered_of_equals() {
        let mut placement = Placement::default();
        assert_eq!(placement.pick(), None);
        for worker in [3, 1, 2] {
            placement.update(WorkerId(worker), None, Some(0));
        }
        assert_eq!(placement.pick(), Some(WorkerId(1)));
        placement.update(WorkerId(1), Some(0), Some(1));
        assert_eq!(placement.pick(), Some(WorkerId(2)));
        placement.update(WorkerId(2), Some(0), None);
        placement.update(WorkerId(3), Some(0), Some(2));
        assert_eq!(placement.pick(), Some(WorkerId(1)));
    }
}
