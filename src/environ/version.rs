//! Versions of Python and what is demanded of them: the part of PEP 440 that `python: '3.12'`,
//! `python: '>=3.10,<3.13'` and `requires-python` use.

use std::cmp::Ordering;
use std::fmt;

/// The oldest Python that runs a worker.
pub(crate) const OLDEST: &str = ">=3.9";

/// `3.11.7`. What follows the third number (`rc1`, `+`) does not take part in comparisons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// 3.
    pub major: u32,
    /// 11.
    pub minor: u32,
    /// 7.
    pub patch: u32,
}

impl Version {
    /// Reads `3.11.7`, `3.13.0rc1`, `3.12`; nothing for other text.
    pub fn parse(text: &str) -> Option<Self> {
        let (numbers, _) = release(text.trim())?;
        let at = |index: usize| numbers.get(index).copied().unwrap_or(0);
        Some(Self {
            major: at(0),
            minor: at(1),
            patch: at(2),
        })
    }

    fn at(self, index: usize) -> u32 {
        [self.major, self.minor, self.patch]
            .get(index)
            .copied()
            .unwrap_or(0)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// The leading numbers of a release, and what follows them.
fn release(text: &str) -> Option<(Vec<u32>, &str)> {
    let mut numbers = Vec::new();
    let mut rest = text;
    loop {
        let end = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        numbers.push(rest.get(..end)?.parse().ok()?);
        rest = rest.get(end..)?;
        match rest.strip_prefix('.') {
            Some(after) if after.starts_with(|c: char| c.is_ascii_digit()) => rest = after,
            _ => return Some((numbers, rest)),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Prefix,
    NotPrefix,
    Equal,
    NotEqual,
    AtLeast,
    AtMost,
    Above,
    Below,
    Compatible,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Clause {
    operator: Operator,
    numbers: Vec<u32>,
}

impl Clause {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let split = text.find(|c: char| c.is_ascii_digit())?;
        let (sign, rest) = text.split_at(split);
        let (numbers, suffix) = release(rest)?;
        let starred = suffix.trim() == ".*";
        let known_suffix = starred
            || suffix.is_empty()
            || suffix.starts_with(|c: char| c.is_ascii_alphabetic() || c == '+' || c == '.');
        // `3.13t` is a build, no release: whoever reads it has to say so.
        let is_build = suffix
            .strip_suffix('t')
            .is_some_and(|rest| rest.is_empty() || rest.ends_with(|c: char| c.is_ascii_digit()));
        if is_build || !known_suffix || suffix.contains(['/', '\\', ' ']) {
            return None;
        }
        let operator = match (sign.trim(), starred) {
            ("", _) | ("==", true) => Operator::Prefix,
            ("!=", true) => Operator::NotPrefix,
            ("==" | "===", false) => Operator::Equal,
            ("!=", false) => Operator::NotEqual,
            (">=", false) => Operator::AtLeast,
            ("<=", false) => Operator::AtMost,
            (">", false) => Operator::Above,
            ("<", false) => Operator::Below,
            ("~=", false) if numbers.len() > 1 => Operator::Compatible,
            _ => return None,
        };
        Some(Self { operator, numbers })
    }

    fn starts(numbers: &[u32], version: Version) -> bool {
        numbers
            .iter()
            .enumerate()
            .all(|(index, number)| version.at(index) == *number)
    }

    fn order(&self, version: Version) -> Ordering {
        let length = self.numbers.len().max(3);
        (0..length)
            .map(|index| {
                version
                    .at(index)
                    .cmp(&self.numbers.get(index).copied().unwrap_or_default())
            })
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }

    fn admits(&self, version: Version) -> bool {
        match self.operator {
            Operator::Prefix => Self::starts(&self.numbers, version),
            Operator::NotPrefix => !Self::starts(&self.numbers, version),
            Operator::Equal => self.order(version).is_eq(),
            Operator::NotEqual => self.order(version).is_ne(),
            Operator::AtLeast => self.order(version).is_ge(),
            Operator::AtMost => self.order(version).is_le(),
            Operator::Above => self.order(version).is_gt(),
            Operator::Below => self.order(version).is_lt(),
            Operator::Compatible => {
                let (_, prefix) = self.numbers.split_last().unwrap_or((&0, &[]));
                self.order(version).is_ge() && Self::starts(prefix, version)
            }
        }
    }
}

/// Clauses that a version must meet, all of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Constraint {
    clauses: Vec<Clause>,
    text: String,
}

impl Constraint {
    /// Reads `3.12` (any 3.12.x), `3.12.1`, `>=3.9`, `>=3.9,<3.13`, `==3.11.*`, `~=3.10`; nothing
    /// for other text.
    pub fn parse(text: &str) -> Option<Self> {
        let clauses = text
            .split(',')
            .filter(|part| !part.trim().is_empty())
            .map(Clause::parse)
            .collect::<Option<Vec<_>>>()?;
        (!clauses.is_empty()).then(|| Self {
            clauses,
            text: text.trim().to_owned(),
        })
    }

    /// What both demand.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        if !other.text.is_empty() && self.text != other.text {
            self.text = if self.text.is_empty() {
                other.text.clone()
            } else {
                format!("{},{}", self.text, other.text)
            };
            self.clauses.extend(other.clauses.iter().cloned());
        }
        self
    }

    /// Whether a version meets every clause.
    pub fn admits(&self, version: Version) -> bool {
        self.clauses.iter().all(|clause| clause.admits(version))
    }

    /// The minor version that a clause pins (`3.12`, `==3.12.1`), whose name interpreters bear.
    pub(crate) fn pinned_minor(&self) -> Option<(u32, u32)> {
        self.clauses.iter().find_map(
            |clause| match (clause.operator, clause.numbers.as_slice()) {
                (Operator::Prefix | Operator::Equal, [major, minor, ..]) => Some((*major, *minor)),
                _ => None,
            },
        )
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(constraint: &str, version: &str) -> bool {
        Constraint::parse(constraint)
            .unwrap()
            .admits(Version::parse(version).unwrap())
    }

    #[test]
    fn a_bare_version_means_every_release_that_starts_with_it() {
        assert!(admits("3.12", "3.12.1"));
        assert!(admits("3", "3.12.1"));
        assert!(!admits("3.1", "3.12.1"));
        assert!(!admits("3.12.2", "3.12.1"));
    }

    #[test]
    fn clauses_compare_as_pep_440_says() {
        for (constraint, version, expected) in [
            (">=3.9", "3.9.0", true),
            (">=3.9", "3.8.18", false),
            (">=3.9,<3.13", "3.13.0", false),
            (">=3.9, <3.13", "3.12.9", true),
            ("==3.11.*", "3.11.7", true),
            ("==3.11", "3.11.7", false),
            ("==3.11.7", "3.11.7", true),
            ("!=3.11.*", "3.11.7", false),
            ("!=3.11.6", "3.11.7", true),
            ("~=3.10", "3.12.0", true),
            ("~=3.10", "3.9.0", false),
            ("~=3.10.2", "3.10.1", false),
            ("~=3.10.2", "3.11.0", false),
            (">3.11", "3.11.0", false),
            ("<=3.11.7", "3.11.7", true),
            (">=3.13.0rc1", "3.13.0rc2", true),
        ] {
            assert_eq!(
                admits(constraint, version),
                expected,
                "{constraint} {version}"
            );
        }
    }

    #[test]
    fn what_is_no_constraint_is_told_apart() {
        for text in [
            "",
            "python3.12",
            "/usr/bin/python3",
            "./venv",
            "=3.9",
            "^3.9",
            "3.9/bin",
            "~=3",
            "3.13t",
            "3.13.0rc1t",
            ">=3.13t",
        ] {
            assert_eq!(Constraint::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn constraints_add_up_and_say_so() {
        let both = Constraint::parse(">=3.9")
            .unwrap()
            .and(&Constraint::parse("3.12").unwrap());
        assert_eq!(both.to_string(), ">=3.9,3.12");
        assert_eq!(both.pinned_minor(), Some((3, 12)));
        assert!(!both.admits(Version {
            major: 3,
            minor: 11,
            patch: 0
        }));
    }
}
