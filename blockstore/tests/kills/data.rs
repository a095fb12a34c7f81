//! The blocks that the processes put: few contents for all, so that they meet each other's, and some of
//! their own.

use tidemark_base::{BlockId, Entropy as _, SeededEntropy};
use tidemark_blockstore::{BlockRef, Result, Session, encode_node};

/// How many contents all writers share.
const SHARED: u64 = 150;
/// Longest leaf, in bytes.
const LEAF_BYTES: u64 = 12_000;

/// Incompressible bytes.
fn noise(seed: u64, len: u64) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(len).unwrap()];
    SeededEntropy::new(seed).fill(&mut bytes);
    bytes
}

/// A leaf's content: one of the shared in two of three cases.
fn leaf(random: &mut SeededEntropy) -> Vec<u8> {
    match random.below(3) {
        0 => noise(random.next_u64(), 1 + random.below(LEAF_BYTES)),
        _ => {
            let n = random.below(SHARED);
            noise(n, 200 + n * 7919 % LEAF_BYTES)
        }
    }
}

/// Puts a small tree, with `below` as one more child if given. Returns all its blocks, the root last.
pub(crate) fn put_tree(
    session: &Session,
    random: &mut SeededEntropy,
    below: Option<BlockId>,
) -> Result<Vec<BlockId>> {
    let leaves: Vec<Vec<u8>> = (0..1 + random.below(12)).map(|_| leaf(random)).collect();
    let blocks: Vec<BlockRef<'_>> = leaves.iter().map(|bytes| BlockRef::leaf(bytes)).collect();
    let mut ids = session.put(&blocks)?;
    let children: Vec<BlockId> = ids.iter().copied().chain(below).collect();
    // Two nodes over the leaves and one over the nodes, so that marking has more than one level to go.
    let (left, right) = children.split_at(children.len() / 2);
    let mut nodes = Vec::new();
    for half in [left, right] {
        nodes.extend(session.put(&[BlockRef::node(&encode_node(half, b"").unwrap())])?);
    }
    let root = encode_node(&nodes, b"root").unwrap();
    ids.extend(nodes);
    ids.extend(session.put(&[BlockRef::node(&root)])?);
    Ok(ids)
}

/// Puts and syncs a leaf that nobody else has.
pub(crate) fn put_own(session: &Session, random: &mut SeededEntropy) -> Result<BlockId> {
    let id = session.put(&[BlockRef::leaf(&noise(random.next_u64(), 3000))])?;
    session.sync()?;
    Ok(id[0])
}
