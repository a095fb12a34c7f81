//! The decoders of blocks as plain functions over bytes, for the fuzz targets in `fuzz/`.
//!
//! Only there with the feature `fuzzing`; not part of the API. Each function decodes and, if that works, encodes
//! again, so that a target can compare.

use super::form::Form;
use super::leaf::{self, Parts};
use super::record::RunKind;
use super::{index, large};
use tidemark_base::BlockId;
use tidemark_base::codec::Reader;
use tidemark_blockstore::{Node, encode_node};

/// A leaf of a run of this kind.
#[must_use]
pub fn leaf(kind: RunKind, plain: &[u8]) -> Option<Vec<u8>> {
    let opened = leaf::open(kind, plain).ok()?;
    let mut body = Vec::new();
    leaf::begin(kind, &mut body);
    let (mut at, mut children, mut plain_bytes) = (opened.start, 0, 0);
    let nobody = BlockId::from_bytes([0; BlockId::LEN]);
    while let Some((spans, next)) = leaf::item_at(kind, plain, at).ok()? {
        let part = |range| plain.get(range).expect("spans lie within the leaf");
        let its_children = vec![nobody; spans.children];
        let (key, head, bytes) = (part(spans.key), part(spans.head), part(spans.bytes));
        let item = Parts { key, head, bytes, children: &its_children };
        item.put(kind, &mut body);
        plain_bytes += item.in_leaf_bytes(kind) as u64;
        children += spans.children;
        at = next;
    }
    if kind != RunKind::Catalog {
        assert_eq!(plain_bytes, opened.plain_bytes, "what an item takes is what it is said to take");
        return Some(body);
    }
    let node = Node::decode(plain).ok()?;
    (children == opened.children)
        .then(|| encode_node(&node.children().collect::<Vec<_>>(), &body).ok())
        .flatten()
}

/// An index node, a large item or a leaf in a node of a run of this kind.
#[must_use]
pub fn node(kind: RunKind, plain: &[u8]) -> Option<Vec<u8>> {
    let node = Node::decode(plain).ok()?;
    let children: Vec<BlockId> = node.children().collect();
    match Form::read(kind, &mut Reader::new(node.body)).ok()? {
        Form::Index => {
            let index = index::decode(kind, node).ok()?;
            let amount =
                index.children.iter().try_fold(index::Amount::default(), |sum, child| sum.plus(child.amount));
            assert_eq!(amount, Some(index.amount));
            index::encode(kind, index.level, &index.children).ok()
        }
        Form::Large => large::decode(kind, node).ok()?.encode(kind, &children).ok(),
        Form::CatalogLeaf => leaf(kind, plain),
        Form::PatchLeaf => None,
    }
}
