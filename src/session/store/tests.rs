//! Sessions by the clock: what ends, what is refused, and what a journal brings back.

use super::*;

const SECOND: u64 = 1_000_000;

fn set(pairs: &[(&str, &[u8])]) -> Changes {
    Changes {
        set: pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), Value::from(*value)))
            .collect(),
        delete: Vec::new(),
    }
}

fn value<'a>(store: &'a Sessions, now: Time, id: &str, key: &str) -> Option<&'a [u8]> {
    store.peek(now, id)?.data().get(key).map(|value| &**value)
}

#[test]
fn a_session_is_gone_at_read_once_its_time_is_over_and_lives_on_while_it_is_touched() {
    let mut store = Sessions::new(Limits::default(), false);
    let ttl = TimeToLive::For(Duration::from_secs(10));
    assert_eq!(
        store.open(Time(0), "a", ttl),
        Ok(Opened::Created { warn: false })
    );
    store.apply(Time(0), "a", set(&[("k", b"v")])).unwrap();
    assert!(store.touch(Time(9 * SECOND), "a").is_some());
    // Looking at it does not keep it.
    assert!(store.info(Time(18 * SECOND), "a").is_some());
    assert_eq!(store.list(Time(18 * SECOND)), ["a"]);
    assert_eq!(value(&store, Time(19 * SECOND), "a", "k"), None);
    assert!(store.list(Time(19 * SECOND)).is_empty());
    assert_eq!(
        store.open(Time(19 * SECOND), "a", TimeToLive::Unchanged),
        Ok(Opened::Created { warn: false })
    );
    assert_eq!(value(&store, Time(19 * SECOND), "a", "k"), None);
    assert_eq!((store.stats().created, store.stats().expired), (2, 1));
}

#[test]
fn a_change_that_is_too_large_changes_nothing() {
    let limits = Limits {
        bytes: 10,
        ..Limits::default()
    };
    let mut store = Sessions::new(limits, false);
    store.apply(Time(0), "a", set(&[("k", b"12345")])).unwrap();
    let mut changes = set(&[("other", b"123456")]);
    assert_eq!(
        store.apply(Time(0), "a", changes.clone()),
        Err(Refusal::TooLarge { bytes: 17, max: 10 })
    );
    assert_eq!(value(&store, Time(0), "a", "k"), Some(&b"12345"[..]));
    // Together with a deletion there is room; the same key twice counts once.
    changes.delete = vec!["k".to_owned(), "other".to_owned()];
    assert!(
        store
            .apply(Time(0), "a", set(&[("k", b"123456789")]))
            .is_ok()
    );
    assert_eq!(
        store.apply(Time(0), "a", changes),
        Err(Refusal::TooLarge { bytes: 11, max: 10 })
    );
    assert_eq!(store.stats().bytes, 10);
    let twice = Changes {
        delete: vec!["k".to_owned(), "k".to_owned()],
        ..Changes::default()
    };
    assert_eq!(store.apply(Time(0), "a", twice), Ok(Opened::Found));
    assert_eq!(store.stats().bytes, 0);
}

#[test]
fn a_refused_change_makes_no_session() {
    let limits = Limits {
        bytes: 1,
        ..Limits::default()
    };
    let mut store = Sessions::new(limits, false);
    assert!(store.apply(Time(0), "a", set(&[("k", b"v")])).is_err());
    assert_eq!(store.stats(), SessionStats::default());
}

#[test]
fn the_number_of_sessions_is_bounded_and_those_that_are_over_make_room() {
    let limits = Limits {
        sessions: 5,
        ttl: Some(Duration::from_secs(1)),
        ..Limits::default()
    };
    let mut store = Sessions::new(limits, false);
    let warned: Vec<_> = ["a", "b", "c", "d", "e"]
        .map(|id| store.open(Time(0), id, TimeToLive::Unchanged).unwrap())
        .into_iter()
        .map(|opened| opened == Opened::Created { warn: true })
        .collect();
    assert_eq!(warned, [false, false, false, true, false]);
    assert_eq!(
        store.open(Time(0), "f", TimeToLive::Unchanged),
        Err(Refusal::TooMany(5))
    );
    assert_eq!(
        store.open(Time(0), "a", TimeToLive::Unchanged),
        Ok(Opened::Found)
    );
    assert_eq!(
        store.open(Time(SECOND), "f", TimeToLive::Unchanged),
        Ok(Opened::Created { warn: false })
    );
    assert_eq!(store.stats().expired, 5);
}

#[test]
fn deleting_twice_is_harmless_and_counted_once() {
    let mut store = Sessions::new(Limits::default(), false);
    store.apply(Time(0), "a", set(&[("k", b"v")])).unwrap();
    assert!(store.delete(Time(0), "a"));
    assert!(!store.delete(Time(0), "a"));
    assert_eq!((store.stats().deleted, store.stats().bytes), (1, 0));
}

