//! The golden store of format version 1: what is in it, and whether a store says so.
//!
//! Used by `golden.rs` (it is read for ever), `flips.rs` (every flip is found) and by the example
//! `write_golden`, which wrote `testdata/v1` and can write it again. How it was written is in `generator.rs`,
//! copies to work on come from `copies.rs`. The kept bytes are the truth.

use std::path::Path;
use tidemark_base::{BlockId, BlockKind, Entropy as _, SeededEntropy};
use tidemark_blockstore::{LocalBackend, NewRef, OpenOptions, RefVersion, Result, Store, encode_node};

/// Names of the refs that the store has in the end.
pub(crate) const ROOT: &str = "g/local/h/golden/root";
pub(crate) const SNAPSHOT: &str = "g/local/h/golden/snapshot/0000000000000001";

/// A block of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GoldenBlock {
    pub(crate) kind: BlockKind,
    pub(crate) bytes: Vec<u8>,
    pub(crate) id: BlockId,
}

fn leaf(bytes: Vec<u8>) -> GoldenBlock {
    GoldenBlock { kind: BlockKind::Leaf, id: BlockId::of(BlockKind::Leaf, &bytes), bytes }
}

fn node(children: &[BlockId], body: &[u8]) -> Result<GoldenBlock> {
    let bytes = encode_node(children, body)?;
    Ok(GoldenBlock { kind: BlockKind::Node, id: BlockId::of(BlockKind::Node, &bytes), bytes })
}

pub(crate) fn noise(seed: u64, len_bytes: usize) -> Vec<u8> {
    let mut bytes = vec![0; len_bytes];
    SeededEntropy::new(seed).fill(&mut bytes);
    bytes
}

/// All blocks of the store, by the pack that holds them.
pub(crate) struct Contents {
    /// Pack 1: leaves raw, compressed and empty; nodes raw and of several levels. `first` is the last.
    pub(crate) first: Vec<GoldenBlock>,
    /// Pack 2: a leaf that nothing reaches; a collection has condemned the pack.
    pub(crate) garbage: Vec<GoldenBlock>,
    /// Pack 3: a node that compresses, and `second`, which shares blocks of pack 1.
    pub(crate) second: Vec<GoldenBlock>,
}

impl Contents {
    /// What the store holds.
    pub(crate) fn new() -> Result<Self> {
        let text = leaf(b"The tide comes in, the tide goes out; what it leaves is marked. ".repeat(20));
        let incompressible = leaf(noise(7, 300));
        let empty = leaf(Vec::new());
        let documents: Vec<u8> =
            (0..60).flat_map(|n| format!("{{_id: {n}, n: {}}}", n * n).into_bytes()).collect();
        let documents = leaf(documents);
        let shared = leaf(noise(8, 100));
        // Enough blocks for an index of several pages.
        let drops: Vec<_> = (0..48).map(|n| leaf(format!("drop {n}").into_bytes())).collect();
        let drop_ids: Vec<_> = drops.iter().map(|it| it.id).collect();
        let many = node(&drop_ids, b"many")?;
        let inner = node(&[text.id, incompressible.id, many.id], b"inner")?;
        let root = node(&[inner.id, documents.id, shared.id], b"first")?;
        let repeats = node(&[shared.id; 40], b"repeats")?;
        let other = node(&[inner.id, repeats.id, empty.id], b"second")?;
        let mut first = vec![text, incompressible, empty, documents, shared];
        first.extend(drops);
        first.extend([many, inner, root]);
        Ok(Self { first, garbage: vec![leaf(noise(9, 200))], second: vec![repeats, other] })
    }

    /// All blocks.
    pub(crate) fn all(&self) -> impl Iterator<Item = &GoldenBlock> {
        self.first.iter().chain(&self.garbage).chain(&self.second)
    }

    pub(crate) fn root_of(blocks: &[GoldenBlock]) -> Vec<BlockId> {
        blocks.last().map(|it| it.id).into_iter().collect()
    }

    /// The refs in the end, with the publishes that set them.
    pub(crate) fn refs(&self) -> Vec<(&'static str, RefVersion, NewRef)> {
        let (first, second) = (Self::root_of(&self.first), Self::root_of(&self.second));
        let both = [first, second.clone()].concat();
        vec![
            (ROOT, RefVersion(4), NewRef { roots: second, value: b"second".to_vec() }),
            (SNAPSHOT, RefVersion(2), NewRef { roots: both, value: noise(10, 24) }),
        ]
    }
}

/// No reserve, and ids that repeat.
pub(crate) fn options(seed: u64) -> OpenOptions {
    OpenOptions::default().reserve_bytes(0).entropy(Box::new(SeededEntropy::new(seed)))
}

/// What a store says about the contents that it should have.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// Answers that are not true. There must never be any.
    pub(crate) wrong: Vec<String>,
    /// Questions that were answered with an error.
    pub(crate) refused: Vec<String>,
}

/// Asks for all refs and all blocks.
pub(crate) fn ask(store: &Store, contents: &Contents) -> Answers {
    let mut answers = Answers::default();
    match store.list_refs("") {
        Err(e) => answers.refused.push(format!("refs: {e}")),
        Ok(refs) => {
            let found = refs.into_iter().map(|(name, it)| {
                let new = NewRef { roots: it.roots, value: it.value };
                (name, it.version, new)
            });
            let expected =
                contents.refs().into_iter().map(|(name, version, new)| (name.to_owned(), version, new));
            if !found.eq(expected) {
                answers.wrong.push("the refs are not those that were published".into());
            }
        }
    }
    let ids: Vec<_> = contents.all().map(|it| it.id).collect();
    for (block, found) in contents.all().zip(store.get(&ids)) {
        match found {
            Err(e) => answers.refused.push(format!("{}: {e}", block.id)),
            Ok(found) if found.kind() == block.kind && found.bytes() == block.bytes => {}
            Ok(_) => answers.wrong.push(format!("{} has other bytes", block.id)),
        }
    }
    answers
}

/// Opens a store whose ids repeat.
pub(crate) fn open(root: &Path) -> Result<LocalBackend> {
    options(2).open(root)
}
