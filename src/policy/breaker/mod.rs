//! Whether calls are made at all while they fail anyway: a circuit breaker.
//!
//! After Nygard, "Release It!". The table, where *failure* is a counted one:
//!
//! | state | a success | a failure | a call |
//! |---|---|---|---|
//! | closed | takes `decay` off the count | adds one; `failures` of them open it | goes |
//! | open | – | of a call made before: the time begins anew | refused; after `reset` since the last failure the breaker is half open |
//! | half open | `successes` of them close it | opens it | goes while fewer than `probes` are out |
//!
//! A call that is let through gets a [`Permit`] and gives it back with an [`Outcome`], always:
//! abandoned calls too, so a slot for probes is never lost. What comes back from before the state
//! changed does not count in the new state, and frees no slot there.

use std::time::Duration;

use crate::error::ErrorCode;
use crate::policy::codes::Codes;
use crate::time::Time;

/// The option `breaker`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BreakerPolicy {
    /// Failures that open it.
    pub failures: u32,
    /// What a success takes off their count: 0 nothing, `u32::MAX` all.
    pub decay: u32,
    /// How long it stays open after the last failure.
    pub reset: Duration,
    /// Calls that may be out while it is half open.
    pub probes: u32,
    /// Successes that close it.
    pub successes: u32,
    /// What counts as a failure.
    pub codes: Codes,
}

/// Failures that count unless others are named: those of workers, not those of the user's code.
pub const COUNTED: &[ErrorCode] = &[
    ErrorCode::Timeout,
    ErrorCode::WorkerExited,
    ErrorCode::QueueFull,
    ErrorCode::Protocol,
    ErrorCode::FrameTooLarge,
    ErrorCode::ProtocolMismatch,
    ErrorCode::StartFailed,
];

impl Default for BreakerPolicy {
    fn default() -> Self {
        Self {
            failures: 5,
            decay: 1,
            reset: Duration::from_secs(30),
            probes: 1,
            successes: 1,
            codes: Codes::of(COUNTED),
        }
    }
}

/// Whether calls go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// They do.
    Closed,
    /// They do not.
    Open,
    /// A few do, to find out.
    HalfOpen,
}

impl State {
    /// The state as users see it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

/// What a call that was let through gives back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a permit that is not given back holds a slot for ever"]
pub struct Permit {
    /// Which stay in a state it belongs to.
    epoch: u64,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// With a result.
    Success,
    /// With an exception of the user's code: the worker works.
    Exception,
    /// With a failure that counts.
    Failure,
    /// With one that says nothing of the worker, or by its caller's wish.
    Neutral,
}

/// Whether a call goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It does.
    Granted(Permit),
    /// It does not; one may after this time.
    Refused(Duration),
}

/// The breaker of one handler.
#[derive(Debug, Clone)]
pub struct Breaker {
    policy: BreakerPolicy,
    state: State,
    /// Counts the changes of state.
    epoch: u64,
    /// Closed: the count of failures.
    failures: u32,
    last_failure: Time,
    /// Half open: calls that are out.
    out: u32,
    /// Half open: calls that succeeded.
    succeeded: u32,
    /// Calls that were refused.
    refused: u64,
}

impl Breaker {
    /// A closed breaker.
    pub fn new(policy: BreakerPolicy) -> Self {
        Self {
            policy,
            state: State::Closed,
            epoch: 0,
            failures: 0,
            last_failure: Time::ZERO,
            out: 0,
            succeeded: 0,
            refused: 0,
        }
    }

    /// Its state at `now`: an open one whose time is over is half open for the next call.
    pub fn state(&self, now: Time) -> State {
        match self.state {
            State::Open if self.left(now).is_zero() => State::HalfOpen,
            state => state,
        }
    }

    /// The state that it was last put into: an open one stays open until a call asks.
    pub fn entered(&self) -> State {
        self.state
    }

    /// Its policy.
    pub fn policy(&self) -> &BreakerPolicy {
        &self.policy
    }

    /// Failures counted since it was last without any.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Calls refused so far.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Probes that are out.
    pub fn probing(&self) -> u32 {
        self.out
    }

    /// How long until a call may go.
    pub fn left(&self, now: Time) -> Duration {
        match self.state {
            State::Open => self
                .policy
                .reset
                .saturating_sub(now.since(self.last_failure)),
            State::Closed | State::HalfOpen => Duration::ZERO,
        }
    }

    /// A call asks to be let through.
    pub fn admit(&mut self, now: Time) -> Admission {
        if self.state == State::Open && self.left(now).is_zero() {
            self.enter(State::HalfOpen);
        }
        let goes = match self.state {
            State::Closed => true,
            State::Open => false,
            State::HalfOpen => self.out < self.policy.probes,
        };
        if !goes {
            self.refused += 1;
            return Admission::Refused(self.left(now));
        }
        if self.state == State::HalfOpen {
            self.out += 1;
        }
        Admission::Granted(Permit { epoch: self.epoch })
    }

    /// A call that was let through has ended.
    pub fn settle(&mut self, permit: Permit, outcome: Outcome, now: Time) {
        let current = permit.epoch == self.epoch;
        match (self.state, outcome) {
            (State::Closed, Outcome::Success) if current => {
                self.failures = self.failures.saturating_sub(self.policy.decay);
            }
            (State::Closed, Outcome::Failure) if current => {
                self.failures = self.failures.saturating_add(1);
                self.last_failure = now;
                if self.failures >= self.policy.failures {
                    self.enter(State::Open);
                }
            }
            (State::Open, Outcome::Failure) => self.last_failure = self.last_failure.max(now),
            (State::HalfOpen, Outcome::Failure) if current => {
                self.last_failure = now;
                self.enter(State::Open);
            }
            (State::HalfOpen, outcome) if current => {
                self.out = self.out.saturating_sub(1);
                if matches!(outcome, Outcome::Success | Outcome::Exception) {
                    self.succeeded += 1;
                }
                if self.succeeded >= self.policy.successes {
                    self.enter(State::Closed);
                }
            }
            _ => {}
        }
    }

    /// Closes it by hand, with nothing counted.
    pub fn reset(&mut self) {
        self.enter(State::Closed);
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.epoch += 1;
        self.out = 0;
        self.succeeded = 0;
        if state != State::Open {
            self.failures = 0;
        }
    }
}

#[cfg(test)]
mod tests;
