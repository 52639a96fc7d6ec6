//! The memory of a worker's journal (`protocol::journal`): a file without a name, which the child
//! maps and we read. Pages of it are taken when they are written to.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use crate::protocol::journal::{Journal, SIZE, WHOLE, withdrawal_offset};

/// The journal of one child, as we see it.
#[derive(Debug, Clone)]
pub(super) struct JournalFile(Arc<File>);

impl JournalFile {
    /// An empty one. Without memory or descriptors to spare it is `/dev/null`, which the child
    /// cannot map, and which tells nothing.
    pub(super) fn create() -> io::Result<Self> {
        let file = unnamed().or_else(|_| File::options().read(true).write(true).open("/dev/null"));
        Ok(Self(Arc::new(file?)))
    }

    /// For the child to inherit.
    pub(super) fn file(&self) -> &File {
        &self.0
    }

    /// What the child has noted so far.
    pub(super) fn read(&self) -> Journal {
        let mut bytes = vec![0; SIZE];
        match self.0.read_exact_at(&mut bytes, 0) {
            Ok(()) => Journal::parse(&bytes),
            Err(_) => Journal::Unknown,
        }
    }

    /// Tells the child not to begin a call; the child looks when it has noted that it begins.
    pub(super) fn withdraw(&self, call: u32) -> io::Result<()> {
        self.write(call, call)
    }

    /// The call is over, and so is its withdrawal.
    pub(super) fn restore(&self, call: u32) -> io::Result<()> {
        self.write(call, 0)
    }

    fn write(&self, call: u32, word: u32) -> io::Result<()> {
        let offset = withdrawal_offset(call) as u64;
        self.0.write_all_at(&word.to_ne_bytes(), offset)
    }
}

#[cfg(target_os = "linux")]
fn unnamed() -> io::Result<File> {
    use rustix::fs::{MemfdFlags, memfd_create};

    let file = File::from(memfd_create("synapse-journal", MemfdFlags::CLOEXEC)?);
    file.set_len(WHOLE as u64)?;
    Ok(file)
}

/// A file that loses its name at once.
#[cfg(not(target_os = "linux"))]
fn unnamed() -> io::Result<File> {
    let path = std::env::temp_dir().join(crate::process::run::next_marker());
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)?;
    std::fs::remove_file(&path)?;
    file.set_len(WHOLE as u64)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let journal = JournalFile::create().unwrap();
        assert_eq!(journal.read(), Journal::Unknown);
        let words = [1_u32, 77].map(u32::to_ne_bytes).concat();
        journal.file().write_all_at(&words, 0).unwrap();
        assert_eq!(journal.read(), Journal::InOrder { last: 77 });
    }

    #[test]
    fn what_is_withdrawn_stands_behind_what_the_child_writes() {
        let journal = JournalFile::create().unwrap();
        let word = |slot: u64| {
            let mut bytes = [0; 4];
            let offset = SIZE as u64 + 4 * slot;
            journal.file().read_exact_at(&mut bytes, offset).unwrap();
            u32::from_ne_bytes(bytes)
        };
        journal.withdraw(4096 + 9).unwrap();
        journal.withdraw(4095).unwrap();
        assert_eq!([word(9), word(4095), word(8)], [4096 + 9, 4095, 0]);
        journal.restore(4096 + 9).unwrap();
        assert_eq!([word(9), word(4095)], [0, 4095]);
        assert_eq!(journal.read(), Journal::Unknown);
    }

    #[test]
    fn one_that_was_cut_short_is_unknown() {
        let journal = JournalFile::create().unwrap();
        journal
            .file()
            .write_all_at(&1_u32.to_ne_bytes(), 0)
            .unwrap();
        journal.file().set_len(8).unwrap();
        assert_eq!(journal.read(), Journal::Unknown);
    }
}
