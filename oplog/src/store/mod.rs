//! Slices in a blockstore: appended without gaps or forks by whoever appends, read back in order, expired.
//!
//! Used by the front-end (append), the daemon (read, expire) and the operator's commands (check). A slice is
//! one leaf block, kept by a ref of its own; one more ref, the *tip*, says where the chain ends. Both change
//! in one publish, with the tip by compare-and-set, so that the refs always make one chain, however many
//! append at once: that publish is the acknowledgement. Names and values: `docs/format.md`; order of writes:
//! `docs/ordering.md`.
//!
//! A resync, or a rollback that the tail could not avoid, begins a new chain beside the old one; numbers of
//! chains are never used again. This is the only part of the crate that does I/O, and all of it through the
//! blockstore. It keeps no state: what it answers is what the store holds.

mod append;
mod begin;
mod check;
mod error;
mod expire;
pub mod initial_sync;
mod line;
mod range;
mod refs;

pub use append::Appended;
pub use check::Finding;
pub use error::{RefProblem, StoreError};
pub use range::Range;
pub use refs::{ChainNumber, Stored, Tip};

use crate::slice::{Entries, SliceError, SliceReader};
use refs::Names;
use tidemark_blockstore::Store;

/// The result of the slice store's operations.
type Result<T, E = StoreError> = std::result::Result<T, E>;

/// How often an operation that lost a race is tried again. Each loss is another's success, and there is
/// one active agent for each replica set: more means that something is wrong.
const ATTEMPTS: usize = 16;

/// The slices of one oplog, in one blockstore.
#[derive(Clone, Debug)]
pub struct SliceStore {
    store: Store,
    names: Names,
}

impl SliceStore {
    /// The slices under a prefix, for instance `g/<group>/h/<head>`; there need not be any yet.
    #[must_use]
    pub fn new(store: &Store, prefix: &str) -> Self {
        Self { store: store.clone(), names: Names::new(prefix) }
    }

    /// Where the present chain ends, if one was begun: durable, and so what an agent may resume from.
    ///
    /// # Errors
    /// [`StoreError::Ref`] if the ref is damaged; failures of the store.
    pub fn tip(&self) -> Result<Option<Tip>> {
        Ok(self.versioned_tip()?.map(|(tip, _)| tip))
    }

    /// Reads a slice into `plain`, whose contents are replaced, and checks all of it.
    ///
    /// # Errors
    /// [`StoreError::Slice`] if what is stored is not the slice that was appended; failures of the store,
    /// among them a block that is gone because the slice has expired meanwhile.
    pub fn read<'p>(&self, stored: &Stored, plain: &'p mut Vec<u8>) -> Result<Entries<'p>> {
        self.opened(stored, |reader| reader.decode(plain))
    }

    /// The same, and notes where each entry ends: [`SliceReader::decode_split`].
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_split(&self, stored: &Stored, plain: &mut Vec<u8>, ends: &mut Vec<usize>) -> Result<()> {
        self.opened(stored, |reader| reader.decode_split(plain, ends))
    }

    fn opened<T>(
        &self,
        stored: &Stored,
        decode: impl FnOnce(SliceReader<'_>) -> Result<T, SliceError>,
    ) -> Result<T> {
        let block = self.store.get_one(stored.block)?;
        let name = || self.names.slice(stored.chain, stored.header.first.ts);
        let reader =
            SliceReader::open(block.bytes()).map_err(|error| StoreError::stored_slice(name(), error))?;
        if reader.header() != &stored.header {
            return Err(StoreError::NotItsHeader { name: name() });
        }
        decode(reader).map_err(|error| StoreError::stored_slice(name(), error))
    }
}
