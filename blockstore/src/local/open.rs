//! Opening a store: checking that it is one, that index and log belong to it and to each other, and healing
//! what can be healed from packs and `refs.log`.

use super::journal::{Journal, Settled};
use super::locks::{OwnerLock, StoreLock};
use super::packs::Packs;
use super::repair::{self, Known, RepairReport};
use super::reserve::{self, Reserve};
use super::{LocalBackend, create, db, names};
use crate::disk::{Disk, Folder, OsDisk, read_all};
use crate::error::{Error, Result};
use crate::ids::PackId;
use crate::state::meta;
use crate::state::packs::{self as pack_rows, PackRow, PackState};
use crate::superblock::Superblock;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use tidemark_base::{Entropy, OsEntropy};

/// How a local store is opened. The defaults are for everything but tests.
pub struct OpenOptions {
    disk: Arc<dyn Disk>,
    reserve_bytes: u64,
    rewrite_log_from_bytes: Option<u64>,
    entropy: Box<dyn Entropy>,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            disk: Arc::new(OsDisk),
            reserve_bytes: reserve::DEFAULT_BYTES,
            rewrite_log_from_bytes: None,
            entropy: Box::new(OsEntropy),
        }
    }
}

/// Something that was found wrong when a store was opened, and put right.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Healed {
    /// The index was lost, damaged, foreign or an old copy; it was rebuilt from packs and `refs.log`.
    IndexRebuilt {
        /// What was wrong with it.
        why: String,
        /// What was found.
        report: RepairReport,
    },
    /// `refs.log` was damaged and has been written anew from the index.
    LogRewritten,
    /// The last publish had reached `refs.log` but not the index, and was carried over.
    PublishCompleted,
}

impl fmt::Display for Healed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IndexRebuilt { why, report } => {
                write!(f, "the index was rebuilt from packs and refs.log ({why}): {report}")
            }
            Self::LogRewritten => {
                f.write_str("refs.log was damaged and has been written anew from the index")
            }
            Self::PublishCompleted => f.write_str("the last publish was carried over from refs.log"),
        }
    }
}

impl OpenOptions {
    /// Uses other file operations than the operating system's: for models and fault injection.
    #[must_use]
    pub fn disk(mut self, disk: Arc<dyn Disk>) -> Self {
        self.disk = disk;
        self
    }

    /// Keeps back this much space instead of 32 MiB; 0 keeps back nothing.
    #[must_use]
    pub const fn reserve_bytes(mut self, bytes: u64) -> Self {
        self.reserve_bytes = bytes;
        self
    }

    /// Rewrites `refs.log` once it is longer than this instead of 1 MiB: for tests.
    #[must_use]
    pub const fn rewrite_log_from_bytes(mut self, bytes: u64) -> Self {
        self.rewrite_log_from_bytes = Some(bytes);
        self
    }

    /// Takes ids and salts from here: for tests that must repeat.
    #[must_use]
    pub fn entropy(mut self, entropy: Box<dyn Entropy>) -> Self {
        self.entropy = entropy;
        self
    }

    fn folder(&self, root: &Path) -> Result<Folder> {
        let root = std::path::absolute(root).map_err(|e| Error::io("finding", root, e))?;
        Ok(Folder { root, disk: Arc::clone(&self.disk) })
    }

    /// Makes a new store in an empty or missing folder and opens it.
    ///
    /// # Errors
    /// [`Error::NotEmpty`], or failures of the disk.
    pub fn create(mut self, root: &Path) -> Result<LocalBackend> {
        let superblock = Superblock::new(&mut *self.entropy);
        create::create(&self.folder(root)?, &superblock)?;
        self.open(root)
    }

