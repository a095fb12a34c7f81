//! Everything that the whole-engine benches ask of the engine, in one place.
//!
//! Watches run only while the engine works; making data and slices is never timed.

use crate::Stopwatch;
use crate::shop::{BEGIN, Shop, UUID};
use anyhow::{Context, Result};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tidemark_base::bson::{Doc, split};
use tidemark_base::{Timestamp, UnixMillis};
use tidemark_blockstore::{GcOptions, LocalBackend, Quiet, Store};
use tidemark_head::budget::{Budget, Share};
use tidemark_head::compaction::UNPACED;
use tidemark_head::dump::{ArchiveWriter, Compression, Versions};
use tidemark_head::export;
use tidemark_head::follow::follow;
use tidemark_head::fork::Fork;
use tidemark_head::head::{Head, HeadName};
use tidemark_head::import::Import;
use tidemark_head::run::Cached;
use tidemark_head::snapshot;
use tidemark_oplog::catalog::Collection;
use tidemark_oplog::filter::Filter;
use tidemark_oplog::slice::Link;
use tidemark_oplog::store::SliceStore;

/// What an import, or the operations that wait for a flush, may hold in memory.
pub const BUDGET_BYTES: usize = 512 << 20;

/// What a reader of single documents may hold in memory.
const CACHE_BYTES: usize = 512 << 20;

/// A head in a store of its own, and its oplog in another, so that each is counted by itself.
pub struct Engine {
    folder: PathBuf,
    head: Head,
    /// The head's part in the budget: all of it.
    share: Share,
    oplog: Store,
    /// What single documents are read through.
    reader: Cached<Store>,
}

