//! What the engine alone costs: calls scheduled a second, without processes, pipes or Node.
//!
//! `cargo bench --no-default-features --bench engine`
//!
//! One step is a whole call: it is submitted and waits, a worker answers the one that it has, and the
//! best of those that wait is written to that worker. Time is processor time, for the machine has
//! other things to do. A burst is measured, too: with `-- --burst` nothing else is.
//!
//! `-- --cell <workers> <queued>` measures one cell of the table: to compare two programs in turns.
//! `-- --cell <workers> <queued> <steps>` makes so many steps and measures nothing: for a tool that counts
//! instructions (`bench/engine/instructions.mjs`).

use std::collections::VecDeque;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use synapse::engine::{Actions, CallOptions, Config, Engine, Strategy, Submission};
use synapse::ids::{CallId, WorkerId};
use synapse::protocol::header::{Header, Kind, LEN};
use synapse::protocol::message;
use synapse::time::Time;

/// Steps of one measurement.
const STEPS: u32 = 400_000;
/// Calls of a burst.
const AT_ONCE: u32 = 20_000;
/// Calls that are settled at once, as the facade has it.
const ROOM: usize = 1_024;
/// Measurements, of which the best counts: whatever disturbs makes it slower.
const ROUNDS: usize = 5;
/// A worker takes a millisecond for a call.
const SERVICE: Duration = Duration::from_millis(1);

struct Bench {
    engine: Engine,
    actions: Actions,
    now: Time,
    priorities: i32,
    submitted: u32,
    answered: u32,
    frame: Vec<u8>,
    /// Workers in the order in which they will answer, each with its call.
    busy: VecDeque<(WorkerId, CallId)>,
}

impl Bench {
    fn new(strategy: Strategy, workers: u32, queued: u32, priorities: i32) -> Self {
        let config = Config {
            workers,
            strategy,
            queue_max: None,
            start_timeout: None,
            ..Config::default()
        };
        let header = Header {
            payload: 16,
            kind: Kind::Request,
            flags: 0,
            handler: 0,
            id: 0,
        };
        let mut bench = Self {
            engine: Engine::new(config),
            actions: Actions::default(),
            now: Time(1),
            priorities,
            submitted: 0,
            answered: 0,
            frame: [&header.to_bytes()[..], &[0; 16]].concat(),
            busy: VecDeque::new(),
        };
        bench.engine.start(bench.now, &mut bench.actions);
        let hello = serde_json::json!({
            "protocol": 1, "mode": "synapse", "pid": 1, "python": "3.11.7", "default": 0,
            "handlers": [{"name": "main"}],
        });
        let hello = message::frame(Kind::Hello, 0, &hello).unwrap_or_default();
        for worker in 1..=workers {
            let worker = WorkerId(worker);
            bench
                .engine
                .control(bench.now, worker, &hello, &mut bench.actions);
        }
        for _ in 0..workers + queued {
            bench.submit();
        }
        // Each learns how long the others take, so that none gets more than it can run.
        for _ in 0..2 * workers {
            bench.step();
        }
        bench
    }

    /// One more call comes.
    fn submit(&mut self) {
        self.submitted = self.submitted % 0x7fff_0000 + 1;
        let id = self.submitted;
        if let Some(field) = self.frame.get_mut(8..12) {
            field.copy_from_slice(&id.to_le_bytes());
        }
        let priority = i32::try_from(id.wrapping_mul(2_654_435_761) >> 16).unwrap_or(0);
        let submission = Submission {
            id: CallId(id),
            handler: 0,
            frame: &self.frame,
            options: CallOptions {
                priority: priority % self.priorities,
                ..CallOptions::default()
            },
        };
        self.engine.submit(self.now, &submission, &mut self.actions);
        self.carry_out();
    }

    /// A worker answers its call and gets the next.
    fn answer(&mut self) {
        let Some((worker, call)) = self.busy.pop_front() else {
            return;
        };
        self.now = self.now + SERVICE;
        let header = Header::bare(Kind::Response, call.0);
        let received = self
            .engine
            .received(self.now, worker, &header, 1, &mut self.actions);
        assert_eq!(received.consumed, LEN, "the answer was not taken");
        self.answered += u32::try_from(self.actions.settled.len()).unwrap_or(0);
        self.carry_out();
    }

    /// The only worker answers all that it has, in one chunk.
    fn answer_all(&mut self) {
        let mut chunk = Vec::new();
        let mut worker = WorkerId(1);
        for (answering, call) in self.busy.drain(..) {
            worker = answering;
            chunk.extend(Header::bare(Kind::Response, call.0));
        }
        self.now = self.now + Duration::from_micros(chunk.len() as u64 / LEN as u64);
        let mut rest: &[u8] = &chunk;
        while !rest.is_empty() {
            let received = self
                .engine
                .received(self.now, worker, rest, ROOM, &mut self.actions);
            self.answered += u32::try_from(self.actions.settled.len()).unwrap_or(0);
            self.carry_out();
            rest = rest.get(received.consumed..).unwrap_or_default();
        }
    }

