//! The start of every node block: how many children it has, and their names.
//!
//! This is all the blockstore knows about the contents of blocks: enough for garbage collection and verify
//! to walk from a root to everything below it. What follows the children is the caller's.

#![warn(clippy::indexing_slicing)]

use crate::error::{Error, Result};
use tidemark_base::BlockId;
use tidemark_base::codec::{CodecError, Put, Reader};
use tidemark_base::limits::MAX_NODE_CHILDREN;

/// Writes the plain bytes of a node: count, child ids, body.
///
/// # Errors
/// [`Error::Invalid`] if there are more than [`MAX_NODE_CHILDREN`] children.
pub fn encode_node(children: &[BlockId], body: &[u8]) -> Result<Vec<u8>> {
    if children.len() > MAX_NODE_CHILDREN {
        return Err(Error::invalid(format!(
            "a node of {} children is over the limit of {MAX_NODE_CHILDREN}",
            children.len()
        )));
    }
    let mut bytes = Vec::with_capacity(4 + BlockId::LEN * children.len() + body.len());
    bytes.put_u32(u32::try_from(children.len()).expect("checked above"));
    for child in children {
        bytes.extend_from_slice(child.as_bytes());
    }
    bytes.extend_from_slice(body);
    Ok(bytes)
}

/// A node's children and body, borrowed from its plain bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node<'a> {
    children: &'a [u8],
    /// What follows the children.
    pub body: &'a [u8],
}

impl<'a> Node<'a> {
    /// Reads the plain bytes of a node.
    ///
    /// # Errors
    /// A count over [`MAX_NODE_CHILDREN`], or fewer bytes than the children need.
    pub fn decode(plain: &'a [u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(plain);
        let count = reader.len_u32("number of children", MAX_NODE_CHILDREN)?;
        let children = reader.bytes("child ids", count * BlockId::LEN)?;
        Ok(Self { children, body: reader.rest() })
    }

    /// The children, in order; a child may occur more than once.
    pub fn children(&self) -> impl ExactSizeIterator<Item = BlockId> + use<'a> {
        let (ids, _) = self.children.as_chunks::<{ BlockId::LEN }>();
        ids.iter().map(|id| BlockId::from_bytes(*id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemark_base::BlockKind;

    #[test]
    fn a_node_round_trips() {
        let children: Vec<_> = (0..3u8).map(|n| BlockId::of(BlockKind::Leaf, &[n])).collect();
        let bytes = encode_node(&children, b"body").unwrap();
        let node = Node::decode(&bytes).unwrap();
        assert_eq!(node.children().collect::<Vec<_>>(), children);
        assert_eq!(node.body, b"body");
    }

    #[test]
    fn a_count_without_the_children_is_refused() {
        assert!(Node::decode(&[2, 0, 0, 0, 1, 2, 3]).is_err());
        assert!(Node::decode(&u32::MAX.to_le_bytes()).is_err());
        assert!(Node::decode(&[]).is_err());
    }
}
