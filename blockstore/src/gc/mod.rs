//! Garbage collection: find what is in use, decide, then do it, beside running writers.
//!
//! Called through [`Store::collect`]. Marking and executing do the work, [`plan`] decides and is pure. What
//! protects concurrent sessions is in [`crate::state::collect`]; the order of steps and why it is safe in
//! `docs/ordering.md`. A collection stopped anywhere leaves a correct store; the next one goes on.

mod copy;
mod execute;
mod plan;

use crate::error::Result;
use crate::ids::OwnerId;
use crate::observer::Observer;
use crate::state::collect::{self, Begun};
use crate::state::{packs, sessions};
use crate::store::Store;
use crate::walk;
use execute::Execution;
use plan::Plan;
use std::sync::PoisonError;

/// How to collect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GcOptions {
    /// Only say what would be done.
    pub dry_run: bool,
    /// Delete what this collection condemns at once, by a second one behind it, instead of leaving it to
    /// the next collection.
    pub sweep: bool,
}

/// Sizes of a store's parts, in bytes of packs unless said otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GcFigures {
    /// Blocks that refs and sessions reach.
    pub live_blocks: u64,
    /// Their records.
    pub live_bytes: u64,
    /// Records in live packs that nothing reaches.
    pub dead_bytes: u64,
    /// Packs that wait to be deleted.
    pub condemned_bytes: u64,
    /// Packs that were deleted.
    pub reclaimed_bytes: u64,
    /// Records that were copied to do so.
    pub copied_bytes: u64,
}

/// What a collection did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GcReport {
    /// Sizes: live and dead as marked, the others as they stand at the end.
    pub figures: GcFigures,
    /// Packs deleted.
    pub deleted_packs: u64,
    /// Packs condemned.
    pub condemned_packs: u64,
    /// Packs rewritten.
    pub rewritten_packs: u64,
    /// Packs that a writer touched meanwhile; they stay.
    pub kept_by_writers: u64,
    /// Packs left alone because they are damaged, and why.
    pub damaged: Vec<String>,
    /// Whether the disk was too full to copy what is in use out of packs with little use.
    pub no_room_to_copy: bool,
}

impl Store {
    /// Collects garbage: deletes packs condemned by earlier collections, condemns those without use, and
    /// copies what is in use out of packs with little use.
    ///
    /// # Errors
    /// [`crate::Error::CollectionRunning`]; [`crate::Error::Missing`] or [`crate::Error::Damaged`] if something in use cannot be
    /// followed, in which case nothing is changed; [`crate::Error::Cancelled`]; failures of the backend.
    pub fn collect(&self, options: GcOptions, observer: &dyn Observer) -> Result<GcReport> {
        let guard = self.backend.lock_collection()?;
        let mut report = self.collect_once(options.dry_run, observer)?;
        if options.sweep && !options.dry_run {
            let begun = self.begin(&|_| Ok(false))?;
            Execution { store: self, begun: &begun, observer, report: &mut report, own: None }.sweep()?;
        }
        self.backend.restore_reserve();
        drop(guard);
        Ok(report)
    }

    fn collect_once(&self, dry_run: bool, observer: &dyn Observer) -> Result<GcReport> {
        let begun = if dry_run { self.peek()? } else { self.begin_and_end_the_dead()? };
        let marks = walk::reach(self, &begun.roots, observer, &mut |_, error| Err(error))?;
        let mut rows = Vec::new();
        self.backend.read(&mut |txn| {
            rows = packs::all(txn)?;
            Ok(())
        })?;
        let plan = Plan::make(&begun, &rows, &marks);
        let mut report = plan.report(&rows, &marks);
        if !dry_run {
            let mut execution =
                Execution { store: self, begun: &begun, observer, report: &mut report, own: None };
            execution.run(&plan, &marks)?;
        }
        Ok(report)
    }

    fn peek(&self) -> Result<Begun> {
        let mut begun = None;
        self.backend.read(&mut |txn| {
            begun = Some(collect::peek(txn)?);
            Ok(())
        })?;
        Ok(begun.expect("set by the body that has just succeeded"))
    }

    fn begin_and_end_the_dead(&self) -> Result<Begun> {
        let mut unended = self.unended.lock().unwrap_or_else(PoisonError::into_inner);
        self.write_even_if_full(&mut |txn| unended.iter().try_for_each(|id| sessions::end(txn, *id)))?;
        unended.clear();
        drop(unended);
        self.begin(&|owner| self.backend.owner_alive(owner).map(|alive| !alive))
    }

    fn begin(&self, dead: &dyn Fn(OwnerId) -> Result<bool>) -> Result<Begun> {
        let mut begun = None;
        self.write_even_if_full(&mut |txn| {
            begun = Some(collect::begin(txn, dead)?);
            Ok(())
        })?;
        Ok(begun.expect("set by the body that has just succeeded"))
    }

    /// Ends a session by force, as if its owner had died: for tests, and for operators who know that it has.
    ///
    /// # Errors
    /// Failures of the backend.
    pub fn expire_session(&self, id: crate::SessionId) -> Result<()> {
        self.backend.write(&mut |txn| crate::state::sessions::end(txn, id))
    }
}