impl Engine {
    /// Makes a store in a folder that is not there yet, and a head of a shop's documents; `watch` takes the
    /// time of the build.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn build(folder: &Path, shop: &Shop, watch: &mut Stopwatch) -> Result<Self> {
        let store = watch.time(|| anyhow::Ok(Store::new(Arc::new(LocalBackend::create(folder)?))))?;
        let mut import = watch.time(|| Import::begin(&store, BEGIN, Filter::default(), BUDGET_BYTES))?;
        let index = bson::doc! {"v": 2, "key": {"_id": 1}, "name": "_id_"}.to_vec()?;
        let (database, name) = ("shop".to_owned(), "orders".to_owned());
        let options = bson::doc! {}.to_vec()?;
        import.collection(UUID, Collection { database, name, options, indexes: vec![index] })?;
        shop.documents(&mut |batch| {
            watch.time(|| {
                let documents: Vec<Doc<'_>> = split(batch).collect::<Result<_, _>>()?;
                Ok(import.documents(UUID, &documents)?)
            })
        })?;
        let head = watch.time(|| import.finish(&Self::name()?, None).map_err(anyhow::Error::from))?;
        let oplog = oplog_of(folder);
        if oplog.exists() {
            // That of a store that stood here before.
            std::fs::remove_dir_all(&oplog)?;
        }
        Ok(Self::new(folder, head, LocalBackend::create(&oplog)?))
    }

    fn new(folder: &Path, head: Head, oplog: LocalBackend) -> Self {
        let reader = Cached::new(head.store().clone(), CACHE_BYTES);
        let (share, oplog) = (Budget::new(BUDGET_BYTES).share(), Store::new(Arc::new(oplog)));
        Self { folder: folder.to_owned(), head, share, oplog, reader }
    }

    /// Opens what [`Self::build`] made.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn open(folder: &Path) -> Result<Self> {
        let store = Store::new(Arc::new(LocalBackend::open(folder)?));
        let oplog = LocalBackend::open(&oplog_of(folder))?;
        Ok(Self::new(folder, Head::claim(&store, &Self::name()?)?, oplog))
    }

    fn name() -> Result<HeadName> {
        Ok(HeadName::new("local", "rs0")?)
    }

    /// Stores slices, as the front-end does before the daemon sees them.
    ///
    /// # Errors
    /// Those of the engine, and if the bytes are no slices that go on from those before.
    pub fn append(&self, slices: &[Vec<u8>]) -> Result<()> {
        let (stored, session) = (self.slices()?, self.oplog.session(&[])?);
        if stored.tip()?.is_none() {
            stored.start(&session, Link::genesis(BEGIN))?;
        }
        for slice in slices {
            stored.append(&session, slice)?;
        }
        Ok(())
    }

    /// Applies what is stored and was not applied; flushes when the budget says so, as in a daemon.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn follow(&mut self) -> Result<()> {
        let slices = self.slices()?;
        let tip = slices.tip()?.context("nothing was appended")?;
        let position = self.head.state().position();
        let head = &mut self.head;
        follow(&slices, &tip, position, Timestamp::MAX, &mut |entries, end| {
            head.apply(entries)?;
            end.map_or(Ok(()), |end| head.pass_slice(end))?;
            self.share.keep(head)?;
            Ok(())
        })?;
        Ok(())
    }

    fn slices(&self) -> Result<SliceStore> {
        Ok(Self::name()?.slices(&self.oplog))
    }

    /// Stores and applies slices.
    ///
    /// # Errors
    /// As [`Self::append`] and [`Self::follow`].
    pub fn apply_all(&mut self, slices: &[Vec<u8>]) -> Result<()> {
        self.append(slices)?;
        self.follow()
    }

    /// Writes what was applied.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn flush(&mut self) -> Result<()> {
        self.head.flush()?;
        Ok(())
    }

    /// Flushes and keeps the state.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn snapshot(&mut self) -> Result<()> {
        self.head.snapshot(&UnixMillis(0))?;
        Ok(())
    }

    /// What a daemon does now and then so that reading stays cheap: folds what is worth it.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn groom(&mut self) -> Result<()> {
        self.head.compact_if_worth(UNPACED)?;
        Ok(())
    }

    /// Folds everything into bases.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn compact(&mut self) -> Result<()> {
        self.head.compact()?;
        Ok(())
    }

    /// MB of all packs.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn packs_mb(&self) -> Result<f64> {
        folder_mb(&self.folder.join("packs"))
    }

    /// MB of the whole store, with index and journal.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn store_mb(&self) -> Result<f64> {
        folder_mb(&self.folder)
    }

    /// MB of blocks, as they are stored, that the head and its snapshots reach: what reading them takes.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn live_mb(&self) -> Result<f64> {
        let report = self.head.store().collect(GcOptions { dry_run: true, sweep: false }, &Quiet)?;
        Ok(report.figures.live_bytes as f64 / 1e6)
    }

    /// Removes garbage.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn collect(&self) -> Result<()> {
        self.head.store().collect(GcOptions { dry_run: false, sweep: true }, &Quiet)?;
        Ok(())
    }

    /// Reads all of the head, as an archive that goes nowhere; returns its length in bytes.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn read_all(&self) -> Result<u64> {
        let (state, store) = (self.head.state(), self.head.store());
        let plan = export::plan(state, store, &Filter::default(), false)?;
        let parts: Vec<_> = plan.entries.iter().map(|entry| entry.part.clone()).collect();
        let to =
            ArchiveWriter::new(Counted(0), "a counter", Compression::Plain, &Versions::default(), parts)?;
        Ok(export::write(state, store, &plan, to)?.0)
    }

    /// One document, of blocks that are held once they were read.
    ///
    /// # Errors
    /// Those of the engine; if it is not there.
    pub fn get(&self, id: &[u8]) -> Result<Vec<u8>> {
        let id = Doc::new(id)?.get("_id")?.ok_or_else(|| anyhow::anyhow!("an _id was asked for"))?;
        let found = self.head.state().get(&self.reader, UUID, id)?;
        found.ok_or_else(|| anyhow::anyhow!("a document that must be there is not"))
    }

    /// Lists all snapshots; returns how many there are.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn list(&self) -> Result<usize> {
        Ok(snapshot::list(self.head.store(), self.head.name())?.len())
    }

    /// Opens the state of a snapshot.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn open_snapshot(&self, id: u64) -> Result<()> {
        Fork::of_snapshot(self.head.store(), self.head.name(), id)?;
        Ok(())
    }
}

/// Where the oplog of a head's store lies.
fn oplog_of(folder: &Path) -> PathBuf {
    folder.with_extension("oplog")
}

/// MB of all files under a folder.
///
/// # Errors
/// Those of the file system.
pub fn folder_mb(folder: &Path) -> Result<f64> {
    Ok(bytes_in(folder)? as f64 / 1e6)
}

fn bytes_in(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let found = entry.metadata()?;
        bytes += if found.is_dir() { bytes_in(&entry.path())? } else { found.len() };
    }
    Ok(bytes)
}

/// Where an export goes: it is only counted.
struct Counted(u64);

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
