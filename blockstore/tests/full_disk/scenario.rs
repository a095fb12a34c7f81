//! What is done on the small disk, in steps that may be done by one process or by one each.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tidemark_base::{BlockId, Entropy as _, ErrorKind, SeededEntropy};
use tidemark_blockstore::disk::Disk;
use tidemark_blockstore::{
    BlockRef, Depth, Error, Expect, GcOptions, NewRef, OpenOptions, Quiet, RefChange, Result, Session, Store,
    encode_node,
};

/// What is kept back.
pub(crate) const RESERVE_BYTES: u64 = 2 << 20;
/// The ref that stays for ever.
const KEPT: &str = "kept";
/// Leaves of a tree, and the length of each: a tree is about half a MiB.
const LEAVES: u64 = 8;
const LEAF_BYTES: usize = 64 << 10;

/// A store on a small disk.
pub(crate) struct Scenario {
    pub(crate) root: PathBuf,
    disk: Arc<dyn Disk>,
}

impl Scenario {
    pub(crate) fn new(root: &Path, disk: Arc<dyn Disk>) -> Self {
        Self { root: root.to_owned(), disk }
    }

    fn options(&self) -> OpenOptions {
        OpenOptions::default().reserve_bytes(RESERVE_BYTES).disk(Arc::clone(&self.disk))
    }

    /// Opens the store; a full disk never means that something is to be healed.
    pub(crate) fn open(&self) -> Store {
        let backend = self.options().open(&self.root).unwrap();
        assert_eq!(backend.healed(), []);
        Store::new(Arc::new(backend))
    }

    /// Makes the store, with one ref.
    pub(crate) fn create(&self) {
        let backend = self.options().create(&self.root).unwrap();
        assert_eq!(self.reserve_bytes(), RESERVE_BYTES);
        let store = Store::new(Arc::new(backend));
        let session = store.session(&[]).unwrap();
        let root = put_tree(&session, 0).unwrap();
        session.publish(&[change(KEPT, Some(root))]).unwrap();
    }

    /// Publishes trees until the disk is full, and says how many refs there are then.
    pub(crate) fn fill(&self, seed: u64) -> usize {
        let store = self.open();
        let mut session = store.session(&[]).unwrap();
        let mut acknowledged = refs(&store);
        let mut failed = 0;
        // After the first failure smaller writes may still find room: three in a row are a full disk.
        for n in 0.. {
            let name = format!("fill/{seed}/{n}");
            let published = put_tree(&session, seed << 32 | n).and_then(|root| {
                session.publish(&[change(&name, Some(root))])?;
                Ok(root)
            });
            match published {
                Ok(root) => {
                    failed = 0;
                    acknowledged.insert(name, root);
                }
                Err(error) => {
                    assert_full(&error);
                    failed += 1;
                    let again = session.sync();
                    assert!(
                        again.is_ok() || again.is_err_and(|e| e.kind() == ErrorKind::Fenced || e.is_full())
                    );
                    match (failed, store.session(&[])) {
                        (1..3, Ok(next)) => session = next,
                        (_, outcome) => {
                            outcome.map_or_else(|e| assert_full(&e), drop);
                            break;
                        }
                    }
                }
            }
        }
        assert_eq!(refs(&store), acknowledged, "what was acknowledged is there, and nothing else");
        assert_clean(&store);
        acknowledged.len()
    }

    /// On the full disk: everything is there, refs can be deleted, garbage collected, and the reserve comes
    /// back. One tree of the last filling stays, so that the packs are not simply empty.
    pub(crate) fn make_room(&self, seed: u64, refs_before: usize) {
        let store = self.open();
        let mut expected = refs(&store);
        assert_eq!(expected.len(), refs_before);
        assert_clean(&store);
        let stays = [KEPT.to_owned(), format!("fill/{seed}/1")];
        let filled: Vec<String> = expected.keys().filter(|name| !stays.contains(name)).cloned().collect();
        assert!(filled.len() >= 5, "the disk is too small for this test: {expected:?}");
        let all: Vec<RefChange> = filled.iter().map(|name| change(name, None)).collect();
        store.session(&[]).unwrap().publish(&all).unwrap();
        expected.retain(|name, _| !filled.contains(name));
        let report = store.collect(GcOptions { sweep: true, ..GcOptions::default() }, &Quiet).unwrap();
        assert!(report.figures.reclaimed_bytes > 1 << 20, "{report:?}");
        assert_eq!(refs(&store), expected);
        assert_clean(&store);
        // What copying had no room for, the next collection finds room for.
        store.collect(GcOptions { sweep: true, ..GcOptions::default() }, &Quiet).unwrap();
        assert_eq!(refs(&store), expected);
        assert_eq!(self.reserve_bytes(), RESERVE_BYTES, "it is kept back again");
        assert_clean(&store);
    }

    /// The length of the reserve; 0 if there is none.
    pub(crate) fn reserve_bytes(&self) -> u64 {
        std::fs::metadata(self.root.join("reserve")).map_or(0, |metadata| metadata.len())
    }
}

/// The error says that the disk is full and what to do, whoever noticed it.
#[track_caller]
pub(crate) fn assert_full(error: &Error) {
    assert!(error.is_full(), "{error:?}");
    assert_eq!(error.kind(), ErrorKind::Retry);
    let text = error.to_string();
    for words in ["free space", "garbage collection", "nothing that was acknowledged is lost"] {
        assert!(text.contains(words), "{text:?} does not say {words:?}");
    }
}

/// A change that sets a ref to one root, or deletes it.
pub(crate) fn change(name: &str, root: Option<BlockId>) -> RefChange {
    let set = root.map(|root| NewRef { roots: vec![root], value: Vec::new() });
    RefChange { name: name.into(), expect: Expect::Any, set }
}

/// Puts incompressible leaves under a node.
pub(crate) fn put_tree(session: &Session, seed: u64) -> Result<BlockId> {
    let mut random = SeededEntropy::new(seed);
    let mut leaf = vec![0; LEAF_BYTES];
    let mut ids = Vec::new();
    for _ in 0..LEAVES {
        random.fill(&mut leaf);
        ids.extend(session.put(&[BlockRef::leaf(&leaf)])?);
    }
    Ok(session.put(&[BlockRef::node(&encode_node(&ids, b"").unwrap())])?[0])
}

/// The refs of a store and their roots.
pub(crate) fn refs(store: &Store) -> BTreeMap<String, BlockId> {
    store.list_refs("").unwrap().into_iter().map(|(name, found)| (name, found.roots[0])).collect()
}

/// Everything that refs reach can be read, and nothing else is wrong.
pub(crate) fn assert_clean(store: &Store) {
    let report = store.verify(Depth::Full, &Quiet).unwrap();
    assert!(report.is_clean(), "{:#?}", report.damage);
}
