//! Parsing allocates nothing: not for changes, not for groups, not for what is in them.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::hint::black_box;
use tidemark_base::bson::Doc;
use tidemark_base::{CollectionUuid, Timestamp};
use tidemark_oplog::entry::{Body, Entry, Fuzzy, Step};
use tidemark_oplog::filter::Filter;
use tidemark_testkit::captures;
use tidemark_testkit::generate::oplog_mix::{OplogMix, Target};
use tidemark_testkit::generate::orders::Orders;

/// How often parsing these entries, judging them and reading their operations allocates.
fn allocations<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> u64 {
    let entries: Vec<&[u8]> = entries.into_iter().collect();
    let filter = Filter::new(["logs", "app.cache"], ["app", "shop"]).unwrap();
    let info = allocation_counter::measure(|| {
        for raw in &entries {
            let entry = Entry::parse(Doc::new(raw).unwrap(), Fuzzy::default()).unwrap();
            let operations = match entry.body {
                Body::Change(change) => {
                    black_box(filter.keeps(change.target.namespace));
                    continue;
                }
                Body::Group(operations) => operations,
                Body::Transaction(step) => match step.step {
                    Step::Part(operations) | Step::Prepare(operations) | Step::Commit(operations) => {
                        operations
                    }
                    Step::CommitPrepared | Step::Abort => continue,
                },
                Body::Command(_) | Body::Nothing => continue,
            };
            for operation in operations.iter() {
                let _ = black_box(operation.unwrap());
            }
        }
    });
    info.count_total
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocation_counter::measure(|| drop(black_box(Box::new(7)))).count_total, 1);
}

#[test]
fn the_usual_mix_is_parsed_without_allocating() {
    let target = Target { namespace: "shop.orders".to_owned(), uuid: CollectionUuid::from_bytes([7; 16]) };
    let mut mix =
        OplogMix::new(Orders::new(1), target, 1000, 1, Timestamp { secs: 1_700_000_000, ordinal: 0 });
    let entries: Vec<Vec<u8>> = (0..5000)
        .map(|_| {
            let mut out = Vec::new();
            mix.entry(&mut out);
            out
        })
        .collect();
    assert_eq!(allocations(entries.iter().map(Vec::as_slice)), 0);
}

#[test]
fn captured_entries_of_all_kinds_are_parsed_without_allocating() {
    for name in captures::names().unwrap() {
        let capture = captures::get(name).unwrap();
        assert_eq!(allocations(capture.entries.iter().copied()), 0, "{name}");
    }
}
