//! What a power cut leaves: a seeded choice among everything that the syncs so far allow.
//!
//! Unsynced writes survive in any subset of their 512-byte sectors; a file's length may be any between the
//! synced and the newest; unsynced directory operations survive in any subset. Written into a real folder,
//! for a store to be opened on.

use super::files::{Dir, Fate, FileChange, FileOp, Inode, apply, apply_entry, write_part};
use super::machine::{Account, Cut};
use super::real::{INDEX, RealState, WAL};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tidemark_base::SeededEntropy;

const SECTOR_BYTES: usize = 512;

/// Decides what survives. Each image leans one way, so that extremes come up as often as mixtures.
struct Chance {
    random: SeededEntropy,
    data_percent: u64,
    entry_percent: u64,
}

impl Chance {
    fn new(seed: u64) -> Self {
        let mut random = SeededEntropy::new(seed);
        let mut lean = || [0, 10, 50, 50, 90, 100][random.below(6) as usize];
        let (data_percent, entry_percent) = (lean(), lean());
        Self { random, data_percent, entry_percent }
    }

    fn data(&mut self) -> bool {
        self.random.below(100) < self.data_percent
    }

    fn entry(&mut self) -> bool {
        self.random.below(100) < self.entry_percent
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.random.below(bound)
    }
}

/// A file's bytes after the cut.
fn file(inode: &Inode, chance: &mut Chance) -> Vec<u8> {
    let mut bytes = inode.base.to_vec();
    let synced = inode.ops.iter().rposition(|op| op.fate == Fate::Durable);
    let certain = synced.map_or(bytes.len() as u64, |at| inode.ops[at].len_after);
    for op in &inode.ops {
        if op.fate == Fate::Durable {
            apply(&mut bytes, &op.change);
        } else {
            apply_in_part(&mut bytes, op, chance);
        }
    }
    let unsure = &inode.ops[synced.map_or(0, |at| at + 1)..];
    let lens = || unsure.iter().map(|op| op.len_after).chain([certain]);
    let (shortest, longest) = (lens().min().unwrap_or(certain), lens().max().unwrap_or(certain));
    let len = match chance.data() {
        true => unsure.last().map_or(certain, |op| op.len_after),
        false if chance.data() => shortest + chance.below(longest - shortest + 1),
        false => certain,
    };
    bytes.resize(len as usize, 0);
    bytes
}

fn apply_in_part(bytes: &mut Vec<u8>, op: &FileOp, chance: &mut Chance) {
    match &op.change {
        FileChange::SetLen(_) => {
            if chance.data() {
                apply(bytes, &op.change);
            }
        }
        FileChange::Write { offset, bytes: written } => {
            let mut from = 0;
            while from < written.len() {
                let at = *offset as usize + from;
                let len = (SECTOR_BYTES - at % SECTOR_BYTES).min(written.len() - from);
                if chance.data() {
                    write_part(bytes, at, &written[from..from + len]);
                }
                from += len;
            }
        }
    }
}

/// A directory's entries after the cut.
fn entries(dir: &Dir, chance: &mut Chance) -> BTreeMap<String, usize> {
    let mut entries = dir.base.clone();
    for change in &dir.ops {
        if chance.entry() {
            apply_entry(&mut entries, change);
        }
    }
    entries
}

/// The real files after the cut, by path below the base, and the directories.
fn real(state: &RealState, store: &Path, chance: &mut Chance) -> (Vec<PathBuf>, BTreeMap<PathBuf, Vec<u8>>) {
    let mut gone: Vec<&PathBuf> = Vec::new();
    for path in &state.unsure {
        if !chance.entry() {
            gone.push(path);
        }
    }
    let mut files: BTreeMap<PathBuf, Vec<u8>> =
        state.files.iter().map(|(name, bytes)| (store.join(name), bytes.to_vec())).collect();
    let (index, wal) = (store.join(INDEX), store.join(WAL));
    if let Some(old) = &state.replaced {
        // The folder was not synced since the index was replaced: each of its two names may have the old file
        // or the new one, or the old index be aside already and the new one not in its place.
        if !chance.entry() {
            let newer = files.remove(&index);
            files.extend(newer.map(|newer| (store.join("index.db.new"), newer)));
            let name = if chance.below(3) == 0 { "index.db.broken" } else { INDEX };
            files.extend(old.index.as_ref().map(|old| (store.join(name), old.to_vec())));
        }
        // A log of the new index is there to stay, since SQLite syncs the folder when it makes one.
        if !files.contains_key(&wal) && !chance.entry() {
            files.extend(old.wal.as_ref().map(|old| (wal, old.to_vec())));
        }
    } else if !state.older.is_empty() && !chance.data() {
        let older = &state.older[chance.below(state.older.len() as u64) as usize];
        files.remove(&wal);
        files.extend(older.iter().map(|(name, bytes)| (store.join(name), bytes.to_vec())));
    }
    let exists = |path: &PathBuf| !gone.iter().any(|gone| path.starts_with(gone));
    files.retain(|path, _| exists(path));
    (state.dirs.iter().filter(|path| exists(path)).cloned().collect(), files)
}

/// Writes the image that `seed` chooses into `target`, and returns the store's folder in it.
///
/// # Panics
/// If the image cannot be written.
pub fn build<A: Account>(cut: &Cut<A>, base: &Path, root: &Path, seed: u64, target: &Path) -> PathBuf {
    let mut chance = Chance::new(seed);
    let store = root.strip_prefix(base).expect("the store lies below the base");
    let (dirs, real_files) = real(&cut.real, store, &mut chance);
    for dir in &dirs {
        // A directory above may be lost; then so is this one.
        let _ = std::fs::create_dir(target.join(dir));
    }
    for (path, bytes) in real_files {
        put(&target.join(path), &bytes);
    }
    for (dir, simulated) in &cut.files.dirs {
        let Ok(below) = dir.strip_prefix(base) else { continue };
        for (name, ino) in entries(simulated, &mut chance) {
            let bytes = file(&cut.files.inodes[ino], &mut chance);
            put(&target.join(below).join(name), &bytes);
        }
    }
    target.join(store)
}

/// Writes a file, unless its directory was lost.
fn put(path: &Path, bytes: &[u8]) {
    if path.parent().is_some_and(Path::is_dir) {
        std::fs::write(path, bytes).expect("an image can be written");
    }
}
