//! Rebuilding the index from packs and `refs.log` alone.
//!
//! Runs with the store to itself. The old index is kept beside as `index.db.broken`. Whatever lies in a
//! pack with a sound header and payload is indexed; refs are those of the log. The last publish of the log
//! may have died before its commit: it counts only if everything it reaches is there.

use super::journal::{self, Journal};
use super::locks::StoreLock;
use super::packs::Packs;
use super::{db, names, open};
use crate::disk::{Disk, Folder, OsDisk, SyncSite};
use crate::error::{Error, Result};
use crate::ids::{Epoch, PackId, RefVersion, SessionId};
use crate::pack::{self, MAX_PACK_BYTES, Scanned};
use crate::record::HEADER_LEN_U32;
use crate::refs_log::Refs;
use crate::state::blocks::{self, BlockRow};
use crate::state::meta::{self, Meta};
use crate::state::packs::{self as pack_rows, PackRow, PackState};
use crate::state::refs;
use crate::superblock::Superblock;
use std::collections::HashSet;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use tidemark_base::limits::PACK_TARGET_BYTES;
use tidemark_base::{BlockId, BlockKind};

/// What a rebuild found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepairReport {
    /// Packs indexed.
    pub packs: u64,
    /// Blocks indexed.
    pub blocks: u64,
    /// Refs taken from the log.
    pub refs: u64,
    /// Stretches of packs that hold no sound record, and packs that are not of this store.
    pub damage: Vec<String>,
    /// Whether the last publish of the log was left out because not everything it reaches is there.
    pub left_out_last_publish: bool,
}

impl fmt::Display for RepairReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} packs, {} blocks, {} refs", self.packs, self.blocks, self.refs)?;
        if self.left_out_last_publish {
            f.write_str("; the last publish was incomplete and left out")?;
        }
        match self.damage.len() {
            0 => Ok(()),
            n => write!(f, "; {n} damaged places"),
        }
    }
}

/// Rebuilds the index of the store in a folder.
///
/// # Errors
/// [`Error::Busy`] if others use the store; [`Error::NotAStore`]; a lost or unreadable `refs.log` while the
/// index is of no use either; failures of the disk.
pub fn repair(root: &Path) -> Result<RepairReport> {
    let disk: Arc<dyn Disk> = Arc::new(OsDisk);
    let root = std::path::absolute(root).map_err(|e| Error::io("finding", root, e))?;
    let folder = Folder { root, disk };
    let superblock = open::read_superblock(&folder)?;
    let _alone = StoreLock::exclusive(&folder)?;
    rebuild(&folder, &superblock, Known { lost_refs_are_accepted: true, ..Known::default() })
}

/// What an index that is to be rebuilt is still trusted with.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    /// Its refs are those of the log's end: no publish there is in doubt, whatever is missing.
    pub(super) refs: bool,
    /// An operator has asked for whatever can be had, though refs behind a damaged place of the log are lost.
    pub(super) lost_refs_are_accepted: bool,
    /// The next pack's id is not below this: ids are never reused.
    pub(super) next_pack: PackId,
}

const FRESH: &str = "index.db.new";

