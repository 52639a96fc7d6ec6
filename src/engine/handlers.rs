//! Names of handlers, and each worker's own numbers for them.
//!
//! The facade numbers handlers by this table, which only grows; each worker numbers its own. So a
//! worker that runs newer code than its neighbours is still called right.

use std::time::Duration;

use rustc_hash::FxHashMap;
use serde_json::{Map, Value};

use crate::engine::call::CallOptions;
use crate::protocol::header::DEFAULT_HANDLER;
use crate::protocol::message::Hello;
use crate::time::Time;

/// How the names begin of what every worker answers besides the handlers of the user.
const RESERVED: &str = "synapse.";

/// All names seen so far.
#[derive(Debug, Default)]
pub(super) struct Handlers {
    names: Vec<String>,
    numbers: FxHashMap<String, u16>,
    /// What the newest worker says of each, by number.
    about: Vec<About>,
    /// The default handler of the newest worker.
    default: Option<u16>,
    /// Some handler has said something that concerns its calls.
    has_terms: bool,
}

/// What a handler says of itself that policies look at.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct About {
    /// It may run again where it may have run already.
    pub(super) idempotent: bool,
    /// How long a call may take that does not say so itself.
    pub(super) timeout: Option<Duration>,
    /// Calls of it that a worker runs at once, however many others it runs.
    pub(super) concurrency: Option<u32>,
}

/// One worker's numbers.
#[derive(Debug, Default)]
pub(super) struct Numbering {
    /// By the engine's number, the worker's.
    numbers: Vec<Option<u16>>,
    default: Option<u16>,
}

impl Handlers {
    /// Learns a worker's handlers.
    pub(super) fn learn(&mut self, hello: &Hello) -> Numbering {
        let mut numbering = Numbering {
            numbers: Vec::new(),
            default: hello.default,
        };
        for (number, handler) in hello.handlers.iter().enumerate() {
            let (Ok(theirs), Some(ours)) = (u16::try_from(number), self.number(&handler.name))
            else {
                continue;
            };
            if hello.default == Some(theirs) {
                self.default = Some(ours);
            }
            let ours = usize::from(ours);
            if let Some(about) = self.about.get_mut(ours) {
                *about = About::of(&handler.about);
                self.has_terms |= *about != About::default();
            }
            if numbering.numbers.len() <= ours {
                numbering.numbers.resize(ours + 1, None);
            }
            if let Some(slot) = numbering.numbers.get_mut(ours) {
                *slot = Some(theirs);
            }
        }
        numbering
    }

    fn number(&mut self, name: &str) -> Option<u16> {
        if let Some(number) = self.numbers.get(name) {
            return Some(*number);
        }
        let number = u16::try_from(self.names.len())
            .ok()
            .filter(|n| *n != DEFAULT_HANDLER)?;
        self.names.push(name.to_owned());
        self.about.push(About::default());
        self.numbers.insert(name.to_owned(), number);
        Some(number)
    }

    /// All names, by the engine's number.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// The names that users see, in the same order: without what every worker answers by itself.
    pub(super) fn listed(&self) -> Vec<String> {
        let own = |name: &&String| !name.starts_with(RESERVED);
        self.names.iter().filter(own).cloned().collect()
    }

    /// What a handler says of itself.
    pub(super) fn about(&self, number: u16) -> About {
        let about = self.about.get(usize::from(number));
        about.copied().unwrap_or_default()
    }

    /// The options of a call, with what its handler says of itself where the call says nothing;
    /// `None` if that changes nothing. Costs nothing where no handler says anything.
    pub(super) fn amend(
        &self,
        now: Time,
        number: u16,
        mut options: CallOptions,
    ) -> Option<CallOptions> {
        if !self.has_terms() {
            return None;
        }
        let about = self.about(self.resolve(number));
        options.idempotent |= about.idempotent;
        if let Some(timeout) = about.timeout
            && !options.own_deadline
        {
            options.deadline = Some(now + timeout);
        }
        (about != About::default()).then_some(options)
    }

    /// Whether some handler says something that concerns its calls.
    pub(super) fn has_terms(&self) -> bool {
        self.has_terms
    }

    /// The number of a handler, also where it is called as the default one.
    pub(super) fn resolve(&self, number: u16) -> u16 {
        match self.default {
            Some(default) if number == DEFAULT_HANDLER => default,
            _ => number,
        }
    }

    /// The name behind a number as users see it.
    pub(super) fn shown(&self, number: u16) -> String {
        self.name(number).unwrap_or("(default)").to_owned()
    }

    /// The name behind a number.
    pub(super) fn name(&self, number: u16) -> Option<&str> {
        self.names.get(usize::from(number)).map(String::as_str)
    }
}

