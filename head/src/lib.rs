//! The head: a database as stacks of sorted, immutable, content-addressed runs.
//!
//! Used by the daemon, which applies oplog and takes snapshots, and by whoever exports. Everything lies in
//! the blockstore; the state here is what can be thrown away. Synchronous and clock-free.

pub mod budget;
pub mod catalog;
pub mod compaction;
mod counter;
mod delta;
mod divergence;
mod divergences;
pub mod dump;
mod error;
pub mod export;
pub mod follow;
pub mod fork;
pub mod head;
pub mod import;
pub mod key;
mod made_up;
pub mod patch;
pub mod root;
pub mod run;
pub mod snapshot;
pub mod stack;
pub mod state;

pub use divergence::{Divergence, Span, What};
pub use divergences::{Diverged, Divergences};
pub use error::{HeadError, Result};
