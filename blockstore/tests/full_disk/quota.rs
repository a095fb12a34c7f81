//! The store's own files share a quota: a disk that is full to the byte.

use crate::scenario::{RESERVE_BYTES, Scenario, assert_clean, assert_full, change, put_tree, refs};
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tidemark_blockstore::disk::{Disk, DiskFile, DiskRead, OsDisk, SyncSite};
use tidemark_blockstore::{GcOptions, Quiet};

const ENOSPC: i32 = 28;

/// What the files may have together, in bytes, and what each has.
#[derive(Debug)]
struct Quota {
    bytes: u64,
    files: Mutex<HashMap<PathBuf, u64>>,
}

impl Quota {
    /// How much of a file that is to have `wanted` bytes may be there.
    fn grow(&self, path: &Path, wanted: u64) -> u64 {
        let mut files = self.files.lock().unwrap();
        let others: u64 = files.iter().filter(|(other, _)| *other != path).map(|(_, len)| len).sum();
        let len = files.entry(path.to_owned()).or_default();
        *len = wanted.min(self.bytes.saturating_sub(others)).max(*len);
        *len
    }
}

#[derive(Clone, Debug)]
struct QuotaDisk(Arc<Quota>);

/// A disk for so many bytes.
fn disk(bytes: u64) -> Arc<dyn Disk> {
    Arc::new(QuotaDisk(Arc::new(Quota { bytes, files: Mutex::default() })))
}

impl Disk for QuotaDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = OsDisk.create(path)?;
        Ok(Box::new(QuotaFile { quota: Arc::clone(&self.0), path: path.to_owned(), file }))
    }

    fn open_write(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = OsDisk.open_write(path)?;
        Ok(Box::new(QuotaFile { quota: Arc::clone(&self.0), path: path.to_owned(), file }))
    }

    fn open_read(&self, path: &Path) -> io::Result<Arc<dyn DiskRead>> {
        OsDisk.open_read(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        OsDisk.rename(from, to)?;
        let mut files = self.0.files.lock().unwrap();
        let len = files.remove(from).unwrap_or(0);
        files.insert(to.to_owned(), len);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        OsDisk.remove(path)?;
        self.0.files.lock().unwrap().remove(path);
        Ok(())
    }

    fn sync_dir(&self, dir: &Path, site: SyncSite) -> io::Result<()> {
        OsDisk.sync_dir(dir, site)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<(String, u64)>> {
        OsDisk.list(dir)
    }
}

struct QuotaFile {
    quota: Arc<Quota>,
    path: PathBuf,
    file: Box<dyn DiskFile>,
}

impl DiskFile for QuotaFile {
    /// As a disk does: what fits is written, then it fails.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let granted = self.quota.grow(&self.path, offset + bytes.len() as u64);
        let fits = granted.saturating_sub(offset).min(bytes.len() as u64) as usize;
        self.file.write_at(offset, &bytes[..fits])?;
        if fits < bytes.len() { Err(io::Error::from_raw_os_error(ENOSPC)) } else { Ok(()) }
    }

    fn set_len(&mut self, len_bytes: u64) -> io::Result<()> {
        // Cutting gives room back; nothing here makes a file longer this way.
        self.file.set_len(len_bytes)?;
        self.quota.files.lock().unwrap().insert(self.path.clone(), len_bytes);
        Ok(())
    }

    fn sync(&mut self, site: SyncSite) -> io::Result<()> {
        self.file.sync(site)
    }
}

pub(crate) fn a_full_disk_loses_nothing_and_is_got_out_of() {
    let dir = TempDir::new().unwrap();
    let scenario = Scenario::new(&dir.path().join("store"), disk(12 << 20));
    scenario.create();
    for round in 1..=4 {
        let refs = scenario.fill(round);
        scenario.make_room(round, refs);
    }
}

