//! A file for what its writer reads back before long: no name, no block, gone with whoever made it.
//!
//! An initial build sorts in it what does not fit in memory. Nothing in it is ever durable or shared, so nothing is
//! synced. Chunks are written past the system's page cache where the file system can: they are large, read once,
//! and would drive out what the host needs. Each chunk is checked against its checksum when it is read.

use crate::checksum::checksum;
use crate::error::{Error, Result};
use rustix::fs::{FallocateFlags, OFlags, fallocate, fcntl_getfl, fcntl_setfl};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// What offsets, lengths and addresses must be multiples of to pass the page cache by: enough for every disk.
const ALIGN: usize = 4096;

/// So much space is taken at once, in bytes: files that grow with each write let one writer in at a time.
const STEP_BYTES: u64 = 64 << 20;

/// How many chunks are kept to be used again.
const MOST_SPARE: usize = 8;

/// A file that only this process has. Its space is given back when it is dropped, or the process dies.
#[derive(Debug)]
pub struct Scratch {
    file: File,
    folder: PathBuf,
    end: AtomicU64,
    /// How much space was taken.
    taken: Mutex<u64>,
    spare: Mutex<Vec<Chunk>>,
}

/// Where a chunk lies in a [`Scratch`], and what it was.
#[derive(Clone, Copy, Debug)]
pub struct Spot {
    offset: u64,
    len_bytes: usize,
    sum: u64,
}

impl Scratch {
    /// An unnamed file in a folder.
    ///
    /// # Errors
    /// [`Error::Full`]; other failures of the operating system.
    pub(crate) fn create(folder: &Path) -> Result<Self> {
        let file = tempfile::tempfile_in(folder);
        let file = file.map_err(|source| Error::io("making a scratch file in", folder, source))?;
        // Where that cannot be, it is as good, and slower.
        let _ = pass_page_cache(&file, true);
        let (folder, end) = (folder.to_owned(), AtomicU64::new(0));
        Ok(Self { file, folder, end, taken: Mutex::default(), spare: Mutex::default() })
    }

    /// An empty chunk with room for so many bytes.
    #[must_use]
    pub fn chunk(&self, room_bytes: usize) -> Chunk {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        match spare.iter().rposition(|chunk| chunk.room_bytes() >= room_bytes) {
            Some(at) => spare.swap_remove(at),
            None => Chunk::with_room(room_bytes),
        }
    }

    /// Takes back a chunk that nobody needs any more, to be used again.
    pub fn keep(&self, mut chunk: Chunk) {
        chunk.len_bytes = 0;
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < MOST_SPARE {
            spare.push(chunk);
        }
    }

    /// Writes a chunk. Many threads may, at once.
    ///
    /// # Errors
    /// [`Error::Full`]; other failures of the operating system.
    pub fn write(&self, mut chunk: Chunk) -> Result<Spot> {
        let (len_bytes, sum) = (chunk.len_bytes, checksum(chunk.bytes()));
        let padded = chunk.pad();
        let offset = self.end.fetch_add(padded.len() as u64, Ordering::SeqCst);
        let written = self.take_space(offset + padded.len() as u64);
        let written = match written.and_then(|()| self.file.write_all_at(padded, offset)) {
            // What said yes to being written to past the cache may still not be able to.
            Err(why) if why.kind() == io::ErrorKind::InvalidInput => {
                pass_page_cache(&self.file, false).and_then(|()| self.file.write_all_at(padded, offset))
            }
            other => other,
        };
        written.map_err(|source| Error::io("writing to a scratch file in", &self.folder, source))?;
        self.keep(chunk);
        Ok(Spot { offset, len_bytes, sum })
    }

    /// Takes space ahead, where that can be. When there is not so much left nothing is written: the last of it is for
    /// oplog, and for making room.
    fn take_space(&self, end: u64) -> io::Result<()> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        while *taken < end {
            match fallocate(&self.file, FallocateFlags::empty(), *taken, STEP_BYTES).map_err(io::Error::from)
            {
                Err(why)
                    if matches!(why.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) =>
                {
                    return Err(why);
                }
                _ => *taken += STEP_BYTES,
            }
        }
        Ok(())
    }

    /// Reads a chunk back.
    ///
    /// # Errors
    /// [`Error::Io`] if the disk fails, or does not give back what it was given.
    pub fn read(&self, spot: Spot) -> Result<Chunk> {
        let mut chunk = self.chunk(spot.len_bytes);
        chunk.len_bytes = spot.len_bytes;
        let read = self.file.read_exact_at(chunk.pad(), spot.offset);
        let read = read.and_then(|()| {
            let is_same = checksum(chunk.bytes()) == spot.sum;
            let damaged = || io::Error::new(io::ErrorKind::InvalidData, "the disk gave back other bytes");
            is_same.then_some(()).ok_or_else(damaged)
        });
        read.map_err(|source| Error::io("reading a scratch file in", &self.folder, source))?;
        Ok(chunk)
    }
}

