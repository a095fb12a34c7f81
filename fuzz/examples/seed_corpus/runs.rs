//! Seeds of runs: written by the writer, and one with pieces made by hand.

use crate::{Done, keep};
use std::error::Error;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use tidemark_base::bson::{Doc, DocWriter};
use tidemark_base::{BlockId, BlockKind, SeededEntropy};
use tidemark_blockstore::{BlockRef, MemoryBackend, Node, Session, Store, encode_node};
use tidemark_head::patch::Patch;
use tidemark_head::run::{Run, RunKind, RunWriter};
use tidemark_oplog::entry::{Action, Change, Manner, Target};
use tidemark_oplog::names::Namespace;

type Made<T> = Result<T, Box<dyn Error>>;

/// The blocks of small runs of each kind, and the runs.
pub(crate) fn keep_runs(here: &Path) -> Done {
    let store = Store::new(Arc::new(MemoryBackend::new(&mut SeededEntropy::new(1))));
    let session = store.session(&[])?;
    for kind in [RunKind::Base, RunKind::Patch, RunKind::Catalog] {
        let (low, high) = (leaf(&session, kind, 0..5)?, leaf(&session, kind, 5..10)?);
        let both = above(&session, &low, &high, &document(5)?.1)?;
        [low, high, both].iter().try_for_each(|run| keep_run(here, &session, run))?;
    }
    keep_run(here, &session, &large(&session)?)
}

/// A run of one leaf.
fn leaf(session: &Session, kind: RunKind, numbers: Range<i32>) -> Made<Run> {
    let child = session.put(&[BlockRef::leaf(b"child")])?;
    let mut writer = RunWriter::new(session, kind);
    for n in numbers {
        let (document, key) = document(n)?;
        let children = child.get(..usize::from(kind == RunKind::Catalog && n % 3 == 0)).unwrap_or_default();
        if kind != RunKind::Patch {
            writer.push(&key, &document, children)?;
            continue;
        }
        let document = Doc::new(&document)?;
        let id = document.get("_id")?.ok_or("it has one")?;
        let action = if n % 2 == 0 { Action::Insert { id, document } } else { Action::Delete { id } };
        let target = Target { uuid: None, namespace: Namespace::parse("db.c")? };
        let change = Change { target, manner: Manner::Strict, action };
        writer.push_patch(&key, &Patch::of(&change, &mut Vec::new()))?;
    }
    Ok(writer.finish()?.ok_or("it has items")?)
}

/// An index node above two leaves: far smaller than a writer makes them.
fn above(session: &Session, low: &Run, high: &Run, separator: &[u8]) -> Made<Run> {
    // Form 1, version 1, level 1. Lengths of two bytes as varints.
    let mut body = vec![1, 1, low.kind.to_byte(), 1];
    for (run, separator) in [(low, None), (high, Some(separator))] {
        if let Some(separator) = separator {
            body.push(u8::try_from(separator.len())?);
            body.extend_from_slice(separator);
        }
        body.push(u8::try_from(run.items)?);
        let [seven, more] = [run.plain_bytes % 128, run.plain_bytes / 128];
        body.extend([u8::try_from(seven + 128)?, u8::try_from(more)?]);
        if run.kind == RunKind::Patch {
            // How many leave nothing, and the bytes of those that are new: as few as can be.
            body.extend([0, 0]);
        }
    }
    let top = session.put(&[BlockRef::node(&encode_node(&[low.top, high.top], &body)?)])?;
    let top = *top.first().ok_or("one was put")?;
    let (items, plain_bytes) = (low.items + high.items, low.plain_bytes + high.plain_bytes);
    Ok(Run { top, items, plain_bytes, ..low.clone() })
}

/// A document and its key.
fn document(n: i32) -> Made<(Vec<u8>, Vec<u8>)> {
    let (mut document, mut key) = (Vec::new(), Vec::new());
    let mut w = DocWriter::new(&mut document);
    let open = w.begin();
    w.int32(b"_id", n);
    w.string(b"text", b"which fills a leaf, so that two bytes say how long it is");
    w.end(open);
    tidemark_head::key::key_of_document(Doc::new(&document)?, &mut key)?;
    Ok((document, key))
}

/// A run of one large item, with two pieces: far smaller than a writer makes them.
fn large(session: &Session) -> Made<Run> {
    let (document, _) = document(1)?;
    let (first, second) = document.split_at(20);
    let pieces = session.put(&[BlockRef::leaf(first), BlockRef::leaf(second)])?;
    // Form 2, version 1, kind 1; no children, key or head; the length, which is less than 128.
    let body = [2, 1, 1, 0, 0, 0, u8::try_from(document.len())?];
    let top = session.put(&[BlockRef::node(&encode_node(&pieces, &body)?)])?;
    let top = *top.first().ok_or("one was put")?;
    let plain_bytes = document.len() as u64;
    Ok(Run { kind: RunKind::Base, top, items: 1, plain_bytes, first: None, last: None })
}

/// Its blocks one by one, and all of them as the target `run_tree` takes them.
fn keep_run(here: &Path, session: &Session, run: &Run) -> Done {
    let kind = run.kind.to_byte();
    let mut tree = vec![kind, u8::try_from(run.items)?];
    tree.extend(u32::try_from(run.plain_bytes)?.to_le_bytes());
    let mut order: Vec<BlockId> = Vec::new();
    below(session, run.top, &mut order)?;
    for (at, id) in order.iter().enumerate() {
        let block = session.get(&[*id]).remove(0)?;
        let plain = block.bytes();
        // A piece, and what lies below a catalog, are leaf blocks too, but no leaves.
        let is_leaf = block.kind() == BlockKind::Leaf && run.kind != RunKind::Catalog;
        let seed = [&[kind], plain].concat();
        let is_piece = Doc::first(plain).is_err() && run.kind == RunKind::Base;
        if is_leaf && !is_piece && seed.len() <= 4096 {
            keep(here, "run_leaf", &seed)?;
        }
        let body = if block.kind() == BlockKind::Node {
            if seed.len() <= 4096 {
                keep(here, "run_node", &seed)?;
            }
            let node = Node::decode(plain)?;
            tree.extend([1, u8::try_from(node.children().len())?]);
            for child in node.children() {
                let place = order.iter().take(at).position(|it| *it == child).ok_or("children come first")?;
                tree.push(u8::try_from(place)?);
            }
            node.body
        } else {
            tree.push(0);
            plain
        };
        tree.extend(u16::try_from(body.len())?.to_le_bytes());
        tree.extend_from_slice(body);
    }
    if tree.len() <= 4096 { keep(here, "run_tree", &tree) } else { Err("a seed is too large".into()) }
}

/// The block's descendants and then itself, each once.
fn below(session: &Session, id: BlockId, order: &mut Vec<BlockId>) -> Done {
    if order.contains(&id) {
        return Ok(());
    }
    let block = session.get(&[id]).remove(0)?;
    if block.kind() == BlockKind::Node {
        for child in Node::decode(block.bytes())?.children() {
            below(session, child, order)?;
        }
    }
    order.push(id);
    Ok(())
}