/// The same, for a caller that has the store to itself.
pub(super) fn rebuild(folder: &Folder, superblock: &Superblock, known: Known) -> Result<RepairReport> {
    let journal = Journal::new(folder.clone(), superblock.store, None);
    let log = journal.read().map_err(|e| match e {
        Error::Io { path, source, .. } if source.kind() == std::io::ErrorKind::NotFound => Error::BadRow {
            place: path.display().to_string(),
            problem: "it is missing, and the index is of no use either, so nothing says which blocks are in \
                      use; put back a copy of index.db or refs.log (the blocks in packs/ are untouched)"
                .into(),
        },
        other => other,
    })?;
    if !log.has_checkpoint() {
        return Err(Error::BadRow {
            place: folder.path(names::REFS_LOG).display().to_string(),
            problem: "its beginning is damaged, and the index is of no use either, so nothing says which \
                      blocks are in use; put back a copy of index.db or refs.log (the blocks in packs/ are \
                      untouched)"
                .into(),
        });
    }
    if log.goes_on_behind_tail && !known.lost_refs_are_accepted {
        return Err(Error::BadRow {
            place: folder.path(names::REFS_LOG).display().to_string(),
            problem: "it is damaged in the middle, and the index is of no use either: refs published after \
                      the damage would be lost, and their blocks with the next collection; put back a copy \
                      of index.db or refs.log, or accept the loss with `tidemark store repair`"
                .into(),
        });
    }
    remove_database(folder, FRESH)?;
    let mut report = RepairReport::default();
    let path = folder.path(FRESH);
    let connection = db::connect(&path, true)?;
    db::initialise(&connection, superblock.store)?;
    let fresh = db::Db::new(folder.clone(), path, journal, connection);
    let packs = Packs::new(folder.clone());
    let next_pack = index_packs(&fresh, &packs, superblock, &mut report)?;

    let mut end = log.end();
    let (mut refs, mut version) = log.refs_at(end.len_bytes);
    // With damage about, a block may be missing because it was damaged, not because it was never written:
    // then the publish stays, and verify names what it lost.
    let doubtful = !known.refs && report.damage.is_empty();
    if doubtful && !last_publish_is_whole(&fresh, &packs, &refs, version)? {
        end = log.before_last();
        (refs, version) = log.refs_at(end.len_bytes);
        report.left_out_last_publish = true;
    }
    if let Some(e) = &log.tail {
        report.damage.push(format!("refs.log: {e}; publishes from there on, if any were finished, are lost"));
    }
    report.refs = refs.len() as u64;
    fresh.write(&mut |txn| {
        for (name, found) in &refs {
            refs::store(txn, name, found)?;
        }
        let next_pack = PackId(next_pack).max(known.next_pack);
        let meta = Meta { next_pack, last_version: version, ..Meta::default() };
        meta::store(txn, &meta)?;
        journal::store(txn, &end)
    })?;
    fresh.fold()?;
    drop(fresh);
    replace_index(folder)?;
    Ok(report)
}

/// Indexes every sound record of every pack. Returns the next pack id.
fn index_packs(
    fresh: &db::Db,
    packs: &Packs,
    superblock: &Superblock,
    report: &mut RepairReport,
) -> Result<u64> {
    let mut list = packs.list()?;
    list.sort_unstable();
    // Whoever puts what is indexed here relies on it without writing it again, though the one who wrote it
    // may not have come to sync it.
    packs.sync_found_entries()?;
    let mut next = 1;
    for (id, file_len) in list {
        next = next.max(id.0 + 1);
        let header = packs.read(id, 0, pack::PACK_HEADER_LEN)?.unwrap_or_default();
        if let Err(e) = pack::check_header(&header, superblock.store, id) {
            report.damage.push(e.to_string());
            // A foreign or newer pack is no business of this store; one whose header is damaged is scanned
            // all the same, since each record proves itself.
            if !matches!(e, Error::BadRow { .. }) {
                continue;
            }
        }
        packs.sync_found(id)?;
        let len_bytes = file_len.min(MAX_PACK_BYTES);
        if len_bytes < file_len {
            let beyond = file_len - len_bytes;
            report.damage.push(format!("pack {id} at {len_bytes}, {beyond} bytes: no pack is so long"));
        }
        let rows = sound_records(packs, id, len_bytes, report)?;
        let records = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        let len_bytes = rows
            .iter()
            .map(|(_, row)| u64::from(row.place.offset) + u64::from(row.record_len()))
            .max()
            .unwrap_or(0);
        let state = if rows.is_empty() { PackState::Condemned } else { PackState::Live };
        let row = PackRow {
            state,
            touch_epoch: Epoch(0),
            session: SessionId(0),
            len_bytes,
            records,
            condemned_at: Epoch(0),
        };
        fresh.write(&mut |txn| {
            pack_rows::store(txn, id, &row)?;
            rows.iter().try_for_each(|(block, row)| blocks::store(txn, block, row))
        })?;
        report.packs += 1;
        report.blocks += rows.len() as u64;
    }
    Ok(next)
}

