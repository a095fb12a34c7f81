//! The oplog: entries over raw BSON, exact updates, transactions, the catalog, slices and their chain.
//!
//! Used by the agent (slices, without the store), the front-end (slices into the store) and `head` (all of
//! it). Everything is synchronous and pure, bytes in and values or bytes out; only `store`, behind a feature
//! that the agent builds without, touches the blockstore. Nothing is skipped silently: what is not known is
//! a typed error with the optime of its entry. Source of all rules: MongoDB's documentation and what a
//! 6.0.5 server was seen to do; the tests replay captures of that server.

pub mod catalog;
pub mod chain;
pub mod entry;
pub mod filter;
pub mod initial_sync;
pub mod names;
pub mod slice;
#[cfg(feature = "store")]
pub mod store;
pub mod transactions;
pub mod update;

mod error;
mod payload;

pub use error::{EntryError, EntryProblem};
