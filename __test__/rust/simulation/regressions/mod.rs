//! Bugs of the engine that were found once, each as the few inputs that showed it.

mod cancellation;
mod deadlocks;
mod deaths;
mod harness;
mod queue;
mod sessions;
mod starts;
mod withdrawals;
