//! Keeps `refs.log` in step with the rows: appending, rewriting, and settling after a crash.
//!
//! The rows say how much of the log is committed. What lies beyond is the record of a publish that died
//! before its commit, or, if the rows are an old copy, of publishes that were acknowledged: opening the
//! store decides which. All functions run inside a write transaction, so one at a time over all processes.

use super::names;
use crate::backend::Txn;
use crate::disk::{Folder, SyncSite, read_all};
use crate::error::{Error, Result};
use crate::refs_log::{self, Log, Position, Refs};
use crate::state::{blocks, meta, refs, row};
use tidemark_base::StoreId;
use tidemark_base::codec::{Put, Reader};
use tidemark_base::limits::MAX_REFS_LOG_RECORD_BYTES;

/// A log shorter than this is never rewritten, in bytes.
const REWRITE_FROM_BYTES: u64 = 1 << 20;
/// A log is rewritten when it is this many times as long as the checkpoint it began with.
const REWRITE_FACTOR: u64 = 4;

const KEY: &[u8] = b"l";

/// The journal of one store.
#[derive(Clone)]
pub(super) struct Journal {
    folder: Folder,
    store: StoreId,
    rewrite_from_bytes: u64,
}

/// How rows and log stood to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// They agreed, or a dead publish's record was left to be overwritten.
    Agreed,
    /// The last publish had reached the log but not the rows, and was carried over.
    Advanced,
    /// The log was damaged and has been written anew from the rows.
    LogRewritten,
    /// The rows are older than the log, or lack refs that it has: they must be rebuilt.
    RowsStale,
}

pub(super) fn load(txn: &mut dyn Txn) -> Result<Option<Position>> {
    row::get(txn, KEY, |reader: &mut Reader<'_>| {
        Ok(Position {
            generation: reader.u64("generation")?,
            len_bytes: reader.u64("length")?,
            chain: reader.u64("chain")?,
            checkpoint_len_bytes: reader.u64("checkpoint length")?,
        })
    })
}

pub(super) fn store(txn: &mut dyn Txn, position: &Position) -> Result<()> {
    let mut body = Vec::with_capacity(40);
    body.put_u64(position.generation);
    body.put_u64(position.len_bytes);
    body.put_u64(position.chain);
    body.put_u64(position.checkpoint_len_bytes);
    txn.put(KEY, &row::seal(KEY, body))
}

impl Journal {
    pub(super) fn new(folder: Folder, store: StoreId, rewrite_from_bytes: Option<u64>) -> Self {
        let rewrite_from_bytes = rewrite_from_bytes.unwrap_or(REWRITE_FROM_BYTES);
        Self { folder, store, rewrite_from_bytes }
    }

    fn failed(&self, action: &'static str) -> impl FnOnce(std::io::Error) -> Error + use<> {
        let path = self.folder.path(names::REFS_LOG);
        move |e| Error::io(action, path, e)
    }

    /// Reads the whole log.
    pub(super) fn read(&self) -> Result<Log> {
        let path = self.folder.path(names::REFS_LOG);
        let bytes = read_all(&*self.folder.disk, &path).map_err(self.failed("reading"))?;
        Log::parse(&bytes, self.store, &path)
    }

    /// Makes a new log that begins with a checkpoint of these refs, and gives it the log's name.
    pub(super) fn rewrite(
        &self,
        generation: u64,
        refs: &Refs,
        version: crate::RefVersion,
    ) -> Result<Position> {
        let fresh = self.folder.path("refs.log.new");
        let disk = &self.folder.disk;
        // Left over from a crash, if it is there.
        let _ = disk.remove(&fresh);
        let header = refs_log::encode_header(self.store, generation);
        let (_, seed) = refs_log::decode_header(&header, self.store, &fresh)?;
        let body =
            refs_log::encode_checkpoint(version, refs.iter().map(|(name, found)| (name.as_str(), found)));
        if body.len() > MAX_REFS_LOG_RECORD_BYTES {
            return Err(Error::invalid(format!(
                "a store cannot hold refs of {} bytes in all: the limit is {MAX_REFS_LOG_RECORD_BYTES}",
                body.len()
            )));
        }
        let (record, chain) = refs_log::frame(seed, &body);
        let bytes = [header, record].concat();
        let mut file = disk.create(&fresh).map_err(self.failed("rewriting"))?;
        file.write_at(0, &bytes).map_err(self.failed("rewriting"))?;
        file.sync(SyncSite::LogRewrite).map_err(self.failed("rewriting"))?;
        disk.rename(&fresh, &self.folder.path(names::REFS_LOG)).map_err(self.failed("renaming"))?;
        disk.sync_dir(&self.folder.root, SyncSite::LogRename).map_err(self.failed("renaming"))?;
        let len_bytes = bytes.len() as u64;
        Ok(Position { generation, len_bytes, chain, checkpoint_len_bytes: len_bytes })
    }

