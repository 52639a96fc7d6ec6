//! Calls that workers died with: who is blamed, and what is refused.

use std::hash::Hasher;

use rustc_hash::FxHasher;

use crate::engine::Engine;
use crate::engine::begun::Begun;
use crate::engine::call::CallState;
use crate::engine::callbacks::has_flag;
use crate::engine::worker::Worker;
use crate::error::{ErrorCode, Failure};
use crate::protocol::depth::first_value;
use crate::protocol::header;
use crate::protocol::journal::Journal;
use crate::time::Time;

/// Bytes at each end of the arguments that are looked at; of longer ones the length counts too.
const ENDS: usize = 1024;

impl Engine {
    /// A worker's process died by itself: the calls that it ran are suspects.
    pub(super) fn blame(&mut self, now: Time, dead: &Worker, journal: &Journal) {
        let calls = &self.calls;
        let begun = Begun::of(dead, journal);
        let ran = dead.sent.iter().enumerate().filter_map(|(place, id)| {
            calls.get(id).filter(|call| {
                let is_there = matches!(
                    call.state,
                    CallState::Sent(at) | CallState::Abandoned(at) if at == dead.id
                );
                is_there && begun.includes(place, call)
            })
        });
        // Where nothing is known of that: what lies in its pipe behind those has not begun.
        let running = self.config.concurrency.max(1) as usize;
        for call in ran.take(running) {
            if call.options.resumable && call.got_further {
                // A part of an answer absolves, too: the next worker gets further still.
                self.suspects.absolve(call.fingerprint);
            } else {
                self.suspects
                    .blame(self.config.poison, call.fingerprint, now);
            }
        }
    }

    /// Why a call is not run, if workers died with it.
    pub(super) fn poisoned(&self, handler: u16, fingerprint: u64, now: Time) -> Option<Failure> {
        if self.suspects.is_empty() {
            return None;
        }
        let policy = self.config.poison;
        let deaths = self.suspects.refused(policy, fingerprint, now)?;
        let message = format!(
            "the call was not run: {deaths} workers died running this handler with these \
             arguments; it is tried again {} ms after the last of them",
            policy.window.as_millis()
        );
        let failure = Failure::new(ErrorCode::WorkerExited, message)
            .with("deaths", deaths)
            .with("mayHaveExecuted", false)
            .with("retryable", false);
        Some(match self.handlers.name(handler) {
            Some(name) => failure.with("handler", name),
            None => failure,
        })
    }
}

/// What tells a call from others: the handler, and the arguments without what is said about them.
pub(super) fn fingerprint(handler: u16, frame: &[u8]) -> u64 {
    let mut payload = frame.get(header::LEN..).unwrap_or_default();
    let has_extras = frame
        .get(5)
        .is_some_and(|flags| flags & header::EXTRAS != 0);
    if has_extras && let Some(end) = first_value(payload) {
        payload = payload.get(end..).unwrap_or_default();
    }
    let mut hasher = FxHasher::default();
    if has_flag(frame, header::SHARED) {
        // The arguments are elsewhere, and others will lie in the same place: only the call itself
        // is known again.
        hasher.write(frame.get(8..header::LEN).unwrap_or_default());
    }
    hasher.write_u16(handler);
    hasher.write_usize(payload.len());
    if payload.len() <= 2 * ENDS {
        hasher.write(payload);
    } else {
        hasher.write(payload.get(..ENDS).unwrap_or_default());
        let tail = payload.len() - ENDS;
        hasher.write(payload.get(tail..).unwrap_or_default());
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(flags: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![0; header::LEN];
        frame[5] = flags;
        frame.extend_from_slice(payload);
        frame
    }

    #[test]
    fn handler_and_arguments_count_and_what_is_said_about_them_does_not() {
        let plain = fingerprint(1, &frame(0, &[0x07]));
        assert_eq!(fingerprint(1, &frame(header::EXTRAS, &[0x80, 0x07])), plain);
        let map = [0x81, 0xa1, b'a', 0x92, 0x01, 0x02, 0x07];
        assert_eq!(fingerprint(1, &frame(header::EXTRAS, &map)), plain);
        assert_ne!(fingerprint(2, &frame(0, &[0x07])), plain);
        assert_ne!(fingerprint(1, &frame(0, &[0x08])), plain);
    }

    #[test]
    fn a_call_whose_arguments_are_in_shared_memory_is_like_no_other() {
        let one = frame(header::SHARED, &[0xd7, 8, 0, 0, 0, 1, 0, 4, 0, 0]);
        let mut other = one.clone();
        other[8] = 1;
        assert_eq!(fingerprint(1, &one), fingerprint(1, &one.clone()));
        assert_ne!(fingerprint(1, &one), fingerprint(1, &other));
    }

    #[test]
    fn both_ends_of_long_arguments_count() {
        let mut long = vec![0; 5 * ENDS];
        let before = fingerprint(1, &frame(0, &long));
        long[5 * ENDS - 1] = 1;
        let after = fingerprint(1, &frame(0, &long));
        assert_ne!(before, after);
        long.pop();
        long[5 * ENDS - 2] = 1;
        assert_ne!(fingerprint(1, &frame(0, &long)), after);
    }
    #[test]
    fn short_arguments_count_whole_and_long_ones_at_their_ends() {
        for (length, at, counts) in [
            (2 * ENDS, ENDS, true),
            (2 * ENDS + 9, ENDS + 4, false),
            (2 * ENDS + 9, ENDS + 9, true),
            (2 * ENDS + 9, ENDS - 1, true),
        ] {
            let plain = vec![0; length];
            let mut other = plain.clone();
            other[at] = 1;
            let differ = fingerprint(1, &frame(0, &plain)) != fingerprint(1, &frame(0, &other));
            assert_eq!(differ, counts, "byte {at} of {length}");
        }
    }
}
