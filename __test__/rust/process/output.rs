//! Output streams: order, floods, and the tail of stderr.

use std::fmt::Write;

use synapse::process::{OutputMode, OutputStream, ProcessEvent};

use crate::process::{launch, start, start_with};

fn python(code: &str) -> synapse::process::Launch {
    let mut launch = launch("", &[]);
    launch.args = ["-S", "-c", code].map(Into::into).to_vec();
    launch
}

#[test]
fn a_mebibyte_and_a_half_comes_whole_and_in_order_however_slow_the_consumer() {
    let total = 3 << 18;
    let worker = start("floods_output.py", &[&total.to_string()]);
    let block: Vec<u8> = (0..4096)
        .flat_map(|n| format!("{n:015}\n").into_bytes())
        .collect();
    let (mut stdout, mut stderr, mut done) = (Vec::new(), Vec::new(), false);
    while !done || stdout.len() < total || stderr.len() < total {
        match worker.next() {
            ProcessEvent::Output { stream, bytes } => {
                assert!(bytes.len() <= 64 * 1024);
                match stream {
                    OutputStream::Stdout => stdout.extend_from_slice(&bytes),
                    OutputStream::Stderr => stderr.extend_from_slice(&bytes),
                }
            }
            ProcessEvent::Control(_) => done = true,
            event => panic!("{event:?}"),
        }
    }
    assert!(stdout.chunks(block.len()).all(|part| part == block));
    assert!(stderr.chunks(block.len()).all(|part| part == block));
    worker.child.kill();
    worker.exit();
}

#[test]
fn a_flood_that_nobody_takes_is_drained_dropped_and_counted() {
    let total: u64 = 256 << 20;
    let worker = start("floods_output.py", &[&total.to_string()]);
    // The events are kept in the channel, so no byte is given back until the flood is over.
    let mut held = Vec::new();
    let mut bytes = 0;
    loop {
        let event = worker.next();
        if matches!(event, ProcessEvent::Control(_)) {
            break;
        }
        if let ProcessEvent::Output { bytes: chunk, .. } = &event {
            bytes += chunk.len() as u64;
        }
        held.push(event);
    }
    // It could write all of it though next to nothing was taken.
    assert!(
        bytes <= (1 << 20) + (64 << 10),
        "{bytes} bytes were reported"
    );
    worker.child.stop(synapse::process::StopPlan::default());
    let (story, _child) = worker.story();
    let reported = bytes + story.stdout.len() as u64 + story.stderr.len() as u64;
    assert!(reported <= (2 << 20) + (128 << 10), "{reported}");
    assert_eq!(reported + story.dropped, 2 * total);
    // What is left of each stream is its end.
    for stream in [&story.stdout, &story.stderr] {
        assert!(stream.is_empty() || stream.ends_with(b"000000000004095\n"));
    }
    assert_eq!(story.exits[0].stderr_tail.lines().count(), 20);
    assert!(story.exits[0].stderr_tail.ends_with("000000000004095\n"));
}

#[test]
fn held_output_comes_when_the_consumer_catches_up() {
    let worker = start("floods_output.py", &[&(16 << 20).to_string()]);
    let mut held = Vec::new();
    loop {
        let event = worker.next();
        if matches!(event, ProcessEvent::Control(_)) {
            break;
        }
        held.push(event);
    }
    drop(held);
    let (mut dropped, mut bytes) = (0, 0);
    // Everything comes without the child doing anything more.
    while bytes < (1 << 20) - (128 << 10) {
        match worker.next() {
            ProcessEvent::OutputDropped { bytes, .. } => dropped += bytes,
            ProcessEvent::Output { bytes: chunk, .. } => bytes += chunk.len(),
            event => panic!("{event:?}"),
        }
    }
    assert!(dropped > 0);
    worker.child.kill();
    worker.exit();
}

#[test]
fn a_flood_of_control_is_held_back_and_loses_nothing() {
    let total: usize = 8 << 20;
    let worker = start("floods_control.py", &[&total.to_string()]);
    let (mut held, mut bytes) = (Vec::new(), 0);
    while let Ok(ProcessEvent::Control(chunk)) = worker
        .events
        .recv_timeout(std::time::Duration::from_millis(500))
    {
        bytes += chunk.len();
        held.push(chunk);
    }
    assert!(bytes <= (1 << 20) + (64 << 10), "{bytes}");
    drop(held);
    let (story, _child) = worker.story();
    assert_eq!(bytes + story.control.len(), total);
    assert_eq!(story.exits[0].code, Some(0));
}

#[test]
fn ignored_and_inherited_streams_are_not_reported() {
    for mode in [OutputMode::Ignore, OutputMode::Inherit] {
        let mut launch = python("import os, sys\nprint(end='')\nos.write(5, b'x')");
        (launch.stdout, launch.stderr) = (mode, mode);
        let (story, _child) = start_with(launch).unwrap().story();
        assert_eq!(story.control, b"x");
        assert_eq!((story.stdout.len(), story.stderr.len()), (0, 0));
        assert_eq!(story.exits[0].code, Some(0));
    }
}

#[test]
fn the_tail_keeps_the_last_twenty_lines() {
    let code = "import sys\nfor n in range(100): print('line', n, file=sys.stderr)";
    let report = start_with(python(code)).unwrap().exit();
    let expected = (80..100).fold(String::new(), |mut text, n| {
        writeln!(text, "line {n}").unwrap();
        text
    });
    assert_eq!(report.stderr_tail, expected);
}

#[test]
fn the_tail_cuts_a_long_line_between_characters() {
    let code = "import os\nos.write(2, ('a' + 'ä' * 5000).encode())";
    let report = start_with(python(code)).unwrap().exit();
    assert!(report.stderr_tail.len() <= 4096 && report.stderr_tail.len() > 4090);
    assert!(
        report.stderr_tail.chars().all(|c| c == 'ä'),
        "{}",
        report.stderr_tail
    );
}

#[test]
fn the_tail_replaces_what_is_no_text() {
    let report = start_with(python("import os\nos.write(2, b'ok \\xff\\xfe end')"))
        .unwrap()
        .exit();
    assert_eq!(report.stderr_tail, "ok \u{fffd}\u{fffd} end");
}