    /// Appends the record of a publish and makes it durable; the transaction commits its position.
    pub(super) fn append(&self, txn: &mut dyn Txn, publish: &[u8]) -> Result<()> {
        let mut position = self.position(txn)?;
        let longest = REWRITE_FACTOR.saturating_mul(position.checkpoint_len_bytes);
        if position.len_bytes > self.rewrite_from_bytes.max(longest) {
            // By the rows, which this publish has not changed yet. The log may have been damaged since it was
            // read, and what stands behind the damage would be lost.
            let (refs, version) = (current(txn)?, meta::load(txn)?.last_version);
            position = match self.rewrite(next_generation(position.generation)?, &refs, version) {
                // Too many refs for a checkpoint: the log goes on growing until some are deleted.
                Err(Error::Invalid { .. }) => position,
                rewritten => rewritten?,
            };
        }
        let (record, chain) = refs_log::frame(position.chain, publish);
        let mut file = self
            .folder
            .disk
            .open_write(&self.folder.path(names::REFS_LOG))
            .map_err(self.failed("opening"))?;
        // What a dead publish left must not stand behind the new record.
        file.set_len(position.len_bytes).map_err(self.failed("cutting"))?;
        file.write_at(position.len_bytes, &record).map_err(self.failed("appending to"))?;
        file.sync(SyncSite::LogRecord).map_err(self.failed("syncing"))?;
        position.chain = chain;
        position.len_bytes = position.len_bytes.saturating_add(record.len() as u64);
        store(txn, &position)
    }

    /// The committed position, checked against the file that has the log's name now: a rewriting may have
    /// died between taking the name and its commit.
    fn position(&self, txn: &mut dyn Txn) -> Result<Position> {
        let path = self.folder.path(names::REFS_LOG);
        let stale =
            |problem: &str| Error::BadRow { place: path.display().to_string(), problem: problem.into() };
        let position = load(txn)?.ok_or_else(|| stale("the index does not know its length"))?;
        let file = self.folder.disk.open_read(&path).map_err(self.failed("opening"))?;
        let header = file.read_at(0, refs_log::HEADER_LEN).map_err(self.failed("reading"))?;
        let (generation, _) = refs_log::decode_header(&header.unwrap_or_default(), self.store, &path)?;
        if generation == position.generation {
            return Ok(position);
        }
        let (rows, version) = (current(txn)?, meta::load(txn)?.last_version);
        let adopted = self.adopt(&self.read()?, &rows, version)?;
        adopted.ok_or_else(|| stale("it and the index tell different stories"))
    }

    /// Where a log goes on whose rewriting died or failed before its commit: after the checkpoint it begins
    /// with, if that is what the rows say. What follows the checkpoint was not committed.
    fn adopt(&self, log: &Log, rows: &Refs, version: crate::RefVersion) -> Result<Option<Position>> {
        let position = log.after_checkpoint();
        let (logged, logged_version) = log.refs_at(position.len_bytes);
        if logged != *rows || logged_version != version {
            return Ok(None);
        }
        // The one who gave the log its name may not have come to sync it.
        let synced = self.folder.disk.sync_dir(&self.folder.root, SyncSite::LogAdopted);
        synced.map_err(self.failed("renaming"))?;
        Ok(Some(position))
    }

    /// Cuts off what lies beyond the committed position.
    pub(super) fn drop_tail(&self, txn: &mut dyn Txn) -> Result<()> {
        let position = self.position(txn)?;
        let path = self.folder.path(names::REFS_LOG);
        let found = self.folder.disk.open_read(&path).map_err(self.failed("opening"))?;
        let mut file = self.folder.disk.open_write(&path).map_err(self.failed("opening"))?;
        if found.len_bytes().map_err(self.failed("reading"))? > position.len_bytes {
            file.set_len(position.len_bytes).map_err(self.failed("cutting"))?;
        }
        // Even if there is nothing to cut: another may have cut it and died before its sync.
        file.sync(SyncSite::LogTail).map_err(self.failed("syncing"))?;
        store(txn, &position)
    }

