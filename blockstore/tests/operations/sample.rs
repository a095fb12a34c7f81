//! A small store that everything is done to, and what must be in it afterwards.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;
use tidemark_base::{BlockId, Entropy as _, ErrorKind, SeededEntropy};
use tidemark_blockstore::{
    BlockRef, Depth, Error, Expect, GcOptions, Healed, LocalBackend, NewRef, OpenOptions, Quiet, RefChange,
    Result, Session, Store, encode_node,
};

/// A store in a folder of its own, and its refs as last acknowledged.
pub(crate) struct Sample {
    dir: TempDir,
    pub(crate) root: PathBuf,
    pub(crate) refs: BTreeMap<String, BlockId>,
    seed: u64,
}

/// Small stores need no reserve.
pub(crate) fn options() -> OpenOptions {
    OpenOptions::default().reserve_bytes(0)
}

/// Incompressible bytes.
pub(crate) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    SeededEntropy::new(seed).fill(&mut bytes);
    bytes
}

/// A change that sets a ref to one root, or deletes it.
pub(crate) fn change(name: &str, root: Option<BlockId>) -> RefChange {
    let set = root.map(|root| NewRef { roots: vec![root], value: b"value".to_vec() });
    RefChange { name: name.into(), expect: Expect::Any, set }
}

/// Puts five leaves under a node.
pub(crate) fn put_tree(session: &Session, seed: u64) -> Result<BlockId> {
    let leaves: Vec<Vec<u8>> = (0..5).map(|n| noise(seed * 5 + n, 4000)).collect();
    let blocks: Vec<BlockRef<'_>> = leaves.iter().map(|bytes| BlockRef::leaf(bytes)).collect();
    let node = encode_node(&session.put(&blocks)?, b"").unwrap();
    Ok(session.put(&[BlockRef::node(&node)])?[0])
}

impl Sample {
    /// A store with three refs, each published by a session of its own.
    pub(crate) fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let root = dir.path().join("store");
        drop(options().create(&root).unwrap());
        let mut sample = Self { dir, root, refs: BTreeMap::new(), seed: 0 };
        for name in ["a", "b", "c"] {
            sample.publish(name);
        }
        sample
    }

    /// The folder that the store's folder lies in.
    pub(crate) fn beside(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Opens the store; nothing may be wrong with it.
    pub(crate) fn open(&self) -> Store {
        let (store, healed) = self.open_healed();
        assert_eq!(healed, [], "nothing was to be healed");
        store
    }

    /// Opens the store, and says what had to be healed.
    pub(crate) fn open_healed(&self) -> (Store, Vec<Healed>) {
        let backend = options().open(&self.root).unwrap();
        let healed = backend.healed().to_vec();
        (Store::new(Arc::new(backend)), healed)
    }

    /// The error of opening it.
    pub(crate) fn open_error(&self) -> Error {
        options().open(&self.root).unwrap_err()
    }

    /// Sets a ref to a new tree, in a session of its own.
    pub(crate) fn publish(&mut self, name: &str) {
        let store = self.open();
        let session = store.session(&[]).unwrap();
        self.publish_in(&session, name);
    }

    /// Sets a ref to a new tree.
    pub(crate) fn publish_in(&mut self, session: &Session, name: &str) {
        self.seed += 1;
        let root = put_tree(session, self.seed).unwrap();
        session.publish(&[change(name, Some(root))]).unwrap();
        self.refs.insert(name.into(), root);
    }

    /// Deletes a ref.
    pub(crate) fn delete(&mut self, name: &str) {
        self.open().session(&[]).unwrap().publish(&[change(name, None)]).unwrap();
        self.refs.remove(name).unwrap();
    }

    /// The store opens without healing, its refs are the acknowledged ones, everything is sound, and it can
    /// be written to.
    pub(crate) fn assert_whole(&mut self) {
        self.assert_refs(&self.open());
        self.publish("one more");
        self.assert_refs(&self.open());
    }

    /// Refs and all that they reach are there.
    pub(crate) fn assert_refs(&self, store: &Store) {
        assert_eq!(refs(store), self.refs);
        let report = store.verify(Depth::Full, &Quiet).unwrap();
        assert!(report.is_clean(), "{:#?}", report.damage);
        assert!(report.reached_blocks >= 6 * self.refs.len() as u64);
    }

    /// The packs, oldest first.
    pub(crate) fn packs(&self) -> Vec<PathBuf> {
        let files = std::fs::read_dir(self.path("packs")).unwrap();
        let mut packs: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
        packs.sort();
        packs
    }

    /// Copies the index as it stands, with its side files.
    pub(crate) fn copy_index(&self) -> IndexCopy {
        let read = |side| std::fs::read(self.path(&format!("index.db{side}"))).ok();
        IndexCopy([("", read("")), ("-wal", read("-wal"))])
    }

    /// Puts a copy of the index in the index's place.
    pub(crate) fn put_back(&self, copy: &IndexCopy) {
        self.remove_index();
        for (side, bytes) in &copy.0 {
            if let Some(bytes) = bytes {
                std::fs::write(self.path(&format!("index.db{side}")), bytes).unwrap();
            }
        }
    }

    /// Damages all rows of one table of the index, which may be in use.
    pub(crate) fn spoil_rows(&self, table: &str) {
        let connection = rusqlite::Connection::open(self.path("index.db")).unwrap();
        let spoil = "UPDATE row SET value = zeroblob(40) WHERE substr(key, 1, 1) = CAST(?1 AS BLOB)";
        assert!(connection.execute(spoil, [table]).unwrap() > 0, "there are such rows");
    }

    /// Removes the index with its side files.
    pub(crate) fn remove_index(&self) {
        for side in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(self.path(&format!("index.db{side}")));
        }
    }
}

