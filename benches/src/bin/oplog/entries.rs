//! Entries parsed and classified per second on one core, of the usual mix: 60 % updates, 20 % inserts, 15 %
//! deletes, 5 % pushes, about 300 bytes each.
//!
//! The peer is the raw walker of the official `bson` crate, which goes over the top-level fields of the same
//! bytes and looks at none. Both take turns, batch by batch, on bytes that lie split in memory as a decoded
//! slice does.

#![expect(clippy::cast_precision_loss, reason = "a bench")]

use serde_json::{Value, json};
use std::hint::black_box;
use tidemark_base::bson::split;
use tidemark_base::{CollectionUuid, Timestamp};
use tidemark_benches::Stopwatch;
use tidemark_oplog::entry::{Action, Body, Entry, Fuzzy};
use tidemark_testkit::generate::oplog_mix::{OplogMix, Target};
use tidemark_testkit::generate::orders::Orders;

const BATCH_ENTRIES: u64 = 10_000;

/// Measures, and returns the figures.
pub(crate) fn run(quick: bool) -> Value {
    let batches: u64 = if quick { 50 } else { 500 };
    let target = Target { namespace: "shop.orders".to_owned(), uuid: CollectionUuid::from_bytes([7; 16]) };
    let after = Timestamp { secs: 1_700_000_000, ordinal: 0 };
    let mut mix = OplogMix::new(Orders::new(1), target, 100_000, 1, after);
    let [mut parse, mut peer] = std::array::from_fn(|_| Stopwatch::default());
    let (mut bytes_in_all, mut counts) = (0, Counts::default());
    for _ in 0..batches {
        let mut bytes = Vec::new();
        for _ in 0..BATCH_ENTRIES {
            mix.entry(&mut bytes);
        }
        bytes_in_all += bytes.len();
        let fields = peer.time(|| walk(&bytes));
        assert!(fields > BATCH_ENTRIES * 7);
        parse.time(|| classify(&bytes, &mut counts));
    }
    let entries = batches * BATCH_ENTRIES;
    assert_eq!(counts.inserts + counts.updates + counts.deletes, entries);
    json!({
        "entries": entries,
        "bytes_per_entry": bytes_in_all as f64 / entries as f64,
        "inserts": counts.inserts,
        "updates": counts.updates,
        "deletes": counts.deletes,
        "parsed_per_s": (entries as f64 / parse.secs()).round(),
        "ns_per_entry": parse.secs() * 1e9 / entries as f64,
        "bson_crate_walk_ns_per_entry": peer.secs() * 1e9 / entries as f64,
        "ratio_to_bson_crate_walk": peer.secs() / parse.secs(),
    })
}

#[derive(Default)]
struct Counts {
    inserts: u64,
    updates: u64,
    deletes: u64,
}

fn classify(bytes: &[u8], counts: &mut Counts) {
    for raw in split(bytes) {
        let entry = black_box(Entry::parse(raw.unwrap(), Fuzzy::default()).unwrap());
        match entry.body {
            Body::Change(change) => match change.action {
                Action::Insert { .. } => counts.inserts += 1,
                Action::Update { .. } => counts.updates += 1,
                Action::Delete { .. } => counts.deletes += 1,
            },
            other => panic!("{other:?} is not in the mix"),
        }
    }
}

/// How many top-level fields the entries have in all, by the `bson` crate.
fn walk(bytes: &[u8]) -> u64 {
    let mut fields = 0;
    for raw in split(bytes) {
        let document = bson::RawDocument::from_bytes(raw.unwrap().as_bytes()).unwrap();
        for field in document.iter_elements() {
            black_box(field.unwrap());
            fields += 1;
        }
    }
    fields
}
