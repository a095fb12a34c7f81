//! Copies of the golden store as it is kept in `testdata/v1`, for tests to work on and to break.

use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The files that make up the store. The folder `locks/` is empty and not kept.
pub(crate) const FILES: [&str; 6] = [
    "superblock",
    "index.db",
    "refs.log",
    "packs/0000000000000001.pack",
    "packs/0000000000000002.pack",
    "packs/0000000000000003.pack",
];

/// Where the kept bytes are.
pub(crate) fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/v1")
}

/// A copy of the store, in memory if the system has a folder there: thousands are opened.
pub(crate) struct Copy {
    _scratch: TempDir,
    pub(crate) root: PathBuf,
}

impl Copy {
    pub(crate) fn new() -> std::io::Result<Self> {
        let memory = Path::new("/dev/shm");
        let scratch = if memory.is_dir() { TempDir::new_in(memory)? } else { TempDir::new()? };
        let root = scratch.path().join("store");
        for folder in ["packs", "locks"] {
            std::fs::create_dir_all(root.join(folder))?;
        }
        for file in FILES {
            std::fs::copy(kept().join(file), root.join(file))?;
        }
        Ok(Self { _scratch: scratch, root })
    }
}