    /// Notes who has got which call.
    fn carry_out(&mut self) {
        for worker in self.actions.dirty.drain(..) {
            let Some(outbox) = self.engine.outbox(worker) else {
                continue;
            };
            let mut rest: &[u8] = outbox;
            while let Some(id) = rest.get(8..12).and_then(|id| id.first_chunk()) {
                self.busy
                    .push_back((worker, CallId(u32::from_le_bytes(*id))));
                rest = rest.get(self.frame.len()..).unwrap_or_default();
            }
            outbox.clear();
        }
        self.actions.clear();
    }

    fn step(&mut self) {
        self.answer();
        self.submit();
    }
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_nanos(u64::try_from(time.tv_nsec).unwrap_or(0))
}

/// Nanoseconds a call.
fn measure(strategy: &Strategy, workers: u32, queued: u32, priorities: i32) -> f64 {
    let mut bench = Bench::new(strategy.clone(), workers, queued, priorities);
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        bench.answered = 0;
        let before = processor_time();
        for _ in 0..STEPS {
            bench.step();
        }
        let took = processor_time().saturating_sub(before);
        assert_eq!(bench.answered, STEPS, "calls were lost");
        best = best.min(took.as_secs_f64() * 1e9 / f64::from(STEPS));
    }
    best
}

/// Nanoseconds a call of a burst, which one worker answers as fast as it can be written to.
fn measure_burst() -> f64 {
    let mut bench = Bench::new(Strategy::LeastBusy, 1, 0, 1);
    let mut best = f64::INFINITY;
    for _ in 0..4 * ROUNDS {
        bench.answered = 0;
        let before = processor_time();
        for _ in 0..AT_ONCE {
            bench.submit();
        }
        while !bench.busy.is_empty() {
            bench.answer_all();
        }
        let took = processor_time().saturating_sub(before);
        assert!(bench.answered >= AT_ONCE, "calls were lost");
        best = best.min(took.as_secs_f64() * 1e9 / f64::from(AT_ONCE));
    }
    best
}

/// The numbers behind `--cell`, if it is there: workers, calls that wait, steps.
fn cell() -> Option<(u32, u32, Option<u32>)> {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--cell");
    arguments.next()?;
    let mut number = || arguments.next()?.parse().ok();
    Some((number()?, number()?, number()))
}

#[expect(clippy::print_stdout, reason = "the table is what this is for")]
fn main() {
    if let Some((workers, queued, steps)) = cell() {
        let Some(steps) = steps else {
            println!("{:.0}", measure(&Strategy::LeastBusy, workers, queued, 8));
            return;
        };
        let mut bench = Bench::new(Strategy::LeastBusy, workers, queued, 8);
        for _ in 0..steps {
            bench.step();
        }
        return;
    }
    let least_busy = Strategy::LeastBusy;
    let ns = measure(&least_busy, 64, 1_000, 8);
    println!(
        "64 workers, 1,000 queued, 8 priorities: {ns:.0} ns a call, {:.2} million calls/s\n",
        1e3 / ns
    );
    println!(
        "20,000 at once, one worker: {:.0} ns a call\n",
        measure_burst()
    );
    if std::env::args().any(|argument| argument == "--burst") {
        return;
    }
    println!("| ns a call, by workers | 10 queued | 1,000 | 100,000 | 1,000,000 |");
    println!("|---|---|---|---|---|");
    for workers in [1, 10, 100, 1_000] {
        let cells: Vec<String> = [10, 1_000, 100_000, 1_000_000]
            .into_iter()
            .map(|queued| format!("{:.0}", measure(&least_busy, workers, queued, 8)))
            .collect();
        println!("| {workers} | {} |", cells.join(" | "));
    }
    println!("\n| strategy, 64 workers, none queued | ns a call |");
    println!("|---|---|");
    for (name, strategy) in [
        ("least-busy", Strategy::LeastBusy),
        ("round-robin", Strategy::RoundRobin),
        ("random", Strategy::Random),
        ("weighted", Strategy::Weighted(vec![3, 1])),
        ("fastest", Strategy::Fastest),
    ] {
        // Fewer calls than workers: each call is placed and none waits.
        let ns = measure_placed(&strategy);
        println!("| {name} | {ns:.0} |");
    }
}

/// Nanoseconds a call where half of 64 workers have none, so that the strategy decides.
fn measure_placed(strategy: &Strategy) -> f64 {
    let mut bench = Bench::new(strategy.clone(), 64, 0, 1);
    for _ in 0..32 {
        bench.answer();
    }
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let before = processor_time();
        for _ in 0..STEPS {
            bench.step();
        }
        let took = processor_time().saturating_sub(before);
        best = best.min(took.as_secs_f64() * 1e9 / f64::from(STEPS));
    }
    best
}
