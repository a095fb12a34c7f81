//! The form of what is written: nothing, one leaf, nodes, items out of line; what a writer refuses.

use super::*;
use crate::run::cut::KeyCutter;
use crate::run::index;
use tidemark_base::ErrorKind;
use tidemark_base::limits::{MAX_ITEM_CHILDREN, MAX_RUN_ITEM_BYTES};

fn kind_of(source: &dyn Source, id: BlockId) -> BlockKind {
    source.read(&[id]).remove(0).unwrap().kind()
}

#[test]
fn a_run_without_items_is_none() {
    let store = store();
    let session = store.session(&[]).unwrap();
    for kind in KINDS {
        assert_eq!(write(&session, kind, &Items::new()), None);
    }
}

#[test]
fn a_run_of_one_leaf_is_that_leaf() {
    let store = store();
    let session = store.session(&[]).unwrap();
    let items = documents(3, 10);
    let run = write(&session, RunKind::Base, &items).unwrap();
    let plain: Vec<u8> = items.values().flat_map(|(document, _)| document.clone()).collect();
    assert_eq!(run.top, BlockId::of(BlockKind::Leaf, &plain));
    assert_eq!((run.items, run.plain_bytes), (3, plain.len() as u64));
    assert_eq!(blocks(&session, &run).len(), 1);
    assert_eq!(kind_of(&session, write(&session, RunKind::Patch, &items).unwrap().top), BlockKind::Leaf);
    assert_eq!(kind_of(&session, write(&session, RunKind::Catalog, &items).unwrap().top), BlockKind::Node);
}

#[test]
fn base_leaves_are_the_documents_and_nothing_else() {
    let store = store();
    let session = store.session(&[]).unwrap();
    let items = documents(20_000, 600);
    let run = write(&session, RunKind::Base, &items).unwrap();
    let mut leaves = 0;
    for (id, depth) in blocks(&session, &run) {
        let block = session.read(&[id]).remove(0).unwrap();
        if block.kind() == BlockKind::Leaf {
            leaves += 1;
            assert!(depth > 1, "a run of this length has two levels of nodes");
            assert!(block.bytes().len() <= 256 << 10);
            assert!(tidemark_base::bson::split(block.bytes()).all(|document| document.is_ok()));
        } else {
            let index = index::decode(RunKind::Base, Node::decode(block.bytes()).unwrap()).unwrap();
            assert!(index.children.len() >= 2 && block.bytes().len() <= 16 << 10);
        }
    }
    let plain: u64 = items.values().map(|(document, _)| document.len() as u64).sum();
    assert_eq!(run.plain_bytes, plain);
    assert!((plain / (88 << 10)..plain / (56 << 10)).contains(&leaves), "{leaves} leaves");
}

#[test]
fn a_large_document_has_the_same_pieces_in_a_base_and_in_a_patch_run() {
    let store = store();
    let session = store.session(&[]).unwrap();
    let items = documents(1, 3 << 20);
    let [base, patch, catalog] = KINDS.map(|kind| {
        let run = write(&session, kind, &items).unwrap();
        let mut found = blocks(&session, &run);
        assert_eq!(found.remove(&run.top), Some(0));
        assert_eq!(kind_of(&session, run.top), BlockKind::Node);
        found
    });
    assert!(base.len() > 20);
    assert_eq!(base, patch);
    assert_eq!(base, catalog);
}

#[test]
fn the_same_items_make_the_same_run_however_they_are_batched() {
    let mut items = documents(2000, 700);
    for n in 2000..2003 {
        let (key, document) = numbered(n, &noise(7, 400_000));
        items.insert(key, (document, Vec::new()));
    }
    for kind in KINDS {
        let mut tops = BTreeSet::new();
        for batch_bytes in [1, 100_000, 4 << 20, usize::MAX] {
            let store = store();
            let session = store.session(&[]).unwrap();
            let mut writer = RunWriter::new(&session, kind);
            writer.set_batch_bytes(batch_bytes);
            items.iter().for_each(|(key, item)| push(&mut writer, kind, key, item).unwrap());
            tops.insert(writer.finish().unwrap().unwrap().top);
        }
        assert_eq!(tops.len(), 1, "{kind:?}");
    }
}

