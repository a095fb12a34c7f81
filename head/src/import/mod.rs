//! The initial build: documents in any order, and the collections they are of, become the first root.
//!
//! Used by the operator's import, by the daemon at the end of an initial sync, and by tests. Documents are
//! taken in as operations that overwrite: of several with one `_id` the last one given counts, so a scan that
//! was begun again is just given again. What does not fit into memory is flushed as patch runs, and at the
//! end everything is folded into bases. Deliberately not here: formats of dumps, and putting batches that
//! arrive out of order into their order.

mod dump;

pub use dump::{Copied, of_dump};

use crate::error::{self, HeadError, Result};
use crate::head::{Head, HeadName};
use crate::state::State;
use rayon::prelude::*;
use tidemark_base::bson::{self, Doc};
use tidemark_base::{BlockId, CollectionUuid, OpTime, Timestamp};
use tidemark_blockstore::{Session, Store};
use tidemark_oplog::catalog::Collection;
use tidemark_oplog::filter::Filter;

/// Builds the first root of a head.
#[derive(Debug)]
pub struct Import {
    session: Session,
    state: State,
    filter: Filter,
    budget_bytes: usize,
}

impl Import {
    /// Begins a build in a store. `at` is the position of the oplog from which on entries are applied to
    /// what is built; about `budget_bytes` of documents are held in memory.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn begin(store: &Store, at: OpTime, filter: Filter, budget_bytes: usize) -> Result<Self> {
        let session = store.session(&[])?;
        Ok(Self { session, state: State::empty(at, filter.clone()), filter, budget_bytes })
    }

    /// Adds a collection, empty.
    ///
    /// # Errors
    /// [`HeadError::Taken`] if its UUID is known; [`HeadError::Unstorable`].
    pub fn collection(&mut self, uuid: CollectionUuid, collection: Collection) -> Result<()> {
        self.state.insert_collection(uuid, collection)
    }

    /// Adds documents to a collection. Of several with one `_id` the last one counts; in a capped collection
    /// the order is that in which they are given.
    ///
    /// # Errors
    /// [`HeadError::BrokenDocument`] if one is not sound to the bottom, [`HeadError::Document`] if one has no
    /// `_id` that can be a key, [`HeadError::NoCollection`]; failures of the store.
    pub fn documents(&mut self, uuid: CollectionUuid, documents: &[Doc<'_>]) -> Result<()> {
        let collection = self.state.catalog().get(uuid).ok_or(HeadError::NoCollection { uuid })?;
        // Nobody could restore what is taken in broken, and only the first proof would tell.
        let broken = documents.par_iter().find_map_first(|it| bson::check(*it).err().map(|why| (it, why)));
        if let Some((document, problem)) = broken {
            return Err(HeadError::broken_document(error::shown(collection), *document, problem));
        }
        self.state.put_documents(uuid, documents)?;
        if self.state.delta_bytes() > self.budget_bytes {
            self.state.flush(&self.session)?;
        }
        Ok(())
    }

    /// Says where the copy stands, if that was not known when the build was begun ([`OpTime::NULL`]).
    ///
    /// # Errors
    /// [`HeadError::HasPosition`].
    pub fn set_position(&mut self, at: OpTime) -> Result<()> {
        self.state.set_position(at)
    }

    /// Folds everything into bases. `fuzzy_until` is where the copy becomes consistent, if it was taken while
    /// the source changed.
    ///
    /// # Errors
    /// [`HeadError::Taken`] if two collections of a copy that is consistent have one name; failures of the
    /// store.
    pub fn build(&mut self, fuzzy_until: Option<Timestamp>) -> Result<BlockId> {
        if fuzzy_until.is_none() {
            self.state.check_names()?;
        }
        self.state.set_fuzzy_until(fuzzy_until);
        self.state.compact(&self.session)
    }

    /// Builds, and makes a new head of it.
    ///
    /// # Errors
    /// [`HeadError::HeadExists`]; failures of the store.
    pub fn finish(mut self, name: &HeadName, fuzzy_until: Option<Timestamp>) -> Result<Head> {
        let root = self.build(fuzzy_until)?;
        Head::create(&self.session, name, root)
    }
}
