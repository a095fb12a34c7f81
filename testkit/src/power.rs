//! A machine whose power can be cut: files and directories that remember what was and wasn't synced.
//!
//! For the tests of whatever stands on a local store. Tests run on a [`Machine`], through the [`SimDisk`] of
//! each of its processes; at every operation it notes a [`Cut`], from which [`image::build`] makes folders as a
//! cut could leave them. [`real`] is what lies in a real folder beside the simulated files (SQLite's). Knows
//! nothing of stores: what was promised travels with each cut as an account of the test's own.

#![expect(clippy::cast_possible_truncation, reason = "sizes of a test fit into any integer")]

mod disk;
mod files;
pub mod image;
mod machine;
pub mod real;

pub use disk::SimDisk;
pub use machine::{Account, Cut, Death, Fault, Machine};

/// Where the images and the real files of the model are kept: in memory if the system offers that, since
/// the thousands of real fsyncs of SQLite would else be most of the run and prove nothing here.
///
/// # Panics
/// If there is no room for a temporary folder anywhere.
#[must_use]
pub fn scratch() -> tempfile::TempDir {
    let in_memory = tempfile::Builder::new().prefix("tidemark-cut-").tempdir_in("/dev/shm");
    in_memory.or_else(|_| tempfile::TempDir::new()).expect("a temporary folder can be made")
}
