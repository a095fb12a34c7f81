//! Runs written and read: what all these tests need.

mod beside;
mod damage;
mod format;
mod model;
mod shape;
mod sharing;
mod splice;

use super::*;
use crate::key;
use crate::patch::Patch;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tidemark_base::bson::{Doc, DocWriter, Element, kind};
use tidemark_base::{BlockId, BlockKind, Entropy as _, SeededEntropy};
use tidemark_blockstore::{MemoryBackend, Node, Session, Store};
use tidemark_oplog::entry::{Action, Change, Manner, Target};
use tidemark_oplog::names::Namespace;

/// The items of a run: what stands behind each key, and its children.
type Items = BTreeMap<Vec<u8>, (Vec<u8>, Vec<BlockId>)>;

const KINDS: [RunKind; 3] = [RunKind::Base, RunKind::Patch, RunKind::Catalog];

fn store() -> Store {
    Store::new(Arc::new(MemoryBackend::new(&mut SeededEntropy::new(1))))
}

fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    SeededEntropy::new(seed).fill(&mut bytes);
    bytes
}

/// A document with this `_id` and this value, and its key.
fn document(id: Element<'_>, value: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut bytes = Vec::new();
    let mut w = DocWriter::new(&mut bytes);
    let open = w.begin();
    w.raw(id.kind, b"_id", id.value);
    w.binary(b"value", 0, value);
    w.end(open);
    let mut key = Vec::new();
    key::encode(id, &mut key).unwrap();
    (key, bytes)
}

fn numbered(n: i32, value: &[u8]) -> (Vec<u8>, Vec<u8>) {
    document(Element { kind: kind::INT32, name: b"_id", value: &n.to_le_bytes() }, value)
}

/// The value of a text as BSON has it.
fn text(text: &[u8]) -> Vec<u8> {
    let len = i32::try_from(text.len() + 1).unwrap();
    [&len.to_le_bytes(), text, &[0]].concat()
}

/// The patch that inserts a document, or deletes one.
fn patch(document: Doc<'_>, deletes: bool) -> Patch<'_> {
    let id = document.get("_id").unwrap().unwrap();
    let action = if deletes { Action::Delete { id } } else { Action::Insert { id, document } };
    let target = Target { uuid: None, namespace: Namespace::parse("db.c").unwrap() };
    Patch::of(&Change { target, manner: Manner::Strict, action }, &mut Vec::new())
}

fn push(writer: &mut RunWriter<'_>, kind: RunKind, key: &[u8], item: &(Vec<u8>, Vec<BlockId>)) -> Result<()> {
    match kind {
        RunKind::Patch => writer.push_patch(key, &patch(Doc::new(&item.0).unwrap(), false)),
        RunKind::Base | RunKind::Catalog => writer.push(key, &item.0, &item.1),
    }
}

fn write(session: &Session, kind: RunKind, items: &Items) -> Option<Run> {
    let mut writer = RunWriter::new(session, kind);
    items.iter().for_each(|(key, item)| push(&mut writer, kind, key, item).unwrap());
    writer.finish().unwrap()
}

/// Everything that a cursor still yields.
fn rest(cursor: &mut RunCursor<'_>) -> Result<Items> {
    let mut found = Items::new();
    let mut last: Option<Vec<u8>> = None;
    while let Some(entry) = cursor.next()? {
        assert!(last.as_deref().is_none_or(|last| last < entry.key));
        last = Some(entry.key.to_vec());
        found.insert(entry.key.to_vec(), (entry.bytes.to_vec(), entry.children().collect()));
        if cursor.kind() == RunKind::Patch {
            cursor.current().unwrap().patch()?;
        }
    }
    assert!(!cursor.advance()?);
    Ok(found)
}

fn read_all(source: &dyn Source, run: &Run) -> Result<Items> {
    rest(&mut RunReader::open(source, run).cursor(KeyRange::ALL))
}

/// Documents numbered from 0 with values of one length.
fn documents(count: i32, value_bytes: usize) -> Items {
    (0..count)
        .map(|n| numbered(n, &noise(u64::try_from(n).unwrap(), value_bytes)))
        .map(|(key, document)| (key, (document, Vec::new())))
        .collect()
}

/// The blocks of a run, with how deep they lie below its top.
fn blocks(source: &dyn Source, run: &Run) -> BTreeMap<BlockId, usize> {
    let mut found = BTreeMap::from([(run.top, 0)]);
    let mut open = vec![(run.top, 0)];
    while let Some((id, depth)) = open.pop() {
        let block = source.read(&[id]).remove(0).unwrap();
        if block.kind() == BlockKind::Node {
            for child in Node::decode(block.bytes()).unwrap().children() {
                if found.insert(child, depth + 1).is_none() {
                    open.push((child, depth + 1));
                }
            }
        }
    }
    found
}
