//! Layer 3. Sessions in a file, so that they survive the end of the process.
//!
//! | file | job |
//! |---|---|
//! | `mod.rs` | the thread that writes, and what it does when it cannot |
//! | `pending.rs` | what is not written yet |
//! | `database.rs` | the file: a database of [redb](https://docs.rs/redb), never half-written |
//! | `quiet.rs` | panics of the database at damaged files |
//! | `record.rs` | one session as bytes |

mod database;
mod pending;
mod quiet;
mod record;

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use redb::Database;

use crate::error::{ErrorCode, Failure};
use crate::session::Entry;
use crate::storage::pending::Pending;

pub use crate::storage::database::Sessions;

/// How long it takes until what could not be written is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// What the writing thread tells, on that thread.
pub trait Observer: Send + 'static {
    /// What was to be written could not be. It is kept and tried again; this is told once until it
    /// has been written, and when the file is closed without it.
    fn failed(&self, reason: String);
    /// The file is closed; everything is written unless a failure was told last.
    fn closed(&self);
}

/// An open file of sessions. Dropped, it writes what it has and closes.
#[derive(Debug)]
pub struct SessionFile {
    pending: Arc<Pending>,
}

impl SessionFile {
    /// Opens a file, which is made if it is not there, and reads the sessions in it.
    pub fn open(path: &Path, observer: impl Observer) -> Result<(Self, Sessions), Failure> {
        let mut opened = database::open(path).map_err(|reason| unusable(path, &reason))?;
        let sessions = database::read(&opened).map_err(|reason| unusable(path, &reason))?;
        // One that cannot be made smaller, for want of space, say, is opened anew for the first change.
        let compacted = database::compact(&mut opened, path);
        let pending = Arc::new(Pending::default());
        let writer = Writer {
            path: path.into(),
            database: compacted.is_ok().then_some(opened),
            pending: Arc::clone(&pending),
            told: false,
            closing: Closing(observer),
        };
        thread::Builder::new()
            .name("synapse-sessions".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| {
                Failure::new(
                    ErrorCode::StartFailed,
                    format!("no thread for the session store: {error}"),
                )
            })?;
        Ok((Self { pending }, sessions))
    }

    /// Has entries written, in order. Those of one session that follow each other closely are one.
    pub fn write(&self, entries: Vec<Entry>) {
        self.pending.add(entries);
    }
}

impl Drop for SessionFile {
    fn drop(&mut self) {
        self.pending.close();
    }
}

/// What the thread has. The fields are dropped in this order: the file is closed before that is told.
struct Writer<O: Observer> {
    path: Box<Path>,
    /// `None` after a failure: a database that could not write once never does again.
    database: Option<Database>,
    pending: Arc<Pending>,
    /// The failure that lasts was told.
    told: bool,
    closing: Closing<O>,
}

/// Tells that all is over however the thread ends: who stops waits for it.
struct Closing<O: Observer>(O);

impl<O: Observer> Drop for Closing<O> {
    fn drop(&mut self) {
        self.0.closed();
    }
}

impl<O: Observer> Writer<O> {
    fn run(mut self) {
        while let Some(changes) = self.pending.take() {
            let Err(reason) = self.write(&changes) else {
                self.told = false;
                continue;
            };
            if !std::mem::replace(&mut self.told, true) {
                self.tell(&reason, "it is tried again");
            }
            self.pending.put_back(changes);
            if self.pending.rest(RETRY) {
                self.write_last();
                return;
            }
        }
    }

    /// Closing does not wait for a disk that takes nothing.
    fn write_last(&mut self) {
        if let Some(changes) = self.pending.take()
            && let Err(reason) = self.write(&changes)
        {
            let lost = format!("what has become of {} sessions is lost", changes.len());
            self.tell(&reason, &lost);
        }
    }

    fn write(&mut self, changes: &[database::Change]) -> Result<(), String> {
        let opened = match self.database.take() {
            Some(opened) => opened,
            None => database::open(&self.path)?,
        };
        database::write(&opened, changes)?;
        self.database = Some(opened);
        Ok(())
    }

    fn tell(&self, reason: &str, outcome: &str) {
        let path = self.path.display();
        self.closing.0.failed(format!(
            "the session store \"{path}\" cannot be written: {reason}; {outcome}"
        ));
    }
}

