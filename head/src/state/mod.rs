//! A state of a replica set: a root, and in memory what was applied to it since.
//!
//! The engine below heads, forks and imports, none of which it knows: it applies oplog entries, writes what
//! they did as runs, and names the result by a root. It sets no refs. Apply and flush may come in any
//! portions: the same entries flushed at the same points give the same root, whatever the batches and
//! threads. A transaction is applied whole where it commits; until then its entries are held, and go into
//! roots as they are.
//!
//! After an error that left it half changed a state refuses everything ([`HeadError::Broken`]): it is opened
//! again from its root, and nothing is lost, since the oplog after the root is still there.

mod adopt;
mod all;
mod bulk;
mod capped;
mod command;
mod compact;
mod flush;
mod history;
mod in_order;
mod position;
mod put;
mod read;
mod route;
mod take;
mod told;

pub(crate) use all::is_consequence;
pub(crate) use history::is_lower;
pub use position::Position;

use crate::budget::Held;
use crate::catalog::{self, RunStack};
use crate::delta::Delta;
use crate::divergences::{Diverged, Divergences};
use crate::error::{self, HeadError, Result};
use crate::root::{self, Root};
use crate::run::Source;
use std::collections::{BTreeMap, BTreeSet};
use tidemark_base::bson::{Doc, split};
use tidemark_base::{BlockId, CollectionUuid, OpTime, Timestamp};
use tidemark_oplog::catalog::{Catalog, Collection};
use tidemark_oplog::entry::Fuzzy;
use tidemark_oplog::filter::Filter;
use tidemark_oplog::slice::Link;
use tidemark_oplog::transactions::Assembler;

/// What a state has of a collection beside its name, options and indexes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Stored {
    documents: RunStack,
    order: RunStack,
    next_order: u64,
}

/// A root and what was applied since.
#[derive(Debug)]
pub struct State {
    filter: Filter,
    at: OpTime,
    read_to: Timestamp,
    link: Link,
    fuzzy_until: Option<Timestamp>,
    catalog: Catalog,
    stored: BTreeMap<CollectionUuid, Stored>,
    /// The collections whose order of insertion is data.
    capped: BTreeSet<CollectionUuid>,
    /// What was done to documents.
    documents: Delta,
    /// The same for the documents that hold the order of capped collections.
    orders: Delta,
    assembler: Assembler,
    /// What was found since somebody asked.
    divergences: Divergences,
    /// What was found before that.
    diverged_before: Diverged,
    is_broken: bool,
}

impl State {
    /// The state before anything, at a position: entries after it are applied, those up to it may be fed in
    /// for the sake of transactions that are open there.
    #[must_use]
    pub fn empty(at: OpTime, filter: Filter) -> Self {
        let root = Root { read_to: Timestamp::ZERO, filter, ..Root::empty(at) };
        Self::new(&root, Assembler::new(at.ts))
    }

    fn new(root: &Root, assembler: Assembler) -> Self {
        Self {
            filter: root.filter.clone(),
            at: root.at,
            read_to: root.read_to,
            link: root.link,
            fuzzy_until: root.fuzzy_until,
            catalog: Catalog::new(),
            stored: BTreeMap::new(),
            capped: BTreeSet::new(),
            documents: Delta::new(),
            orders: Delta::new(),
            assembler,
            divergences: Divergences::default(),
            diverged_before: root.diverged,
            is_broken: false,
        }
    }

    /// Opens the state of a root.
    ///
    /// # Errors
    /// Damage of the root or its catalog; failures of the store.
    pub fn open(source: &dyn Source, id: BlockId) -> Result<Self> {
        let root = Root::read(source, id)?;
        let open = root::read_open(source, id, &root.open)?;
        let entries: Vec<Doc<'_>> = split(&open)
            .collect::<Result<_, _>>()
            .map_err(|problem| HeadError::BadRoot { block: id, problem })?;
        let mut assembler = Assembler::rebuild(root.at.ts, entries)?;
        if root.read_to >= root.at.ts {
            // A later term of an entry that was no step of a transaction ended what is not in the root.
            assembler.pass(root.at);
        }
        let mut state = Self::new(&root, assembler);
        for (uuid, entry) in catalog::read(source, root.catalog.as_ref())? {
            let catalog::Entry { collection, documents, order, next_order } = entry;
            state.catalog.insert(uuid, collection);
            state.stored.insert(uuid, Stored { documents, order, next_order });
            state.note_options(uuid);
        }
        Ok(state)
    }

    /// The last entry that is applied.
    #[must_use]
    pub const fn at(&self) -> OpTime {
        self.at
    }

    /// The last end of a slice that was passed: slices are read on from there.
    #[must_use]
    pub const fn link(&self) -> Link {
        self.link
    }

    /// From where on the state is consistent, if it is not from the start.
    #[must_use]
    pub const fn fuzzy_until(&self) -> Option<Timestamp> {
        self.fuzzy_until
    }

    /// Says that what the state holds was copied while it changed: entries up to `until`, inclusive, are
    /// applied tolerantly, and the state is consistent only after them.
    pub const fn set_fuzzy_until(&mut self, until: Option<Timestamp>) {
        self.fuzzy_until = until;
    }

