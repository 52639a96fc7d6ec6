//! The table of the breaker, row by row, and that no slot is ever lost.

use super::*;
use proptest::prelude::*;

/// Three failures that successes take off again, three probes, two successes.
fn decaying() -> Breaker {
    Breaker::new(BreakerPolicy {
        failures: 3,
        probes: 3,
        successes: 2,
        ..BreakerPolicy::default()
    })
}

fn permit(breaker: &mut Breaker, now: Time) -> Permit {
    match breaker.admit(now) {
        Admission::Granted(permit) => permit,
        Admission::Refused(after) => panic!("refused for {after:?}"),
    }
}

fn run(breaker: &mut Breaker, outcome: Outcome, now: Time) -> State {
    let permit = permit(breaker, now);
    breaker.settle(permit, outcome, now);
    breaker.state(now)
}

const SECOND: u64 = 1_000_000;

fn opened() -> Breaker {
    let mut breaker = decaying();
    for _ in 0..3 {
        run(&mut breaker, Outcome::Failure, Time::ZERO);
    }
    assert_eq!(breaker.state(Time::ZERO), State::Open);
    breaker
}

#[test]
fn closed_a_success_takes_one_off_the_count() {
    let mut breaker = decaying();
    let outcomes = [
        (Outcome::Failure, 1),
        (Outcome::Failure, 2),
        (Outcome::Success, 1),
        (Outcome::Failure, 2),
        (Outcome::Exception, 2),
        (Outcome::Neutral, 2),
    ];
    for (outcome, count) in outcomes {
        assert_eq!(run(&mut breaker, outcome, Time::ZERO), State::Closed);
        assert_eq!(breaker.failures(), count);
    }
    assert_eq!(run(&mut breaker, Outcome::Failure, Time::ZERO), State::Open);
}

#[test]
fn closed_without_decay_successes_change_nothing() {
    let mut breaker = Breaker::new(BreakerPolicy {
        decay: 0,
        ..BreakerPolicy::default()
    });
    for _ in 0..4 {
        run(&mut breaker, Outcome::Failure, Time::ZERO);
        run(&mut breaker, Outcome::Success, Time::ZERO);
    }
    assert_eq!(run(&mut breaker, Outcome::Failure, Time::ZERO), State::Open);
}

#[test]
fn open_refuses_and_says_for_how_long() {
    let mut breaker = opened();
    let after = |seconds| Admission::Refused(Duration::from_secs(seconds));
    assert_eq!(breaker.admit(Time::ZERO), after(30));
    assert_eq!(breaker.admit(Time(20 * SECOND)), after(10));
    assert_eq!(breaker.refused(), 2);
    assert_eq!(breaker.state(Time(30 * SECOND - 1)), State::Open);
    assert_eq!(breaker.state(Time(30 * SECOND)), State::HalfOpen);
}

#[test]
fn open_a_failure_of_a_call_made_before_begins_the_time_anew() {
    let mut breaker = decaying();
    let late = permit(&mut breaker, Time::ZERO);
    for _ in 0..3 {
        run(&mut breaker, Outcome::Failure, Time::ZERO);
    }
    breaker.settle(late, Outcome::Failure, Time(10 * SECOND));
    assert_eq!(breaker.left(Time(10 * SECOND)), Duration::from_secs(30));
}

#[test]
fn half_open_two_successes_close_it() {
    let now = Time(30 * SECOND);
    let mut breaker = opened();
    assert_eq!(run(&mut breaker, Outcome::Success, now), State::HalfOpen);
    assert_eq!(run(&mut breaker, Outcome::Exception, now), State::Closed);
    assert_eq!(breaker.failures(), 0);
}

#[test]
fn half_open_one_failure_opens_it_again() {
    let now = Time(30 * SECOND);
    let mut breaker = opened();
    assert_eq!(run(&mut breaker, Outcome::Success, now), State::HalfOpen);
    assert_eq!(run(&mut breaker, Outcome::Failure, now), State::Open);
    assert_eq!(breaker.left(now), Duration::from_secs(30));
}

#[test]
fn half_open_no_more_probes_than_allowed_are_out_and_any_end_gives_the_slot_back() {
    let now = Time(30 * SECOND);
    let mut breaker = opened();
    let permits: Vec<Permit> = (0..3).map(|_| permit(&mut breaker, now)).collect();
    assert_eq!(breaker.admit(now), Admission::Refused(Duration::ZERO));
    for permit in permits {
        breaker.settle(permit, Outcome::Neutral, now);
    }
    assert_eq!(breaker.probing(), 0);
    assert_eq!(run(&mut breaker, Outcome::Success, now), State::HalfOpen);
}

