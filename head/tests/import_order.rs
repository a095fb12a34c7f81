//! An import's root depends on the documents alone: not on the order they come in, how often, in which portions,
//! with how much memory, beside which other collections, or on how many threads.

#![expect(clippy::unwrap_used, reason = "a test")]

use bson::{Bson, Document, doc};
use std::sync::Arc;
use tidemark_base::bson::Doc;
use tidemark_base::{BlockId, CollectionUuid, Entropy as _, OpTime, SeededEntropy, Timestamp};
use tidemark_blockstore::{MemoryBackend, Store};
use tidemark_head::import::Import;
use tidemark_oplog::catalog::Collection;
use tidemark_oplog::filter::Filter;

const A: CollectionUuid = CollectionUuid::from_bytes([1; 16]);
const B: CollectionUuid = CollectionUuid::from_bytes([2; 16]);
const CAPPED: CollectionUuid = CollectionUuid::from_bytes([3; 16]);

/// The root of [`documents`], as imports made it that went through the delta. Heads were made so: it may not
/// change.
const GOLDEN: &str = "641529fbc18dae83441ff31e7c397ba1919d19034bbd423cdc7090cc4e9f811d";

fn store() -> Store {
    Store::new(Arc::new(MemoryBackend::new(&mut SeededEntropy::new(3))))
}

fn begin(store: &Store, budget_bytes: usize) -> Import {
    let at = OpTime { ts: Timestamp { secs: 10, ordinal: 1 }, term: 1 };
    let mut import = Import::begin(store, at, Filter::default(), budget_bytes).unwrap();
    for (uuid, name, options) in
        [(A, "a", doc! {}), (B, "b", doc! {}), (CAPPED, "log", doc! {"capped": true, "size": 1 << 24})]
    {
        let options = options.to_vec().unwrap();
        let (database, name) = ("app".to_owned(), name.to_owned());
        import.collection(uuid, Collection { database, name, options, indexes: Vec::new() }).unwrap();
    }
    import
}

/// Text that compresses, of a length, of a number.
fn text(number: u64, len: usize) -> String {
    let mut words = [0; 64];
    SeededEntropy::new(number).fill(&mut words);
    let letters = words.iter().map(|byte| char::from(b'a' + byte % 16));
    letters.cycle().take(len).collect()
}

fn of(id: Bson, number: u64, len: usize) -> Vec<u8> {
    doc! {"_id": id, "text": text(number, len), "n": i64::try_from(number).unwrap()}.to_vec().unwrap()
}

/// Documents by ascending key; most small, some larger than a leaf takes, each size around the borders.
fn documents() -> Vec<Vec<u8>> {
    let len = |n: u64| match n {
        n if n % 400 == 399 => 140_000 + 50_000 * usize::try_from(n % 7).unwrap(),
        700 => 2_000_000,
        n if n % 90 == 89 => 131_000,
        n if n % 5 == 0 => 0,
        n => usize::try_from(n * 7919 % 3000).unwrap(),
    };
    let numbers = (0..1400).map(|n| (Bson::Int32(n), u64::try_from(n).unwrap()));
    let texts = (1400..2400).map(|n| (Bson::String(format!("{n:05}")), u64::try_from(n).unwrap()));
    numbers.chain(texts).map(|(id, n)| of(id, n, len(n))).collect()
}

fn put(import: &mut Import, uuid: CollectionUuid, documents: &[&Vec<u8>]) {
    let documents: Vec<_> = documents.iter().map(|it| Doc::new(it).unwrap()).collect();
    import.documents(uuid, &documents).unwrap();
}

/// The root of documents that come so, in portions.
fn root(documents: &[&Vec<u8>], portion: usize, budget_bytes: usize) -> BlockId {
    let store = store();
    let mut import = begin(&store, budget_bytes);
    documents.chunks(portion).for_each(|some| put(&mut import, A, some));
    import.build(None).unwrap()
}

fn shuffled<T>(mut items: Vec<T>, seed: u64) -> Vec<T> {
    let mut entropy = SeededEntropy::new(seed);
    let mut number = || {
        let mut bytes = [0; 8];
        entropy.fill(&mut bytes);
        usize::from_le_bytes(bytes)
    };
    for end in (1..items.len()).rev() {
        items.swap(end, number() % (end + 1));
    }
    items
}

