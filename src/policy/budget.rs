//! How many repetitions an instance can afford: a part of its calls, and a few in any case.
//!
//! A count per call does not keep a struggling worker from being buried: when everything fails, three
//! retries make four times the load. So repetitions draw on one bucket of tokens that calls fill: each
//! call puts in a part of a token, a repetition takes a whole one. What time adds keeps callers that
//! call rarely from being refused. The idea and the shape are those of Finagle's `RetryBudget`.

use std::time::Duration;

use crate::time::Time;

/// The option `retry.budget`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BudgetPolicy {
    /// What a call adds, in repetitions: 0.1 is one repetition for ten calls.
    pub ratio: f64,
    /// Repetitions that time adds in a second.
    pub per_second: f64,
}

impl Default for BudgetPolicy {
    fn default() -> Self {
        Self {
            ratio: 0.1,
            per_second: 10.0,
        }
    }
}

/// What is saved is worth so many seconds of [`BudgetPolicy::per_second`], and so many calls.
const SECONDS: f64 = 10.0;
const CALLS: f64 = 1_000.0;

/// The budget of one instance.
#[derive(Debug, Clone)]
pub struct Budget {
    policy: BudgetPolicy,
    tokens: f64,
    filled: Time,
}

impl Budget {
    /// A budget with what ten seconds bring.
    pub fn new(policy: BudgetPolicy, now: Time) -> Self {
        Self {
            policy,
            tokens: policy.per_second * SECONDS,
            filled: now,
        }
    }

    /// A call was made.
    pub fn deposit(&mut self) {
        self.add(self.policy.ratio);
    }

    /// Pays for a repetition, if there is enough.
    pub fn withdraw(&mut self, now: Time) -> bool {
        let elapsed: Duration = now.since(self.filled);
        self.filled = self.filled.max(now);
        self.add(elapsed.as_secs_f64() * self.policy.per_second);
        let affordable = self.tokens >= 1.0;
        if affordable {
            self.tokens -= 1.0;
        }
        affordable
    }

    fn add(&mut self, tokens: f64) {
        let most = self.policy.per_second * SECONDS + self.policy.ratio * CALLS;
        self.tokens = (self.tokens + tokens).min(most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TENTH: BudgetPolicy = BudgetPolicy {
        ratio: 0.1,
        per_second: 0.0,
    };

    #[test]
    fn ten_calls_pay_for_one_repetition() {
        let mut budget = Budget::new(TENTH, Time::ZERO);
        assert!(!budget.withdraw(Time::ZERO));
        for _ in 0..11 {
            budget.deposit();
        }
        assert!(budget.withdraw(Time::ZERO));
        assert!(!budget.withdraw(Time(u64::MAX)));
    }

    #[test]
    fn rare_calls_are_repeated_in_any_case() {
        let mut budget = Budget::new(BudgetPolicy::default(), Time::ZERO);
        assert_eq!(
            (0..200).filter(|_| budget.withdraw(Time::ZERO)).count(),
            100
        );
        assert_eq!(
            (0..200)
                .filter(|_| budget.withdraw(Time(1_000_000)))
                .count(),
            10
        );
    }

    #[test]
    fn ten_seconds_and_a_thousand_calls_are_the_most_that_is_saved() {
        let policy = BudgetPolicy {
            ratio: 0.25,
            per_second: 3.0,
        };
        let mut budget = Budget::new(policy, Time::ZERO);
        for _ in 0..100_000 {
            budget.deposit();
        }
        let paid = (0..1_000).filter(|_| budget.withdraw(Time::ZERO)).count();
        assert_eq!(paid, 30 + 250);
    }

    proptest! {
        #[test]
        fn repetitions_never_exceed_what_was_paid_in(
            steps in prop::collection::vec((any::<bool>(), 0u64..500_000), 0..400),
            ratio in 0.0f64..1.0, per_second in 0.0f64..50.0,
        ) {
            let mut budget = Budget::new(BudgetPolicy { ratio, per_second }, Time::ZERO);
            let (mut now, mut calls, mut repeated) = (0, 0.0, 0.0);
            for (call, after) in steps {
                now += after;
                if call {
                    calls += 1.0;
                    budget.deposit();
                } else if budget.withdraw(Time(now)) {
                    repeated += 1.0;
                }
            }
            let seconds = Duration::from_micros(now).as_secs_f64() + SECONDS;
            prop_assert!(repeated <= ratio * calls + per_second * seconds + 1e-6);
        }
    }
}
