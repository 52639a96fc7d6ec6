//! The data channel: order, backlog, and both directions at once.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use synapse::process::{ProcessEvent, WriteState};

use crate::process::{Worker, start_ready};

/// The reading end, made to block so that a plain thread can read it.
fn reading_end(worker: &mut Worker) -> File {
    let fd = worker.child.data.take_read_fd().unwrap();
    let flags = fcntl_getfl(&fd).unwrap();
    assert!(flags.contains(OFlags::NONBLOCK));
    fcntl_setfl(&fd, flags - OFlags::NONBLOCK).unwrap();
    assert!(worker.child.data.take_read_fd().is_none());
    fd.into()
}

fn wait_for_drained(worker: &Worker) {
    loop {
        match worker.next() {
            ProcessEvent::Drained => return,
            event => assert!(matches!(event, ProcessEvent::Output { .. }), "{event:?}"),
        }
    }
}

/// Bytes that differ from place to place.
fn pattern(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    (0..length)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 56) as u8
        })
        .collect()
}

/// An owner that tells when it is dropped.
struct Counted {
    bytes: Vec<u8>,
    alive: Arc<AtomicUsize>,
}

impl Counted {
    fn new(bytes: Vec<u8>, alive: &Arc<AtomicUsize>) -> Self {
        alive.fetch_add(1, Ordering::SeqCst);
        Self {
            bytes,
            alive: Arc::clone(alive),
        }
    }
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn a_small_write_is_done_at_once() {
    let mut worker = start_ready("echoes.py");
    let mut reader = reading_end(&mut worker);
    assert_eq!(
        worker.child.data.write(b"hello").unwrap(),
        WriteState::Written
    );
    let mut back = [0; 5];
    reader.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"hello");
    worker.child.kill();
    worker.exit();
}

#[test]
fn sixty_four_mebibytes_both_ways_at_once() {
    let mut worker = start_ready("echoes.py");
    let mut reader = reading_end(&mut worker);
    let sent = pattern(64 << 20, 1);
    let alive = Arc::new(AtomicUsize::new(0));
    let state = worker
        .child
        .data
        .write_owned(Box::new(Counted::new(sent.clone(), &alive)))
        .unwrap();
    assert_eq!(state, WriteState::Backlogged);
    assert_eq!(alive.load(Ordering::SeqCst), 1);
    let mut back = vec![0; sent.len()];
    reader.read_exact(&mut back).unwrap();
    assert!(sent == back);
    wait_for_drained(&worker);
    assert_eq!(alive.load(Ordering::SeqCst), 0);
    assert_eq!(worker.child.data.backlog(), 0);
    // And the direct way is open again.
    assert_eq!(worker.child.data.write(b"x").unwrap(), WriteState::Written);
    worker.child.kill();
    worker.exit();
}

#[test]
fn a_child_that_does_not_read_costs_nobody_time() {
    let worker = start_ready("never_reads.py");
    let alive = Arc::new(AtomicUsize::new(0));
    let block = vec![1; 4 << 20];
    assert_eq!(
        worker.child.data.write(&block).unwrap(),
        WriteState::Backlogged
    );
    let owned = Box::new(Counted::new(block.clone(), &alive));
    assert_eq!(
        worker.child.data.write_owned(owned).unwrap(),
        WriteState::Backlogged
    );
    let backlog = worker.child.data.backlog();
    assert!(backlog >= 2 * block.len() - (1 << 20), "{backlog}");
    // The kernel, a pipe of at most 1 MiB, took the rest.
    assert!(backlog < 2 * block.len());
    worker.child.kill();
    let (_story, child) = worker.story();
    assert_eq!(alive.load(Ordering::SeqCst), 0);
    assert_eq!(child.data.backlog(), 0);
}

