//! Flush: the delta becomes one patch run for each collection, and there is a new root.
//!
//! Small collections are written in parallel, large ones one after the other, each on all threads. The root depends
//! on what was applied and on where it was flushed, on nothing else. What is put is kept by the session; who calls sets the ref.

use super::all::all;
use super::told::Misfits;
use super::{State, Stored};
use crate::catalog::{self, Entry, RunStack};
use crate::delta::{Delta, Gathered, Sorted};
use crate::divergence::Span;
use crate::error::Result;
use crate::patch::Waiting;
use crate::root::{self, Root};
use crate::run::{Run, RunKind, RunWriter};
use crate::stack::bounded;
use rayon::prelude::*;
use std::borrow::Cow;
use tidemark_base::{BlockId, CollectionUuid};
use tidemark_blockstore::Session;

/// Stacks do not become higher: then some of the patch runs are merged with each other. Seldom, since what snapshots
/// keep of them is stored twice then; compaction keeps stacks lower where it pays.
pub(super) const MAX_PATCH_RUNS: usize = 64;
/// So many patches of a collection are fetched at once; one with more is large.
const PART_PATCHES: usize = 16 << 10;

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
        let none = RunStack::default();
        let stack = |uuid| self.stored.get(&uuid).map_or(&none, |stored| &stored.documents);
        let documents = runs(session, &self.documents, stack)?;
        // What holds the order of insertion is put and deleted, and never waits.
        let orders = runs(session, &self.orders, |_| &none)?;
        for Flushed { uuid, run, misfits } in documents {
            self.stored.entry(uuid).or_default().documents.patches.extend(run);
            let found = self.told(session, uuid, self.span_of(uuid), misfits)?;
            self.divergences.append(found);
        }
        for Flushed { uuid, run, .. } in orders {
            self.stored.entry(uuid).or_default().order.patches.extend(run);
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
            diverged: self.diverged(),
            filter: self.filter.clone(),
        };
        root.put(session)
    }
}

/// What became of the patches of one collection.
struct Flushed {
    uuid: CollectionUuid,
    /// Their run, if they have anything to say.
    run: Option<Run>,
    misfits: Misfits,
}

/// One patch run for each collection of a delta. `below` says what it will lie on.
fn runs<'s>(
    session: &Session,
    delta: &Delta,
    below: impl Fn(CollectionUuid) -> &'s RunStack + Sync,
) -> Result<Vec<Flushed>> {
    let collections = delta.collections().into_iter();
    let (large, small): (Vec<_>, Vec<_>) = collections.partition(|uuid| delta.len(*uuid) > PART_PATCHES);
    let large: Vec<_> = large.into_iter().map(|uuid| run(session, delta, uuid, below(uuid))).collect();
    let small = small.into_par_iter().map(|uuid| run(session, delta, uuid, below(uuid)));
    let mut runs = all(large.into_iter().chain(small.collect::<Vec<_>>()).collect())?;
    // What is told of them comes in the same order, however large they are.
    runs.sort_by_key(|flushed| flushed.uuid);
    Ok(runs)
}

fn run(session: &Session, delta: &Delta, uuid: CollectionUuid, below: &RunStack) -> Result<Flushed> {
    let mut misfits = Misfits::new();
    let sorted = delta.sorted(uuid);
    let written = RunWriter::write(session, RunKind::Patch, |writer| {
        in_parts(&sorted, |gathered| {
            gathered.iter().try_for_each(|(key, patch)| {
                let report = &mut |key: &[u8], misfit| misfits.push((key.to_vec(), misfit));
                let below = below.as_stack(&[]);
                let patch = bounded(session, below, key, Cow::Owned(patch), Waiting::MOST, report)?;
                if patch.is_nothing() { Ok(()) } else { writer.push_patch(key, &patch) }
            })
        })
    });
    let (first, last) = delta.span(uuid).map(|Span { first, last }| (first, last)).unzip();
    let run = written?.map(|run| Run { first, last, ..run });
    Ok(Flushed { uuid, run, misfits })
}

/// Hands patches on, some at once. The next ones are fetched from all over the memory meanwhile.
fn in_parts<E>(
    sorted: &Sorted<'_>,
    mut each: impl FnMut(&Gathered<'_>) -> std::result::Result<(), E>,
) -> std::result::Result<(), E> {
    let part = |number: usize| number * PART_PATCHES..(number + 1) * PART_PATCHES;
    let (mut gathered, mut next) = (Gathered::default(), Gathered::default());
    sorted.gather(part(0), &mut gathered);
    for number in 1..=sorted.len().div_ceil(PART_PATCHES) {
        let mut done = Ok(());
        if number * PART_PATCHES < sorted.len() {
            rayon::in_place_scope(|scope| {
                scope.spawn(|_| sorted.gather(part(number), &mut next));
                done = each(&gathered);
            });
        } else {
            done = each(&gathered);
        }
        done?;
        std::mem::swap(&mut gathered, &mut next);
    }
    Ok(())
}