    /// Opens an existing store, healing its index or log from each other if one is lost or damaged; what was
    /// healed is in [`LocalBackend::healed`].
    ///
    /// # Errors
    /// [`Error::NotAStore`], [`Error::NewerFormat`], [`Error::Foreign`]; [`Error::Busy`] if the index must be
    /// rebuilt while others use the store; failures of the disk.
    pub fn open(mut self, root: &Path) -> Result<LocalBackend> {
        let folder = self.folder(root)?;
        let superblock = read_superblock(&folder)?;
        let mut healed = Vec::new();
        // A second round after a repair; a third would mean that repair does not repair.
        for _ in 0..2 {
            let shared = StoreLock::shared(&folder)?;
            let unfit = match self.attach(&folder, &superblock) {
                Ok((db, settled)) => match judge(&folder, &superblock, &db, settled)? {
                    None => {
                        match settled {
                            Settled::Advanced => healed.push(Healed::PublishCompleted),
                            Settled::LogRewritten => healed.push(Healed::LogRewritten),
                            Settled::Agreed | Settled::RowsStale => {}
                        }
                        let owner = OwnerLock::take(&folder, &mut *self.entropy)?;
                        let reserve = Reserve::new(folder.clone(), self.reserve_bytes);
                        reserve.restore();
                        let packs = Packs::new(folder.clone());
                        return Ok(LocalBackend {
                            folder,
                            superblock,
                            db,
                            packs,
                            reserve,
                            owner,
                            healed,
                            _shared: shared,
                        });
                    }
                    Some(unfit) => unfit,
                },
                Err(e) if is_lost(&e) => Unfit { why: e.to_string(), known: Known::default() },
                Err(e) => return Err(e),
            };
            drop(shared);
            let alone = StoreLock::exclusive(&folder)?;
            let Unfit { why, known } = unfit;
            let report = repair::rebuild(&folder, &superblock, known)?;
            drop(alone);
            healed.push(Healed::IndexRebuilt { why, report });
        }
        Err(Error::BadRow {
            place: folder.path(names::INDEX).display().to_string(),
            problem: "it still does not fit packs and refs.log after a rebuild; keep a copy of the folder"
                .into(),
        })
    }

    /// Opens index and log, and brings them together.
    fn attach(&self, folder: &Folder, superblock: &Superblock) -> Result<(db::Db, Settled)> {
        let path = folder.path(names::INDEX);
        if !path.exists() {
            return Err(Error::BadRow { place: path.display().to_string(), problem: "it is missing".into() });
        }
        let connection = db::connect(&path, false)?;
        let found = db::store_of(&connection)?;
        if found != superblock.store {
            return Err(Error::Foreign { path, found, expected: superblock.store });
        }
        let journal = Journal::new(folder.clone(), superblock.store, self.rewrite_log_from_bytes);
        let db = db::Db::new(folder.clone(), path, journal, connection);
        let settled = db.settle()?;
        Ok((db, settled))
    }
}

/// Why the index must be rebuilt, if it must.
fn judge(folder: &Folder, superblock: &Superblock, db: &db::Db, settled: Settled) -> Result<Option<Unfit>> {
    if settled == Settled::RowsStale {
        let why = "it is older than refs.log, or lacks refs".into();
        return Ok(Some(Unfit { why, known: Known::default() }));
    }
    // Its refs are those of the log, or it would not have come to this.
    let known = |next_pack| Known { refs: true, next_pack, ..Known::default() };
    match misfit(folder, superblock, db) {
        Ok(None) => Ok(None),
        Ok(Some((why, next_pack))) => Ok(Some(Unfit { why, known: known(next_pack) })),
        // The row of a pack is damaged; that of the counters may be sound.
        Err(e) if is_lost(&e) => {
            Ok(Some(Unfit { why: e.to_string(), known: known(next_pack(db).unwrap_or_default()) }))
        }
        Err(e) => Err(e),
    }
}