pub(crate) fn only_what_makes_room_uses_the_reserve() {
    let dir = TempDir::new().unwrap();
    let scenario = Scenario::new(&dir.path().join("store"), disk(6 << 20));
    scenario.create();
    scenario.fill(1);
    let store = scenario.open();
    let before = refs(&store);
    let (name, root) = before.iter().next().unwrap();
    // Setting a ref keeps more, so it has to wait for room, however small it is.
    let session = store.session(&[]).unwrap();
    assert_full(&session.publish(&[change("another name", Some(*root))]).unwrap_err());
    drop(session);
    assert_full(&put_tree(&store.session(&[]).unwrap(), 99).unwrap_err());
    assert_eq!(scenario.reserve_bytes(), RESERVE_BYTES, "neither may have it");
    assert_eq!(refs(&store), before);
    // Deleting one makes room in the end.
    store.session(&[]).unwrap().publish(&[change(name, None)]).unwrap();
    assert_eq!(scenario.reserve_bytes(), 0, "given up");
    assert_eq!(refs(&store).len(), before.len() - 1);
    // The room it left is for more of this, not for whoever tries again to put.
    assert_full(&put_tree(&store.session(&[]).unwrap(), 99).unwrap_err());
    let all: Vec<_> = before.keys().map(|name| change(name, None)).collect();
    store.session(&[]).unwrap().publish(&all).unwrap();
    store.collect(GcOptions { sweep: true, ..GcOptions::default() }, &Quiet).unwrap();
    assert_eq!(scenario.reserve_bytes(), RESERVE_BYTES, "kept back again");
    put_tree(&store.session(&[]).unwrap(), 99).unwrap();
}

/// Every pack is a quarter in use, and what is in use does not fit into the room there is: each collection
/// copies as many packs as there is room for, and those that it has emptied make room for the next.
pub(crate) fn sparse_packs_are_copied_with_little_room() {
    let dir = TempDir::new().unwrap();
    let scenario = Scenario::new(&dir.path().join("store"), disk(24 << 20));
    scenario.create();
    let store = scenario.open();
    let mut dropped = Vec::new();
    let mut publish = |n: u64| {
        let session = store.session(&[])?;
        let mut changes = vec![change(&format!("kept/{n}"), Some(put_tree(&session, 10 * n)?))];
        for part in 1..4 {
            let name = format!("dropped/{n}/{part}");
            changes.push(change(&name, Some(put_tree(&session, 10 * n + part)?)));
            dropped.push(change(&name, None));
        }
        session.publish(&changes)
    };
    let full = (1..).find_map(|n| publish(n).err()).unwrap();
    assert_full(&full);
    store.session(&[]).unwrap().publish(&dropped).unwrap();
    let kept = refs(&store);
    let tree_bytes = 520 << 10;
    let in_use = kept.len() as u64 * tree_bytes;
    assert!(in_use > 2 * RESERVE_BYTES, "{} trees are too few to be in the way", kept.len());
    let mut collections = 0;
    while store.stats(&Quiet).unwrap().pack_bytes > in_use {
        collections += 1;
        assert!(collections < 5, "{:?}", store.stats(&Quiet).unwrap());
        let report = store.collect(GcOptions { sweep: true, ..GcOptions::default() }, &Quiet).unwrap();
        assert_eq!(report.kept_by_writers, 0, "nobody writes");
        assert_eq!(refs(&store), kept);
        assert_clean(&store);
    }
    assert_eq!(scenario.reserve_bytes(), RESERVE_BYTES);
}

/// As a kill at the wrong moment leaves it.
pub(crate) fn a_reserve_cut_short_is_completed() {
    let dir = TempDir::new().unwrap();
    let scenario = Scenario::new(&dir.path().join("store"), disk(12 << 20));
    scenario.create();
    let file = std::fs::File::options().write(true).open(scenario.root.join("reserve")).unwrap();
    file.set_len(1000).unwrap();
    drop(scenario.open());
    assert_eq!(scenario.reserve_bytes(), RESERVE_BYTES);
}