impl About {
    fn of(about: &Map<String, Value>) -> Self {
        let ms = about.get("timeout").and_then(Value::as_f64);
        let concurrency = about.get("concurrency").and_then(Value::as_u64);
        Self {
            concurrency: concurrency.and_then(|limit| u32::try_from(limit).ok()),
            idempotent: about.get("idempotent").and_then(Value::as_bool) == Some(true),
            timeout: ms
                .filter(|ms| *ms > 0.0)
                .and_then(|ms| Duration::try_from_secs_f64(ms / 1e3).ok()),
        }
    }
}

impl Numbering {
    /// The worker's number for the engine's.
    pub(super) fn of(&self, number: u16) -> Option<u16> {
        if number == DEFAULT_HANDLER {
            return self.default;
        }
        self.numbers.get(usize::from(number)).copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::message::{Handler, Mode};

    fn hello(names: &[&str], default: Option<u16>) -> Hello {
        let about = serde_json::Map::new();
        Hello {
            protocol: 1,
            mode: Mode::Synapse,
            pid: 1,
            python: String::new(),
            executable: String::new(),
            sdk: String::new(),
            default,
            shared: false,
            withdrawals: false,
            heartbeat: 0,
            handlers: names
                .iter()
                .map(|name| Handler {
                    name: (*name).to_owned(),
                    about: about.clone(),
                })
                .collect(),
        }
    }

    #[test]
    fn each_worker_keeps_its_own_numbers_for_the_shared_names() {
        let mut handlers = Handlers::default();
        let older = handlers.learn(&hello(&["add", "main"], Some(1)));
        let newer = handlers.learn(&hello(&["main", "new", "add"], Some(0)));
        assert_eq!(handlers.names(), ["add", "main", "new"]);
        assert_eq!(
            [0, 1, 2].map(|ours| older.of(ours)),
            [Some(0), Some(1), None]
        );
        assert_eq!(
            [0, 1, 2].map(|ours| newer.of(ours)),
            [Some(2), Some(0), Some(1)]
        );
        assert_eq!(
            (older.of(DEFAULT_HANDLER), newer.of(DEFAULT_HANDLER)),
            (Some(1), Some(0))
        );
        assert_eq!(
            (newer.of(3), handlers.name(2), handlers.name(3)),
            (None, Some("new"), None)
        );
    }

    #[test]
    fn what_every_worker_answers_is_numbered_but_not_listed() {
        let mut handlers = Handlers::default();
        let numbering = handlers.learn(&hello(&["add", "synapse.ping", "synapsed"], None));
        assert_eq!(handlers.listed(), ["add", "synapsed"]);
        assert_eq!(handlers.names().len(), 3);
        assert_eq!(numbering.of(1), Some(1));
    }

    #[test]
    fn a_handler_speaks_for_its_calls_where_they_say_nothing() {
        let mut handlers = Handlers::default();
        let now = Time(1_000);
        let asked = CallOptions {
            deadline: Some(Time(7)),
            ..CallOptions::default()
        };
        handlers.learn(&hello(&["plain"], None));
        assert_eq!(handlers.amend(now, 0, asked), None);
        let mut newer = hello(&["plain", "slow", "safe"], Some(1));
        for (number, name, value) in [
            (1, "timeout", Value::from(2)),
            (2, "idempotent", true.into()),
        ] {
            if let Some(handler) = newer.handlers.get_mut(number) {
                handler.about.insert(name.to_owned(), value);
            }
        }
        handlers.learn(&newer);
        assert_eq!(handlers.amend(now, 0, asked), None);
        let late = Some(now + Duration::from_millis(2));
        for number in [1, DEFAULT_HANDLER] {
            let amended = handlers.amend(now, number, asked);
            assert_eq!(amended.map(|options| options.deadline), Some(late));
        }
        let own = CallOptions {
            own_deadline: true,
            ..asked
        };
        assert_eq!(handlers.amend(now, 1, own), Some(own));
        let safe = handlers.amend(now, 2, asked);
        assert_eq!(
            safe.map(|options| (options.idempotent, options.deadline)),
            Some((true, asked.deadline))
        );
    }

    #[test]
    fn no_handler_gets_the_number_that_means_the_default_one() {
        let mut handlers = Handlers::default();
        let names: Vec<String> = (0..70_000).map(|number| format!("h{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let numbering = handlers.learn(&hello(&names, None));
        assert_eq!(handlers.names().len(), usize::from(DEFAULT_HANDLER));
        assert_eq!(numbering.of(DEFAULT_HANDLER - 1), Some(DEFAULT_HANDLER - 1));
        assert_eq!(numbering.of(DEFAULT_HANDLER), None);
    }
    #[test]
    fn what_the_only_handler_says_holds_and_a_timeout_of_nothing_is_none() {
        for (timeout, amended) in [(1, true), (0, false)] {
            let mut handlers = Handlers::default();
            let mut only = hello(&["only"], None);
            only.handlers[0]
                .about
                .insert("timeout".to_owned(), Value::from(timeout));
            handlers.learn(&only);
            let found = handlers.amend(Time(1_000), 0, CallOptions::default());
            assert_eq!(found.is_some(), amended, "{timeout} ms");
        }
    }
}