/// The same documents in many orders; where some come twice, the last is the right one.
fn arrivals<'d>(sorted: &'d [Vec<u8>], old: &'d [Vec<u8>]) -> Vec<(&'static str, Vec<&'d Vec<u8>>)> {
    let all: Vec<_> = sorted.iter().collect();
    let middle = all.len() / 2;
    let nearly = all.chunks(20).enumerate().flat_map(|(n, some)| shuffled(some.to_vec(), n as u64)).collect();
    let halves = all[..middle].iter().zip(&all[middle..]).flat_map(|(a, b)| [*a, *b]).collect();
    let restarted = old[..middle + 300].iter().chain(sorted).collect();
    let late = all[1..].iter().chain([&all[0]]).copied().collect();
    let highest_first = all[all.len() - 1..].iter().chain(&all).copied().collect();
    let twice = sorted.iter().zip(old).flat_map(|(new, old)| [old, old, new]).collect();
    let shuffled_after_old = old.iter().step_by(3).chain(shuffled(all.clone(), 5)).collect();
    vec![
        ("ascending", all.clone()),
        ("descending", all.iter().rev().copied().collect()),
        ("shuffled", shuffled(all.clone(), 1)),
        ("nearly ascending", nearly),
        ("two halves at once", halves),
        ("a scan that was restarted", restarted),
        ("the first one late", late),
        ("the last one first", highest_first),
        ("each one again at once", twice),
        ("shuffled above old ones", shuffled_after_old),
    ]
}

/// Other documents with the same `_id`s, some spelled otherwise.
fn old_versions(sorted: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let old = |(number, document): (u64, &Vec<u8>)| {
        let id = Document::from_reader(document.as_slice()).unwrap().get("_id").unwrap().clone();
        let id = id.as_i32().map_or(id, |id| Bson::Double(id.into()));
        of(id, number + 10_000, if number % 333 == 0 { 200_000 } else { 900 })
    };
    (0..).zip(sorted).map(old).collect()
}

#[test]
fn the_root_is_the_one_that_it_always_was() {
    let sorted = documents();
    assert_eq!(root(&sorted.iter().collect::<Vec<_>>(), 100, usize::MAX).to_string(), GOLDEN);
}

#[test]
fn the_order_of_arrival_and_the_memory_do_not_count() {
    let sorted = documents();
    let old = old_versions(&sorted);
    let expected = root(&sorted.iter().collect::<Vec<_>>(), usize::MAX, usize::MAX);
    for (name, documents) in arrivals(&sorted, &old) {
        for (portion, budget_bytes) in
            [(usize::MAX, usize::MAX), (100, 64 << 20), (usize::MAX, 1 << 20), (77, 1 << 16), (1, 1 << 18)]
        {
            let found = root(&documents, portion, budget_bytes);
            assert_eq!(found, expected, "{name}, portions of {portion}, {budget_bytes} bytes");
        }
    }
}

#[test]
fn so_little_memory_that_runs_are_merged_on_the_way_changes_nothing() {
    let sorted: Vec<_> = documents().into_iter().filter(|it| it.len() < 4000).collect();
    let expected = root(&sorted.iter().collect::<Vec<_>>(), usize::MAX, usize::MAX);
    let old = old_versions(&sorted);
    let documents = old.iter().chain(shuffled(sorted.iter().collect(), 9)).collect::<Vec<_>>();
    assert_eq!(root(&documents, 10, 1), expected);
}

#[test]
fn collections_that_come_at_once_are_as_if_they_came_alone() {
    let sorted = documents();
    let (first, second) = (&sorted[..1500], &sorted[600..]);
    let log: Vec<_> = shuffled(sorted.iter().filter(|it| it.len() < 4000).collect(), 3);
    let alone = {
        let store = store();
        let mut import = begin(&store, usize::MAX);
        put(&mut import, A, &first.iter().collect::<Vec<_>>());
        put(&mut import, B, &second.iter().collect::<Vec<_>>());
        put(&mut import, CAPPED, &log);
        import.build(None).unwrap()
    };
    for (budget_bytes, seed) in [(usize::MAX, 1), (1 << 20, 2), (1 << 16, 3)] {
        let store = store();
        let mut import = begin(&store, budget_bytes);
        let (first, second) = (shuffled(first.iter().collect(), seed), second.iter().collect::<Vec<_>>());
        for n in 0..40 {
            let part = |of: &[&'_ Vec<u8>]| of.len() * n / 40..of.len() * (n + 1) / 40;
            put(&mut import, A, &first[part(&first)]);
            put(&mut import, B, &second[part(&second)]);
            put(&mut import, CAPPED, &log[part(&log)]);
        }
        assert_eq!(import.build(None).unwrap(), alone, "{budget_bytes} bytes");
    }
}

#[test]
fn threads_change_nothing_not_even_where_the_import_itself_is_on_one_of_them() {
    let sorted = documents();
    let old = old_versions(&sorted);
    let expected = root(&sorted.iter().collect::<Vec<_>>(), usize::MAX, usize::MAX);
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        for (name, documents) in arrivals(&sorted, &old).into_iter().take(4) {
            let found = pool.install(|| root(&documents, 50, 1 << 19));
            assert_eq!(found, expected, "{name}, {threads} threads");
        }
    }
}

#[test]
fn an_import_without_documents_or_with_one_builds() {
    for count in [0, 1, 2] {
        let sorted = documents();
        let some: Vec<_> = sorted.iter().take(count).collect();
        let backwards: Vec<_> = some.iter().rev().copied().collect();
        assert_eq!(root(&some, 1, 1 << 16), root(&backwards, 9, usize::MAX));
    }
}
