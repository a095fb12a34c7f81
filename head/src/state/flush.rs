//! Flush: the delta becomes one patch run for each collection, and there is a new root.
//!
//! Collections are written in parallel. The root depends on what was applied and on where it was flushed,
//! on nothing else. What is put is kept by the session; who calls sets the ref.

use super::{State, Stored};
use crate::catalog::{self, Entry};
use crate::delta::{Delta, Span};
use crate::error::Result;
use crate::root::{self, Root};
use crate::run::{Run, RunKind, RunWriter};
use rayon::prelude::*;
use tidemark_base::{BlockId, CollectionUuid};
use tidemark_blockstore::Session;

/// Stacks do not become higher: then the patch runs are merged with each other.
const MAX_PATCH_RUNS: usize = 32;

impl State {
    /// Writes what was applied since the last flush, and returns the root of the state. The session must pin
    /// what the state stands on.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn flush(&mut self, session: &Session) -> Result<BlockId> {
        self.check_usable()?;
        let outcome = self.flush_runs(session).and_then(|()| self.put_root(session));
        self.note(outcome)
    }

    pub(super) fn flush_runs(&mut self, session: &Session) -> Result<()> {
        let documents = runs(session, &self.documents)?;
        let orders = runs(session, &self.orders)?;
        for (uuid, run) in documents {
            self.stored.entry(uuid).or_default().documents.patches.push(run);
        }
        for (uuid, run) in orders {
            self.stored.entry(uuid).or_default().order.patches.push(run);
        }
        self.documents.clear();
        self.orders.clear();
        let is_high = |stored: &Stored| {
            stored.documents.patches.len().max(stored.order.patches.len()) >= MAX_PATCH_RUNS
        };
        let high: Vec<_> = self.stored.iter().filter(|(_, it)| is_high(it)).map(|(uuid, _)| *uuid).collect();
        high.into_iter().try_for_each(|uuid| self.merge_runs(session, uuid))
    }

    /// Writes catalog and root.
    pub(super) fn put_root(&self, session: &Session) -> Result<BlockId> {
        let entries = self.catalog.iter().map(|(uuid, collection)| {
            let Stored { documents, order, next_order } = self.stored.get(&uuid).cloned().unwrap_or_default();
            (uuid, Entry { collection: collection.clone(), documents, order, next_order })
        });
        let entries: Vec<_> = entries.collect();
        let catalog = catalog::write(session, entries.iter().map(|(uuid, entry)| (*uuid, entry)))?;
        let open = self.assembler.open_entries().into_iter().map(|(_, entry)| entry);
        let root = Root {
            at: self.at,
            read_to: self.read_to,
            link: self.link,
            fuzzy_until: self.fuzzy_until,
            catalog,
            open: root::put_open(session, open)?,
        };
        root.put(session)
    }
}

/// One patch run for each collection of a delta that has anything to say.
fn runs(session: &Session, delta: &Delta) -> Result<Vec<(CollectionUuid, Run)>> {
    let collections: Vec<CollectionUuid> = delta.collections().into_iter().collect();
    let runs: Result<Vec<_>> = collections
        .into_par_iter()
        .map(|uuid| Ok(run(session, delta, uuid)?.map(|run| (uuid, run))))
        .collect();
    Ok(runs?.into_iter().flatten().collect())
}

fn run(session: &Session, delta: &Delta, uuid: CollectionUuid) -> Result<Option<Run>> {
    let mut writer = RunWriter::new(session, RunKind::Patch);
    for (key, patch) in delta.sorted(uuid) {
        if !patch.is_nothing() {
            writer.push_patch(key, patch)?;
        }
    }
    let (first, last) = delta.span(uuid).map(|Span { first, last }| (first, last)).unzip();
    Ok(writer.finish()?.map(|run| Run { first, last, ..run }))
}