fn pass_page_cache(file: &File, is_to: bool) -> io::Result<()> {
    let mut flags = fcntl_getfl(file)?;
    flags.set(OFlags::DIRECT, is_to);
    Ok(fcntl_setfl(file, flags)?)
}

/// Bytes at an address that a disk can read from.
#[derive(Debug, Default)]
pub struct Chunk {
    /// All of it was set once; what counts begins at `start`.
    memory: Vec<u8>,
    start: usize,
    len_bytes: usize,
}

impl Chunk {
    fn with_room(room_bytes: usize) -> Self {
        let memory = vec![0; room_bytes.next_multiple_of(ALIGN) + ALIGN];
        let start = memory.as_ptr().align_offset(ALIGN);
        Self { memory, start, len_bytes: 0 }
    }

    /// How many bytes it takes before it has to move.
    const fn room_bytes(&self) -> usize {
        self.memory.len().saturating_sub(ALIGN)
    }

    /// Memory that it takes, in bytes.
    #[must_use]
    pub const fn memory_bytes(&self) -> usize {
        self.memory.len()
    }

    /// What was put in.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.memory.get(self.start..self.start + self.len_bytes).unwrap_or_default()
    }

    /// Puts bytes behind those that are there.
    pub fn extend_from_slice(&mut self, more: &[u8]) {
        let len_bytes = self.len_bytes + more.len();
        if len_bytes > self.room_bytes() {
            let mut larger = Self::with_room(len_bytes.max(2 * self.room_bytes()));
            larger.extend_from_slice(self.bytes());
            *self = larger;
        }
        let place = self.start + self.len_bytes..self.start + len_bytes;
        self.memory.get_mut(place).expect("there is room").copy_from_slice(more);
        self.len_bytes = len_bytes;
    }

    /// What there is, with zeros up to a length that a disk can take.
    fn pad(&mut self) -> &mut [u8] {
        let (end, padded) = (self.start + self.len_bytes, self.len_bytes.next_multiple_of(ALIGN));
        let whole = self.memory.get_mut(self.start..self.start + padded).unwrap_or_default();
        if let Some(rest) = whole.get_mut(end - self.start..) {
            rest.fill(0);
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(scratch: &Scratch, len: usize) -> Chunk {
        let mut chunk = scratch.chunk(1000);
        let bytes: Vec<u8> = (0..=250).cycle().take(len).collect();
        bytes.chunks(777).for_each(|some| chunk.extend_from_slice(some));
        assert_eq!(chunk.bytes(), bytes);
        chunk
    }

    #[test]
    fn chunks_of_any_length_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = Scratch::create(folder.path()).unwrap();
        let lens = [0, 1, 999, 4095, 4096, 4097, 300_000];
        let spots: Vec<Spot> =
            lens.iter().map(|len| scratch.write(filled(&scratch, *len)).unwrap()).collect();
        for (len, spot) in lens.iter().zip(spots).rev() {
            let found = scratch.read(spot).unwrap();
            assert_eq!(found.bytes(), filled(&scratch, *len).bytes(), "{len}");
            scratch.keep(found);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "it has no name");
    }

    #[test]
    fn a_chunk_that_the_disk_changed_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = Scratch::create(folder.path()).unwrap();
        let spot = scratch.write(filled(&scratch, 10_000)).unwrap();
        pass_page_cache(&scratch.file, false).unwrap();
        scratch.file.write_all_at(b"!", 5000).unwrap();
        let error = scratch.read(spot).unwrap_err().to_string();
        assert!(error.contains("other bytes"), "{error}");
    }

    #[test]
    fn a_write_that_fails_says_where() {
        let folder = tempfile::tempdir().unwrap();
        let mut scratch = Scratch::create(folder.path()).unwrap();
        let name = folder.path().join("read only");
        std::fs::write(&name, "").unwrap();
        scratch.file = File::open(&name).unwrap();
        let error = scratch.write(filled(&scratch, 10)).unwrap_err().to_string();
        assert!(error.contains("scratch file in"), "{error}");
        assert!(Scratch::create(&folder.path().join("missing")).is_err());
    }
}
