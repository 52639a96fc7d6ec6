//! Layer 1. State that outlives a worker: sessions and globals. Pure: time is handed in, values are
//! bytes that nobody here looks into.
//!
//! | file | job |
//! |---|---|
//! | `store.rs` | sessions: sliding time to live, quotas, changes that happen as a whole or not at all |
//! | `limits.rs` | how many, how large, how long, and what is said beyond that |
//! | `stats.rs` | what can be learnt about them |
//! | `globals.rs` | values without a session, with a fixed time to live |
//! | `affinity.rs` | how calls belong to a session |
//! | `changes.rs` | what a call did to its session, as it comes over the wire |
//! | `journal.rs` | what has to be written down for the next start |

mod affinity;
mod changes;
mod globals;
mod journal;
mod limits;
mod stats;
mod store;

pub use affinity::{Affinity, InSession, SessionUse};
pub use changes::Changes;
pub use globals::{GlobalStats, Globals};
pub use journal::{Entry, Record};
pub use limits::{Limits, Refusal, TimeToLive};
pub use stats::{Info, SessionHoldings, SessionStats};
pub use store::{Number, Opened, Session, Sessions};

/// A value as MessagePack.
pub type Value = Box<[u8]>;
