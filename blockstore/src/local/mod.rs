//! A store in a folder of a local disk: packs, one SQLite database for the rows, `refs.log`, a superblock.
//!
//! Used by several processes at once: rows change in SQLite transactions, each session appends to packs of
//! its own, and whether a process lives is told by a file lock. The database can be lost: packs and
//! `refs.log` rebuild it ([`repair`]). Order of writes: `docs/ordering.md`. Network file systems whose locks
//! or fsyncs lie are not supported.
//!
//! ```text
//! superblock        identity and parameters, written once
//! index.db          rows (SQLite, WAL, synchronous=FULL)
//! refs.log          journal of publishes
//! packs/<id>.pack   records, append-only; id as 16 hexadecimal digits
//! locks/            store.lock, collect.lock, one file for each living process
//! reserve           space kept back for deletion on a full disk
//! ```

mod create;
mod db;
mod journal;
mod locks;
mod open;
mod packs;
mod repair;
mod reserve;

pub use open::{Healed, OpenOptions};
pub use repair::{RepairReport, repair};

/// Reads and writes the row that says how much of the log is committed.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzzing_log_position(txn: &mut dyn crate::backend::Txn) -> Result<Option<()>> {
    let Some(position) = journal::load(txn)? else { return Ok(None) };
    journal::store(txn, &position).map(Some)
}

use crate::backend::{Backend, PackWriter, TxnBody};
use crate::disk::Folder;
use crate::error::Result;
use crate::ids::{OwnerId, PackId};
use crate::scratch::Scratch;
use crate::state::packs as pack_rows;
use crate::superblock::Superblock;
use db::Db;
use locks::{OwnerLock, StoreLock};
use packs::Packs;
use reserve::Reserve;
use std::collections::HashSet;

/// Names of the files in a store's folder.
mod names {
    pub(super) const SUPERBLOCK: &str = "superblock";
    pub(super) const INDEX: &str = "index.db";
    pub(super) const REFS_LOG: &str = "refs.log";
    pub(super) const PACKS: &str = "packs";
    pub(super) const LOCKS: &str = "locks";
    pub(super) const RESERVE: &str = "reserve";
}

/// A store in a local folder.
pub struct LocalBackend {
    folder: Folder,
    superblock: Superblock,
    db: Db,
    packs: Packs,
    reserve: Reserve,
    owner: OwnerLock,
    healed: Vec<Healed>,
    // Held for as long as the store is open.
    _shared: StoreLock,
}

impl LocalBackend {
    /// What was found wrong and put right when the store was opened.
    #[must_use]
    pub fn healed(&self) -> &[Healed] {
        &self.healed
    }
}

impl std::fmt::Debug for LocalBackend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalBackend").field("root", &self.folder.root).finish_non_exhaustive()
    }
}

impl Backend for LocalBackend {
    fn scratch(&self) -> Result<Scratch> {
        Scratch::create(&self.folder.root)
    }

    fn superblock(&self) -> &Superblock {
        &self.superblock
    }

    fn read(&self, body: &mut TxnBody<'_>) -> Result<()> {
        self.packs.note_look();
        self.db.read(body)
    }

    fn write(&self, body: &mut TxnBody<'_>) -> Result<()> {
        self.db.write(body)
    }

    fn write_relaxed(&self, body: &mut TxnBody<'_>) -> Result<()> {
        self.db.write_relaxed(body)
    }

    fn create_pack(&self, id: PackId) -> Result<Box<dyn PackWriter>> {
        self.packs.create(id)
    }

    fn read_pack(&self, id: PackId, offset: u32, len: u32) -> Result<Option<Vec<u8>>> {
        self.packs.read(id, offset, len)
    }

    fn remove_pack(&self, id: PackId) -> Result<()> {
        self.packs.remove(id)
    }

    fn list_packs(&self) -> Result<Vec<(PackId, u64)>> {
        self.packs.list()
    }

    fn owner(&self) -> OwnerId {
        self.owner.id()
    }

    fn owner_alive(&self, owner: OwnerId) -> Result<bool> {
        self.owner.is_alive(owner)
    }

    fn lock_collection(&self) -> Result<Box<dyn Send>> {
        let guard = locks::lock_collection(&self.folder)?;
        self.owner.remove_dead();
        Ok(Box::new(guard))
    }

    fn audit(&self) -> Result<Vec<String>> {
        let integrity = self.db.integrity()?;
        let mut problems: Vec<String> = integrity.iter().map(|line| format!("index.db: {line}")).collect();
        problems.extend(self.db.compare_with_log()?);
        match open::read_superblock(&self.folder) {
            Ok(found) if found == self.superblock => {}
            Ok(_) => problems.push("the superblock has changed since the store was opened".into()),
            Err(e) => problems.push(e.to_string()),
        }
        // Files first: a pack made meanwhile has its row before its file.
        let files = self.packs.list()?;
        let mut known = HashSet::new();
        self.db.read(&mut |txn| {
            known = pack_rows::all(txn)?.into_iter().map(|(id, _)| id).collect();
            Ok(())
        })?;
        let unknown = files.into_iter().filter(|(id, _)| !known.contains(id));
        problems
            .extend(unknown.map(|(id, _)| format!("the index does not know pack {id}, whose file is there")));
        Ok(problems)
    }

    fn require_reserve(&self) -> Result<()> {
        self.reserve.require()
    }

    fn release_reserve(&self) -> Result<bool> {
        self.reserve.release()
    }

    fn restore_reserve(&self) {
        self.reserve.restore();
    }
}
