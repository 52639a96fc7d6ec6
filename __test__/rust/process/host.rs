//! A process of its own that has workers, for tests of what must survive it, and of its totals.
//!
//! It is this test binary again, told by a variable to play the host.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use synapse::process::{
    Launch, OutputMode, OwnerId, ProcessEvent, ResourceLimits, StopPlan, kill_all, kill_owned, live,
};

use crate::process::{eventually, launch, start, start_with};

const ROLE: &str = "SYNAPSE_TEST_HOST";

/// Marks the host's own lines among those of the test harness.
const PREFIX: &str = "host: ";

/// A host that runs; killed when dropped.
pub(crate) struct Host {
    process: Child,
    lines: BufReader<ChildStdout>,
}

impl Host {
    pub(crate) fn start(role: &str) -> Self {
        Self::start_by(role, &[])
    }

    /// The same by way of a command that starts the program it is given.
    pub(crate) fn start_by(role: &str, wrapper: &[&str]) -> Self {
        let program = std::env::current_exe().unwrap();
        let mut words = wrapper.iter().map(OsStr::new).chain([program.as_os_str()]);
        let mut process = Command::new(words.next().unwrap())
            .args(words)
            .args([
                "--exact",
                "process::host::plays_its_role",
                "--nocapture",
                "--quiet",
            ])
            .env(ROLE, role)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap());
        Self { process, lines }
    }

    /// What it says next, word by word.
    pub(crate) fn line(&mut self) -> Vec<String> {
        loop {
            let mut line = String::new();
            assert!(
                self.lines.read_line(&mut line).unwrap() > 0,
                "the host is gone"
            );
            if let Some((_, said)) = line.split_once(PREFIX) {
                return said.split_whitespace().map(str::to_owned).collect();
            }
        }
    }

    /// The same, if it is so many numbers.
    pub(crate) fn numbers<const N: usize>(&mut self) -> [usize; N] {
        let numbers: Vec<_> = self
            .line()
            .iter()
            .map(|word| word.parse().unwrap())
            .collect();
        numbers.try_into().unwrap()
    }

    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub(crate) fn finish(mut self) -> bool {
        self.process.wait().unwrap().success()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // It may be dead already.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Says a line to the test that started us.
fn say(words: &str) {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{PREFIX}{words}").unwrap();
    stdout.flush().unwrap();
}

/// Does nothing unless another test has started this binary as its host.
#[test]
fn plays_its_role() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let words: Vec<&str> = role.split(' ').collect();
    match words[..] {
        ["keep", name] => keep(name),
        ["exit", name] => exit(name),
        ["replace"] => replace(),
        ["churn", rounds] => churn(rounds.parse().unwrap()),
        ["starve"] => starve(),
        ["crowded"] => crowded(),
        ["reuse"] => reuse(),
        _ => panic!("unknown role {role}"),
    }
}

/// Has a worker until it is killed. Says the worker's marker, and what it says.
fn keep(name: &str) -> ! {
    let mut worker = start(name, &[]);
    let said = String::from_utf8(worker.more_control().to_vec()).unwrap();
    say(&format!("{} {said}", worker.child.marker()));
    loop {
        std::thread::park();
    }
}

/// Loses its guard, gets another with the next worker, and then has two families until it is
/// killed.
fn replace() -> ! {
    let mut first = start("leaves_children.py", &[]);
    first.more_control();
    let mut guard = None;
    // It has its name only once it is past its exec.
    eventually("there is a guard", || {
        guard = own_guard();
        guard.is_some()
    });
    let guard = guard.unwrap();
    rustix::process::kill_process(guard, rustix::process::Signal::KILL).unwrap();
    eventually("the guard is dead", || {
        !crate::process::is_running(guard.as_raw_nonzero().get().unsigned_abs())
    });
    let mut second = start("leaves_children.py", &[]);
    second.more_control();
    say(first.child.marker());
    loop {
        std::thread::park();
    }
}

/// The guard that this process has started.
fn own_guard() -> Option<rustix::process::Pid> {
    let guard = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|process| process.unwrap().file_name().to_str()?.parse().ok())
        .find(|pid: &i32| {
            std::fs::read_to_string(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|line| line.contains("synapse-guard"))
                && std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
                    let fields = stat.rsplit(')').next().unwrap();
                    fields.split_whitespace().nth(1) == Some(&std::process::id().to_string())
                })
        });
    guard.and_then(rustix::process::Pid::from_raw)
}

/// Ends as Node does: kills all it has in an exit handler, and exits without waiting.
#[expect(clippy::exit, reason = "it is what is tested")]
fn exit(name: &str) -> ! {
    let mut worker = start(name, &[]);
    worker.more_control();
    say(worker.child.marker());
    // A handle that is not dropped.
    std::mem::forget(worker);
    kill_all();
    std::process::exit(0);
}

/// Starts and ends many workers. Says its descriptors, threads and children before and after. What is
/// closed a moment after the end of a worker is waited for.
fn churn(rounds: usize) {
    let round = |index: usize| {
        let worker = start("exits_with_code.py", &["0"]);
        if index.is_multiple_of(2) {
            worker.child.kill();
        }
        worker.exit();
    };
    // Whatever is made once and kept.
    for index in 0..10 {
        round(index);
    }
    let before = totals();
    for index in 0..rounds {
        round(index);
    }
    eventually("descriptors and children are level", || {
        let now = totals();
        now[0] <= before[0] && now[2] <= before[2]
    });
    let threads = totals()[1];
    say(&format!("{} {threads}", before[1]));
    assert_eq!(live(), 0);
}

