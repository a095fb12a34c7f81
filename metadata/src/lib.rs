//! Who may do what, what is backed up and how, and the work that is to be done.
//!
//! At the bottom a narrow [`Store`] of versioned documents, in SQLite ([`SqliteStore`]) or in memory
//! ([`MemoryStore`]).

mod error;
mod memory;
mod sqlite;
mod store;

pub use error::{Error, Result};
pub use memory::MemoryStore;
pub use sqlite::SqliteStore;
pub use store::{By, Change, Collection, Document, Expect, Query, Store, Version, Write};