#[test]
fn a_closed_reader_breaks_the_link() {
    let mut launch = crate::process::launch("", &[]);
    launch.args = [
        "-S",
        "-c",
        "import os, time\nos.read(5, 1)\nos.close(3)\nos.write(5, b'closed')\ntime.sleep(3600)",
    ]
    .map(Into::into)
    .to_vec();
    let start = || crate::process::start_with(launch.clone()).unwrap();

    // While nothing waits, the write itself fails.
    let mut worker = start();
    worker.child.control(b"c").unwrap();
    worker.wait_for_control(b"closed");
    assert_eq!(
        worker.child.data.write(b"x").unwrap_err().kind(),
        ErrorKind::BrokenPipe
    );
    assert_eq!(
        worker.child.data.write(b"x").unwrap_err().kind(),
        ErrorKind::BrokenPipe
    );
    worker.child.kill();
    worker.exit();

    // With a backlog, it is an event.
    let worker = start();
    let state = worker.child.data.write(&vec![0; 4 << 20]).unwrap();
    assert_eq!(state, WriteState::Backlogged);
    worker.child.control(b"c").unwrap();
    while !matches!(worker.next(), ProcessEvent::LinkBroken) {}
    assert_eq!(
        worker.child.data.write(b"x").unwrap_err().kind(),
        ErrorKind::BrokenPipe
    );
    worker.child.kill();
    worker.exit();
}

#[test]
fn control_refuses_a_frame_rather_than_cut_it() {
    let mut worker = start_ready("never_reads.py");
    let frame = vec![0; 64 * 1024];
    let refusal = (0..1000)
        .find_map(|_| worker.child.control(&frame).err())
        .unwrap();
    assert_eq!(refusal.kind(), ErrorKind::WouldBlock);
    assert!(worker.control == b"ready");
    worker.child.kill();
    worker.control.clear();
    worker.exit();
}

#[derive(Debug, Clone)]
enum Act {
    Write(usize),
    WriteOwned(usize),
    /// Lets the child catch up with so many bytes.
    Read(usize),
}

fn act() -> impl Strategy<Value = Act> {
    let size = prop_oneof![0..64_usize, 0..70_000_usize, 0..1_500_000_usize];
    prop_oneof![
        3 => size.clone().prop_map(Act::Write),
        2 => size.clone().prop_map(Act::WriteOwned),
        1 => size.prop_map(Act::Read),
    ]
}

#[test]
fn bytes_arrive_in_order_however_they_were_written() {
    let mut worker = start_ready("echoes.py");
    let mut reader = reading_end(&mut worker);
    let alive = Arc::new(AtomicUsize::new(0));
    let mut backlogs = 0;
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(48)
    };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let data = std::sync::Mutex::new((&mut reader, &mut backlogs));
    runner
        .run(&prop::collection::vec(act(), 1..24), |acts| {
            let mut guard = data.lock().unwrap();
            let (reader, backlogs) = &mut *guard;
            let (mut sent, mut back) = (Vec::new(), Vec::new());
            let mut take = |count: usize, back: &mut Vec<u8>| {
                let start = back.len();
                back.resize(start + count, 0);
                reader.read_exact(&mut back[start..]).unwrap();
            };
            for (index, act) in acts.into_iter().enumerate() {
                let state = match act {
                    Act::Write(size) => {
                        let bytes = pattern(size, index as u64);
                        sent.extend_from_slice(&bytes);
                        worker.child.data.write(&bytes).unwrap()
                    }
                    Act::WriteOwned(size) => {
                        let bytes = pattern(size, index as u64);
                        sent.extend_from_slice(&bytes);
                        worker
                            .child
                            .data
                            .write_owned(Box::new(Counted::new(bytes, &alive)))
                            .unwrap()
                    }
                    Act::Read(size) => {
                        take(size.min(sent.len() - back.len()), &mut back);
                        WriteState::Written
                    }
                };
                **backlogs += usize::from(state == WriteState::Backlogged);
            }
            take(sent.len() - back.len(), &mut back);
            prop_assert!(sent == back);
            Ok(())
        })
        .unwrap();
    assert!(
        backlogs > 10,
        "the property was tried on {backlogs} backlogs only"
    );
    crate::process::eventually("every owner is dropped", || {
        alive.load(Ordering::SeqCst) == 0
    });
    worker.child.kill();
    worker.exit();
}
