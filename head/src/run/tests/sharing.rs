//! How much two runs share that differ little: what a small change costs.

use super::*;

/// The blocks of the run of these items.
fn written(session: &Session, kind: RunKind, items: &Items) -> BTreeSet<BlockId> {
    blocks(session, &write(session, kind, items).unwrap()).into_keys().collect()
}

/// Three levels: a top, nodes, leaves.
fn items() -> Items {
    documents(20_000, 500)
}

/// Each change is made in many places; of the counts, the mean counts, since a cut can fall anywhere.
fn mean_fresh(kind: RunKind, change: impl Fn(&mut Items, usize)) -> f64 {
    let store = store();
    let session = store.session(&[]).unwrap();
    let old = items();
    let known = written(&session, kind, &old);
    let places = 12;
    let mut total = 0;
    for place in 0..places {
        let mut new = old.clone();
        change(&mut new, place * old.len() / places + 77);
        let fresh = written(&session, kind, &new).difference(&known).count();
        assert!((1..=12).contains(&fresh), "{fresh} new blocks for a change at place {place}");
        total += fresh;
    }
    f64::from(u32::try_from(total).unwrap()) / 12.0
}

fn replace(items: &mut Items, at: usize, value_bytes: usize) {
    let n = i32::try_from(at).unwrap();
    let (key, document) = numbered(n, &noise(1 << 40, value_bytes));
    assert!(items.insert(key, (document, Vec::new())).is_some());
}

#[test]
fn a_changed_value_costs_its_leaf_and_the_nodes_above() {
    for kind in KINDS {
        let mean = mean_fresh(kind, |items, at| replace(items, at, 500));
        assert!(mean < if kind == RunKind::Catalog { 4.6 } else { 3.1 }, "{kind:?}: {mean}");
    }
}

#[test]
fn a_value_that_grows_moves_hardly_any_cut() {
    let mean = mean_fresh(RunKind::Base, |items, at| replace(items, at, 700));
    assert!(mean < 4.0, "{mean}");
}

#[test]
fn an_insertion_or_a_deletion_costs_little_more() {
    let mean = mean_fresh(RunKind::Base, |items, at| {
        let (key, _) = numbered(i32::try_from(at).unwrap(), &[]);
        items.remove(&key).unwrap();
    });
    assert!(mean < 5.0, "{mean}");
    let mean = mean_fresh(RunKind::Base, |items, at| {
        // Halves lie between whole numbers.
        let half = f64::from(u32::try_from(at).unwrap()) + 0.5;
        let id = Element { kind: kind::DOUBLE, name: b"_id", value: &half.to_le_bytes() };
        let (key, document) = document(id, &noise(3, 500));
        assert!(items.insert(key, (document, Vec::new())).is_none());
    });
    assert!(mean < 5.0, "{mean}");
}

#[test]
fn an_edit_of_a_large_document_costs_the_pieces_around_it() {
    let store = store();
    let session = store.session(&[]).unwrap();
    let value = noise(5, 8 << 20);
    let [before, after] = [false, true].map(|edited| {
        let mut value = value.clone();
        if edited {
            value.splice(4_000_000..4_000_000, *b"inserted");
        }
        let (key, document) = numbered(1, &value);
        Items::from([(key, (document, Vec::new()))])
    });
    let [before, after] = [before, after].map(|items| written(&session, RunKind::Base, &items));
    // The node, the first piece with the lengths, and the pieces around the edit.
    let fresh = after.difference(&before).count();
    assert!((3..=6).contains(&fresh), "{fresh} of about 120 blocks are new");
}

/// A file as GridFS stores it, in chunks of 255 KiB, under ids of its own.
fn file(number: u8, content: &[u8]) -> Items {
    let mut chunks = Items::new();
    for (chunk, n) in content.chunks(255 << 10).zip(0_u8..) {
        let id = [&[number; 11][..], &[n]].concat();
        let (key, document) = document(Element { kind: kind::OBJECT_ID, name: b"_id", value: &id }, chunk);
        chunks.insert(key, (document, Vec::new()));
    }
    chunks
}

#[test]
fn a_file_stored_again_in_chunks_shares_most_of_its_contents() {
    let store = store();
    let session = store.session(&[]).unwrap();
    let content = noise(11, 8 << 20);
    let mut items = file(1, &content);
    let once = written(&session, RunKind::Base, &items);
    items.extend(file(2, &content));
    let twice = written(&session, RunKind::Base, &items);
    let bytes = |id: &BlockId| session.read(&[*id]).remove(0).unwrap().bytes().len();
    let fresh: usize = twice.difference(&once).map(bytes).sum();
    let percent = fresh * 100 / content.len();
    assert!(percent < 40, "{percent} % of a file stored again are new");
}

/// Bytes in the leaves of a base that are not among the known blocks.
fn bytes_in_new_leaves(session: &Session, run: &Run, known: &BTreeSet<BlockId>) -> u64 {
    let fresh = blocks(session, run).into_keys().filter(|id| !known.contains(id));
    let block = |id| session.read(&[id]).remove(0).unwrap();
    let leaves = fresh.map(block).filter(|block| block.kind() == BlockKind::Leaf);
    leaves.map(|leaf| leaf.bytes().len() as u64).sum()
}

#[test]
fn what_another_run_does_not_have_is_what_lies_in_its_new_leaves() {
    let store = store();
    let session = store.session(&[]).unwrap();
    let all = items();
    let of = |range: std::ops::Range<usize>| -> Items {
        all.iter().take(range.end).skip(range.start).map(|(key, item)| (key.clone(), item.clone())).collect()
    };
    let mut changed = all.clone();
    (0..5).for_each(|n| replace(&mut changed, n * 3999, 900));
    // Of one leaf, two levels and three; with the same beginning, the same end, and nothing in common.
    let versions = [all.clone(), changed, of(0..1), of(0..300), of(0..19_000), of(1000..20_000), of(10..11)];
    let runs: Vec<Run> =
        versions.iter().map(|items| write(&session, RunKind::Base, items).unwrap()).collect();
    let mut shared = 0;
    for run in &runs {
        for other in &runs {
            let known = blocks(&session, other).into_keys().collect();
            let bytes = bytes_not_in(&session, run, other).unwrap();
            assert_eq!(bytes, bytes_in_new_leaves(&session, run, &known));
            shared += u32::from(bytes > 0 && bytes < run.plain_bytes / 10);
        }
    }
    assert!(shared >= 4, "{shared} pairs share much and not all");
}
