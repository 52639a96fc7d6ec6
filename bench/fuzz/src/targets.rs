//! What each target does with some bytes. The crate's tests include this file too and replay the
//! golden vectors and everything that was ever found.
//!
//! Nothing here catches a panic: a panic is a finding.

use std::collections::BTreeSet;
use std::ops::Range;

use synapse::engine::{Actions, CallOptions, Config, Engine, Event, Exit, SettledKind, Submission};
use synapse::ids::{CallId, WorkerId};
use synapse::protocol::header::{DEFAULT_HANDLER, Header, Kind};
use synapse::protocol::message;
use synapse::protocol::{Limits, Malformed, decoder, stdio};
use synapse::time::Time;

/// Small, so that lengths fall on both sides of it.
const LIMITS: Limits = Limits {
    frame: 1024,
    depth: 16,
};
/// The worker that sends the bytes.
const WORKER: WorkerId = WorkerId(1);
/// Calls that are made; the worker runs four at once, so that some wait.
const CALLS: Range<u32> = 1..8;

/// The frames' decoder: the first byte says where the stream is cut.
pub fn decoder(bytes: &[u8]) {
    cut_or_whole(bytes, |bytes, at| {
        match decoder::decode(bytes, at, LIMITS)? {
            decoder::Decoded::Frame(frame) => {
                assert_eq!(frame.payload.len(), frame.header.payload as usize);
                let head = frame.header.to_bytes();
                assert_eq!(
                    bytes[frame.payload.start - head.len()..frame.payload.start],
                    head
                );
                Ok(Some(frame.payload))
            }
            decoder::Decoded::NeedMore(total) => {
                assert!(total > bytes.len() - at && total <= LIMITS.frame as usize + 4);
                Ok(None)
            }
        }
    });
}

/// The decoder of the framing of 1.4: the first byte says where the stream is cut.
pub fn stdio(bytes: &[u8]) {
    cut_or_whole(bytes, |bytes, at| match stdio::decode(bytes, at, LIMITS)? {
        stdio::Decoded::Reply(payload) | stdio::Decoded::Mark(payload) => Ok(Some(payload)),
        stdio::Decoded::NeedMore(total) => {
            // A mark has an escape before its frame.
            assert!(total > bytes.len() - at && total <= LIMITS.frame as usize + 8);
            Ok(None)
        }
    });
}

/// A worker's control channel, before and after its hello: the first byte says how long the pieces
/// are that arrive.
pub fn control(bytes: &[u8]) {
    let Some((first, stream)) = bytes.split_first() else {
        return;
    };
    for mode in [None, Some("synapse"), Some("stdio")] {
        let mut run = Run::new(mode);
        for piece in stream.chunks(1 + usize::from(*first)) {
            run.engine.control(Time(1), WORKER, piece, &mut run.actions);
            run.look(&[]);
        }
        run.end();
    }
}

/// A worker's data channel: the first byte says how long the pieces are, the second how many calls
/// are settled at once.
pub fn received(bytes: &[u8]) {
    let [first, second, stream @ ..] = bytes else {
        return;
    };
    for mode in ["synapse", "stdio"] {
        let mut run = Run::new(Some(mode));
        let mut buffer = Vec::new();
        for piece in stream.chunks(1 + usize::from(*first)) {
            buffer.extend_from_slice(piece);
            loop {
                let room = 1 + usize::from(second % 8);
                let (engine, actions) = (&mut run.engine, &mut run.actions);
                let received = engine.received(Time(1), WORKER, &buffer, room, actions);
                assert!(run.actions.settled.len() <= room);
                run.look(&buffer);
                buffer.drain(..received.consumed);
                if received.need > 0 {
                    assert!(received.need > buffer.len(), "asked for what is there");
                    break;
                }
            }
        }
        run.end();
    }
}

