//! Layer 3. Sessions in a file, so that they survive the end of the process.
//!
//! The file is a database of [redb](https://docs.rs/redb): it is never half-written, whatever ends the
//! process. A thread of its own writes; what is handed to it while it is busy is written together.

mod record;

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::SystemTime;

use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, TableDefinition, TableError};

use crate::error::{ErrorCode, Failure};
use crate::session::{Entry, Record};

const SESSIONS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("sessions");

/// Entries that are written in one transaction at most.
const BATCH: usize = 10_000;

/// What the writing thread tells, on that thread.
pub trait Observer: Send + 'static {
    /// What was to be written could not be.
    fn failed(&self, reason: String);
    /// Everything is written and the file is closed.
    fn closed(&self);
}

/// An open file of sessions. Dropped, it writes what it has and closes.
#[derive(Debug)]
pub struct SessionFile {
    entries: Sender<Vec<Entry>>,
}

impl SessionFile {
    /// Opens a file, which is made if it is not there, and reads the sessions in it.
    pub fn open(path: &Path, observer: impl Observer) -> Result<(Self, Sessions), Failure> {
        let database = open(path)?;
        let sessions = read(&database).map_err(|error| unusable(path, &error.to_string()))?;
        let (entries, inbox) = channel();
        let path = path.to_owned();
        thread::Builder::new()
            .name("synapse-sessions".to_owned())
            .spawn(move || {
                write_all(&database, &path, &inbox, &observer);
                drop(database);
                observer.closed();
            })
            .map_err(|error| {
                Failure::new(
                    ErrorCode::StartFailed,
                    format!("no thread for the session store: {error}"),
                )
            })?;
        Ok((Self { entries }, sessions))
    }

    /// Has entries written, in order.
    pub fn write(&self, entries: Vec<Entry>) {
        // The thread ends only when this does.
        let _sent: Result<(), _> = self.entries.send(entries);
    }
}

/// What was in a file.
pub type Sessions = Vec<(String, Record)>;

fn open(path: &Path) -> Result<Database, Failure> {
    Database::create(path).map_err(|error| {
        let reason = match error {
            DatabaseError::DatabaseAlreadyOpen => "another process has it open".to_owned(),
            other => other.to_string(),
        };
        unusable(path, &reason)
    })
}

fn read(database: &Database) -> Result<Sessions, redb::Error> {
    let now = SystemTime::now();
    let transaction = database.begin_read()?;
    let table = match transaction.open_table(SESSIONS) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut sessions = Vec::new();
    for row in table.iter()? {
        let (id, bytes) = row?;
        // What another version wrote and this one cannot read is left alone.
        if let Some(record) = record::decode(bytes.value(), now) {
            sessions.push((id.value().to_owned(), record));
        }
    }
    Ok(sessions)
}

fn write_all(
    database: &Database,
    path: &Path,
    inbox: &Receiver<Vec<Entry>>,
    observer: &impl Observer,
) {
    while let Ok(mut entries) = inbox.recv() {
        while entries.len() < BATCH
            && let Ok(more) = inbox.try_recv()
        {
            entries.extend(more);
        }
        if let Err(error) = write(database, &entries) {
            observer.failed(format!(
                "the session store \"{}\" cannot be written: {error}",
                path.display()
            ));
        }
    }
}

fn write(database: &Database, entries: &[Entry]) -> Result<(), redb::Error> {
    let now = SystemTime::now();
    let transaction = database.begin_write()?;
    {
        let mut table = transaction.open_table(SESSIONS)?;
        for entry in entries {
            match entry {
                Entry::Put(id, record) => {
                    table.insert(id.as_str(), record::encode(record, now).as_slice())?;
                }
                Entry::Delete(id) => {
                    table.remove(id.as_str())?;
                }
            }
        }
    }
    transaction.commit()?;
    Ok(())
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
        assert!(failure.message.contains("another process has it open"));
        let text = folder.path().join("text");
        std::fs::write(&text, "no database at all").unwrap();
        let (sender, _closed) = mpsc::channel();
        let failure = SessionFile::open(&text, Closed(sender)).unwrap_err();
        assert!(failure.message.contains(&text.display().to_string()));
        assert_eq!(std::fs::read(&text).unwrap(), b"no database at all");
    }
}
