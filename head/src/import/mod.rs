//! The initial build: documents in any order, and the collections they are of, become the first root.
//!
//! Used by the operator's import, by the daemon at the end of an initial sync, and by tests. Of several documents
//! with one `_id` the last one given counts, so a scan that was begun again is just given again. What ascends goes
//! straight into a base; what comes late is held, sorted and put aside, and merged in at the end. So the root depends
//! on the documents alone. Checking, sorting, naming and compressing are done by rayon's pool while the caller reads
//! on. Capped collections, whose order is data, go through the delta of the [`State`]. Deliberately not here: formats
//! of dumps, and putting batches that arrive out of order into their order.

mod aside;
mod collecting;
mod dump;
mod passing;
mod spill;
mod sync;

pub use dump::{Copied, of_dump};
pub use sync::{of_sync, of_sync_and_tell};

use crate::error::{self, HeadError, Result};
use crate::head::{Head, HeadName};
use crate::run::base::{Sorted, Task, Tools, Unfit};
use crate::state::{State, is_consequence};
use collecting::Collecting;
use passing::{Held, Shares};
use rayon::prelude::*;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use tidemark_base::bson::{self, Doc};
use tidemark_base::{BlockId, CollectionUuid, OpTime, Timestamp};
use tidemark_blockstore::Store;
use tidemark_oplog::catalog::Collection;
use tidemark_oplog::filter::Filter;
use tidemark_oplog::names::Namespace;

/// Builds the first root of a head.
#[derive(Debug)]
pub struct Import {
    tools: Arc<Tools>,
    state: State,
    filter: Filter,
    shares: Shares,
    collecting: BTreeMap<CollectionUuid, Collecting>,
    /// Batches that are being checked and sorted, as they were given.
    sorting: VecDeque<(CollectionUuid, Task<Result<Sorted, Unfit>>)>,
    /// Documents that wait to be enough for a batch, in bytes.
    waiting_bytes: usize,
    held: Held,
    is_broken: bool,
}

