//! Files and directories as a machine has them: what programs see now, and what a power cut may leave.
//!
//! Every change is kept as an operation with its fate until a sync makes it durable. [`super::image`] builds
//! from that what a cut leaves. A failed sync of a file loses its operations for good, although programs go on seeing
//! them: the kernel marks the pages clean (<https://lwn.net/Articles/752063/>).

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is known of an operation's durability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// A later sync makes it durable.
    Unsynced,
    /// It may be on the disk or not; no later sync changes that.
    Lost,
    /// It is on the disk.
    Durable,
}

#[derive(Clone)]
pub(crate) enum FileChange {
    Write { offset: u64, bytes: Arc<[u8]> },
    SetLen(u64),
}

#[derive(Clone)]
pub(crate) struct FileOp {
    pub(crate) change: FileChange,
    pub(crate) fate: Fate,
    /// The file's length after it.
    pub(crate) len_after: u64,
}

/// A file, whatever its names.
#[derive(Clone, Default)]
pub(crate) struct Inode {
    pub(crate) base: Arc<Vec<u8>>,
    pub(crate) ops: Vec<FileOp>,
    newest: Arc<Vec<u8>>,
}

/// Number of a file.
pub(crate) type Ino = usize;

#[derive(Clone, Debug)]
pub(crate) enum DirChange {
    Link { name: String, ino: Ino },
    Rename { from: String, to: String, ino: Ino },
    Unlink { name: String, ino: Ino },
}

#[derive(Clone, Default)]
pub(crate) struct Dir {
    pub(crate) base: BTreeMap<String, Ino>,
    /// Not synced yet.
    pub(crate) ops: Vec<DirChange>,
    newest: BTreeMap<String, Ino>,
}

/// All files and directories.
#[derive(Clone, Default)]
pub(crate) struct Files {
    pub(crate) inodes: Vec<Inode>,
    pub(crate) dirs: BTreeMap<PathBuf, Dir>,
}

/// Applies a whole change to bytes.
pub(crate) fn apply(bytes: &mut Vec<u8>, change: &FileChange) {
    match change {
        FileChange::SetLen(len) => bytes.resize(*len as usize, 0),
        FileChange::Write { offset, bytes: written } => write_part(bytes, *offset as usize, written),
    }
}

/// Writes at an offset, filling a gap before it with zeros.
pub(crate) fn write_part(bytes: &mut Vec<u8>, offset: usize, part: &[u8]) {
    let end = offset + part.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[offset..end].copy_from_slice(part);
}

/// Applies a whole change to the entries of a directory.
pub(crate) fn apply_entry(entries: &mut BTreeMap<String, Ino>, change: &DirChange) {
    match change {
        DirChange::Link { name, ino } => drop(entries.insert(name.clone(), *ino)),
        DirChange::Rename { from, to, ino } => {
            if entries.get(from) == Some(ino) {
                entries.remove(from);
            }
            entries.insert(to.clone(), *ino);
        }
        DirChange::Unlink { name, ino } => {
            if entries.get(name) == Some(ino) {
                entries.remove(name);
            }
        }
    }
}

impl Inode {
    fn change(&mut self, change: FileChange) {
        apply(Arc::make_mut(&mut self.newest), &change);
        let len_after = self.newest.len() as u64;
        self.ops.push(FileOp { change, fate: Fate::Unsynced, len_after });
    }

    fn settle(&mut self, fate: Fate) {
        for op in self.ops.iter_mut().filter(|op| op.fate == Fate::Unsynced) {
            op.fate = fate;
        }
        let durable = self.ops.iter().take_while(|op| op.fate == Fate::Durable).count();
        for op in self.ops.drain(..durable) {
            apply(Arc::make_mut(&mut self.base), &op.change);
        }
    }
}

impl Dir {
    fn change(&mut self, change: DirChange) {
        apply_entry(&mut self.newest, &change);
        self.ops.push(change);
    }

    fn settle(&mut self) {
        self.ops.clear();
        self.base.clone_from(&self.newest);
    }
}

/// Splits a path into its directory and its name.
fn split(path: &Path) -> (PathBuf, String) {
    let dir = path.parent().expect("files lie in a directory");
    let name = path.file_name().expect("files have names");
    (dir.to_path_buf(), name.to_str().expect("names are UTF-8").to_owned())
}

impl Files {
    pub(crate) fn find(&self, path: &Path) -> io::Result<Ino> {
        let (dir, name) = split(path);
        let found = self.dirs.get(&dir).and_then(|dir| dir.newest.get(&name)).copied();
        found.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(crate) fn bytes(&self, ino: Ino) -> Arc<Vec<u8>> {
        Arc::clone(&self.inodes[ino].newest)
    }

    pub(crate) fn create(&mut self, path: &Path) -> io::Result<Ino> {
        if self.find(path).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let (dir, name) = split(path);
        let ino = self.inodes.len();
        self.inodes.push(Inode::default());
        self.dirs.entry(dir).or_default().change(DirChange::Link { name, ino });
        Ok(ino)
    }

    pub(crate) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let ino = self.find(from)?;
        let ((dir, from), (same, to)) = (split(from), split(to));
        assert_eq!(dir, same, "a store renames within one directory");
        self.dirs.entry(dir).or_default().change(DirChange::Rename { from, to, ino });
        Ok(())
    }

    pub(crate) fn remove(&mut self, path: &Path) -> io::Result<()> {
        let ino = self.find(path)?;
        let (dir, name) = split(path);
        self.dirs.entry(dir).or_default().change(DirChange::Unlink { name, ino });
        Ok(())
    }

    pub(crate) fn write(&mut self, ino: Ino, offset: u64, bytes: &[u8]) {
        self.inodes[ino].change(FileChange::Write { offset, bytes: bytes.into() });
    }

    pub(crate) fn set_len(&mut self, ino: Ino, len: u64) {
        self.inodes[ino].change(FileChange::SetLen(len));
    }

    /// Gives the unsynced operations on a file their fate.
    pub(crate) fn settle(&mut self, ino: Ino, fate: Fate) {
        self.inodes[ino].settle(fate);
    }

    /// Makes the entries of a directory durable.
    pub(crate) fn settle_dir(&mut self, dir: &Path) {
        self.dirs.entry(dir.to_path_buf()).or_default().settle();
    }

    pub(crate) fn list(&self, dir: &Path) -> Vec<(String, u64)> {
        let entries = self.dirs.get(dir).into_iter().flat_map(|dir| &dir.newest);
        entries.map(|(name, ino)| (name.clone(), self.inodes[*ino].newest.len() as u64)).collect()
    }
}