fn sound_records(
    packs: &Packs,
    id: PackId,
    file_len: u64,
    report: &mut RepairReport,
) -> Result<Vec<(BlockId, BlockRow)>> {
    let read = |offset, len| packs.read(id, offset, len);
    let mut rows: Vec<(BlockId, BlockRow)> = Vec::new();
    let mut number = 0;
    pack::scan(id, file_len, &read, |found| {
        match found {
            Scanned::Damage { offset, len_bytes, problem } => {
                report.damage.push(format!("pack {id} at {offset}, {len_bytes} bytes: {problem}"));
            }
            Scanned::Record { place, .. } if u64::from(place.offset) >= PACK_TARGET_BYTES => {
                report.damage.push(format!("{place}: a record where the pack must have ended"));
            }
            Scanned::Record { place, header } => {
                // A collection numbers the records as it finds them: those with damaged payloads count.
                let seq = number;
                number += 1;
                let payload = read(place.offset + HEADER_LEN_U32, header.stored_len)?.unwrap_or_default();
                match header.check_payload(&payload) {
                    Err(e) => report.damage.push(format!("{place}, block {}: {e}", header.id)),
                    Ok(()) => {
                        let (stored_len, plain_len) = (header.stored_len, header.plain_len);
                        rows.push((
                            header.id,
                            BlockRow { place, seq, kind: header.kind, stored_len, plain_len },
                        ));
                    }
                }
            }
        }
        Ok(())
    })?;
    Ok(rows)
}

/// Whether everything that the refs of the last publish reach is there.
fn last_publish_is_whole(fresh: &db::Db, packs: &Packs, refs: &Refs, last: RefVersion) -> Result<bool> {
    let mut todo: Vec<BlockId> =
        refs.values().filter(|found| found.version == last).flat_map(|found| found.roots.clone()).collect();
    let mut seen: HashSet<BlockId> = HashSet::new();
    while let Some(id) = todo.pop() {
        let mut found = None;
        fresh.read(&mut |txn| {
            found = blocks::load(txn, &id)?;
            Ok(())
        })?;
        let Some(row) = found else { return Ok(false) };
        if row.kind == BlockKind::Node {
            let bytes = packs.read(row.place.pack, row.place.offset, row.record_len())?.unwrap_or_default();
            let Ok(block) = crate::codec::decode(id, row.place, &bytes) else { return Ok(false) };
            let Ok(node) = crate::node::Node::decode(block.bytes()) else { return Ok(false) };
            todo.extend(node.children().filter(|child| seen.insert(*child)));
        }
    }
    Ok(true)
}

/// The files of a database beside its main one.
const SIDE_FILES: [&str; 3] = ["", "-wal", "-shm"];

fn remove_database(folder: &Folder, name: &str) -> Result<()> {
    for side in SIDE_FILES {
        let path = folder.path(&format!("{name}{side}"));
        match std::fs::remove_file(&path) {
            Ok(()) => {}
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(Error::io("removing", path, e)),
        }
    }
    Ok(())
}

/// Puts the new index in the old one's place; the old one is kept for those who want to know.
fn replace_index(folder: &Folder) -> Result<()> {
    const BROKEN: &str = "index.db.broken";
    // SQLite removes the log with the last connection. What is in it would stay behind, and whoever still has
    // it open would go on writing to it.
    let log = folder.path(&format!("{FRESH}-wal"));
    if log.exists() {
        let problem = std::io::Error::other("somebody has it open; close it, then open the store again");
        return Err(Error::io("closing", log, problem));
    }
    remove_database(folder, BROKEN)?;
    let sync =
        |site| folder.disk.sync_dir(&folder.root, site).map_err(|e| Error::io("syncing", &folder.root, e));
    // The new database is one file. The old one's side files must be gone for good before
    // another file takes its name, or SQLite would replay them into it.
    for side in ["-wal", "-shm", ""] {
        let from = folder.path(&format!("{}{side}", names::INDEX));
        let to = folder.path(&format!("{BROKEN}{side}"));
        match std::fs::rename(&from, &to) {
            Ok(()) => {}
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(Error::io("renaming", from, e)),
        }
    }
    sync(SyncSite::IndexAside)?;
    let (from, to) = (folder.path(FRESH), folder.path(names::INDEX));
    std::fs::rename(&from, &to).map_err(|e| Error::io("renaming", from, e))?;
    sync(SyncSite::IndexRename)
}