/// Its descriptors, threads and children.
fn totals() -> [usize; 3] {
    let count = |path: &str| std::fs::read_dir(path).unwrap().count();
    let children: usize = std::fs::read_dir("/proc/self/task")
        .unwrap()
        .map(|task| {
            let path = task.unwrap().path().join("children");
            // A thread may have ended meanwhile.
            let children = std::fs::read_to_string(path).unwrap_or_default();
            children.split_whitespace().count()
        })
        .sum();
    [count("/proc/self/fd"), count("/proc/self/task"), children]
}

/// Runs out of descriptors, at every one of the steps at which that can happen.
fn starve() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let used = || -> BTreeSet<u64> {
        std::fs::read_dir("/proc/self/fd")
            .unwrap()
            .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok())
            .collect()
    };
    start("exits_with_code.py", &["0"]).exit();
    let normal = getrlimit(Resource::Nofile);
    // Looking uses one itself.
    let before = used().len();
    let (mut failures, mut successes) = (0, 0);
    for spare in 0..48 {
        // Whatever we have inherited, and wherever it lies, so many are free below the limit, and the
        // one by which we look.
        let taken = used();
        let current = (0..).filter(|number| !taken.contains(number)).nth(spare);
        setrlimit(Resource::Nofile, Rlimit { current, ..normal }).unwrap();
        let mut launch = launch("exits_with_code.py", &["0"]);
        launch.stdout = OutputMode::Event;
        match start_with(launch) {
            Ok(worker) => {
                successes += 1;
                while !matches!(worker.next(), ProcessEvent::Gone) {}
            }
            Err(error) => {
                failures += 1;
                assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{error}");
            }
        }
        setrlimit(Resource::Nofile, normal).unwrap();
        eventually("nothing is left open", || used().len() <= before);
    }
    assert_eq!(start("exits_with_code.py", &["5"]).exit().code, Some(5));
    say(&format!("{failures} {successes}"));
}

/// A worker that needs nothing that only the super-user can read.
fn shell(code: &str) -> Launch {
    Launch {
        inherited: Vec::new(),
        owner: OwnerId::new(),
        program: "/bin/sh".into(),
        args: ["-c", code].map(Into::into).to_vec(),
        env: vec![("PATH".into(), "/usr/bin:/bin".into())],
        cwd: "/".into(),
        stdout: OutputMode::Event,
        stderr: OutputMode::Event,
        limits: ResourceLimits::default(),
    }
}

/// Has as many processes as its user may: nothing can be started, and what runs goes on and may die.
fn crowded() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let serves = "printf ready >&5; read -r line <&3; printf heard >&5; exec sleep 3600";
    let mut worker = start_with(shell(serves)).unwrap();
    worker.wait_for_control(b"ready");
    let mut victim = start_with(shell("printf ready >&5; exec sleep 3600")).unwrap();
    victim.wait_for_control(b"ready");
    let before = totals();
    let normal = getrlimit(Resource::Nproc);
    let current = Some(1);
    setrlimit(Resource::Nproc, Rlimit { current, ..normal }).unwrap();
    for _ in 0..5 {
        let error = start_with(shell("exit 0")).err().unwrap();
        assert_eq!(error.raw_os_error(), Some(libc::EAGAIN), "{error}");
    }
    victim.child.kill();
    assert_eq!(victim.exit().signal, Some(libc::SIGKILL));
    worker.child.data.write(b"line\n").unwrap();
    worker.wait_for_control(b"heard");
    setrlimit(Resource::Nproc, normal).unwrap();
    assert_eq!(start_with(shell("exit 5")).unwrap().exit().code, Some(5));
    worker.child.kill();
    worker.exit();
    eventually("nothing is left open", || totals()[0] <= before[0]);
    say("survived");
}

/// Has the number of a worker that is gone given to a stranger, who leads a group, and then ends the
/// worker in every way there is.
fn reuse() {
    let mut launch = launch("waits_for_end.py", &[]);
    let owner = OwnerId::new();
    launch.owner = owner;
    let mut worker = start_with(launch).unwrap();
    worker.wait_for_control(b"ready");
    let number = worker.child.pid();
    worker.child.kill();
    let (_story, child) = worker.story();
    let mut stranger = stranger(number);
    child.kill();
    child.stop(StopPlan::new(Duration::ZERO));
    kill_owned(owner);
    kill_all();
    drop(child);
    // Another whole life, with a sweep of its own: what was under way has been done.
    start("exits_with_code.py", &["0"]).exit();
    assert!(stranger.try_wait().unwrap().is_none(), "the stranger died");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    say("spared");
}

/// A process with this number, in a namespace where one may choose.
fn stranger(number: u32) -> Child {
    let mut attempts = 0;
    loop {
        let last = (number - 1).to_string();
        std::fs::write("/proc/sys/kernel/ns_last_pid", last).unwrap();
        let mut process = Command::new("sleep")
            .arg("3600")
            .process_group(0)
            .spawn()
            .unwrap();
        if process.id() == number {
            return process;
        }
        process.kill().unwrap();
        process.wait().unwrap();
        attempts += 1;
        assert!(attempts < 1000, "the number {number} was not to be had");
    }
}
