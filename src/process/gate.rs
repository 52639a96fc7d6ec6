//! Keeps a flood of output from filling memory: what the observer cannot take is held, and the
//! oldest of what is held is dropped.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::process::chunk::Account;
use crate::process::event::{Observer, OutputStream, ProcessEvent, report};

/// Most bytes on loan to the observer.
const WINDOW: usize = 1 << 20;

/// Most bytes held back.
const HOLD: usize = 1 << 20;

/// What a held piece costs beyond its bytes.
const OVERHEAD: usize = 64;

/// The output of one child on its way to the observer.
pub(super) struct Gate {
    account: Arc<Account>,
    held: VecDeque<(OutputStream, Vec<u8>)>,
    held_bytes: usize,
    /// Bytes dropped since the last report, of stdout and stderr. They lie before all held ones.
    dropped: [u64; 2],
}

impl Gate {
    pub(super) fn new() -> Self {
        Self {
            account: Account::new(WINDOW),
            held: VecDeque::new(),
            held_bytes: 0,
            dropped: [0; 2],
        }
    }

    /// Passes bytes on, or holds them.
    pub(super) fn push(&mut self, observer: &dyn Observer, stream: OutputStream, bytes: &[u8]) {
        if self.held.is_empty() && self.account.has_room() {
            let bytes = self.account.lend(bytes.to_vec());
            report(observer, ProcessEvent::Output { stream, bytes });
            return;
        }
        self.held_bytes += bytes.len() + OVERHEAD;
        self.held.push_back((stream, bytes.to_vec()));
        while self.held_bytes > HOLD {
            let Some((stream, bytes)) = self.held.pop_front() else {
                break;
            };
            self.held_bytes -= bytes.len() + OVERHEAD;
            self.dropped[stream as usize] += bytes.len() as u64;
        }
    }

    /// Whether something is held.
    pub(super) fn is_holding(&self) -> bool {
        !self.held.is_empty()
    }

    /// The account whose room lets held bytes go.
    pub(super) fn account(&self) -> &Account {
        &self.account
    }

    /// Passes on what there is room for.
    pub(super) fn flush(&mut self, observer: &dyn Observer) {
        while self.account.has_room() && self.release(observer) {}
    }

    /// Passes on everything, at the child's death.
    pub(super) fn finish(&mut self, observer: &dyn Observer) {
        while self.release(observer) {}
    }

    fn release(&mut self, observer: &dyn Observer) -> bool {
        for stream in [OutputStream::Stdout, OutputStream::Stderr] {
            let bytes = std::mem::take(&mut self.dropped[stream as usize]);
            if bytes > 0 {
                report(observer, ProcessEvent::OutputDropped { stream, bytes });
            }
        }
        let Some((stream, bytes)) = self.held.pop_front() else {
            return false;
        };
        self.held_bytes -= bytes.len() + OVERHEAD;
        let bytes = self.account.lend(bytes);
        report(observer, ProcessEvent::Output { stream, bytes });
        true
    }
}
