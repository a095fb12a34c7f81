//! A block of a run as readers use it: an index node decoded, or a leaf's bytes with the places of its items.

#![warn(clippy::indexing_slicing)]

use super::error::{Problem, Result};
use super::form::Form;
use super::index::{self, Child, Index};
use super::record::RunKind;
use super::source::{Source, read_one};
use std::sync::{Arc, OnceLock};
use tidemark_base::codec::Reader;
use tidemark_base::{BlockId, BlockKind};
use tidemark_blockstore::{Block, Node};

/// A block of a run. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) enum Held {
    /// An index node of a run of this kind.
    Index(RunKind, Arc<Index>),
    /// Anything else: a leaf or large item, if it is sound.
    Leaf(Arc<Leaf>),
}

/// A leaf or large item.
#[derive(Debug)]
pub(super) struct Leaf {
    pub(super) block: Block,
    /// Where its items begin, once somebody wanted to know: see [`super::places`].
    pub(super) places: OnceLock<Box<[u32]>>,
    /// Whether others read it, too: then it is worth to know the places.
    pub(super) is_shared: bool,
}

/// How much memory a child of a decoded node takes, beside its separator.
const CHILD_BYTES: usize = size_of::<Child>();

impl Held {
    /// What a block is as part of a run of this kind.
    pub(super) fn of(kind: RunKind, id: BlockId, block: Block) -> Result<Self> {
        Self::new(kind, id, block, false)
    }

    fn new(kind: RunKind, id: BlockId, block: Block, is_shared: bool) -> Result<Self> {
        let index = match block.kind() {
            BlockKind::Node => read_index(kind, block.bytes()).map_err(|problem| problem.of(id))?,
            BlockKind::Leaf => None,
        };
        Ok(match index {
            Some(index) => Self::Index(kind, Arc::new(index)),
            None => Self::Leaf(Arc::new(Leaf { block, places: OnceLock::new(), is_shared })),
        })
    }

    /// Whether it was understood as part of a run of this kind.
    pub(super) fn is_of(&self, kind: RunKind) -> bool {
        match self {
            Self::Index(of, _) => *of == kind,
            Self::Leaf(_) => true,
        }
    }

    /// About how much memory it takes, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        match self {
            Self::Index(_, index) => {
                let separators: usize = index.children.iter().map(|child| child.separator.capacity()).sum();
                separators + CHILD_BYTES * index.children.len()
            }
            // With room for the places of small items.
            Self::Leaf(leaf) => leaf.block.bytes().len() + leaf.block.bytes().len() / 8,
        }
    }
}

/// The block with this name as part of a run of this kind, from the source's cache or into it.
pub(super) fn hold(source: &dyn Source, kind: RunKind, id: BlockId) -> Result<Held> {
    let cache = source.cache();
    if let Some(held) = cache.and_then(|cache| cache.get(kind, &id)) {
        return Ok(held);
    }
    let held = Held::new(kind, id, read_one(source, id)?, cache.is_some())?;
    if let Some(cache) = cache {
        cache.put(id, held.clone());
    }
    Ok(held)
}

/// The index node in these plain bytes of a node block; none if it is another part of a run.
fn read_index(kind: RunKind, plain: &[u8]) -> Result<Option<Index>, Problem> {
    let node = Node::decode(plain)?;
    match Form::read(kind, &mut Reader::new(node.body))? {
        Form::Index => index::decode(kind, node).map(Some),
        _ => Ok(None),
    }
}
