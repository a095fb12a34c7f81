//! What lies in a real folder beside the simulated files: directories, and SQLite's files.
//!
//! SQLite is not simulated. Its commits are atomic and durable by its own account
//! (<https://www.sqlite.org/atomiccommit.html>, <https://www.sqlite.org/wal.html>), so its files are taken
//! as they stand at the cut; one that copies them while a transaction is open gets the state before it.
//! SQLite does not wait for the disk in a relaxed commit, nor in one that changes nothing: until the next
//! that does both, the files may also be as they stood before. What else is modelled is the entry of every
//! directory and database in the directory above it: not durable before a sync of that directory.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The index database of a store.
pub const INDEX: &str = "index.db";
/// Its log.
pub const WAL: &str = "index.db-wal";

/// Watches the real folder.
pub(crate) struct Real {
    /// The first directory that surely exists; the store's folder lies below it.
    base: PathBuf,
    root: PathBuf,
    /// Every file ever read, by inode. None is closed before the end: closing any handle of a file drops the
    /// locks that SQLite holds on it in this process (<https://www.sqlite.org/howtocorrupt.html>, 2.2).
    handles: BTreeMap<u64, File>,
    durable: BTreeMap<PathBuf, BTreeSet<String>>,
    /// The index and its log when the folder was last synced.
    durable_index: (Option<u64>, Option<u64>),
    last: Bytes,
    /// Index and log after the last commit, and before each relaxed one since the last durable one.
    committed: Bytes,
    older: Vec<Bytes>,
}

/// Files by name.
pub type Bytes = BTreeMap<String, Arc<Vec<u8>>>;

/// The real folder at one moment.
#[derive(Clone, Default)]
pub struct RealState {
    /// Paths below the base that exist but whose entries may be lost.
    pub(crate) unsure: Vec<PathBuf>,
    /// Directories below the base.
    pub(crate) dirs: Vec<PathBuf>,
    /// The files in the store's folder.
    pub files: Bytes,
    /// Index and log as they may stand instead.
    pub(crate) older: Vec<Bytes>,
    /// The files that had the names of index and log when the folder was last synced, if another has the
    /// index's name now.
    pub(crate) replaced: Option<Replaced>,
}

/// An index that has been replaced, if there was one, and its log.
#[derive(Clone)]
pub(crate) struct Replaced {
    pub(crate) index: Option<Arc<Vec<u8>>>,
    pub(crate) wal: Option<Arc<Vec<u8>>>,
}

fn names(dir: &Path) -> Vec<(String, std::fs::Metadata)> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut found = Vec::new();
    for entry in entries.flatten() {
        if let Ok(metadata) = entry.metadata() {
            found.push((entry.file_name().to_str().expect("names are UTF-8").to_owned(), metadata));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

/// Whether this is the index or a file beside it: SQLite looks after their entries, except while the index
/// is being replaced, which [`Replaced`] stands for.
fn is_of_index(name: &str) -> bool {
    name.starts_with(INDEX)
}

impl Real {
    pub(crate) fn new(base: &Path, root: &Path) -> Self {
        Self {
            base: base.to_path_buf(),
            root: root.to_path_buf(),
            handles: BTreeMap::new(),
            durable: BTreeMap::new(),
            durable_index: (None, None),
            last: Bytes::new(),
            committed: Bytes::new(),
            older: Vec::new(),
        }
    }

    /// The directories from the base down to the store's folder.
    fn chain(&self) -> Vec<PathBuf> {
        let mut chain: Vec<PathBuf> =
            self.root.ancestors().take_while(|dir| *dir != self.base).map(Path::to_path_buf).collect();
        chain.push(self.base.clone());
        chain.reverse();
        chain
    }

    fn read(&mut self, path: &Path) -> Option<(u64, Vec<u8>)> {
        let metadata = std::fs::metadata(path).ok()?;
        let ino = metadata.ino();
        let file = match self.handles.entry(ino) {
            std::collections::btree_map::Entry::Occupied(found) => found.into_mut(),
            std::collections::btree_map::Entry::Vacant(free) => free.insert(File::open(path).ok()?),
        };
        Some((ino, read_handle(file)))
    }

    /// The entries of a directory are durable from now on.
    pub(crate) fn sync_dir(&mut self, dir: &Path) {
        if !dir.starts_with(&self.base) {
            return;
        }
        let found = names(dir).into_iter().map(|(name, _)| name).collect();
        self.durable.insert(dir.to_path_buf(), found);
        if dir == self.root {
            let mut ino = |name| self.read(&dir.join(name)).map(|(ino, _)| ino);
            let found = (ino(INDEX), ino(WAL));
            if found.0 != self.durable_index.0 {
                // Another index: what the old one's commits were no longer matters.
                self.older.clear();
                self.committed = self.database();
            }
            self.durable_index = found;
        }
    }

    /// A commit has returned.
    pub(crate) fn committed(&mut self, relaxed: bool) {
        let now = self.database();
        if now == self.committed {
            return;
        }
        let before = std::mem::replace(&mut self.committed, now);
        if relaxed {
            self.older.push(before);
        } else {
            self.older.clear();
        }
    }

    /// The index and its log.
    fn database(&mut self) -> Bytes {
        let mut files = self.state().files;
        files.retain(|name, _| name == INDEX || name == WAL);
        files
    }

    /// Everything that is there is durable.
    pub(crate) fn sync_all(&mut self) {
        self.committed = self.database();
        self.older.clear();
        for dir in self.chain() {
            self.sync_dir(&dir);
        }
    }

    /// The folder as it is now.
    pub(crate) fn state(&mut self) -> RealState {
        let mut state = RealState::default();
        let nothing = BTreeSet::new();
        for dir in self.chain() {
            let durable = self.durable.get(&dir).unwrap_or(&nothing).clone();
            for (name, metadata) in names(&dir) {
                let path = dir.join(&name);
                let relevant = metadata.is_dir() && (dir == self.root || self.root.starts_with(&path));
                if !relevant && dir != self.root {
                    continue;
                }
                let below = path.strip_prefix(&self.base).expect("it was found there").to_path_buf();
                if !durable.contains(&name) && !is_of_index(&name) {
                    state.unsure.push(below.clone());
                }
                if metadata.is_dir() {
                    state.dirs.push(below);
                } else if !name.ends_with("-shm") {
                    state.files.insert(name, Arc::default());
                }
            }
        }
        let mut index = None;
        for (name, bytes) in &mut state.files {
            let Some((ino, now)) = self.read(&self.root.join(name)) else { continue };
            if name == INDEX {
                index = Some(ino);
            }
            // Most operations change nothing here: then the copies are shared.
            *bytes = match self.last.get(name) {
                Some(last) if **last == now => Arc::clone(last),
                _ => Arc::new(now),
            };
        }
        self.last.clone_from(&state.files);
        state.older.clone_from(&self.older);
        if self.durable_index.0 != index {
            let bytes = |ino: u64| self.handles.get(&ino).map(|file| Arc::new(read_handle(file)));
            let (index, wal) = self.durable_index;
            state.replaced = Some(Replaced { index: index.and_then(bytes), wal: wal.and_then(bytes) });
        }
        state
    }
}

fn read_handle(file: &File) -> Vec<u8> {
    let len = file.metadata().expect("an open file has metadata").len();
    let mut bytes = vec![0; len as usize];
    file.read_exact_at(&mut bytes, 0).expect("an open file can be read");
    bytes
}
