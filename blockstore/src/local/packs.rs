//! The pack files of a local store: made once, appended to by one session, read by position, removed whole.
//!
//! Reads are positioned reads, not memory maps: see `docs/decisions/0001-positioned-reads.md`.

use super::names;
use crate::backend::PackWriter;
use crate::disk::{DiskFile, DiskRead, Folder, SyncSite};
use crate::error::{Error, Result};
use crate::ids::PackId;
use crate::pack;
use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tidemark_base::StoreId;

/// How many packs are kept open for reading. Another process may remove them, and while they are open here
/// their space does not come back: this many packs are 4 GiB.
const OPEN_PACKS: usize = 64;
/// After so many looks at the store, open packs that another process has removed are closed.
const CLOSE_REMOVED_EVERY: u32 = 64;

/// Access to the pack files.
pub(super) struct Packs {
    folder: Folder,
    open: Mutex<HashMap<PackId, Arc<dyn DiskRead>>>,
    looks: AtomicU32,
}

fn file_name(id: PackId) -> String {
    format!("{:016x}.pack", id.0)
}

/// The pack a file name stands for.
fn parse_name(name: &str) -> Option<PackId> {
    let digits = name.strip_suffix(".pack")?;
    let id = PackId(u64::from_str_radix(digits, 16).ok()?);
    // No store gets that far; such a number must not make the next one overflow.
    (file_name(id) == name && id.0 < 1 << 63).then_some(id)
}

impl Packs {
    pub(super) fn new(folder: Folder) -> Self {
        Self { folder, open: Mutex::default(), looks: AtomicU32::new(0) }
    }

    fn dir(&self) -> PathBuf {
        self.folder.path(names::PACKS)
    }

    fn path(&self, id: PackId) -> PathBuf {
        self.dir().join(file_name(id))
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, HashMap<PackId, Arc<dyn DiskRead>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn create(&self, id: PackId) -> Result<Box<dyn PackWriter>> {
        let path = self.path(id);
        let file = self.folder.disk.create(&path).map_err(|e| Error::io("making", &path, e))?;
        let folder = self.folder.clone();
        Ok(Box::new(Writer { folder, path, file, len_bytes: 0, entry_durable: false }))
    }

    pub(super) fn read(&self, id: PackId, offset: u32, len: u32) -> Result<Option<Vec<u8>>> {
        self.note_look();
        let Some(file) = self.file(id)? else { return Ok(None) };
        let bytes = file.read_at(u64::from(offset), len as usize);
        bytes.map_err(|e| Error::io("reading", self.path(id), e))
    }

    fn file(&self, id: PackId) -> Result<Option<Arc<dyn DiskRead>>> {
        if let Some(file) = self.cache().get(&id) {
            return Ok(Some(Arc::clone(file)));
        }
        let file = match self.folder.disk.open_read(&self.path(id)) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::io("opening", self.path(id), e)),
        };
        let mut cache = self.cache();
        close_removed(&mut cache);
        if cache.len() >= OPEN_PACKS {
            // Reads of one time cluster in few packs: starting over is as good as keeping track.
            cache.clear();
        }
        // Removed since it was opened: who removes it here takes it out of the cache after that.
        if !is_removed(&*file) {
            cache.insert(id, Arc::clone(&file));
        }
        Ok(Some(file))
    }

    /// Called whenever something of the store is read, whether from a pack or from the index.
    pub(super) fn note_look(&self) {
        if self.looks.fetch_add(1, Ordering::Relaxed) % CLOSE_REMOVED_EVERY == CLOSE_REMOVED_EVERY - 1 {
            close_removed(&mut self.cache());
        }
    }

    /// Whether the file is what its name says and of this store.
    pub(super) fn is_of(&self, store: StoreId, id: PackId) -> Result<bool> {
        let header = self.read(id, 0, pack::PACK_HEADER_LEN)?.unwrap_or_default();
        Ok(pack::check_header(&header, store, id).is_ok())
    }

    pub(super) fn remove(&self, id: PackId) -> Result<()> {
        let path = self.path(id);
        match self.folder.disk.remove(&path) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(Error::io("removing", path, e)),
        }
        // Only now: until its name is gone, a reader may open it again.
        self.cache().remove(&id);
        let synced = self.folder.disk.sync_dir(&self.dir(), SyncSite::PackRemoval);
        synced.map_err(|e| Error::io("syncing", self.dir(), e))
    }

    /// Makes a pack durable as it is, whoever wrote it.
    pub(super) fn sync_found(&self, id: PackId) -> Result<()> {
        let path = self.path(id);
        let failed = |e| Error::io("syncing", &path, e);
        let mut file = self.folder.disk.open_write(&path).map_err(failed)?;
        file.sync(SyncSite::PackFound).map_err(failed)
    }

    /// Makes the existence of all packs durable.
    pub(super) fn sync_found_entries(&self) -> Result<()> {
        let synced = self.folder.disk.sync_dir(&self.dir(), SyncSite::PackFoundEntry);
        synced.map_err(|e| Error::io("syncing", self.dir(), e))
    }

    pub(super) fn list(&self) -> Result<Vec<(PackId, u64)>> {
        let files = self.folder.disk.list(&self.dir()).map_err(|e| Error::io("listing", self.dir(), e))?;
        Ok(files.into_iter().filter_map(|(name, len)| Some((parse_name(&name)?, len))).collect())
    }
}

/// Whether a file has lost its name; not if that cannot be told.
fn is_removed(file: &dyn DiskRead) -> bool {
    file.is_removed().unwrap_or(false)
}

/// Closes the packs whose files were removed, so that their space comes back.
fn close_removed(cache: &mut HashMap<PackId, Arc<dyn DiskRead>>) {
    cache.retain(|_, file| !is_removed(&**file));
}

struct Writer {
    folder: Folder,
    path: PathBuf,
    file: Box<dyn DiskFile>,
    len_bytes: u64,
    entry_durable: bool,
}

impl PackWriter for Writer {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.file.write_at(self.len_bytes, bytes);
        written.map_err(|e| Error::io("appending to", &self.path, e))?;
        self.len_bytes += bytes.len() as u64;
        Ok(())
    }

    fn sync(&mut self) -> Result<()> {
        self.file.sync(SyncSite::PackData).map_err(|e| Error::io("syncing", &self.path, e))?;
        if !self.entry_durable {
            let dir = self.folder.path(names::PACKS);
            let synced = self.folder.disk.sync_dir(&dir, SyncSite::PackEntry);
            synced.map_err(|e| Error::io("syncing", dir, e))?;
            self.entry_durable = true;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
