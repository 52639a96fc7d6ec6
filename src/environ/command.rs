//! Runs one child to its end: its lines are handed on as they come, the last of them are kept for
//! the error, and it dies with everything it started when the future is dropped.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::time::Instant;

use crate::environ::surroundings::Keeper;
use crate::environ::variables::Variables;

/// How much of the output is kept for an error, in bytes.
const KEPT_OUTPUT: usize = 64 * 1024;
/// A longer line is handed on in pieces, in bytes.
const LONGEST_LINE: usize = 16 * 1024;
/// How long the output of a child that has ended is still read: a process that it left behind may
/// hold the pipes open for ever.
const DRAIN: Duration = Duration::from_millis(500);
/// How often a program that is being written to is tried again; see [`start`].
const BUSY_TRIES: u32 = 10;

/// Which pipe a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

/// What to run. Never by a shell; the program is an absolute path.
#[derive(Debug)]
pub(crate) struct Invocation {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) directory: PathBuf,
    /// The whole environment: nothing is inherited.
    pub(crate) variables: Variables,
    pub(crate) stdin: Stdio,
    /// Who sees to it that it does not outlive this process.
    pub(crate) keeper: Option<Arc<dyn Keeper>>,
}

/// How it ended.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    /// The end of both streams, in the order of arrival.
    pub(crate) tail: String,
}

/// Runs a child to its end.
pub(crate) async fn run(
    invocation: Invocation,
    on_line: &mut (dyn FnMut(Stream, &str) + Send),
) -> io::Result<Finished> {
    let mut command = Command::new(&invocation.program);
    command
        .args(&invocation.arguments)
        .current_dir(&invocation.directory)
        .env_clear()
        .envs(invocation.variables.iter())
        .stdin(invocation.stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    if let Some(keeper) = &invocation.keeper {
        let (name, value) = keeper.mark();
        command.env(name, value);
    }

    let mut child = start(&mut command).await?;
    // Dropped after the group, which may have to be killed first.
    let _kept = invocation
        .keeper
        .zip(child.id())
        .map(|(keeper, leader)| keeper.keep(leader));
    let mut group = Group::of(&child);
    let mut stdout = Lines::new(Stream::Stdout, child.stdout.take());
    let mut stderr = Lines::new(Stream::Stderr, child.stderr.take());
    let mut tail = Tail::default();
    let mut take = |stream: Stream, line: &str| {
        tail.push(line);
        on_line(stream, line);
    };

    let mut ended: Option<(ExitStatus, Instant)> = None;
    let status = loop {
        if ended.is_none() && stdout.is_done() && stderr.is_done() {
            break child.wait().await?;
        }
        tokio::select! {
            biased;
            () = stdout.read(), if !stdout.is_done() => stdout.drain(&mut take),
            () = stderr.read(), if !stderr.is_done() => stderr.drain(&mut take),
            status = child.wait(), if ended.is_none() => {
                ended = Some((status?, Instant::now() + DRAIN));
            }
            () = tokio::time::sleep_until(ended.map_or_else(Instant::now, |(_, until)| until)),
                if ended.is_some() => {}
        }
        if let Some((status, until)) = ended {
            let drained = stdout.is_done() && stderr.is_done();
            if drained || Instant::now() >= until {
                break status;
            }
        }
    };
    stdout.finish(&mut take);
    stderr.finish(&mut take);
    group.disarm();
    Ok(Finished {
        status,
        tail: tail.into_text(),
    })
}

/// Starts the child. A program that another thread or process has just written can be "busy" for a
/// moment, because a child forked meanwhile still holds the descriptor that wrote it.
async fn start(command: &mut Command) -> io::Result<Child> {
    for _ in 1..BUSY_TRIES {
        match command.spawn() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            result => return result,
        }
    }
    command.spawn()
}

/// Kills a child's process group when dropped, so that a build script or compiler that an installer
/// started does not outlive the `spawn` that was given up.
struct Group {
    leader: Option<u32>,
}

