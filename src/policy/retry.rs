//! Whether a failed attempt is made again, and after what delay.
//!
//! Three kinds of delays: exponential with a ceiling (fixed is a factor of 1), and a list whose last
//! entry repeats. Jitter comes after the ceiling, as in gRPC's connection backoff: a delay of `d`
//! becomes `d × (1 ± jitter)`, so callers that failed together do not come back together.
//!
//! Repeating is safe where nothing has run, or where running twice does no harm; anything else is
//! not repeated, whatever the policy says. What an attempt had begun is told by whoever judges.

use std::time::Duration;

use crate::error::ErrorCode;
use crate::policy::backoff::Backoff;
use crate::policy::codes::Codes;

/// How long to wait between attempts.
#[derive(Debug, Clone, PartialEq)]
pub enum Delays {
    /// Growing by a factor up to a ceiling.
    Exponential(Backoff),
    /// These, one after the other; the last repeats. Empty: none.
    List(Vec<Duration>),
}

impl Delays {
    /// The delay before repetition number `index`, counted from 0, without jitter.
    pub fn delay(&self, index: u32) -> Duration {
        match self {
            Self::Exponential(backoff) => backoff.delay(index),
            Self::List(delays) => {
                let index = usize::try_from(index).unwrap_or(usize::MAX);
                let delay = delays.get(index).or(delays.last());
                delay.copied().unwrap_or_default()
            }
        }
    }
}

/// The option `retry`.
#[derive(Debug, Clone, PartialEq)]
pub struct RetryPolicy {
    /// Attempts after the first.
    pub retries: u32,
    /// Delays between them.
    pub delays: Delays,
    /// How far a delay varies, as a part of it: 0 to 1.
    pub jitter: f64,
    /// Failures that are tried again.
    pub codes: Codes,
}

/// What is known of an attempt that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// How it failed.
    pub code: ErrorCode,
    /// Repetitions before it.
    pub repeated: u32,
    /// The worker may have begun to run it.
    pub may_have_run: bool,
    /// Running it twice does no harm.
    pub idempotent: bool,
}

/// What to do about an attempt that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Make it again after the delay.
    Again(Duration),
    /// The failure is final.
    Final(Reason),
}

/// Why a failure is final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Failures of its kind are not tried again.
    Code,
    /// It may have run, and must not run twice.
    Unsafe,
    /// All attempts have been made.
    Exhausted,
}

impl RetryPolicy {
    /// Judges a failed attempt. `uniform` is a random number from 0 up to 1.
    pub fn judge(&self, attempt: Attempt, uniform: f64) -> Verdict {
        if !self.codes.holds(attempt.code) {
            return Verdict::Final(Reason::Code);
        }
        if attempt.may_have_run && !attempt.idempotent {
            return Verdict::Final(Reason::Unsafe);
        }
        if attempt.repeated >= self.retries {
            return Verdict::Final(Reason::Exhausted);
        }
        let spread = 1.0 + self.jitter.clamp(0.0, 1.0) * (2.0 * uniform - 1.0);
        let seconds = self.delays.delay(attempt.repeated).as_secs_f64() * spread;
        Verdict::Again(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn policy(delays: Delays, jitter: f64) -> RetryPolicy {
        RetryPolicy {
            retries: 3,
            delays,
            jitter,
            codes: Codes::of(&[ErrorCode::Timeout, ErrorCode::WorkerExited]),
        }
    }

    fn exponential() -> Delays {
        Delays::Exponential(Backoff {
            initial: Duration::from_secs(1),
            factor: 2.0,
            ceiling: Duration::from_secs(30),
        })
    }

    const FAILED: Attempt = Attempt {
        code: ErrorCode::Timeout,
        repeated: 0,
        may_have_run: true,
        idempotent: true,
    };

    #[test]
    fn four_attempts_in_all_wait_one_two_and_four_seconds() {
        let policy = policy(exponential(), 0.2);
        let verdicts =
            [0, 1, 2, 3].map(|repeated| policy.judge(Attempt { repeated, ..FAILED }, 0.5));
        let after = |seconds| Verdict::Again(Duration::from_secs(seconds));
        let done = Verdict::Final(Reason::Exhausted);
        assert_eq!(verdicts, [after(1), after(2), after(4), done]);
    }

    #[test]
    fn jitter_comes_after_the_ceiling() {
        let mut policy = policy(exponential(), 0.2);
        policy.retries = 100;
        let late = Attempt {
            repeated: 50,
            ..FAILED
        };
        assert_eq!(
            policy.judge(late, 0.0),
            Verdict::Again(Duration::from_secs(24))
        );
        let Verdict::Again(longest) = policy.judge(late, 0.999_999) else {
            panic!("final")
        };
        assert!(longest > Duration::from_secs(35) && longest <= Duration::from_secs(36));
    }

    #[test]
    fn the_last_entry_of_a_list_repeats() {
        let list = Delays::List([100, 200, 400].map(Duration::from_millis).to_vec());
        let delays = [0, 1, 2, 3, 99].map(|index| list.delay(index).as_millis());
        assert_eq!(delays, [100, 200, 400, 400, 400]);
        assert_eq!(Delays::List(Vec::new()).delay(0), Duration::ZERO);
    }

    #[test]
    fn other_failures_are_final() {
        for code in ErrorCode::ALL {
            let verdict = policy(exponential(), 0.0).judge(
                Attempt {
                    code: *code,
                    ..FAILED
                },
                0.5,
            );
            let listed = matches!(code, ErrorCode::Timeout | ErrorCode::WorkerExited);
            assert_eq!(verdict != Verdict::Final(Reason::Code), listed, "{code:?}");
        }
    }

    #[test]
    fn what_may_have_run_is_repeated_only_if_that_does_no_harm() {
        let policy = policy(exponential(), 0.0);
        for (may_have_run, idempotent) in
            [(false, false), (false, true), (true, false), (true, true)]
        {
            let attempt = Attempt {
                may_have_run,
                idempotent,
                ..FAILED
            };
            let refused = policy.judge(attempt, 0.5) == Verdict::Final(Reason::Unsafe);
            assert_eq!(refused, may_have_run && !idempotent);
        }
    }

    proptest! {
        #[test]
        fn delays_stay_within_the_jitter(
            initial in 0u64..100_000, factor in 0.0f64..10.0, ceiling in 0u64..100_000,
            jitter in 0.0f64..1.0, repeated in 0u32..1_000, uniform in 0.0f64..1.0,
        ) {
            let backoff = Backoff {
                initial: Duration::from_millis(initial),
                factor,
                ceiling: Duration::from_millis(ceiling),
            };
            let mut policy = policy(Delays::Exponential(backoff), jitter);
            policy.retries = u32::MAX;
            let Verdict::Again(delay) = policy.judge(Attempt { repeated, ..FAILED }, uniform) else {
                panic!("final")
            };
            let plain = backoff.delay(repeated).as_secs_f64();
            let slack = 1e-6;
            prop_assert!(delay.as_secs_f64() >= plain * (1.0 - jitter) - slack);
            prop_assert!(delay.as_secs_f64() <= plain * (1.0 + jitter) + slack);
        }
    }
}
