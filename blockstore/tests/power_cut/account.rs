//! What a store has promised so far, kept apart from the store: the measure of every image.

use std::collections::{BTreeMap, BTreeSet};
use tidemark_base::{BlockId, BlockKind, Entropy as _, SeededEntropy};
use tidemark_blockstore::{RefChange, encode_node};

/// All refs: roots and value.
pub(crate) type Refs = BTreeMap<String, (Vec<BlockId>, Vec<u8>)>;

/// How many processes a history has at most.
pub(crate) const PROCESSES: usize = 2;

/// The promises.
#[derive(Clone, Debug, Default)]
pub(crate) struct Account {
    /// Refs as of the last acknowledged publish, or as read since.
    pub(crate) refs: Refs,
    /// Refs as a publish would have left them that is under way, or has died, and may yet come true.
    pub(crate) possible: Vec<Refs>,
    /// Per process: blocks that a sync of its open session has acknowledged.
    pub(crate) synced: [BTreeSet<BlockId>; PROCESSES],
    /// The making of the store was acknowledged.
    pub(crate) made: bool,
}

/// Refs in short: the lengths of their values tell them apart.
pub(crate) fn names(refs: &Refs) -> String {
    format!("{:?}", refs.iter().map(|(name, (_, value))| (name, value.len())).collect::<Vec<_>>())
}

impl std::fmt::Display for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&names(&self.refs))?;
        self.possible.iter().try_for_each(|refs| write!(f, " nor {}", names(refs)))
    }
}

impl Account {
    /// A publish begins; returns the refs if it succeeds.
    pub(crate) fn publish_begins(&mut self, changes: &[RefChange]) -> Refs {
        let mut after = self.refs.clone();
        for change in changes {
            match &change.set {
                None => drop(after.remove(&change.name)),
                Some(new) => {
                    drop(after.insert(change.name.clone(), (new.roots.clone(), new.value.clone())));
                }
            }
        }
        self.possible.push(after.clone());
        after
    }

    /// It is known what the refs are: nothing else may come true any more.
    pub(crate) fn refs_are(&mut self, refs: Refs) {
        self.refs = refs;
        self.possible.clear();
    }

    /// Whether the refs may be these.
    pub(crate) fn allows(&self, refs: &Refs) -> bool {
        *refs == self.refs || self.possible.contains(refs)
    }
}

/// A block as it was put.
pub(crate) struct Content {
    pub(crate) kind: BlockKind,
    pub(crate) bytes: Vec<u8>,
    pub(crate) children: Vec<BlockId>,
}

/// Every block that was ever put.
#[derive(Default)]
pub(crate) struct Contents(BTreeMap<BlockId, Content>);

impl Contents {
    /// One of a few leaves of different sizes; the same number is the same leaf.
    pub(crate) fn leaf(&mut self, number: u64) -> BlockId {
        let mut bytes = vec![0; 40 + (number as usize * 397) % 2600];
        SeededEntropy::new(number).fill(&mut bytes);
        self.add(BlockKind::Leaf, bytes, Vec::new())
    }

    /// A node over children.
    pub(crate) fn node(&mut self, children: &[BlockId], body: &[u8]) -> BlockId {
        let bytes = encode_node(children, body).expect("few children");
        self.add(BlockKind::Node, bytes, children.to_vec())
    }

    fn add(&mut self, kind: BlockKind, bytes: Vec<u8>, children: Vec<BlockId>) -> BlockId {
        let id = BlockId::of(kind, &bytes);
        self.0.insert(id, Content { kind, bytes, children });
        id
    }

    pub(crate) fn get(&self, id: &BlockId) -> &Content {
        self.0.get(id).expect("refs and sessions reach only what was put")
    }

    /// Everything that the roots reach, the roots included.
    pub(crate) fn reach<'a>(&self, roots: impl IntoIterator<Item = &'a BlockId>) -> BTreeSet<BlockId> {
        let mut seen = BTreeSet::new();
        let mut todo: Vec<BlockId> = roots.into_iter().copied().collect();
        while let Some(id) = todo.pop() {
            if seen.insert(id) {
                todo.extend(&self.get(&id).children);
            }
        }
        seen
    }
}