    /// Compares rows and log after opening, and puts right what can be put right here.
    pub(super) fn settle(&self, txn: &mut dyn Txn) -> Result<Settled> {
        let (rows, version) = (current(txn)?, meta::load(txn)?.last_version);
        let (log, position) = match (self.read(), load(txn)?) {
            (Ok(log), Some(position)) => (log, position),
            (Ok(_), None) => return Ok(Settled::RowsStale),
            // A lost or damaged log is written anew from rows that are whole.
            (Err(e), Some(position)) if is_lost(&e) => {
                return self.renew(txn, position.generation, &rows, version);
            }
            (Err(e), _) => return Err(e),
        };
        let generation = log.end().generation;
        let (logged, logged_version) = if generation == position.generation {
            if !log.has_position(&position) {
                // Damage before the committed end. The rows reach further than the log.
                return self.renew(txn, generation, &rows, version);
            }
            log.refs_at(position.len_bytes)
        } else {
            if let Some(adopted) = self.adopt(&log, &rows, version)? {
                store(txn, &adopted)?;
                return self.consider_tail(txn, &log, &adopted, version);
            }
            log.refs_at(u64::MAX)
        };
        if logged == rows && logged_version == version && generation == position.generation {
            return self.consider_tail(txn, &log, &position, version);
        }
        if logged_version < version {
            // An old copy of the log.
            return self.renew(txn, position.generation.max(generation), &rows, version);
        }
        Ok(Settled::RowsStale)
    }

    /// What is wrong between rows and log, if anything: both sides must tell the same story.
    pub(super) fn compare(&self, txn: &mut dyn Txn) -> Result<Option<String>> {
        let log = match self.read() {
            Ok(log) => log,
            Err(e) => return Ok(Some(e.to_string())),
        };
        match self.compare_with(&log, txn) {
            // A row is damaged.
            Err(e @ Error::BadRow { .. }) => Ok(Some(e.to_string())),
            compared => compared,
        }
    }

    fn compare_with(&self, log: &Log, txn: &mut dyn Txn) -> Result<Option<String>> {
        let position = self.position(txn)?;
        if !log.has_position(&position) {
            let why = log.tail.as_ref().map_or_else(|| "it is too short".into(), ToString::to_string);
            return Ok(Some(format!("refs.log is damaged before its committed end: {why}")));
        }
        let (logged, version) = log.refs_at(position.len_bytes);
        if logged != current(txn)? || version != meta::load(txn)?.last_version {
            return Ok(Some("the index and refs.log have different refs".into()));
        }
        Ok(None)
    }

    /// Rows and log agree up to the committed position. One whole record beyond it is a publish that died
    /// before its commit, or the rows are one publish old: either way it counts. Its roots were there when it
    /// was written, and no collection has begun since (a collection cuts it off first): if they are not there
    /// by the rows, the rows are older than they.
    fn consider_tail(
        &self,
        txn: &mut dyn Txn,
        log: &Log,
        position: &Position,
        version: crate::RefVersion,
    ) -> Result<Settled> {
        // Whoever wrote or cut the end of the log may have died before it was synced: what is concluded from
        // it now must hold after a power cut too.
        let path = self.folder.path(names::REFS_LOG);
        let mut file = self.folder.disk.open_write(&path).map_err(self.failed("opening"))?;
        file.sync(SyncSite::LogFound).map_err(self.failed("syncing"))?;
        match log.records_beyond(position.len_bytes) {
            0 => return Ok(Settled::Agreed),
            1 => {}
            _ => return Ok(Settled::RowsStale),
        }
        let (after, after_version) = log.refs_at(u64::MAX);
        if Some(after_version.0) != version.0.checked_add(1) {
            return Ok(Settled::Agreed);
        }
        for root in after.values().flat_map(|found| &found.roots) {
            match blocks::require_kept(txn, *root) {
                Ok(()) => {}
                Err(Error::Missing { .. }) => return Ok(Settled::RowsStale),
                Err(e) => return Err(e),
            }
        }
        for name in current(txn)?.keys() {
            txn.delete(&refs::key(name))?;
        }
        for (name, found) in &after {
            refs::store(txn, name, found)?;
        }
        let mut meta = meta::load(txn)?;
        meta.last_version = after_version;
        meta::store(txn, &meta)?;
        store(txn, &log.end())?;
        Ok(Settled::Advanced)
    }

    /// Writes the log anew from the rows, behind this generation.
    fn renew(
        &self,
        txn: &mut dyn Txn,
        generation: u64,
        rows: &Refs,
        version: crate::RefVersion,
    ) -> Result<Settled> {
        let position = self.rewrite(next_generation(generation)?, rows, version)?;
        store(txn, &position)?;
        Ok(Settled::LogRewritten)
    }
}

/// The number of the next rewriting.
fn next_generation(generation: u64) -> Result<u64> {
    row::next(generation, "refs.log's count of its rewritings")
}

/// The refs as the rows have them.
fn current(txn: &mut dyn Txn) -> Result<Refs> {
    Ok(refs::list(txn, "")?.into_iter().collect())
}

/// Whether an error in reading the log means that the file is gone or damaged, rather than that the disk
/// failed or the file is somebody else's.
fn is_lost(error: &Error) -> bool {
    match error {
        Error::BadRow { .. } => true,
        Error::Io { source, .. } => {
            matches!(source.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::UnexpectedEof)
        }
        _ => false,
    }
}