#[test]
fn failing_probes_do_not_wedge_it() {
    let mut breaker = opened();
    for round in 1..=10 {
        let now = Time(round * 31 * SECOND);
        assert_eq!(run(&mut breaker, Outcome::Failure, now), State::Open);
    }
    let now = Time(11 * 31 * SECOND);
    run(&mut breaker, Outcome::Success, now);
    assert_eq!(run(&mut breaker, Outcome::Success, now), State::Closed);
}

#[test]
fn what_comes_back_from_an_earlier_state_does_not_count() {
    let mut breaker = decaying();
    let before: Vec<Permit> = (0..4).map(|_| permit(&mut breaker, Time::ZERO)).collect();
    for _ in 0..3 {
        run(&mut breaker, Outcome::Failure, Time::ZERO);
    }
    let now = Time(30 * SECOND);
    let probe = permit(&mut breaker, now);
    breaker.settle(before[0], Outcome::Success, now);
    breaker.settle(before[1], Outcome::Success, now);
    breaker.settle(before[2], Outcome::Failure, now);
    assert_eq!(
        (breaker.state(now), breaker.probing()),
        (State::HalfOpen, 1)
    );
    breaker.settle(probe, Outcome::Success, now);
    run(&mut breaker, Outcome::Success, now);
    breaker.settle(before[3], Outcome::Failure, now);
    assert_eq!((breaker.state(now), breaker.failures()), (State::Closed, 0));
}

#[test]
fn a_reset_closes_it() {
    let mut breaker = opened();
    breaker.reset();
    assert_eq!(breaker.state(Time::ZERO), State::Closed);
    assert_eq!(
        run(&mut breaker, Outcome::Failure, Time::ZERO),
        State::Closed
    );
}

proptest! {
    /// Whatever happens in whatever order: probes out are never above the bound, and once every
    /// permit is back a breaker whose time is over lets calls through.
    #[test]
    fn no_slot_is_ever_lost(
        steps in prop::collection::vec((0u8..6, 0usize..8, 0u64..20_000_000), 0..300),
    ) {
        let mut breaker = decaying();
        let (mut now, mut out) = (Time::ZERO, Vec::new());
        for (what, which, after) in steps {
            now = now + Duration::from_micros(after);
            if what < 2 {
                if let Admission::Granted(permit) = breaker.admit(now) {
                    out.push(permit);
                }
            } else if !out.is_empty() {
                let permit = out.swap_remove(which % out.len());
                let outcome = [
                    Outcome::Success, Outcome::Exception, Outcome::Failure, Outcome::Neutral,
                ][usize::from(what) - 2];
                breaker.settle(permit, outcome, now);
            }
            prop_assert!(breaker.probing() <= 3);
            prop_assert!(breaker.probing() as usize <= out.len());
        }
        for permit in out {
            breaker.settle(permit, Outcome::Neutral, now);
        }
        prop_assert_eq!(breaker.probing(), 0);
        let later = now + Duration::from_secs(31);
        prop_assert!(matches!(breaker.admit(later), Admission::Granted(_)));
    }
}

#[test]
fn a_failure_from_before_it_opened_is_no_verdict_on_its_probes() {
    let mut breaker = decaying();
    let late = permit(&mut breaker, Time::ZERO);
    for _ in 0..3 {
        run(&mut breaker, Outcome::Failure, Time::ZERO);
    }
    let now = Time::ZERO + breaker.policy().reset;
    let probe = permit(&mut breaker, now);
    breaker.settle(late, Outcome::Failure, now);
    assert_eq!((breaker.entered(), breaker.probing()), (State::HalfOpen, 1));
    breaker.settle(probe, Outcome::Success, now);
    assert_eq!(run(&mut breaker, Outcome::Success, now), State::Closed);
}

#[test]
fn a_success_from_before_it_opened_takes_nothing_off_afterwards() {
    let mut breaker = decaying();
    let late = permit(&mut breaker, Time::ZERO);
    breaker.reset();
    run(&mut breaker, Outcome::Failure, Time::ZERO);
    breaker.settle(late, Outcome::Success, Time::ZERO);
    assert_eq!(breaker.failures(), 1);
}

#[test]
fn what_opened_it_is_counted_until_it_is_tried_again() {
    let mut breaker = opened();
    assert_eq!(breaker.failures(), 3);
    let now = Time::ZERO + breaker.policy().reset;
    let probe = permit(&mut breaker, now);
    assert_eq!(breaker.failures(), 0);
    breaker.settle(probe, Outcome::Neutral, now);
}

#[test]
fn its_policy_and_its_state_are_told() {
    let policy = BreakerPolicy {
        failures: 77,
        ..BreakerPolicy::default()
    };
    assert_eq!(Breaker::new(policy).policy().failures, 77);
    let states = [State::Closed, State::Open, State::HalfOpen];
    assert_eq!(states.map(State::name), ["closed", "open", "half-open"]);
}