/// How the index does not fit the packs, if it does not, and the next pack's id.
fn misfit(folder: &Folder, superblock: &Superblock, db: &db::Db) -> Result<Option<(String, PackId)>> {
    // The packs are listed between two looks at the rows: others may be at work.
    let packs = Packs::new(folder.clone());
    let before = pack_table(db)?;
    let files: BTreeSet<PackId> = packs.list()?.into_iter().map(|(id, _)| id).collect();
    let after = pack_table(db)?;
    let is_known = |id: &PackId| before.holds.contains_key(id) || after.holds.contains_key(id);
    let is_relied_on =
        |id: &PackId| before.holds.get(id) == Some(&true) && after.holds.get(id) == Some(&true);
    let mut unknown = None;
    for id in files.iter().filter(|id| !is_known(id)) {
        // A pack of another store has no row and gets none; only its number must be out of the way.
        if *id >= after.next_pack || packs.is_of(superblock.store, *id)? {
            unknown.get_or_insert(*id);
        }
    }
    let why = if let Some(id) = unknown {
        format!("it is older than the packs: it does not know pack {id}")
    } else if let Some(id) = after.holds.keys().find(|id| is_relied_on(id) && !files.contains(id)) {
        // A pack that a collection has deleted since the index was copied, or that was lost: what the
        // index has in it must not be taken for there by the next put.
        format!("it knows pack {id}, which is gone")
    } else {
        return Ok(None);
    };
    Ok(Some((why, after.next_pack)))
}

fn next_pack(db: &db::Db) -> Result<PackId> {
    let mut next = PackId::default();
    db.read(&mut |txn| {
        next = meta::load(txn)?.next_pack;
        Ok(())
    })?;
    Ok(next)
}

/// An index that must be rebuilt.
struct Unfit {
    why: String,
    known: Known,
}

/// What the index says of packs.
struct PackTable {
    next_pack: PackId,
    /// Each pack, and whether it holds something to be relied on.
    holds: BTreeMap<PackId, bool>,
}

/// Reading the rows of all packs also finds damaged ones.
fn pack_table(db: &db::Db) -> Result<PackTable> {
    let mut table = PackTable { next_pack: PackId(0), holds: BTreeMap::new() };
    db.read(&mut |txn| {
        let holds = |pack: &PackRow| pack.state != PackState::Deleting && pack.records > 0;
        table.next_pack = meta::load(txn)?.next_pack;
        table.holds = pack_rows::all(txn)?.into_iter().map(|(id, pack)| (id, holds(&pack))).collect();
        Ok(())
    })?;
    Ok(table)
}

/// Whether an error means that the index is of no use, rather than that the disk or a lock is.
fn is_lost(error: &Error) -> bool {
    match error {
        Error::BadRow { .. } => true,
        Error::Foreign { path, .. } => path.file_name().is_some_and(|name| name == names::INDEX),
        Error::Database { source, .. } => matches!(
            source.sqlite_error_code(),
            Some(
                rusqlite::ErrorCode::DatabaseCorrupt
                    | rusqlite::ErrorCode::NotADatabase
                    | rusqlite::ErrorCode::Unknown
            )
        ),
        _ => false,
    }
}

/// Reads the superblock of a folder that should hold a store.
pub(super) fn read_superblock(folder: &Folder) -> Result<Superblock> {
    let path = folder.path(names::SUPERBLOCK);
    let not_a_store = |why: &str| Error::NotAStore { path: folder.root.clone(), why: why.into() };
    let bytes = match read_all(&*folder.disk, &path) {
        Ok(bytes) => bytes,
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Err(if !folder.root.exists() {
                not_a_store("it does not exist")
            } else if !folder.root.is_dir() {
                not_a_store("it is not a folder")
            } else if folder.path(names::INDEX).exists() {
                not_a_store("its superblock is missing: its making was cut short, or the file was lost")
            } else {
                not_a_store("it has no superblock")
            });
        }
        Err(e) => return Err(Error::io("reading", path, e)),
    };
    Superblock::decode(&bytes, &path)
}

impl LocalBackend {
    /// Makes a new store; see [`OpenOptions::create`].
    ///
    /// # Errors
    /// As [`OpenOptions::create`].
    pub fn create(root: &Path) -> Result<Self> {
        OpenOptions::default().create(root)
    }

    /// Opens an existing store; see [`OpenOptions::open`].
    ///
    /// # Errors
    /// As [`OpenOptions::open`].
    pub fn open(root: &Path) -> Result<Self> {
        OpenOptions::default().open(root)
    }
}
