//! The agent: copies a replica set by ordinary queries, tails its oplog, and ships both to the Backup HTTP server.
//!
//! The binary `tidemark-agent` is [`run`] and [`check`] behind a command line; tests and demonstrations start the same
//! in their own process. The agent keeps nothing on disk and nothing in memory that it could not read again: what the
//! server has durably is the truth it goes on from (`docs/protocol.md`). It decides nothing about contents: the oplog
//! is shipped whole, documents byte for byte.
//!
//! Of two servers it is a client: of MongoDB by the driver, as raw batches (`source`), and of the Backup HTTP server
//! (`mothership`). Each replica set is a task of its own (`set`), told what to do by one loop of conf calls.

pub mod check;
pub mod config;

mod backoff;
mod conf;
mod copy;
mod error;
mod mothership;
mod report;
mod run;
mod set;
mod source;
mod tail;

pub use error::Error;
pub use run::{Shutdown, run};

/// Shorthand of this crate.
pub type Result<T> = std::result::Result<T, Error>;