    /// Fails unless the state is one that the source had.
    ///
    /// # Errors
    /// [`HeadError::Fuzzy`].
    pub fn require_consistent(&self) -> Result<()> {
        match self.fuzzy_until {
            Some(until) if until > self.at.ts => Err(HeadError::Fuzzy { at: self.at, until }),
            _ => Ok(()),
        }
    }

    /// The collections.
    #[must_use]
    pub const fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// How much memory is held by what was not flushed, in bytes.
    #[must_use]
    pub fn delta_bytes(&self) -> usize {
        let Held { delta_bytes, open_bytes } = self.held();
        delta_bytes + open_bytes
    }

    /// The same, apart: what a flush gives back, and what it does not.
    #[must_use]
    pub fn held(&self) -> Held {
        let delta_bytes = self.documents.bytes() + self.orders.bytes();
        Held { delta_bytes, open_bytes: self.assembler.held_bytes() }
    }

    /// How many transactions are open.
    #[must_use]
    pub fn open_transactions(&self) -> usize {
        self.assembler.open_len()
    }

    /// What was found not to fit since this was asked last.
    pub fn take_divergences(&mut self) -> Divergences {
        self.diverged_before = self.diverged();
        std::mem::take(&mut self.divergences)
    }

    /// What was found not to fit since the state was built, whoever was told of it. What lies in patches that
    /// were not folded yet is found only by reading them.
    #[must_use]
    pub fn diverged(&self) -> Diverged {
        self.diverged_before.and(self.divergences.diverged())
    }

    /// Applies entries, in the order of the oplog, at least one transaction or entry whole. Entries that were
    /// taken in before are passed over, so that a batch may overlap what came before. `source` is read only for
    /// rare operations on capped collections.
    ///
    /// # Errors
    /// [`HeadError::Entry`] for what is broken or not known: nothing of the batch is applied if it is seen
    /// while parsing. [`HeadError::Order`], [`HeadError::Fork`], [`HeadError::NeedsResync`].
    pub fn apply(&mut self, source: &dyn Source, entries: &[Doc<'_>]) -> Result<()> {
        self.check_usable()?;
        let fuzzy = Fuzzy { until: self.fuzzy_until };
        let (parsed, routed) = self.parsed(entries, fuzzy)?;
        self.check_history(&parsed)?;
        let outcome = self.take(&parsed, fuzzy).and_then(|taken| self.run(source, &taken, routed));
        self.note(outcome)
    }

    /// Notes that a slice ends at the last entry. One that ends before it is passed over: what is sent again
    /// after a head went back may be cut otherwise than it was.
    ///
    /// # Errors
    /// [`HeadError::Fork`] if the state stands elsewhere.
    pub fn pass_slice(&mut self, end: Link) -> Result<()> {
        if end.at.ts < self.read_to {
            return Ok(());
        }
        let is_other = self.is_at_an_entry() && end.at != self.at;
        if end.at.ts != self.read_to || is_other {
            return Err(HeadError::Fork { expected: self.at, found: end.at });
        }
        self.link = end;
        Ok(())
    }

    /// Adds an empty collection as a copy found it. Two of one name may come while the source changes.
    ///
    /// # Errors
    /// [`HeadError::Taken`] if there is one with this UUID; [`HeadError::Unstorable`].
    pub fn insert_collection(&mut self, uuid: CollectionUuid, collection: Collection) -> Result<()> {
        if let Some(other) = self.catalog.get(uuid) {
            let (namespace, other) = (error::shown(&collection), error::shown(other));
            return Err(HeadError::Taken { what: "UUID", namespace, other });
        }
        catalog::check(&collection).map_err(|problem| HeadError::unstorable(&collection, problem))?;
        self.catalog.insert(uuid, collection);
        self.stored.insert(uuid, Stored::default());
        self.note_options(uuid);
        Ok(())
    }

    /// Fails if two collections have one name: that is only so while a source changes.
    pub(crate) fn check_names(&self) -> Result<()> {
        let two = self
            .catalog
            .iter()
            .find(|(uuid, it)| self.catalog.named(&it.database, &it.name).any(|other| other != *uuid));
        let Some((_, collection)) = two else { return Ok(()) };
        let shown = error::shown(collection);
        Err(HeadError::Taken { what: "name", namespace: shown.clone(), other: shown })
    }

    /// Forgets the documents of a collection.
    fn forget(&mut self, uuid: CollectionUuid) {
        self.documents.forget(uuid);
        self.orders.forget(uuid);
        self.stored.remove(&uuid);
    }

    /// Takes note of whether a collection is capped.
    fn note_options(&mut self, uuid: CollectionUuid) {
        let is_capped =
            self.catalog.get(uuid).is_some_and(|collection| capped::is_capped(&collection.options));
        if is_capped {
            self.capped.insert(uuid);
        } else {
            self.capped.remove(&uuid);
        }
    }

    /// Unless what was flushed was kept by a ref, the state stands on what may be collected any time.
    pub(crate) const fn break_off_unless(&mut self, is_kept: bool) {
        self.is_broken |= !is_kept;
    }

    /// Fails if an error has left it half changed.
    pub(crate) fn check_usable(&self) -> Result<()> {
        if self.is_broken { Err(HeadError::Broken) } else { Ok(()) }
    }

    /// What failed half-way is not used on.
    fn note<T>(&mut self, outcome: Result<T>) -> Result<T> {
        self.is_broken |= outcome.is_err();
        outcome
    }
}
