//! Layer 3. Memory that this process and its workers share, for large binary values.
//!
//! An [`Arena`] is a file in memory that has no name (`memfd_create(2)`), so nothing is left of it
//! once the last process that has it open is gone, however it went. A worker inherits two: the one
//! in which the host lends ([`Lender`], shared by all workers of an engine), and one of its own, in
//! which it lends to the host ([`Borrower`]). Both are as large as they will ever be from the
//! start, cost nothing before they are written to, and cannot be cut short by anybody: reading one
//! never faults.
//!
//! An arena is divided into blocks of 256 KiB. The first of them are its table: one byte a block,
//! set by whoever lends when a value begins there, and cleared by whoever borrows when it lets go.
//! So to let go is one store: no message, no lock, from any thread and in any finaliser. Who lends
//! looks at the table when it needs room, and keeps what came back for the next value, because
//! pages that have been touched are ten times as fast as fresh ones. What is kept idle is bounded,
//! and given back to the system after [`IDLE`].
//!
//! Invariants: a block is given to one value at a time; what is being borrowed is not written to by
//! who lent it; numbers that a worker says are checked against the arena before they are used.

mod arena;
mod blocks;
mod borrower;
mod lender;

pub use crate::memory::arena::Arena;
pub use crate::memory::blocks::IDLE;
pub use crate::memory::borrower::{Borrower, Loan, NotLent};
pub use crate::memory::lender::{Lender, Purpose};