/// The files of an index at one moment.
pub(crate) struct IndexCopy([(&'static str, Option<Vec<u8>>); 2]);

impl IndexCopy {
    /// Without what was not yet carried over into the main file.
    pub(crate) fn forget_wal(&mut self) {
        assert!(self.0[1].1.take().is_some_and(|wal| !wal.is_empty()), "there is one");
    }
}

/// The refs of a store and their roots.
pub(crate) fn refs(store: &Store) -> BTreeMap<String, BlockId> {
    store.list_refs("").unwrap().into_iter().map(|(name, found)| (name, found.roots[0])).collect()
}

/// Collects until nothing more can go.
pub(crate) fn collect(store: &Store) {
    for _ in 0..2 {
        store.collect(GcOptions { sweep: true, ..GcOptions::default() }, &Quiet).unwrap();
    }
}

/// The error is of this kind, and its message has these words: what was wrong, where, and what to do.
#[track_caller]
pub(crate) fn assert_says(error: &Error, kind: ErrorKind, words: &[&str]) {
    assert_eq!(error.kind(), kind, "{error}");
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "{text:?} does not say {word:?}");
    }
}

/// The one thing that was healed: the index, and why.
#[track_caller]
pub(crate) fn assert_index_rebuilt(healed: &[Healed], why_it_was: &str) {
    match healed {
        [healed @ Healed::IndexRebuilt { why, .. }] => {
            assert!(why.contains(why_it_was), "{why:?} does not say {why_it_was:?}");
            let text = healed.to_string();
            assert!(text.contains("rebuilt from packs and refs.log"), "{text}");
        }
        other => panic!("healed {other:?}"),
    }
}

/// Two openings of different stores are not the same one.
#[track_caller]
pub(crate) fn assert_is_store(opened: Result<LocalBackend>) {
    let store = Store::new(Arc::new(opened.unwrap()));
    let report = store.verify(Depth::Full, &Quiet).unwrap();
    assert!(report.is_clean(), "{:#?}", report.damage);
}
