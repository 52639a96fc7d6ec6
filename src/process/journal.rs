//! The memory of a worker's journal (`protocol::journal`): a file without a name, which the child
//! maps and we read. Pages of it are taken when they are written to.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use crate::protocol::journal::{Journal, SIZE};

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
}

#[cfg(target_os = "linux")]
fn unnamed() -> io::Result<File> {
    use rustix::fs::{MemfdFlags, memfd_create};

    let file = File::from(memfd_create("synapse-journal", MemfdFlags::CLOEXEC)?);
    file.set_len(SIZE as u64)?;
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
    file.set_len(SIZE as u64)?;
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