#[test]
fn a_journal_makes_the_same_sessions_again() {
    let mut store = Sessions::new(Limits::default(), true);
    store.apply(Time(0), "a", set(&[("k", b"v")])).unwrap();
    store.apply(Time(0), "b", set(&[("k", b"w")])).unwrap();
    store.apply(Time(SECOND), "a", set(&[("l", b"x")])).unwrap();
    store.delete(Time(SECOND), "b");
    let mut kept = BTreeMap::new();
    let entries = store.take_journal(Time(SECOND));
    assert_eq!(entries.len(), 2);
    for entry in entries {
        match entry {
            Entry::Put(id, record) => kept.insert(id, record),
            Entry::Delete(id) => kept.remove(&id),
        };
    }
    assert!(store.take_journal(Time(SECOND)).is_empty());
    let mut next = Sessions::new(Limits::default(), true);
    for (id, record) in kept {
        next.restore(Time(0), &id, record);
    }
    assert_eq!(next.list(Time(0)), ["a"]);
    assert_eq!(value(&next, Time(0), "a", "k"), Some(&b"v"[..]));
    assert_eq!(value(&next, Time(0), "a", "l"), Some(&b"x"[..]));
    assert_eq!(next.stats().bytes, store.stats().bytes);
}

#[test]
fn a_touch_is_in_the_journal_before_it_is_forgotten_and_not_each_time() {
    let mut store = Sessions::new(Limits::default(), true);
    let ttl = TimeToLive::For(Duration::from_secs(100));
    store.open(Time(0), "a", ttl).unwrap();
    store.open(Time(0), "ever", TimeToLive::Forever).unwrap();
    assert_eq!(store.take_journal(Time(0)).len(), 2);
    for (id, at, known) in [
        ("a", SECOND - 1, false),
        ("a", SECOND, true),
        ("a", 2 * SECOND - 1, false),
        ("a", 2 * SECOND, true),
        ("ever", 1_000 * SECOND, false),
    ] {
        assert!(store.touch(Time(at), id).is_some());
        let journal = store.take_journal(Time(at));
        assert_eq!(journal.len(), usize::from(known), "{id} at {at}");
        for entry in journal {
            let Entry::Put(_, record) = entry else {
                panic!("{entry:?}")
            };
            assert_eq!(record.idle, Duration::ZERO);
        }
    }
    // So does the end of a call that has changed nothing.
    store.open(Time(0), "b", ttl).unwrap();
    let number = store.peek(Time(0), "b").unwrap().number();
    store.take_journal(Time(0));
    store.enter(Time(0), number);
    store.leave(Time(SECOND), number);
    assert_eq!(store.take_journal(Time(SECOND)).len(), 1);
}

#[test]
fn what_is_over_when_it_is_read_again_leaves_the_journal_too() {
    let mut store = Sessions::new(Limits::default(), true);
    let record = Record {
        data: BTreeMap::new(),
        ttl: Some(Duration::from_secs(10)),
        age: Duration::from_secs(60),
        idle: Duration::from_secs(10),
    };
    store.restore(Time(0), "over", record);
    let gone = Entry::Delete("over".to_owned());
    assert_eq!(store.take_journal(Time(0)), [gone]);
}

#[test]
fn sessions_of_an_earlier_run_are_kept_though_fewer_are_allowed_now() {
    let limits = Limits {
        sessions: 1,
        ..Limits::default()
    };
    let mut store = Sessions::new(limits, true);
    for id in ["a", "b"] {
        let record = Record {
            data: BTreeMap::new(),
            ttl: None,
            age: Duration::ZERO,
            idle: Duration::ZERO,
        };
        store.restore(Time(0), id, record);
    }
    assert_eq!(store.list(Time(0)), ["a", "b"]);
    let opened = store.open(Time(0), "c", TimeToLive::Unchanged);
    assert_eq!(opened, Err(Refusal::TooMany(1)));
}

#[test]
fn time_stands_still_while_a_call_is_in_a_session_and_its_end_touches_it() {
    let mut store = Sessions::new(Limits::default(), false);
    let ttl = TimeToLive::For(Duration::from_secs(1));
    store.open(Time(0), "a", ttl).unwrap();
    let number = store.peek(Time(0), "a").unwrap().number();
    store.enter(Time(0), number);
    assert_eq!(store.sweep(Time(9 * SECOND)), 0);
    store.leave(Time(9 * SECOND), number);
    assert_eq!(store.list(Time(10 * SECOND - 1)), ["a"]);
    assert!(store.list(Time(10 * SECOND)).is_empty());
    // A call that comes too late does not bring it back.
    store.enter(Time(10 * SECOND), number);
    let nothing = SessionHoldings::default();
    assert_eq!(store.holdings(), nothing);
    store.leave(Time(10 * SECOND), number);
    assert_eq!(store.holdings(), nothing);
}

#[test]
fn only_what_has_a_time_to_live_may_expire() {
    let mut store = Sessions::new(Limits::default(), false);
    store.open(Time(0), "ever", TimeToLive::Forever).unwrap();
    assert!(!store.may_expire());
    store.open(Time(0), "a", TimeToLive::Unchanged).unwrap();
    assert!(store.may_expire());
}

#[test]
fn what_was_idle_before_the_start_counts() {
    let mut store = Sessions::new(Limits::default(), false);
    let record = |idle| Record {
        data: BTreeMap::new(),
        ttl: Some(Duration::from_secs(10)),
        age: Duration::from_secs(60),
        idle: Duration::from_secs(idle),
    };
    store.restore(Time(0), "over", record(10));
    store.restore(Time(0), "nearly", record(9));
    assert_eq!(store.list(Time(SECOND - 1)), ["nearly"]);
    assert!(store.list(Time(SECOND)).is_empty());
}
