//! A machine whose power can be cut: files and directories that remember what was and wasn't synced.
//!
//! [`files`] is what a disk remembers, [`machine`] a computer with one, [`disk`] how a store uses it; [`real`]
//! is what lies in a real folder beside it (SQLite's files), [`image`] the choice of what a cut leaves. Knows nothing of
//! stores; what a store has promised travels with each cut as a [`crate::account::Account`].

pub(crate) mod disk;
pub(crate) mod files;
pub(crate) mod image;
pub(crate) mod machine;
pub(crate) mod real;

/// Where the images and the real files of the model are kept: in memory if the system offers that, since
/// the thousands of real fsyncs of SQLite would else be most of the run and prove nothing here.
pub(crate) fn scratch() -> tempfile::TempDir {
    let in_memory = tempfile::Builder::new().prefix("tidemark-cut-").tempdir_in("/dev/shm");
    in_memory.or_else(|_| tempfile::TempDir::new()).expect("a temporary folder can be made")
}
