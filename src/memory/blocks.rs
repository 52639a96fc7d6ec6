//! Which blocks are taken, and which that are not have memory already. Pure bookkeeping.

use std::ops::Range;
use std::time::Duration;

use crate::time::Time;

/// How long memory that nobody uses is kept for the next value.
pub const IDLE: Duration = Duration::from_secs(5);

/// Blocks that have memory and that no value uses.
#[derive(Debug)]
struct Warm {
    blocks: Range<usize>,
    since: Time,
}

/// The blocks of one arena.
#[derive(Debug)]
pub(super) struct Blocks {
    /// By number: whether it is used or warm.
    taken: Vec<bool>,
    /// In the order in which they came back.
    warm: Vec<Warm>,
}

impl Blocks {
    /// `total` blocks, of which those before `first` are never given out.
    pub(super) fn new(first: usize, total: usize) -> Self {
        Self {
            taken: (0..total).map(|block| block < first).collect(),
            warm: Vec::new(),
        }
    }

    /// Takes `count` blocks in a row, or a few more: warm ones if there are some that fit. Says also
    /// whether they are warm.
    pub(super) fn take(&mut self, count: usize) -> Option<(Range<usize>, bool)> {
        let fits = |warm: &&(usize, &Warm)| {
            let length = warm.1.blocks.len();
            length >= count && length <= count.saturating_mul(2)
        };
        // The smallest; among equals the one that was used last.
        let found = self
            .warm
            .iter()
            .enumerate()
            .rev()
            .filter(|warm| fits(&warm))
            .min_by_key(|(_, warm)| warm.blocks.len())
            .map(|(index, _)| index);
        if let Some(index) = found {
            return Some((self.warm.remove(index).blocks, true));
        }
        let start = self.find(count)?;
        let blocks = start..start + count;
        self.mark(&blocks, true);
        Some((blocks, false))
    }

    /// A value does not need its blocks any more.
    pub(super) fn put(&mut self, blocks: Range<usize>, now: Time) {
        self.warm.push(Warm { blocks, since: now });
    }

    /// Forgets the warm blocks that are more than `limit` in total, and those that nobody has used
    /// for [`IDLE`]: their memory is to be given back. The oldest go first.
    pub(super) fn cool(&mut self, limit: usize, now: Time) -> Vec<Range<usize>> {
        let mut total: usize = self.warm.iter().map(|warm| warm.blocks.len()).sum();
        let mut cold = Vec::new();
        self.warm.retain(|warm| {
            let keep = total <= limit && warm.since + IDLE > now;
            if !keep {
                total -= warm.blocks.len();
                cold.push(warm.blocks.clone());
            }
            keep
        });
        for blocks in &cold {
            self.mark(blocks, false);
        }
        cold
    }

    /// When [`Blocks::cool`] will find something.
    pub(super) fn due(&self) -> Option<Time> {
        self.warm.iter().map(|warm| warm.since + IDLE).min()
    }

    fn find(&self, count: usize) -> Option<usize> {
        let mut start = 0;
        for (block, taken) in self.taken.iter().enumerate() {
            if *taken {
                start = block + 1;
            } else if block + 1 - start == count {
                return Some(start);
            }
        }
        None
    }

    fn mark(&mut self, blocks: &Range<usize>, taken: bool) {
        for slot in self.taken.get_mut(blocks.clone()).unwrap_or_default() {
            *slot = taken;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_in_use_never_overlap() {
        let mut blocks = Blocks::new(1, 10);
        assert_eq!(blocks.take(4), Some((1..5, false)));
        assert_eq!(blocks.take(5), Some((5..10, false)));
        assert_eq!(blocks.take(1), None);
    }

    #[test]
    fn the_warm_blocks_that_were_used_last_come_first() {
        let mut blocks = Blocks::new(1, 20);
        let (first, second) = (blocks.take(4).unwrap().0, blocks.take(4).unwrap().0);
        blocks.put(first.clone(), Time(1));
        blocks.put(second.clone(), Time(2));
        assert_eq!(blocks.take(4), Some((second, true)));
        assert_eq!(blocks.take(3), Some((first, true)));
        assert_eq!(blocks.take(3), Some((9..12, false)));
    }

    #[test]
    fn a_small_value_does_not_take_large_blocks() {
        let mut blocks = Blocks::new(1, 20);
        let large = blocks.take(8).unwrap().0;
        blocks.put(large, Time(1));
        assert_eq!(blocks.take(3), Some((9..12, false)));
    }

    #[test]
    fn the_oldest_go_first_and_can_be_taken_again() {
        let mut blocks = Blocks::new(1, 10);
        let (first, second) = (blocks.take(4).unwrap().0, blocks.take(4).unwrap().0);
        blocks.put(first.clone(), Time(1));
        blocks.put(second.clone(), Time(2));
        assert_eq!(blocks.cool(4, Time(3)), [first]);
        assert_eq!(blocks.cool(4, Time(3)), []);
        assert_eq!(blocks.due(), Some(Time(2) + IDLE));
        assert_eq!(blocks.cool(4, Time(2) + IDLE), [second]);
        assert_eq!(blocks.due(), None);
        assert_eq!(blocks.take(9), Some((1..10, false)));
    }
}
