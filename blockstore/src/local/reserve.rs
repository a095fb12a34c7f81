//! Space kept back, so that deletion and garbage collection have room to work in when the disk is full.
//!
//! A file of real bytes. It is given up when the disk is full, and made again when there is room.

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

    /// Gives the space back; whether there was any.
    pub(super) fn release(&self) -> Result<bool> {
        match self.folder.disk.remove(&self.path()) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(Error::io("giving up", self.path(), e)),
        }
    }

    /// Makes the file if it is not there. A full disk leaves nothing behind.
    pub(super) fn restore(&self) {
        let disk = &self.folder.disk;
        if self.len_bytes == 0 || disk.open_read(&self.path()).is_ok() {
            return;
        }
        let Ok(mut file) = disk.create(&self.path()) else { return };
        let chunk = vec![0xa5; 1 << 20];
        let mut offset = 0;
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
