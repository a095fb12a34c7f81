//! Runs: their blocks, and whole runs of blocks that any bytes make up.

use std::sync::Arc;
use tidemark_base::{BlockId, SeededEntropy};
use tidemark_blockstore::{BlockRef, MemoryBackend, Session, Store, encode_node};
use tidemark_head::run::{KeyRange, Run, RunError, RunKind, RunReader, fuzzing};

/// A leaf: a byte for the kind of run, and the leaf.
#[must_use]
pub fn run_leaf(bytes: &[u8]) -> bool {
    again(bytes, fuzzing::leaf)
}

/// A node: a byte for the kind of run, and the node.
#[must_use]
pub fn run_node(bytes: &[u8]) -> bool {
    again(bytes, fuzzing::node)
}

/// What decodes encodes to the same bytes again.
fn again(bytes: &[u8], decode: fn(RunKind, &[u8]) -> Option<Vec<u8>>) -> bool {
    let Some((kind, plain)) = bytes.split_first() else { return false };
    let Some(kind) = RunKind::from_byte(*kind) else { return false };
    let Some(encoded) = decode(kind, plain) else { return false };
    assert_eq!(encoded, plain);
    true
}

/// A whole run: a byte for its kind, a byte for the number of items and four for their length; then the blocks,
/// the last of which is the top. Each block: a byte (1 a node, else a leaf), of a node a byte for the number of
/// children and for each which of the blocks before it is, two bytes for the length of what follows.
///
/// What is read to the end is in order, as much as is said, and found again one by one.
#[must_use]
pub fn run_tree(bytes: &[u8]) -> bool {
    let store = Store::new(Arc::new(MemoryBackend::new(&mut SeededEntropy::new(1))));
    let session = store.session(&[]).expect("memory never fails");
    let Some(run) = build(bytes, &session) else { return false };
    read(&session, &run)
}

fn build(bytes: &[u8], session: &Session) -> Option<Run> {
    let ([kind, items, length @ ..], mut rest) = bytes.split_first_chunk::<6>()?;
    let mut blocks: Vec<BlockId> = Vec::new();
    while let Some((form, after)) = rest.split_first() {
        let (children, after) = if *form == 1 {
            let (count, after) = after.split_first()?;
            let (children, after) = after.split_at_checked(usize::from(*count))?;
            let children: Option<Vec<BlockId>> =
                children.iter().map(|child| blocks.get(usize::from(*child)).copied()).collect();
            (Some(children?), after)
        } else {
            (None, after)
        };
        let (len, after) = after.split_first_chunk()?;
        let (body, after) = after.split_at_checked(usize::from(u16::from_le_bytes(*len)))?;
        let plain = children.map(|children| encode_node(&children, body).expect("at most 255 children"));
        let block = plain.as_deref().map_or(BlockRef::leaf(body), BlockRef::node);
        blocks.extend(session.put(&[block]).expect("a small block, a node if it is one"));
        rest = after;
    }
    let plain_bytes = u32::from_le_bytes(*length).into();
    let kind = RunKind::from_byte(*kind)?;
    Some(Run { kind, top: *blocks.last()?, items: u64::from(*items), plain_bytes, first: None, last: None })
}

fn read(session: &Session, run: &Run) -> bool {
    let reader = RunReader::open(session, run);
    let mut cursor = reader.cursor(KeyRange::ALL);
    let mut keys: Vec<Vec<u8>> = Vec::new();
    loop {
        match cursor.next() {
            Ok(Some(entry)) => keys.push(entry.key.to_vec()),
            Ok(None) => break,
            Err(RunError::Damaged { .. }) => return false,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(keys.is_sorted_by(|a, b| a < b));
    assert_eq!(keys.len() as u64, run.items);
    for (number, key) in keys.iter().enumerate().rev() {
        assert!(reader.get(key).expect("it was read before").is_some());
        cursor.seek(key);
        assert_eq!(cursor.next().expect("it was read before").map(|entry| entry.key), Some(key.as_slice()));
        cursor.seek(&[key.as_slice(), &[0]].concat());
        let next = cursor.next().expect("it was read before").map(|entry| entry.key.to_vec());
        assert_eq!(next.as_ref(), keys.get(number + 1));
    }
    true
}
