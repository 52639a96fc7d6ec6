//! The journal: shared memory in which a worker notes which calls it begins, so that the host knows
//! when the worker is dead. See "Journal" in the specification.
//!
//! A store into memory is all that it costs the worker; a frame for each call would cost more than
//! the call. The host reads it when a worker has died, or does not yield to a cancellation.
//!
//! The host writes to it as well, behind what it reads: which calls are not to begin any more.

/// Words before the slots.
const HEAD: usize = 16;

/// Calls by number that are kept. More than a worker's window, so that what is overwritten began
/// long ago.
pub const SLOTS: u32 = 4096;

/// Bytes of it that the worker writes.
pub const SIZE: usize = (HEAD + SLOTS as usize) * size_of::<u32>();

/// Its size in bytes, with those that the host writes.
pub const WHOLE: usize = SIZE + SLOTS as usize * size_of::<u32>();

/// Where a call is withdrawn, among as many places as there are slots: in its place stands its id.
pub fn withdrawal_slot(call: u32) -> u32 {
    call % SLOTS
}

/// Where that place begins.
pub fn withdrawal_offset(call: u32) -> usize {
    SIZE + withdrawal_slot(call) as usize * size_of::<u32>()
}

/// Values of the first word.
const IN_ORDER: u32 = 1;
const BY_NUMBER: u32 = 2;

/// Which calls a worker has begun.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Journal {
    /// Nobody knows: any call may have begun.
    #[default]
    Unknown,
    /// Calls begin in the order in which they were written, except nested ones.
    InOrder {
        /// The id of the one that began last; 0 if none did.
        last: u32,
    },
    /// Calls begin in any order.
    ByNumber {
        /// At `n` modulo [`SLOTS`]: the number of the call that began there last.
        slots: Box<[u32]>,
    },
}

impl Journal {
    /// Reads what a worker has written. Whatever is not understood is unknown.
    pub fn parse(bytes: &[u8]) -> Self {
        let (words, _) = bytes.as_chunks::<{ size_of::<u32>() }>();
        let mut words = words.iter().map(|word| u32::from_ne_bytes(*word));
        match words.next() {
            Some(IN_ORDER) => words
                .next()
                .map_or(Self::Unknown, |last| Self::InOrder { last }),
            Some(BY_NUMBER) => {
                let slots: Box<[u32]> = words.skip(HEAD - 1).collect();
                if slots.len() == SLOTS as usize {
                    Self::ByNumber { slots }
                } else {
                    Self::Unknown
                }
            }
            _ => Self::Unknown,
        }
    }

    /// Whether a request may have begun, by its number among those that were written to the worker.
    /// `written` is the number of the newest: one that shares the slot may have overwritten it.
    pub(crate) fn may_have_begun(slots: &[u32], number: u32, written: u32) -> bool {
        let slot = slots.get((number % SLOTS) as usize);
        slot == Some(&number) || written.wrapping_sub(number) >= SLOTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(words: &[(usize, u32)]) -> Vec<u8> {
        let mut all = vec![0_u32; SIZE / size_of::<u32>()];
        for (at, word) in words {
            all[*at] = *word;
        }
        all.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }

    #[test]
    fn a_worker_that_wrote_nothing_or_nonsense_is_unknown() {
        assert_eq!(Journal::parse(&[]), Journal::Unknown);
        assert_eq!(Journal::parse(&bytes(&[])), Journal::Unknown);
        assert_eq!(Journal::parse(&bytes(&[(0, 3)])), Journal::Unknown);
        assert_eq!(
            Journal::parse(&bytes(&[(0, 2)])[..SIZE - 4]),
            Journal::Unknown
        );
        assert_eq!(Journal::parse(&1_u32.to_ne_bytes()), Journal::Unknown);
    }

    #[test]
    fn in_order_it_holds_the_last_id() {
        assert_eq!(
            Journal::parse(&bytes(&[(0, IN_ORDER), (1, 77)])),
            Journal::InOrder { last: 77 }
        );
    }

    #[test]
    fn by_number_a_slot_tells_until_it_may_have_been_used_again() {
        let number = SLOTS + 5;
        let Journal::ByNumber { slots } =
            Journal::parse(&bytes(&[(0, BY_NUMBER), (HEAD + 5, number)]))
        else {
            panic!("not by number")
        };
        assert!(Journal::may_have_begun(&slots, number, number));
        assert!(!Journal::may_have_begun(&slots, number + 1, number + 9));
        // Its slot tells of a later one: what was before is not known.
        assert!(Journal::may_have_begun(&slots, 5, number));
        assert!(!Journal::may_have_begun(&slots, 6, SLOTS + 5));
        assert!(Journal::may_have_begun(&slots, 6, SLOTS + 6));
    }
}
