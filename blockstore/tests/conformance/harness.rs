//! Makes stores on each backend, and small data to put into them.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tidemark_base::{BlockId, SeededEntropy};
use tidemark_blockstore::fault::{Fault as FaultKind, FaultAt, FaultBackend};
use tidemark_blockstore::{
    Backend, BlockRef, Expect, GcOptions, GcReport, LocalBackend, MemoryBackend, NewRef, OpenOptions, Quiet,
    RefChange, Session, Store, encode_node,
};

/// Makes a store, and opens it again as other processes would.
pub(crate) trait Harness {
    /// Opens the store once more.
    fn open(&self) -> Store;
}

pub(crate) struct Memory {
    first: MemoryBackend,
    seeds: Mutex<u64>,
}

impl Memory {
    pub(crate) fn new() -> Self {
        Self { first: MemoryBackend::new(&mut SeededEntropy::new(1)), seeds: Mutex::new(1) }
    }
}

impl Harness for Memory {
    fn open(&self) -> Store {
        let mut seed = self.seeds.lock().unwrap();
        *seed += 1;
        Store::new(Arc::new(self.first.reopen(&mut SeededEntropy::new(*seed))))
    }
}

pub(crate) struct Local {
    _dir: TempDir,
    root: PathBuf,
}

/// Small stores need no reserve.
pub(crate) fn options() -> OpenOptions {
    OpenOptions::default().reserve_bytes(0)
}

impl Local {
    pub(crate) fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let root = dir.path().join("store");
        drop(options().create(&root).unwrap());
        Self { _dir: dir, root }
    }

    fn backend(&self) -> LocalBackend {
        let backend = options().open(&self.root).unwrap();
        assert_eq!(backend.healed(), [], "nothing was broken");
        backend
    }
}

impl Harness for Local {
    fn open(&self) -> Store {
        Store::new(Arc::new(self.backend()))
    }
}

/// A local store behind a wrapper that never fails: it must not change anything.
pub(crate) struct Fault(Local);

impl Fault {
    pub(crate) fn new() -> Self {
        Self(Local::new())
    }
}

impl Harness for Fault {
    fn open(&self) -> Store {
        let never = FaultAt { call: 0, fault: FaultKind::Fail, and_all_later: false };
        let inner: Arc<dyn Backend> = Arc::new(self.0.backend());
        Store::new(Arc::new(FaultBackend::new(inner, never)))
    }
}

/// Puts one leaf.
pub(crate) fn leaf(session: &Session, bytes: &[u8]) -> BlockId {
    session.put(&[BlockRef::leaf(bytes)]).unwrap()[0]
}

/// Puts one node.
pub(crate) fn node(session: &Session, children: &[BlockId], body: &[u8]) -> BlockId {
    let bytes = encode_node(children, body).unwrap();
    session.put(&[BlockRef::node(&bytes)]).unwrap()[0]
}

/// A change that sets a ref to one root, whatever is there.
pub(crate) fn set(name: &str, root: BlockId) -> RefChange {
    let new = NewRef { roots: vec![root], value: name.as_bytes().to_vec() };
    RefChange { name: name.into(), expect: Expect::Any, set: Some(new) }
}

/// A change that deletes a ref.
pub(crate) fn delete(name: &str) -> RefChange {
    RefChange { name: name.into(), expect: Expect::Any, set: None }
}

/// Incompressible bytes.
pub(crate) fn noise(seed: u64, len: usize) -> Vec<u8> {
    use tidemark_base::Entropy as _;
    let mut bytes = vec![0; len];
    SeededEntropy::new(seed).fill(&mut bytes);
    bytes
}

/// One collection.
pub(crate) fn collect(store: &Store) -> GcReport {
    store.collect(GcOptions::default(), &Quiet).unwrap()
}

/// Whether the store can give a block.
pub(crate) fn has(store: &Store, id: BlockId) -> bool {
    store.get_one(id).is_ok()
}

/// Everything that refs reach can be read, and nothing else is wrong.
pub(crate) fn assert_clean(store: &Store) {
    let report = store.verify(tidemark_blockstore::Depth::Full, &Quiet).unwrap();
    assert!(report.is_clean(), "{:#?}", report.damage);
}
