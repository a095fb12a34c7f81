//! The head: a database as stacks of sorted, immutable, content-addressed runs.
//!
//! Used by the daemon, which applies oplog and takes snapshots, and by whoever exports. Everything lies in
//! the blockstore; the state here is what can be thrown away. Synchronous and clock-free.

pub mod dump;
pub mod key;
pub mod patch;
