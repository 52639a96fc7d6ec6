//! What workers write to their output streams becomes log events.

use serde_json::Map;

use crate::driver::news::json;
use crate::driver::node::NodeDriver;
use crate::engine::Event;
use crate::ids::WorkerId;
use crate::process::{Chunk, OutputStream};

impl NodeDriver {
    pub(super) fn output(&mut self, worker: WorkerId, stream: OutputStream, bytes: &Chunk) {
        let Some(running) = self.children.get_mut(&worker) else {
            return;
        };
        let text = match stream {
            OutputStream::Stdout => running.stdout.push(bytes),
            OutputStream::Stderr => running.stderr.push(bytes),
        };
        self.log(worker, stream, text);
    }

    pub(super) fn flush_output(&mut self, worker: WorkerId) {
        let Some(running) = self.children.get_mut(&worker) else {
            return;
        };
        let (stdout, stderr) = (running.stdout.finish(), running.stderr.finish());
        self.log(worker, OutputStream::Stdout, stdout);
        self.log(worker, OutputStream::Stderr, stderr);
    }

    pub(super) fn log(&mut self, worker: WorkerId, stream: OutputStream, text: String) {
        if text.is_empty() {
            return;
        }
        let stream = match stream {
            OutputStream::Stdout => "stdout",
            OutputStream::Stderr => "stderr",
        };
        let stream = stream.to_owned();
        let event = Event::Log {
            worker,
            stream,
            text,
            call_id: None,
            about: Map::new(),
        };
        self.news.push(json(&event));
    }
}
