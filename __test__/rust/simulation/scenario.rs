//! What a seed decides before anything happens: the options of the engine, and how bad the world is.

use std::time::Duration;

use synapse::engine::{Config, Strategy};
use synapse::policy::backoff::Backoff;
use synapse::policy::crash::Crash;
use synapse::policy::liveness::HeartbeatPolicy;
use synapse::policy::poison::PoisonPolicy;
use synapse::policy::recycle::RecyclePolicy;
use synapse::policy::restart::{RestartPolicy, Taint};
use synapse::protocol::Limits;
use synapse::protocol::message::Mode;

use crate::simulation::random::Random;

/// Chances in a hundred.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Faults {
    /// A worker does not get ready.
    pub(crate) start: u64,
    /// A worker dies for no reason while it runs.
    pub(crate) sudden: u64,
    /// A call makes its worker die.
    pub(crate) crash: u64,
    /// A call is never answered.
    pub(crate) never: u64,
    /// A call is answered by bytes that are no frame.
    pub(crate) garbage: u64,
    /// A call is answered twice, or together with a call that nobody made.
    pub(crate) surplus: u64,
    /// A worker does not take what was written.
    pub(crate) stuck: u64,
    /// A worker does not yield to a cancellation.
    pub(crate) stubborn: u64,
    /// A worker lacks one of the handlers.
    pub(crate) lacking: u64,
    /// A worker stops giving signs of life.
    pub(crate) stall: u64,
}

#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts that are independent of each other"
)]
pub(crate) struct Scenario {
    pub(crate) config: Config,
    pub(crate) mode: Mode,
    pub(crate) faults: Faults,
    /// Calls that are made in all.
    pub(crate) calls: u32,
    /// Microseconds between them, at most.
    pub(crate) pace: u64,
    /// Microseconds that a call takes, at most.
    pub(crate) service: u64,
    /// Whether workers keep journals.
    pub(crate) journals: bool,
    /// Whether they look there for calls that are withdrawn.
    pub(crate) heeds: bool,
    /// Operations on the pool, while calls run.
    pub(crate) operations: u64,
    /// Whether the clock jumps once.
    pub(crate) jumps: bool,
    /// Whether the callers dispose of the engine while calls run.
    pub(crate) hasty: bool,
    /// Ids of sessions from which callers choose; 0: none uses sessions.
    pub(crate) sessions: u64,
    /// Chance in a hundred that a call makes a callback instead of being done.
    pub(crate) callbacks: u64,
}

impl Scenario {
    #[expect(clippy::too_many_lines, reason = "one entry a knob, and nothing else")]
    pub(crate) fn new(random: &mut Random) -> Self {
        let sessions = if random.chance(45) {
            random.within(1..=5)
        } else {
            0
        };
        let mode = if random.chance(25) {
            Mode::Stdio
        } else {
            Mode::Synapse
        };
        let some = |random: &mut Random, percent, range| {
            random.chance(percent).then(|| random.micros(range))
        };
        let restart = random.chance(85).then(|| RestartPolicy {
            max: u32::try_from(random.within(0..=4)).unwrap(),
            window: random.micros(100_000..=3_000_000),
            backoff: Backoff {
                initial: random.micros(0..=50_000),
                factor: 2.0,
                ceiling: Duration::from_millis(400),
            },
            taint: random.chance(20).then(|| Taint {
                pause: random.micros(1..=300_000),
                crashes: [Crash::OutOfMemory, Crash::Exit].into_iter().collect(),
            }),
        });
        let workers = random.pick(&[1, 1, 2, 2, 3, 4]);
        let config = Config {
            workers,
            most_workers: random
                .chance(30)
                .then(|| workers + u32::try_from(random.within(0..=3)).unwrap()),
            idle_ttl: some(random, 50, 5_000..=100_000),
            min_ready: random
                .chance(10)
                .then(|| u32::try_from(random.within(1..=3)).unwrap()),
            batch: random
                .chance(10)
                .then(|| (1, random.micros(1_000..=60_000))),
            strategy: match random.within(0..=5) {
                0 => Strategy::RoundRobin,
                1 => Strategy::Random,
                2 => Strategy::Weighted(vec![3, 1]),
                3 => Strategy::Fastest,
                _ => Strategy::LeastBusy,
            },
            seed: random.next(),
            concurrency: match mode {
                Mode::Stdio => 1,
                Mode::Synapse => random.pick(&[1, 1, 2, 8]),
            },
            queue_max: random
                .chance(70)
                .then(|| usize::try_from(random.pick(&[0, 1, 3, 10, 1000])).unwrap()),
            queue_max_given: random.chance(50),
            queue_timeout: some(random, 30, 500..=100_000),
            restart,
            poison: PoisonPolicy {
                deaths: u32::try_from(random.within(0..=3)).unwrap(),
                window: random.micros(10_000..=1_000_000),
            },
            recycle: RecyclePolicy {
                calls: random.chance(15).then(|| random.within(1..=12)),
                age: some(random, 10, 30_000..=300_000),
                idle: some(random, 10, 10_000..=200_000),
                rss: random.chance(20).then_some(5_000),
                jitter: random.pick(&[0.0, 0.0, 0.3, 1.0]),
            },
            heartbeat: random.chance(40).then(|| HeartbeatPolicy {
                interval: random.micros(20_000..=100_000),
                misses: u32::try_from(random.within(1..=3)).unwrap(),
                restart: random.chance(60),
            }),
            limits: Limits {
                frame: 4096,
                depth: 64,
            },
            frame_timeout: some(random, 50, 20_000..=200_000),
            start_timeout: some(random, 80, 20_000..=400_000),
            grace: random.micros(1_000..=100_000),
            sessions: synapse::session::Limits {
                sessions: random.pick(&[1, 3, 100]),
                bytes: random.pick(&[12, 40, 1_000]),
                ttl: some(random, 80, 500..=200_000),
            },
            durable_sessions: random.chance(30),
        };
        // Half of the worlds are kind in most respects: faults then meet undisturbed neighbours.
        let scale = random.pick(&[0, 1, 1, 4]);
        let mut fault = |highest| {
            if random.chance(50) {
                0
            } else {
                random.within(0..=highest) * scale
            }
        };
        let faults = Faults {
            start: fault(12),
            sudden: fault(12),
            crash: fault(4),
            never: fault(4),
            garbage: fault(2),
            surplus: fault(6),
            stuck: fault(8),
            stubborn: fault(25),
            lacking: fault(6),
            stall: fault(15),
        };
        Self {
            config,
            mode,
            faults,
            calls: u32::try_from(random.within(1..=60)).unwrap(),
            pace: random.pick(&[1, 50, 1_000, 20_000]),
            service: random.pick(&[20, 300, 5_000, 60_000]),
            operations: if random.chance(35) {
                random.within(1..=5)
            } else {
                0
            },
            jumps: random.chance(10),
            hasty: random.chance(40),
            sessions,
            callbacks: if mode == Mode::Synapse {
                random.pick(&[0, 0, 20, 60])
            } else {
                0
            },
            journals: random.chance(80),
            heeds: random.chance(80),
        }
    }
}
