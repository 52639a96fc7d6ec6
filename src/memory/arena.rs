//! One file in memory, mapped.

use std::fmt;
use std::io;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// Bytes of a block. A value takes whole blocks.
pub(super) const BLOCK: usize = 256 * 1024;

/// The table's entry of a block that nobody borrows.
const FREE: u8 = 0;
/// The table's entry of the first block of a value that is borrowed.
const LENT: u8 = 1;

/// A file in memory that has no name, mapped into this process.
pub struct Arena {
    file: Arc<OwnedFd>,
    base: NonNull<u8>,
    size: usize,
}

// SAFETY: the mapping is plain memory that stays where it is until the arena is dropped. All access
// is through the methods below: the table's bytes are atomic, and a block's bytes belong to one
// value at a time.
#[expect(unsafe_code, reason = "the pointer is to memory of all threads")]
unsafe impl Send for Arena {}
// SAFETY: as above.
#[expect(unsafe_code, reason = "the pointer is to memory of all threads")]
unsafe impl Sync for Arena {}

impl Arena {
    /// An arena of about `size` bytes, none of which takes memory yet.
    ///
    /// Fails where the system has no such files (anything but Linux), does not allow them, or
    /// limits the size of files (`ulimit -f`) to less.
    pub fn create(size: usize) -> io::Result<Self> {
        let size = size.next_multiple_of(BLOCK).max(2 * BLOCK);
        let file = system::create(size)?;
        // SAFETY: a new mapping of a file that has this size for ever; nothing else is replaced.
        #[expect(unsafe_code, reason = "maps memory")]
        let base = unsafe {
            mmap(
                std::ptr::null_mut(),
                size,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED | MapFlags::NORESERVE,
                &file,
                0,
            )
        }?;
        let base = NonNull::new(base.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self {
            file: Arc::new(file),
            base,
            size,
        })
    }

    /// The file, for a child to inherit.
    pub fn file(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.file)
    }

    /// Its size in bytes.
    pub fn size(&self) -> usize {
        self.size
    }

    /// How many blocks it has, those of the table included.
    pub(super) fn blocks(&self) -> usize {
        self.size / BLOCK
    }

    /// The first block that is not the table's.
    pub(super) fn first(&self) -> usize {
        self.blocks().div_ceil(BLOCK)
    }

    /// Whether `length` bytes from `block` on lie behind the table and within the arena.
    pub(super) fn holds(&self, block: usize, length: usize) -> bool {
        let end = block
            .checked_mul(BLOCK)
            .and_then(|start| start.checked_add(length));
        block >= self.first() && block < self.blocks() && end.is_some_and(|end| end <= self.size)
    }

    /// Whether the value that begins at `block` is borrowed.
    pub(super) fn is_lent(&self, block: usize) -> bool {
        self.entry(block)
            .is_some_and(|entry| entry.load(Ordering::Acquire) != FREE)
    }

    /// Says whether the value that begins at `block` is borrowed.
    pub(super) fn set_lent(&self, block: usize, lent: bool) {
        if let Some(entry) = self.entry(block) {
            entry.store(if lent { LENT } else { FREE }, Ordering::Release);
        }
    }

    /// Has the system provide the memory of these blocks, so that a lack of it is an error and no
    /// signal.
    pub(super) fn provide(&self, blocks: &Range<usize>) -> io::Result<()> {
        let start = blocks.start * BLOCK;
        let length = blocks.len() * BLOCK;
        system::provide(&self.file, start as u64, length as u64)
    }

    /// Copies a value to `block`. It must have been checked that it fits, and belong to the caller.
    pub(super) fn write(&self, block: usize, data: &[u8]) {
        if !self.holds(block, data.len()) {
            return;
        }
        // SAFETY: the bytes lie within the mapping. Nobody else uses them: they belong to one value
        // at a time, and this one is being made. `data` is memory of JavaScript or of Rust, which
        // no mapping of an arena's free blocks overlaps.
        #[expect(unsafe_code, reason = "writes to mapped memory")]
        unsafe {
            std::ptr::copy_nonoverlapping(data.as_ptr(), self.at(block).as_ptr(), data.len());
        }
    }

    /// Where `block` begins; it must be one of the arena's.
    pub(super) fn at(&self, block: usize) -> NonNull<u8> {
        debug_assert!(block < self.blocks(), "block {block} of {}", self.blocks());
        // SAFETY: the callers have checked that the block is within the mapping.
        #[expect(unsafe_code, reason = "points into mapped memory")]
        unsafe {
            self.base.add(block * BLOCK)
        }
    }

    /// Gives the memory of these blocks back to the system; they read as zeros from then on. If the
    /// system does not take it, it stays with us, which is not worth an error.
    pub(super) fn give_back(&self, blocks: Range<usize>) {
        let start = blocks.start * BLOCK;
        let length = blocks.len() * BLOCK;
        system::discard(&self.file, start as u64, length as u64);
    }

    fn entry(&self, block: usize) -> Option<&AtomicU8> {
        if block >= self.blocks() {
            return None;
        }
        // SAFETY: the table has a byte for each block, at the beginning of the mapping, which lives
        // as long as `self`. All sides use single bytes of it only.
        #[expect(unsafe_code, reason = "reads and writes mapped memory")]
        Some(unsafe { AtomicU8::from_ptr(self.base.add(block).as_ptr()) })
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and nothing borrowed from it is left: loans hold the arena.
        #[expect(unsafe_code, reason = "unmaps memory")]
        unsafe {
            // It cannot fail for a mapping that exists.
            munmap(self.base.as_ptr().cast(), self.size).ok();
        }
    }
}

