//! The engine by its inputs and outputs, one behaviour a test: what a single input leads to. What may
//! happen in no order of inputs at all is looked for by the simulation.

mod begun;
mod bench;
mod control;
mod health;
mod intake;
mod nested;
mod operations;
mod poison;
mod policies;
mod pool;
mod pool_changes;
mod replies;
mod sessions;
mod settle;
mod stall;
mod starts;
mod stats;
mod supervise;
mod tick;
mod withdraw;
