//! Cancelled calls that do not yield, and what the journal says of them.

use super::bench::{Bench, ONE, TWO, pool};
use crate::engine::{CallOptions, Command, Config};
use crate::protocol::header::{self, Kind};
use crate::protocol::journal::{Journal, SLOTS};

fn by_number(begun: &[u32]) -> Journal {
    let mut slots = vec![0; SLOTS as usize];
    for number in begun {
        slots[*number as usize] = *number;
    }
    Journal::ByNumber {
        slots: slots.into(),
    }
}

/// A worker of three calls at once whose first one is cancelled and overdue.
fn overdue(bench: &mut Bench) {
    bench.cancel(1);
    bench.wait(500);
    assert!(bench.wants(&Command::Inspect(ONE)));
    bench.actions.clear();
}

fn three_at_once() -> Bench {
    let mut bench = Bench::ready(Config {
        concurrency: 3,
        ..pool(2)
    });
    for id in 1..=3 {
        let worker = Some(ONE);
        bench.submit_with(
            id,
            CallOptions {
                worker,
                ..CallOptions::default()
            },
        );
    }
    bench
}

#[test]
fn a_call_that_has_begun_and_does_not_yield_costs_the_worker() {
    let mut bench = three_at_once();
    overdue(&mut bench);
    let Bench {
        engine,
        actions,
        now,
    } = &mut bench;
    engine.inspected(*now, ONE, &by_number(&[1]), actions);
    assert_eq!(actions.commands, [Command::Kill(ONE)]);
}

#[test]
fn one_that_waits_behind_another_is_looked_for_again() {
    let mut bench = three_at_once();
    overdue(&mut bench);
    let Bench {
        engine,
        actions,
        now,
    } = &mut bench;
    engine.inspected(*now, ONE, &by_number(&[2]), actions);
    assert_eq!(actions.commands, []);
    bench.wait(500);
    assert!(bench.wants(&Command::Inspect(ONE)));
}

#[test]
fn a_call_that_another_worker_runs_under_the_same_number_keeps_nobody_alive() {
    let mut bench = three_at_once();
    bench.wait(1_000);
    bench.reply(ONE, Kind::Response, 2);
    bench.reply(ONE, Kind::Response, 3);
    // Number 2 is free again. Nested calls begin at once, whatever the journal says.
    let worker = Some(TWO);
    let options = CallOptions {
        worker,
        ..CallOptions::default()
    };
    bench.submit_frame(2, header::NESTED, &[], options);
    overdue(&mut bench);
    let Bench {
        engine,
        actions,
        now,
    } = &mut bench;
    engine.inspected(*now, ONE, &Journal::InOrder { last: 0 }, actions);
    assert_eq!(actions.commands, [Command::Kill(ONE)]);
}