/// Reads the same stream whole and in two parts, and compares.
fn cut_or_whole(
    bytes: &[u8],
    read: impl Fn(&[u8], usize) -> Result<Option<Range<usize>>, Malformed>,
) {
    let Some((first, stream)) = bytes.split_first() else {
        return;
    };
    let all = |stops: &[usize]| {
        let (mut found, mut at) = (Vec::new(), 0);
        for stop in stops {
            let arrived = &stream[..*stop];
            loop {
                match read(arrived, at) {
                    Ok(Some(payload)) => {
                        assert!(at < payload.start && payload.start <= payload.end);
                        assert!(payload.end <= arrived.len());
                        at = payload.end;
                        found.push(payload);
                    }
                    Ok(None) => break,
                    Err(broken) => return (found, Some(broken)),
                }
            }
        }
        (found, None)
    };
    let cut = usize::from(*first).min(stream.len());
    assert_eq!(all(&[cut, stream.len()]), all(&[stream.len()]));
}

/// An engine with two workers, of which the first misbehaves, and calls for both.
struct Run {
    engine: Engine,
    actions: Actions,
    settled: BTreeSet<CallId>,
}

impl Run {
    /// Without a mode the worker has not said hello.
    fn new(mode: Option<&str>) -> Self {
        let config = Config {
            workers: 2,
            concurrency: 4,
            limits: LIMITS,
            ..Config::default()
        };
        let mut run = Self {
            engine: Engine::new(config),
            actions: Actions::default(),
            settled: BTreeSet::new(),
        };
        run.engine.start(Time(0), &mut run.actions);
        if let Some(mode) = mode {
            let hello = serde_json::json!({
                "protocol": 1, "mode": mode, "pid": 1, "python": "3.11.7", "default": 0,
                "handlers": [{"name": "main"}],
            });
            let hello = message::frame(Kind::Hello, 0, &hello)
                .unwrap_or_else(|broken| unreachable!("a hello that cannot be written: {broken}"));
            run.engine
                .control(Time(0), WORKER, &hello, &mut run.actions);
        }
        for id in CALLS {
            let handler = DEFAULT_HANDLER;
            let head = Header {
                payload: 1,
                kind: Kind::Request,
                flags: 0,
                handler,
                id,
            }
            .to_bytes();
            let frame = [&head[..], &[0xc0]].concat();
            let options = CallOptions {
                idempotent: id % 3 == 0,
                credit: id % 2,
                ..CallOptions::default()
            };
            let call = Submission {
                id: CallId(id),
                handler,
                frame: &frame,
                options,
            };
            run.engine.submit(Time(0), &call, &mut run.actions);
        }
        run.look(&[]);
        run
    }

    /// Looks at what the engine has said about the bytes.
    fn look(&mut self, bytes: &[u8]) {
        for settled in &self.actions.settled {
            assert!(settled.start <= settled.end && settled.end <= bytes.len());
            let id = settled.call;
            match settled.kind {
                SettledKind::Item | SettledKind::Progress => assert!(
                    !self.settled.contains(&id),
                    "a part of {id}, which was settled"
                ),
                SettledKind::Response
                | SettledKind::Error
                | SettledKind::Reply
                | SettledKind::End => {
                    assert!(self.settled.insert(id), "{id} settled twice");
                }
                // About what nobody waits for, and about callbacks, whose ids are the worker's.
                SettledKind::Unwanted
                | SettledKind::Callback
                | SettledKind::Grant
                | SettledKind::Cancel
                | SettledKind::Release => {}
            }
        }
        for event in &self.actions.events {
            if let Event::Failed { id, .. } = event {
                assert!(self.settled.insert(*id), "{id} settled twice");
            }
        }
        self.actions.clear();
        self.engine.outbox(WORKER).map(std::mem::take);
    }

    /// The worker dies, the engine is stopped: every call is settled, and nothing is left.
    fn end(mut self) {
        self.engine
            .exited(Time(2), WORKER, Exit::default(), &mut self.actions);
        self.engine.closed(Time(3), WORKER, &mut self.actions);
        self.engine.stop(Time(4), &mut self.actions);
        self.look(&[]);
        for worker in self.engine.workers() {
            self.engine
                .exited(Time(5), worker.id, Exit::default(), &mut self.actions);
        }
        self.look(&[]);
        assert_eq!(
            self.settled,
            CALLS.map(CallId).collect(),
            "calls that were settled"
        );
        let held = self.engine.holdings();
        assert_eq!((held.calls, held.queued, held.workers.len()), (0, 0, 0));
        assert_eq!(self.engine.next_wake(), None);
    }
}
