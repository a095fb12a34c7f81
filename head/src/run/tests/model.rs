//! Random runs against a `BTreeMap`: scans, ranges, lookups, seeks.

use super::*;
use proptest::prelude::*;
use tidemark_testkit::rounds;

/// Mostly small, some large enough for pieces, some around the limit.
fn value_bytes() -> impl Strategy<Value = usize> {
    prop_oneof![20 => 0..3000_usize, 3 => 60_000..200_000_usize, 2 => 130_900..131_200_usize, 1 => 262_000..900_000_usize]
}

fn items() -> impl Strategy<Value = Vec<(i32, usize, u64)>> {
    prop::collection::vec((-400..400_i32, value_bytes(), 0..20_u64), 0..150)
}

/// The items by number, in a run of this kind.
fn model(kind: RunKind, session: &Session, items: &[(i32, usize, u64)]) -> Items {
    let mut model = Items::new();
    for (n, len, seed) in items {
        let (key, document) = numbered(*n, &noise(*seed, *len));
        let children: Vec<_> = match kind {
            RunKind::Catalog => (0..*seed % 4).map(|n| put_child(session, n)).collect(),
            RunKind::Base | RunKind::Patch => Vec::new(),
        };
        model.insert(key, (document, children));
    }
    model
}

fn put_child(session: &Session, n: u64) -> BlockId {
    session.put(&[tidemark_blockstore::BlockRef::leaf(&n.to_le_bytes())]).unwrap()[0]
}

/// Items as a failure can show them: contents by their length and a name.
fn brief(items: &Items) -> Vec<(Vec<u8>, usize, BlockId, usize)> {
    let brief = |(key, (bytes, children)): (&Vec<u8>, &(Vec<u8>, Vec<BlockId>))| {
        let all =
            [bytes.as_slice(), &children.iter().flat_map(|id| *id.as_bytes()).collect::<Vec<_>>()].concat();
        (key.clone(), bytes.len(), BlockId::of(BlockKind::Leaf, &all), children.len())
    };
    items.iter().map(brief).collect()
}

fn key_of(n: i32) -> Vec<u8> {
    numbered(n, &[]).0
}

fn within(model: &Items, range: &KeyRange) -> Items {
    model
        .iter()
        .filter(|(key, _)| range.contains(key))
        .map(|(key, item)| (key.clone(), item.clone()))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(rounds(12)))]
    #[test]
    fn a_run_is_what_was_written(items in items(), bounds in prop::collection::vec(-420..420_i32, 12)) {
        for kind in KINDS {
            let store = store();
            let session = store.session(&[]).unwrap();
            let model = model(kind, &session, &items);
            let run = write(&session, kind, &model);
            prop_assert_eq!(run.is_none(), model.is_empty());
            let Some(run) = run else { continue };
            prop_assert_eq!(run.items, model.len() as u64);
            prop_assert_eq!(brief(&read_all(&session, &run).unwrap()), brief(&model));
            session.sync().unwrap();
            prop_assert_eq!(brief(&read_all(&store, &run).unwrap()), brief(&model));
            let reader = RunReader::open(&store, &run);
            for bounds in bounds.chunks(2) {
                let keys = [key_of(bounds[0]), key_of(bounds[1])];
                for key in &keys {
                    let found = reader.get(key).unwrap().map(|item| (item.bytes, item.children));
                    prop_assert!(found.as_ref() == model.get(key), "{key:?}");
                }
                let [from, before] = keys;
                for range in [
                    KeyRange { from: Some(from.clone()), before: None },
                    KeyRange { from: None, before: Some(before.clone()) },
                    KeyRange { from: Some(from.clone()), before: Some(before.clone()) },
                    KeyRange::only(&from),
                ] {
                    let found = rest(&mut reader.cursor(range.clone())).unwrap();
                    prop_assert_eq!(brief(&found), brief(&within(&model, &range)));
                }
            }
        }
    }

    #[test]
    fn a_cursor_goes_anywhere_and_on_from_there(
        items in items(),
        (from, before) in (-420..420_i32, -420..420_i32),
        moves in prop::collection::vec((-420..420_i32, 0..8_usize), 1..20),
    ) {
        for kind in KINDS {
            let store = store();
            let session = store.session(&[]).unwrap();
            let model = model(kind, &session, &items);
            let Some(run) = write(&session, kind, &model) else { continue };
            let range = KeyRange { from: Some(key_of(from)), before: Some(key_of(before)) };
            for range in [KeyRange::ALL, range] {
                let mut cursor = RunReader::open(&session, &run).cursor(range.clone());
                for (to, steps) in &moves {
                    let to = key_of(*to);
                    cursor.seek(&to);
                    let range = KeyRange { from: range.from.clone().max(Some(to)), ..range.clone() };
                    let expected: Items = within(&model, &range).into_iter().take(*steps).collect();
                    let mut found = Items::new();
                    while found.len() < *steps && let Some(it) = cursor.next().unwrap() {
                        found.insert(it.key.to_vec(), (it.bytes.to_vec(), it.children().collect()));
                    }
                    prop_assert_eq!(brief(&found), brief(&expected));
                }
                cursor.seek(&[]);
                prop_assert_eq!(brief(&rest(&mut cursor).unwrap()), brief(&within(&model, &range)));
            }
        }
    }
}

#[test]
fn deletes_and_updates_come_back_as_they_were_put() {
    let store = store();
    let session = store.session(&[]).unwrap();
    let items = documents(1000, 300);
    let mut writer = RunWriter::new(&session, RunKind::Patch);
    for (n, (key, (document, _))) in items.iter().enumerate() {
        writer.push_patch(key, &patch(Doc::new(document).unwrap(), n % 3 == 0)).unwrap();
    }
    let run = writer.finish().unwrap().unwrap();
    let mut cursor = RunReader::open(&session, &run).cursor(KeyRange::ALL);
    for (n, (key, (document, _))) in items.iter().enumerate() {
        let entry = cursor.next().unwrap().unwrap();
        assert_eq!(entry.key, key);
        assert_eq!(entry.patch().unwrap(), patch(Doc::new(document).unwrap(), n % 3 == 0));
    }
}

#[test]
fn a_run_lies_on_disk_and_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("store");
    let items = documents(3000, 800);
    let run = {
        let backend = tidemark_blockstore::LocalBackend::create(&root).unwrap();
        let store = Store::new(Arc::new(backend));
        let session = store.session(&[]).unwrap();
        let run = write(&session, RunKind::Base, &items).unwrap();
        let root = tidemark_blockstore::NewRef { roots: vec![run.top], value: Vec::new() };
        let change = tidemark_blockstore::RefChange {
            name: "run".to_owned(),
            expect: tidemark_blockstore::Expect::Absent,
            set: Some(root),
        };
        session.publish(&[change]).unwrap();
        run
    };
    let backend = tidemark_blockstore::LocalBackend::open(&root).unwrap();
    let store = Store::new(Arc::new(backend));
    assert_eq!(read_all(&store, &run).unwrap(), items);
    let report = store.verify(tidemark_blockstore::Depth::Full, &tidemark_blockstore::Quiet).unwrap();
    assert!(report.is_clean());
}