impl Group {
    fn of(child: &Child) -> Self {
        Self { leader: child.id() }
    }

    /// The child has been waited for: its number may belong to somebody else now.
    fn disarm(&mut self) {
        self.leader = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(leader) = self
            .leader
            .and_then(|id| i32::try_from(id).ok())
            .and_then(rustix::process::Pid::from_raw)
        {
            // The only failure is that nobody is left to kill.
            rustix::process::kill_process_group(leader, rustix::process::Signal::KILL).ok();
        }
    }
}

/// Cuts one pipe into lines. A carriage return ends a line too: progress bars use it.
struct Lines<R> {
    stream: Stream,
    pipe: Option<R>,
    pending: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    fn new(stream: Stream, pipe: Option<R>) -> Self {
        Self {
            stream,
            pipe,
            pending: Vec::new(),
        }
    }

    fn is_done(&self) -> bool {
        self.pipe.is_none()
    }

    /// Reads what there is. Safe to drop half-way: nothing is lost.
    async fn read(&mut self) {
        if let Some(pipe) = &mut self.pipe
            && !matches!(pipe.read_buf(&mut self.pending).await, Ok(count) if count > 0)
        {
            self.pipe = None;
        }
    }

    fn drain(&mut self, take: &mut impl FnMut(Stream, &str)) {
        let mut start = 0;
        while let Some(rest) = self.pending.get(start..) {
            let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let (line, next) = match end {
                Some(end) => (rest.get(..end), start + end + 1),
                None if rest.len() >= LONGEST_LINE => (Some(rest), start + rest.len()),
                None => break,
            };
            emit(self.stream, line.unwrap_or_default(), take);
            start = next;
        }
        self.pending.drain(..start);
    }

    fn finish(&mut self, take: &mut impl FnMut(Stream, &str)) {
        emit(self.stream, &self.pending, take);
        self.pending.clear();
    }
}

fn emit(stream: Stream, line: &[u8], take: &mut impl FnMut(Stream, &str)) {
    let text = String::from_utf8_lossy(line);
    if !text.trim().is_empty() {
        take(stream, text.trim_end());
    }
}

/// The end of the output.
#[derive(Default)]
struct Tail {
    text: String,
}

impl Tail {
    fn push(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
        // Cut seldom, so that a long output is not moved at every line.
        if self.text.len() > 2 * KEPT_OUTPUT {
            self.cut();
        }
    }

    fn cut(&mut self) {
        let surplus = self.text.len().saturating_sub(KEPT_OUTPUT);
        let start = (surplus..=self.text.len())
            .find(|at| self.text.is_char_boundary(*at))
            .unwrap_or_default();
        self.text.drain(..start);
    }

    fn into_text(mut self) -> String {
        self.cut();
        self.text.truncate(self.text.trim_end().len());
        self.text
    }
}

/// `exit code 1` or `signal 9`, for messages.
pub(crate) fn describe(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("signal {signal}");
    }
    status.code().map_or_else(
        || "an unknown status".to_owned(),
        |code| format!("exit code {code}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_keeps_the_end_and_whole_letters() {
        let mut tail = Tail::default();
        for number in 0..40_000 {
            tail.push(&format!("zeile ä {number}"));
        }
        let text = tail.into_text();
        assert!(text.len() <= KEPT_OUTPUT);
        assert!(text.ends_with("zeile ä 39999"));
    }

    #[tokio::test]
    async fn lines_end_at_line_feeds_carriage_returns_and_the_end() {
        let mut lines = Lines::new(Stream::Stderr, Some(&b"one\r\ntwo\rthree\n\n  four"[..]));
        let mut seen = Vec::new();
        while !lines.is_done() {
            lines.read().await;
            lines.drain(&mut |_, line| seen.push(line.to_owned()));
        }
        lines.finish(&mut |_, line| seen.push(line.to_owned()));
        assert_eq!(seen, ["one", "two", "three", "  four"]);
    }
}
