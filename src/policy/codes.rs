//! Sets of error codes: which failures a policy looks at.

use crate::error::ErrorCode;

/// A set of error codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Codes(u64);

impl Codes {
    /// The codes of a list.
    pub fn of(codes: &[ErrorCode]) -> Self {
        Self(codes.iter().fold(0, |set, code| set | Self::bit(*code)))
    }

    /// Whether a code is among them.
    pub fn holds(self, code: ErrorCode) -> bool {
        self.0 & Self::bit(code) != 0
    }

    fn bit(code: ErrorCode) -> u64 {
        1 << (code as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_in_and_nothing_else() {
        assert!(ErrorCode::ALL.len() <= 64, "a wider number is needed");
        for code in ErrorCode::ALL {
            let set = Codes::of(&[*code]);
            let held = ErrorCode::ALL.iter().filter(|other| set.holds(**other));
            assert_eq!(held.collect::<Vec<_>>(), [code]);
            assert!(!Codes::of(&[]).holds(*code));
        }
    }

    #[test]
    fn naming_a_code_twice_is_naming_it() {
        let twice = Codes::of(&[ErrorCode::Timeout, ErrorCode::Timeout]);
        assert!(twice.holds(ErrorCode::Timeout));
    }
}