fn unusable(path: &Path, reason: &str) -> Failure {
    let message = format!(
        "the session store \"{}\" cannot be used: {reason} (option \"sessions.store\")",
        path.display()
    );
    Failure::new(ErrorCode::StartFailed, message)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;
    use crate::session::Record;

    struct Closed(mpsc::Sender<()>);

    impl Observer for Closed {
        fn failed(&self, reason: String) {
            panic!("{reason}");
        }

        fn closed(&self) {
            self.0.send(()).unwrap();
        }
    }

    fn record(value: &[u8]) -> Record {
        Record {
            data: BTreeMap::from([("k".to_owned(), value.into())]),
            ttl: Some(Duration::from_secs(3600)),
            age: Duration::from_secs(60),
            idle: Duration::from_secs(30),
        }
    }

    fn opened(path: &Path) -> (SessionFile, Sessions, mpsc::Receiver<()>) {
        let (sender, closed) = mpsc::channel();
        let (file, sessions) = SessionFile::open(path, Closed(sender)).unwrap();
        (file, sessions, closed)
    }

    #[test]
    fn what_was_written_is_there_when_the_file_is_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sessions.redb");
        let (file, sessions, closed) = opened(&path);
        assert_eq!(sessions, []);
        file.write(vec![
            Entry::Put("a".to_owned(), record(b"1")),
            Entry::Put("b".to_owned(), record(b"2")),
        ]);
        file.write(vec![
            Entry::Put("a".to_owned(), record(b"3")),
            Entry::Delete("b".to_owned()),
        ]);
        drop(file);
        closed.recv().unwrap();
        let (_file, sessions, _closed) = opened(&path);
        let [(id, found)] = sessions.as_slice() else {
            panic!("{sessions:?}")
        };
        assert_eq!((id.as_str(), &found.data), ("a", &record(b"3").data));
        assert!(found.idle >= Duration::from_secs(30) && found.idle < Duration::from_secs(3600));
    }

    #[test]
    fn a_file_that_is_open_or_no_database_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sessions.redb");
        let (_file, _, _closed) = opened(&path);
        let (sender, _closed) = mpsc::channel();
        let failure = SessionFile::open(&path, Closed(sender)).unwrap_err();
        assert!(failure.message.contains("has it open"));
        let text = folder.path().join("text");
        std::fs::write(&text, "no database at all").unwrap();
        let (sender, _closed) = mpsc::channel();
        let failure = SessionFile::open(&text, Closed(sender)).unwrap_err();
        assert!(failure.message.contains(&text.display().to_string()));
        assert_eq!(std::fs::read(&text).unwrap(), b"no database at all");
    }

    #[test]
    fn a_file_gives_back_what_sessions_took_that_are_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sessions.redb");
        let size = || std::fs::metadata(&path).unwrap().len();
        let (file, _, closed) = opened(&path);
        let ids: Vec<String> = (0..1_000).map(|number| number.to_string()).collect();
        let put = |id: &String| Entry::Put(id.clone(), record(&[7; 10_000]));
        file.write(ids.iter().map(put).collect());
        drop(file);
        closed.recv().unwrap();
        let full = size();
        assert!(full > 10_000_000, "{full}");
        let (file, sessions, closed) = opened(&path);
        assert_eq!((sessions.len(), size()), (1_000, full));
        // Nor does it grow when the same is written again and again.
        for _ in 0..20 {
            file.write(ids.iter().take(100).map(put).collect());
        }
        file.write(ids.iter().skip(1).cloned().map(Entry::Delete).collect());
        drop(file);
        closed.recv().unwrap();
        assert!(size() < full * 2, "{} after {full}", size());
        let (_file, sessions, _closed) = opened(&path);
        assert_eq!(sessions.len(), 1);
        assert!(size() < full / 10, "{} after {full}", size());
    }

    #[test]
    fn a_damaged_file_is_refused_or_read_and_never_takes_the_host_along() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sessions.redb");
        let (file, _, closed) = opened(&path);
        let ids = (0..200).map(|number: i32| number.to_string());
        file.write(ids.map(|id| Entry::Put(id, record(&[7; 1_000]))).collect());
        drop(file);
        closed.recv().unwrap();
        let whole = std::fs::read(&path).unwrap();
        let mut random = crate::policy::random::Random::new(7);
        let mut refused = 0;
        for round in 0..80 {
            let mut bytes = whole.clone();
            let length = u64::try_from(bytes.len()).unwrap();
            let at =
                usize::try_from(random.below(if round % 2 == 0 { length } else { 512 })).unwrap();
            if round % 5 == 0 {
                bytes.truncate(at);
            } else {
                bytes[at] ^= u8::try_from(1 + random.below(255)).unwrap();
            }
            let damaged = folder.path().join(format!("{round}"));
            std::fs::write(&damaged, bytes).unwrap();
            let (sender, closed) = mpsc::channel();
            match SessionFile::open(&damaged, Closed(sender)) {
                Ok((file, _)) => {
                    drop(file);
                    closed.recv().unwrap();
                }
                Err(failure) => {
                    assert!(failure.message.contains(&damaged.display().to_string()));
                    refused += 1;
                }
            }
        }
        assert!(refused > 0);
    }
}
