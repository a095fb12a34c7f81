//! Space kept back, so that deletion and garbage collection have room to work in when the disk is full.
//!
//! A file of real bytes. It is given up when the disk is full, and made again when there is room. While it is
//! given up nothing is put: the room that it left is for making room, and a writer that tries again and
//! again must not use it up.

use super::names;
use crate::disk::Folder;
use crate::error::{Error, Result};
use std::io;
use std::path::PathBuf;

/// How much is kept back unless said otherwise, in bytes.
pub(super) const DEFAULT_BYTES: u64 = 32 << 20;

/// The reserve of one store.
pub(super) struct Reserve {
    folder: Folder,
    len_bytes: u64,
}

impl Reserve {
    pub(super) const fn new(folder: Folder, len_bytes: u64) -> Self {
        Self { folder, len_bytes }
    }

    fn path(&self) -> PathBuf {
        self.folder.path(names::RESERVE)
    }

    /// The length of the file.
    fn found(&self) -> io::Result<u64> {
        self.folder.disk.open_read(&self.path()).and_then(|file| file.len_bytes())
    }

    /// An error unless the space is kept back, or can be again.
    pub(super) fn require(&self) -> Result<()> {
        let is_kept = || self.len_bytes == 0 || self.found().is_ok_and(|len| len >= self.len_bytes);
        if is_kept() {
            return Ok(());
        }
        self.restore();
        if is_kept() {
            return Ok(());
        }
        let source = io::ErrorKind::StorageFull.into();
        Err(Error::Full { action: "keeping back", path: self.path(), source })
    }

    /// Gives the space back; whether there was any.
    pub(super) fn release(&self) -> Result<bool> {
        match self.folder.disk.remove(&self.path()) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(Error::io("giving up", self.path(), e)),
        }
    }

    /// Makes the file if it is not there, and goes on with one whose making was cut short. A full disk
    /// leaves nothing behind.
    pub(super) fn restore(&self) {
        let disk = &self.folder.disk;
        let found = self.found();
        let mut offset = found.as_ref().copied().unwrap_or(0);
        if offset >= self.len_bytes {
            return;
        }
        let opened = if found.is_ok() { disk.open_write(&self.path()) } else { disk.create(&self.path()) };
        let Ok(mut file) = opened else { return };
        let chunk = vec![0xa5; 1 << 20];
        while offset < self.len_bytes {
            let len = self.len_bytes.saturating_sub(offset).min(chunk.len() as u64);
            let part = chunk.get(..usize::try_from(len).unwrap_or(0)).unwrap_or_default();
            if file.write_at(offset, part).is_err() {
                let _ = disk.remove(&self.path());
                return;
            }
            offset += len;
        }
    }
}
