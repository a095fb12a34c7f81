//! The daemon: builds heads, applies the oplog, takes snapshots, lets them go, prepares restores.
//!
//! Started by the program, in one process with the front-end or by itself, as often as one likes: daemons find their
//! work as jobs in the metadata, and a lease says who does what. A lease is a hint. What decides is the epoch in a
//! head's ref, so whoever was taken over changes nothing any more. Everything here can be killed at any moment: heads
//! are claimed again and go on from their roots, all other jobs begin anew and find what is done already. Which job
//! writes what in which order: `docs/ordering.md`.
//!
//! Synchronous: one thread looks at the metadata ([`Daemon`]), each job has a thread of its own, and the engine below
//! works on rayon's pool.

mod bell;
mod chores;
mod config;
mod daemon;
mod error;
mod jobs;
mod notes;
mod place;
mod shared;
mod supervisor;
mod watches;
mod work;

pub use config::{Config, Room};
pub use daemon::Daemon;
pub use error::{DaemonError, Result};
