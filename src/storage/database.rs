//! The file itself: a database of one table, which a transaction changes as a whole or not at all.

use std::path::Path;
use std::time::SystemTime;

use redb::{
    Database, DatabaseError, ReadableDatabase, ReadableTable, ReadableTableMetadata,
    TableDefinition, TableError,
};

use crate::session::Record;
use crate::storage::{quiet, record};

const SESSIONS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("sessions");

/// Files below this many bytes are never made smaller.
const SMALL: u64 = 4 * 1024 * 1024;
/// A file this many times as large as what is in it is made smaller.
const WASTEFUL: u64 = 4;

/// What was in a file.
pub type Sessions = Vec<(String, Record)>;

/// What is to become of a session: `None`, it goes.
pub(super) type Change = (String, Option<Record>);

/// Opens a file, which is made if it is not there.
pub(super) fn open(path: &Path) -> Result<Database, String> {
    sound(|| {
        Database::create(path).map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => {
                "another instance, of this or another process, has it open".to_owned()
            }
            other => other.to_string(),
        })
    })
}

/// The database panics at some kinds of damage, such as a file that was cut off. That must not end
/// the thread which is waited for, nor be told as if it were a fault of the program.
fn sound<Answer>(act: impl FnOnce() -> Result<Answer, String>) -> Result<Answer, String> {
    quiet::catch(act).unwrap_or_else(|| Err("the file is damaged".to_owned()))
}

/// The sessions in a file.
pub(super) fn read(database: &Database) -> Result<Sessions, String> {
    sound(|| rows(database).map_err(|error| error.to_string()))
}

fn rows(database: &Database) -> Result<Sessions, redb::Error> {
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

/// Writes changes and has the disk confirm them.
pub(super) fn write(database: &Database, changes: &[Change]) -> Result<(), String> {
    sound(|| commit(database, changes).map_err(|error| error.to_string()))
}

fn commit(database: &Database, changes: &[Change]) -> Result<(), redb::Error> {
    let now = SystemTime::now();
    let transaction = database.begin_write()?;
    {
        let mut table = transaction.open_table(SESSIONS)?;
        for (id, record) in changes {
            match record {
                Some(record) => {
                    table.insert(id.as_str(), record::encode(record, now).as_slice())?;
                }
                None => {
                    table.remove(id.as_str())?;
                }
            }
        }
    }
    transaction.commit()?;
    Ok(())
}

/// Gives space back that sessions had which are gone, if that is most of the file. A file does not
/// shrink by itself.
pub(super) fn compact(database: &mut Database, path: &Path) -> Result<(), String> {
    let size = std::fs::metadata(path).map_or(0, |about| about.len());
    if size < SMALL {
        return Ok(());
    }
    sound(|| {
        let used = used(database).map_err(|error| error.to_string())?;
        if size / WASTEFUL > used {
            database.compact().map_err(|error| error.to_string())?;
        }
        Ok(())
    })
}

/// Bytes that the sessions in a file take.
fn used(database: &Database) -> Result<u64, redb::Error> {
    let transaction = database.begin_read()?;
    let table = match transaction.open_table(SESSIONS) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return Ok(0),
        Err(error) => return Err(error.into()),
    };
    Ok(table.stats()?.stored_bytes())
}