impl fmt::Debug for Arena {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arena")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::io;
    use std::os::fd::OwnedFd;

    use rustix::fs::{
        FallocateFlags, MemfdFlags, SealFlags, fallocate, fcntl_add_seals, ftruncate, memfd_create,
    };
    use rustix::process::{Resource, getrlimit};

    /// A file of `size` bytes whose size nobody can change any more.
    pub(super) fn create(size: usize) -> io::Result<OwnedFd> {
        let size = size as u64;
        // Beyond the limit `ftruncate` would end the process by a signal.
        if getrlimit(Resource::Fsize)
            .current
            .is_some_and(|limit| limit < size)
        {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let file = memfd_create("synapse", flags)?;
        ftruncate(&file, size)?;
        // Whoever maps it can rely on its size: a worker cannot pull the memory from under us.
        fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
        Ok(file)
    }

    pub(super) fn provide(file: &OwnedFd, start: u64, length: u64) -> io::Result<()> {
        Ok(fallocate(file, FallocateFlags::empty(), start, length)?)
    }

    pub(super) fn discard(file: &OwnedFd, start: u64, length: u64) {
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        // It fails only for files that have no holes.
        fallocate(file, flags, start, length).ok();
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::io;
    use std::os::fd::OwnedFd;

    pub(super) fn create(_size: usize) -> io::Result<OwnedFd> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn provide(_file: &OwnedFd, _start: u64, _length: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn discard(_file: &OwnedFd, _start: u64, _length: u64) {}
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use rustix::fs::ftruncate;

    #[test]
    fn nobody_can_cut_an_arena_short_or_make_it_longer() {
        let arena = Arena::create(4 * BLOCK).unwrap();
        assert!(ftruncate(&*arena.file(), 0).is_err());
        assert!(ftruncate(&*arena.file(), (8 * BLOCK) as u64).is_err());
    }

    #[test]
    fn values_lie_behind_the_table_and_within_the_arena() {
        let arena = Arena::create(4 * BLOCK).unwrap();
        assert_eq!((arena.first(), arena.blocks()), (1, 4));
        assert!(arena.holds(1, 3 * BLOCK));
        for (block, length) in [
            (0, 1),
            (1, 3 * BLOCK + 1),
            (4, 0),
            (usize::MAX, 1),
            (3, usize::MAX),
        ] {
            assert!(!arena.holds(block, length), "{block} {length}");
        }
    }

    #[test]
    fn what_is_given_back_reads_as_zeros() {
        let arena = Arena::create(4 * BLOCK).unwrap();
        arena.provide(&(2..3)).unwrap();
        arena.write(2, b"abc");
        let read = || {
            // SAFETY: three bytes of a block that nobody writes to meanwhile.
            #[expect(unsafe_code, reason = "reads mapped memory")]
            unsafe {
                std::slice::from_raw_parts(arena.at(2).as_ptr(), 3).to_vec()
            }
        };
        assert_eq!(read(), b"abc");
        arena.give_back(2..3);
        assert_eq!(read(), [0, 0, 0]);
    }
}
