//! Replies that are kept.

use std::time::Duration;

use serde_json::json;

use super::{guarded, stats};
use crate::engine::tests::bench::{Bench, ONE, pool};
use crate::engine::{Affinity, CallOptions, InSession, Overrides, PolicySet, SettledKind};
use crate::policy::cache::CachePolicy;
use crate::protocol::header::{self, Kind};
use crate::protocol::message;
use crate::session::TimeToLive;

fn cache(stale: u64) -> PolicySet {
    PolicySet {
        cache: Some(CachePolicy {
            ttl: Duration::from_secs(1),
            stale: Duration::from_secs(stale),
        }),
        ..PolicySet::default()
    }
}

/// A call with arguments that others may have as well.
fn ask(bench: &mut Bench, call: u32) {
    bench.submit_frame(call, 0, b"\x01", CallOptions::default());
}

/// A worker answers a call by a value.
fn answer(bench: &mut Bench, call: u32) {
    let frame = message::frame(Kind::Response, call, &json!(7)).unwrap();
    bench.receive(ONE, &frame);
}

fn kept(bench: &Bench) -> Vec<(u32, Vec<u8>)> {
    let entries = bench.actions.kept.iter();
    entries
        .map(|entry| (entry.call.0, entry.reply.to_vec()))
        .collect()
}

#[test]
fn a_reply_answers_the_same_call_for_its_time() {
    let mut bench = guarded(1, cache(0));
    ask(&mut bench, 1);
    answer(&mut bench, 1);
    ask(&mut bench, 2);
    assert_eq!(kept(&bench), [(2, vec![7])]);
    bench.submit_frame(3, 0, b"\x02", CallOptions::default());
    assert_eq!(kept(&bench), [], "other arguments");
    answer(&mut bench, 3);
    bench.wait(1_000);
    ask(&mut bench, 4);
    assert_eq!(kept(&bench), [], "it is over");
    let found = stats(&bench).cache;
    assert_eq!((found.hits, found.misses, found.stale), (1, 3, 0));
    assert!(found.entries > 0 && found.bytes > 0, "{found:?}");
}

#[test]
fn an_exception_is_not_kept() {
    let mut bench = guarded(1, cache(0));
    ask(&mut bench, 1);
    bench.reply(ONE, Kind::Error, 1);
    ask(&mut bench, 2);
    assert_eq!(kept(&bench), []);
    assert_eq!(stats(&bench).cache.entries, 0);
}

#[test]
fn an_old_reply_stands_in_for_a_failure() {
    for (stale, stands_in) in [(0, false), (60, true)] {
        let mut bench = guarded(2, cache(stale));
        ask(&mut bench, 1);
        answer(&mut bench, 1);
        bench.wait(1_001);
        ask(&mut bench, 2);
        bench.die(ONE);
        assert_eq!(kept(&bench).is_empty(), !stands_in);
        assert_eq!(bench.failed().is_empty(), stands_in);
        assert_eq!(stats(&bench).cache.stale, u64::from(stands_in));
    }
}

#[test]
fn nothing_stands_in_for_a_call_that_is_disposed_of() {
    let mut bench = guarded(1, cache(60));
    ask(&mut bench, 1);
    answer(&mut bench, 1);
    bench.wait(1_001);
    ask(&mut bench, 2);
    bench.actions.clear();
    bench.engine.stop(bench.now, &mut bench.actions);
    bench.engine.review(bench.now, &mut bench.actions);
    assert_eq!((bench.failed(), kept(&bench)), (vec![2], vec![]));
}

#[test]
fn what_refers_to_something_else_is_neither_kept_nor_looked_for() {
    let stream = CallOptions {
        credit: 1,
        ..CallOptions::default()
    };
    for (flags, options, misses) in [
        (0, CallOptions::default(), 1),
        (0, stream, 0),
        (header::STREAM, CallOptions::default(), 0),
        (header::FUNCTIONS, CallOptions::default(), 0),
        (header::SHARED, CallOptions::default(), 0),
    ] {
        let mut bench = guarded(1, cache(0));
        bench.submit_frame(1, flags, b"\x01", options);
        answer(&mut bench, 1);
        let found = stats(&bench).cache;
        let entries = usize::try_from(misses).unwrap();
        assert_eq!((found.misses, found.entries), (misses, entries), "{flags}");
    }
    let mut bench = guarded(1, cache(0));
    let session = InSession {
        id: "s",
        affinity: Affinity::Hint,
        ttl: TimeToLive::Unchanged,
    };
    bench.submit_in_with(1, session, CallOptions::default());
    assert_eq!(stats(&bench).cache.misses, 0, "of a session");
}

#[test]
fn a_reply_in_shared_memory_is_not_kept() {
    let mut bench = guarded(1, cache(0));
    ask(&mut bench, 1);
    let mut frame = message::frame(Kind::Response, 1, &json!(7)).unwrap();
    frame[5] |= header::SHARED;
    bench.receive(ONE, &frame);
    assert_eq!(bench.settled(), [(1, SettledKind::Response)]);
    assert_eq!(stats(&bench).cache.entries, 0);
}

#[test]
fn kept_replies_are_forgotten_by_the_name_of_their_handler() {
    for (name, entries) in [(None, 0), (Some("main"), 0), (Some("x"), 1)] {
        let mut bench = guarded(1, cache(0));
        ask(&mut bench, 1);
        answer(&mut bench, 1);
        bench.engine.clear_cache(name);
        assert_eq!(stats(&bench).cache.entries, entries, "{name:?}");
    }
}

#[test]
fn a_call_may_speak_for_itself() {
    let mut bench = Bench::ready(pool(1));
    assert!(!bench.engine.has_policies());
    let overrides = Overrides {
        cache: Some(cache(0).cache),
        ..Overrides::default()
    };
    for (id, hit) in [(1, false), (2, true)] {
        bench.submit_guarded(id, &overrides);
        assert_eq!(kept(&bench).is_empty(), !hit);
        if !hit {
            answer(&mut bench, id);
        }
    }
    assert!(bench.engine.has_policies());
    ask(&mut bench, 3);
    assert_eq!(kept(&bench), [], "others are not concerned");
    bench.submit_guarded(4, &Overrides::default());
    assert_eq!(bench.engine.policy_holdings().guarded, 0);
}

#[test]
fn what_is_said_about_arguments_does_not_count_and_their_form_does() {
    let mut bench = guarded(1, cache(0));
    ask(&mut bench, 1);
    answer(&mut bench, 1);
    for (id, flags, payload, hit) in [
        (2, header::EXTRAS, &b"\x81\xa9remaining\x07\x01"[..], true),
        (3, header::EXTRAS, b"\x81\xa9remaining\x07\x02", false),
        (4, 1, b"\x01", false),
    ] {
        bench.submit_frame(id, flags, payload, CallOptions::default());
        assert_eq!(kept(&bench).is_empty(), !hit, "flags {flags}");
    }
}
