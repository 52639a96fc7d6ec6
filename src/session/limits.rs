//! Bounds on what is kept, and on how long.

use std::time::Duration;

/// Bounds on what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Sessions at once.
    pub sessions: usize,
    /// Bytes of one session: its keys and encoded values.
    pub bytes: usize,
    /// How long a session lives untouched if nobody says otherwise; `None`: for ever.
    pub ttl: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sessions: 10_000,
            bytes: 1024 * 1024,
            ttl: Some(Duration::from_secs(3600)),
        }
    }
}

/// How long a session lives untouched, from when it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimeToLive {
    /// As before; a new session takes the default.
    #[default]
    Unchanged,
    /// For ever.
    Forever,
    /// So long.
    For(Duration),
}

impl TimeToLive {
    /// As the facade says it, in milliseconds: 0 leaves it, infinity is for ever.
    pub fn from_ms(ms: f64) -> Self {
        if ms <= 0.0 {
            return Self::Unchanged;
        }
        Duration::try_from_secs_f64(ms / 1e3).map_or(Self::Forever, Self::For)
    }

    /// What it makes of the time to live that was there before.
    pub(super) fn over(self, before: Option<Duration>) -> Option<Duration> {
        match self {
            Self::Unchanged => before,
            Self::Forever => None,
            Self::For(ttl) => Some(ttl),
        }
    }
}

/// Why something was not done. Nothing has changed then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There are as many sessions as may be.
    #[error("there are {0} sessions already (option \"sessions.max\")")]
    TooMany(usize),
    /// The session would hold too much.
    #[error("the session would hold {bytes} bytes, more than {max} (option \"sessions.bytes\")")]
    TooLarge {
        /// What it would hold.
        bytes: usize,
        /// What it may.
        max: usize,
    },
}