#[test]
fn keys_of_megabytes_are_written_found_and_told_apart() {
    let long = |last: &[u8]| text(&[vec![b'k'; 1_200_000].as_slice(), last].concat());
    let items: Items = (0..6_u8)
        .map(|n| {
            let value = long(&[b'a' + n]);
            let id = Element { kind: kind::STRING, name: b"_id", value: &value };
            let (key, document) = document(id, b"v");
            (key, (document, Vec::new()))
        })
        .collect();
    for kind in KINDS {
        let store = store();
        let session = store.session(&[]).unwrap();
        let run = write(&session, kind, &items).unwrap();
        assert_eq!(read_all(&session, &run).unwrap(), items);
        let reader = RunReader::open(&session, &run);
        for (key, item) in &items {
            assert_eq!(reader.get(key).unwrap().map(|it| (it.bytes, it.children)).as_ref(), Some(item));
            assert_eq!(reader.get(&key[..key.len() - 2]).unwrap(), None);
        }
        let mut cursor = reader.cursor(KeyRange::ALL);
        for (n, key) in items.keys().enumerate().rev() {
            cursor.seek(key);
            assert_eq!(rest(&mut cursor).unwrap().len(), items.len() - n);
        }
    }
}

#[test]
fn keys_that_are_alike_for_kilobytes_make_nodes_of_many_levels() {
    let items: Items = (0..3000_u32)
        .map(|n| ([vec![7; 2000], n.to_be_bytes().to_vec()].concat(), (n.to_le_bytes().to_vec(), Vec::new())))
        .collect();
    let store = store();
    let session = store.session(&[]).unwrap();
    let run = write(&session, RunKind::Catalog, &items).unwrap();
    assert!(blocks(&session, &run).values().max() > Some(&4));
    assert_eq!(read_all(&session, &run).unwrap(), items);
    let reader = RunReader::open(&session, &run);
    for (key, (bytes, _)) in items.iter().step_by(171) {
        assert_eq!(reader.get(key).unwrap().map(|item| item.bytes).as_ref(), Some(bytes));
    }
}

#[test]
fn a_writer_says_what_is_wrong_with_an_item() {
    let store = store();
    let session = store.session(&[]).unwrap();
    let mut writer = RunWriter::new(&session, RunKind::Base);
    let (key, document) = numbered(1, b"x");
    writer.push(&key, &document, &[]).unwrap();
    for key in [key.as_slice(), &key[..1], &[]] {
        let error = writer.push(key, &document, &[]).unwrap_err();
        assert!(matches!(&error, RunError::Order { .. }), "{error}");
        assert_eq!(error.kind(), ErrorKind::Internal);
    }
    let next = numbered(2, b"x").0;
    let error = writer.push(&next, &document[1..], &[]).unwrap_err();
    assert!(matches!(error, RunError::NotADocument(_)), "{error}");
    let child = BlockId::of(BlockKind::Leaf, b"x");
    assert!(matches!(writer.push(&next, &document, &[child]), Err(RunError::WrongKind { .. })));
    let patch = patch(Doc::new(&document).unwrap(), false);
    assert!(matches!(writer.push_patch(&next, &patch), Err(RunError::WrongKind { .. })));
    // What was refused is not in it, and does not stand in the way of what is right.
    writer.push(&next, &document, &[]).unwrap();
    assert_eq!(writer.finish().unwrap().unwrap().items, 2);

    let mut writer = RunWriter::new(&session, RunKind::Patch);
    assert!(matches!(writer.push(&key, &document, &[]), Err(RunError::WrongKind { .. })));
    let mut writer = RunWriter::new(&session, RunKind::Catalog);
    let error = writer.push(&key, &vec![0; MAX_RUN_ITEM_BYTES], &[]).unwrap_err();
    assert!(matches!(error, RunError::TooLarge { .. }), "{error}");
    assert!(writer.push(&key, b"", &vec![child; MAX_ITEM_CHILDREN + 1]).is_err());
    writer.push(&key, b"", &vec![child; MAX_ITEM_CHILDREN]).unwrap();
    let run = writer.finish().unwrap().unwrap();
    assert_eq!(read_all(&session, &run).unwrap()[&key].1.len(), MAX_ITEM_CHILDREN);
}

#[test]
fn leaves_end_where_the_cutter_says() {
    let store = store();
    let session = store.session(&[]).unwrap();
    let items = documents(5000, 600);
    let run = write(&session, RunKind::Base, &items).unwrap();
    let cutter = KeyCutter::leaves(store.superblock());
    let (mut expected, mut leaf) = (Vec::new(), Vec::new());
    for (key, (document, _)) in &items {
        leaf.extend_from_slice(document);
        if cutter.ends(key, document.len(), leaf.len()) {
            expected.push(BlockId::of(BlockKind::Leaf, &std::mem::take(&mut leaf)));
        }
    }
    expected.push(BlockId::of(BlockKind::Leaf, &leaf));
    let found = blocks(&session, &run);
    assert!(expected.len() > 20 && expected.iter().all(|leaf| found.contains_key(leaf)));
}
