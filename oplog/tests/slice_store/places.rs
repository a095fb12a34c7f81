//! Stores to test on, each as it is and as the next process finds it.

use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;
use tidemark_base::SeededEntropy;
use tidemark_blockstore::{Backend, LocalBackend, MemoryBackend, OpenOptions, Store};

/// A backend that can be restarted.
pub(crate) enum Place {
    Memory(Arc<MemoryBackend>),
    Local { dir: TempDir, root: PathBuf, backend: Arc<LocalBackend> },
}

/// A store after a restart, and the folder it lies in if it lies in one.
pub(crate) struct Restarted {
    pub(crate) store: Store,
    _dir: Option<TempDir>,
}

/// In memory if the system offers that: what is on a real disk is not the matter here.
fn scratch() -> TempDir {
    let in_memory = tempfile::Builder::new().prefix("tidemark-slices-").tempdir_in("/dev/shm");
    in_memory.or_else(|_| TempDir::new()).unwrap()
}

fn options() -> OpenOptions {
    OpenOptions::default().reserve_bytes(0)
}

impl Place {
    pub(crate) fn memory() -> Self {
        Self::Memory(Arc::new(MemoryBackend::new(&mut SeededEntropy::new(1))))
    }

    pub(crate) fn local() -> Self {
        let dir = scratch();
        let root = dir.path().join("store");
        let backend = Arc::new(options().create(&root).unwrap());
        Self::Local { dir, root, backend }
    }

    pub(crate) fn both() -> [Self; 2] {
        [Self::memory(), Self::local()]
    }

    pub(crate) fn backend(&self) -> Arc<dyn Backend> {
        match self {
            Self::Memory(backend) => Arc::clone(backend) as Arc<dyn Backend>,
            Self::Local { backend, .. } => Arc::clone(backend) as Arc<dyn Backend>,
        }
    }

    pub(crate) fn store(&self) -> Store {
        Store::new(self.backend())
    }

    /// The store as the next process finds it after a power cut; for the one on disk, after an end.
    pub(crate) fn restart(self) -> Restarted {
        match self {
            Self::Memory(backend) => {
                let next = backend.reopen(&mut SeededEntropy::new(2));
                next.crash();
                Restarted { store: Store::new(Arc::new(next)), _dir: None }
            }
            Self::Local { dir, root, backend } => {
                drop(backend);
                let backend = options().open(&root).unwrap();
                assert_eq!(backend.healed(), [], "nothing was to be put right");
                Restarted { store: Store::new(Arc::new(backend)), _dir: Some(dir) }
            }
        }
    }
}