impl Import {
    /// Begins a build in a store. `at` is the position of the oplog from which on entries are applied to
    /// what is built; about `budget_bytes` of memory are used for documents, wherever they are on their way.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn begin(store: &Store, at: OpTime, filter: Filter, budget_bytes: usize) -> Result<Self> {
        Ok(Self {
            tools: Arc::new(Tools::new(store.session(&[])?)),
            state: State::empty(at, filter.clone()),
            filter,
            shares: Shares::of(budget_bytes),
            collecting: BTreeMap::new(),
            sorting: VecDeque::new(),
            waiting_bytes: 0,
            held: Held::default(),
            is_broken: false,
        })
    }

    /// Adds a collection, empty.
    ///
    /// # Errors
    /// [`HeadError::Taken`] if its UUID is known; [`HeadError::Unstorable`].
    pub fn collection(&mut self, uuid: CollectionUuid, collection: Collection) -> Result<()> {
        self.state.insert_collection(uuid, collection)
    }

    /// Adds documents to a collection. Of several with one `_id` the last one counts; in a capped collection
    /// the order is that in which they are given. What is wrong with documents may be said by a later call, or by
    /// [`Self::build`]; the import is of no use after it.
    ///
    /// # Errors
    /// [`HeadError::BrokenDocument`] if one is not sound to the bottom, [`HeadError::Document`] if one has no
    /// `_id` that can be a key, [`HeadError::NoCollection`]; failures of the store.
    pub fn documents(&mut self, uuid: CollectionUuid, documents: &[Doc<'_>]) -> Result<()> {
        self.check_usable()?;
        let taken = if self.state.is_capped(uuid) {
            self.take_capped(uuid, documents)
        } else {
            self.take(uuid, documents)
        };
        self.note(taken)
    }

    fn take_capped(&mut self, uuid: CollectionUuid, documents: &[Doc<'_>]) -> Result<()> {
        let collection = self.state.catalog().get(uuid).ok_or(HeadError::NoCollection { uuid })?;
        // Nobody could restore what is taken in broken, and only the first proof would tell.
        let broken = documents.par_iter().find_map_first(|it| bson::check(*it).err().map(|why| (it, why)));
        if let Some((document, problem)) = broken {
            return Err(HeadError::broken_document(error::shown(collection), *document, problem));
        }
        self.state.put_documents(uuid, documents)?;
        if self.state.delta_bytes() > self.shares.aside_bytes {
            self.state.flush(&self.tools.session)?;
        }
        Ok(())
    }

    fn take(&mut self, uuid: CollectionUuid, documents: &[Doc<'_>]) -> Result<()> {
        // Joined in portions: a collection is looked for once for many.
        let mut joined = Vec::new();
        for document in documents {
            if !joined.is_empty() && joined.len() + document.as_bytes().len() > self.shares.batch_bytes {
                self.take_bytes(uuid, &joined)?;
                joined.clear();
            }
            joined.extend_from_slice(document.as_bytes());
        }
        self.take_bytes(uuid, &joined)
    }

    /// As [`Self::documents`], of documents that stand one behind the other.
    ///
    /// # Errors
    /// As [`Self::documents`].
    pub(crate) fn dumped(&mut self, uuid: CollectionUuid, documents: &[u8]) -> Result<()> {
        if self.state.is_capped(uuid) {
            let split: Result<Vec<_>, _> = bson::split(documents).collect();
            let namespace = || self.state.catalog().get(uuid).map_or_else(String::new, error::shown);
            let split = split.map_err(|problem| HeadError::BrokenDocument {
                namespace: namespace(),
                id: None,
                problem,
            });
            return self.documents(uuid, &split?);
        }
        self.check_usable()?;
        let taken = self.take_bytes(uuid, documents);
        self.note(taken)
    }

    fn take_bytes(&mut self, uuid: CollectionUuid, documents: &[u8]) -> Result<()> {
        if !self.collecting.contains_key(&uuid) {
            let collection = self.state.catalog().get(uuid).ok_or(HeadError::NoCollection { uuid })?;
            let full = format!("{}.{}", collection.database, collection.name);
            Namespace::parse(&full)?;
            self.collecting.insert(uuid, Collecting::new(&self.tools, error::shown(collection)));
        }
        let Some(collecting) = self.collecting.get_mut(&uuid) else { return Ok(()) };
        collecting.wait_for_more(documents, self.shares.batch_bytes);
        self.waiting_bytes += documents.len();
        if collecting.waiting.len() >= self.shares.batch_bytes {
            self.sort(uuid)?;
        }
        if self.waiting_bytes > self.shares.waiting_bytes { self.sort_all() } else { Ok(()) }
    }

    /// Says where the copy stands, if that was not known when the build was begun ([`OpTime::NULL`]).
    ///
    /// # Errors
    /// [`HeadError::HasPosition`].
    pub fn set_position(&mut self, at: OpTime) -> Result<()> {
        self.state.set_position(at)
    }

    /// Ends all bases, and puts the root above them. `fuzzy_until` is where the copy becomes consistent, if it was
    /// taken while the source changed.
    ///
    /// # Errors
    /// [`HeadError::Taken`] if two collections of a copy that is consistent have one name; what is wrong with
    /// documents, as [`Self::documents`]; failures of the store.
    pub fn build(&mut self, fuzzy_until: Option<Timestamp>) -> Result<BlockId> {
        self.check_usable()?;
        if fuzzy_until.is_none() {
            self.state.check_names()?;
        }
        self.state.set_fuzzy_until(fuzzy_until);
        let ended = self.end_bases();
        self.note(ended)?;
        self.state.compact(&self.tools.session)
    }

    /// Builds, and makes a new head of it.
    ///
    /// # Errors
    /// [`HeadError::HeadExists`]; as [`Self::build`].
    pub fn finish(mut self, name: &HeadName, fuzzy_until: Option<Timestamp>) -> Result<Head> {
        let root = self.build(fuzzy_until)?;
        Head::create(&self.tools.session, name, root)
    }

    /// Builds, and puts the result in the place of a head that is there, or makes a new one: after a copy was made
    /// anew.
    ///
    /// # Errors
    /// As [`Self::build`] and [`Head::replace`].
    pub fn replace(mut self, name: &HeadName, fuzzy_until: Option<Timestamp>) -> Result<Head> {
        let root = self.build(fuzzy_until)?;
        match Head::create(&self.tools.session, name, root) {
            Err(HeadError::HeadExists { .. }) => Head::replace(&self.tools.session, name, root),
            other => other,
        }
    }

    fn check_usable(&self) -> Result<()> {
        if self.is_broken { Err(HeadError::Broken) } else { Ok(()) }
    }

    /// After a failure nothing goes on. What failed first in the store is told, not what followed from it.
    fn note<T>(&mut self, outcome: Result<T>) -> Result<T> {
        let Err(error) = outcome else { return outcome };
        self.is_broken = true;
        if !is_consequence(&error) {
            return Err(error);
        }
        let sorting = self.sorting.drain(..).filter_map(|(_, task)| match task.wait() {
            Err(Unfit::Run(error)) => Some(HeadError::from(error)),
            _ => None,
        });
        let others = self.collecting.values_mut().flat_map(Collecting::failures).map(HeadError::from);
        Err(sorting.chain(others).find(|other| !is_consequence(other)).unwrap_or(error))
    }
}

impl Drop for Import {
    /// Tasks write to the session: nobody is to meet them after it.
    fn drop(&mut self) {
        self.tools.meter.wait_for_tasks();
    }
}

#[cfg(test)]
mod tests;
