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
use std::sync::{Arc, Mutex, PoisonError};
use tidemark_base::StoreId;

/// How many packs are kept open for reading.
const OPEN_PACKS: usize = 256;

/// Access to the pack files.
pub(super) struct Packs {
    folder: Folder,
    open: Mutex<HashMap<PackId, Arc<dyn DiskRead>>>,
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
        Self { folder, open: Mutex::new(HashMap::new()) }
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
        if cache.len() >= OPEN_PACKS {
            // Reads of one time cluster in few packs: starting over is as good as keeping track.
            cache.clear();
        }
        cache.insert(id, Arc::clone(&file));
        Ok(Some(file))
    }

    /// Whether the file is what its name says and of this store.
    pub(super) fn is_of(&self, store: StoreId, id: PackId) -> Result<bool> {
        let header = self.read(id, 0, pack::PACK_HEADER_LEN)?.unwrap_or_default();
        Ok(pack::check_header(&header, store, id).is_ok())
    }

    pub(super) fn remove(&self, id: PackId) -> Result<()> {
        self.cache().remove(&id);
        let path = self.path(id);
        match self.folder.disk.remove(&path) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(Error::io("removing", path, e)),
        }
        let synced = self.folder.disk.sync_dir(&self.dir(), SyncSite::PackRemoval);
        synced.map_err(|e| Error::io("syncing", self.dir(), e))
    }

    pub(super) fn list(&self) -> Result<Vec<(PackId, u64)>> {
        let files = self.folder.disk.list(&self.dir()).map_err(|e| Error::io("listing", self.dir(), e))?;
        Ok(files.into_iter().filter_map(|(name, len)| Some((parse_name(&name)?, len))).collect())
    }
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
mod tests {
    use super::*;

    #[test]
    fn only_names_of_packs_are_packs() {
        assert_eq!(parse_name(&file_name(PackId(0x2a))), Some(PackId(0x2a)));
        for bad in [
            "",
            ".pack",
            "2a.pack",
            "000000000000002A.pack",
            "000000000000002a.pack.tmp",
            "+00000000000002a.pack",
            "8000000000000000.pack",
            "ffffffffffffffff.pack",
        ] {
            assert_eq!(parse_name(bad), None, "{bad}");
        }
    }
}
