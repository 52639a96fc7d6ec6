//! One child process: real Python programs that behave badly, and what must come of it.

mod exit;
mod host;
mod launch;
mod link;
mod orphans;
mod output;
mod resources;
mod stop;
mod tree;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use synapse::process::{
    Child, ExitReport, Launch, Observer, OutputMode, OutputStream, OwnerId, ProcessEvent,
    ResourceLimits, begin,
};

/// How long something may take before a test gives up. No test passes because of it.
const PATIENCE: Duration = Duration::from_secs(60);

struct Recorder(Sender<ProcessEvent>);

impl Observer for Recorder {
    fn event(&self, event: ProcessEvent) {
        // The test may be over.
        self.0.send(event).ok();
    }
}

/// A child and what it has reported.
struct Worker {
    child: Child,
    events: Receiver<ProcessEvent>,
    /// Everything read from control so far.
    control: Vec<u8>,
}

/// What came until the child was gone.
#[derive(Default)]
struct Story {
    control: Vec<u8>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    dropped: u64,
    exits: Vec<ExitReport>,
    /// Names of the events, without repetitions in a row.
    order: Vec<&'static str>,
}

/// The interpreter itself: what is first on the path may be a script that looks for it.
fn interpreter() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let output = Command::new("python3")
            .args(["-S", "-c", "import sys; print(sys.executable, end='')"])
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap().into()
    })
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("__test__/workers")
        .join(name)
}

fn launch(name: &str, args: &[&str]) -> Launch {
    let mut all: Vec<OsString> = vec!["-S".into(), script(name).into()];
    all.extend(args.iter().map(Into::into));
    Launch {
        inherited: Vec::new(),
        owner: OwnerId::new(),
        program: interpreter().to_owned(),
        args: all,
        env: vec![("PATH".into(), std::env::var_os("PATH").unwrap())],
        cwd: std::env::temp_dir(),
        stdout: OutputMode::Event,
        stderr: OutputMode::Event,
        limits: ResourceLimits::default(),
    }
}

fn start_with(launch: Launch) -> std::io::Result<Worker> {
    let (tx, events) = channel();
    let (done_tx, done_rx) = channel();
    begin(launch, Arc::new(Recorder(tx)), move |outcome| {
        done_tx.send(outcome).ok();
    });
    let child = done_rx.recv().unwrap()?;
    Ok(Worker {
        child,
        events,
        control: Vec::new(),
    })
}

fn start(name: &str, args: &[&str]) -> Worker {
    start_with(launch(name, args)).unwrap()
}

/// Starts a program that says `ready` on control, and waits for that.
fn start_ready(name: &str) -> Worker {
    let mut worker = start(name, &[]);
    worker.wait_for_control(b"ready");
    worker
}

impl Worker {
    fn next(&self) -> ProcessEvent {
        self.events.recv_timeout(PATIENCE).unwrap()
    }

    /// Reads until control has brought exactly this; other events are ignored.
    fn wait_for_control(&mut self, wanted: &[u8]) {
        self.control.clear();
        while self.control != wanted {
            self.more_control();
            assert!(wanted.starts_with(&self.control), "got {:?}", self.control);
        }
    }

    /// The next bytes from control.
    fn more_control(&mut self) -> &[u8] {
        loop {
            match self.next() {
                ProcessEvent::Control(bytes) => {
                    self.control.extend_from_slice(&bytes);
                    return &self.control;
                }
                event => assert!(
                    !matches!(event, ProcessEvent::Exited(_)),
                    "early: {event:?}"
                ),
            }
        }
    }

    /// Everything until the child is gone. Proves that nothing comes after that.
    fn story(self) -> (Story, Child) {
        let mut story = Story::default();
        loop {
            let name = match self.next() {
                ProcessEvent::Control(bytes) => {
                    story.control.extend_from_slice(&bytes);
                    "control"
                }
                ProcessEvent::ControlClosed => "control closed",
                ProcessEvent::Output {
                    stream: OutputStream::Stdout,
                    bytes,
                } => {
                    story.stdout.extend_from_slice(&bytes);
                    "output"
                }
                ProcessEvent::Output {
                    stream: OutputStream::Stderr,
                    bytes,
                } => {
                    story.stderr.extend_from_slice(&bytes);
                    "output"
                }
                ProcessEvent::OutputDropped { bytes, .. } => {
                    story.dropped += bytes;
                    "dropped"
                }
                ProcessEvent::Exited(report) => {
                    story.exits.push(report);
                    "exited"
                }
                ProcessEvent::Gone => "gone",
                ProcessEvent::Drained => "drained",
                ProcessEvent::LinkBroken => "link broken",
            };
            if story.order.last() != Some(&name) {
                story.order.push(name);
            }
            if name == "gone" {
                break;
            }
        }
        assert_eq!(story.order[story.order.len() - 2..], ["exited", "gone"]);
        assert_eq!(story.exits.len(), 1);
        (story, self.child)
    }

    /// The report of its death, once it is gone.
    fn exit(self) -> ExitReport {
        self.story().0.exits.remove(0)
    }
}

/// Processes that run with this in their environment. Zombies have none.
fn marked(marker: &str) -> Vec<i32> {
    let entry = format!("SYNAPSE_RUN_ID={marker}");
    std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|process| process.unwrap().file_name().to_str()?.parse().ok())
        .filter(|pid: &i32| {
            std::fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environment| {
                environment
                    .split(|&byte| byte == 0)
                    .any(|one| one == entry.as_bytes())
            })
        })
        .collect()
}

/// Whether a process is there and not a zombie.
fn is_running(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        !stat
            .rsplit(')')
            .next()
            .unwrap()
            .trim_start()
            .starts_with(['Z', 'X'])
    })
}

/// Waits for something that nobody reports.
fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "not in {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
