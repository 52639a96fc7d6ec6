//! What has to be written down so that sessions survive the end of the process.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::session::Value;

/// A session as it is kept between two runs. Times are ages, for monotonic time ends with the
/// process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its values.
    pub data: BTreeMap<String, Value>,
    /// How long it lives untouched; `None`: for ever.
    pub ttl: Option<Duration>,
    /// How long ago it was made.
    pub age: Duration,
    /// How long ago it was last touched.
    pub idle: Duration,
}

/// One line of the journal: the newest for an id counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// The session is now this.
    Put(String, Record),
    /// The session is gone.
    Delete(String),
}
