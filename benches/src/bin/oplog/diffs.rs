//! Diffs applied per second on one core, to documents of some 500 bytes and of 50 KB.
//!
//! The small ones are orders, with the diffs that lead from one version to the next and pushes to their items.
//! The large ones come in two shapes: one with all fields at the top, of which every name must be looked at,
//! and one with a long array of items, of which one changes. Every result is checked once. Two peers take
//! turns with us: copying the old document, which is the least that can be done, and the official `bson` crate
//! decoding it and encoding it again, which is what applying a diff to its documents would begin and end with.

#![expect(clippy::cast_precision_loss, reason = "a bench")]

use serde_json::{Map, Value, json};
use std::hint::black_box;
use tidemark_base::bson::Doc;
use tidemark_base::{CollectionUuid, Timestamp};
use tidemark_benches::Stopwatch;
use tidemark_oplog::update::Update;
use tidemark_testkit::generate::oplog_mix::{Effect, Live, OplogMix, Target};
use tidemark_testkit::generate::orders::{Orders, Version};
use tidemark_testkit::generate::wide::wide;
use tidemark_testkit::generate::writer::{Index, Writer, document};

/// A document, and the `o` of an update of it.
struct Case {
    before: Vec<u8>,
    o: Vec<u8>,
}

/// Measures, and returns the figures.
pub(crate) fn run(quick: bool) -> Value {
    let bytes = if quick { 200 << 20 } else { 2 << 30 };
    let shapes = [
        ("order_update", orders(2000, false)),
        ("order_push", orders(2000, true)),
        ("wide_50kb", (0..20).map(wide_document).collect()),
        ("items_50kb", (0..20).map(long_array).collect()),
    ];
    let figures = shapes.map(|(name, cases)| (name.to_owned(), measure(&cases, bytes)));
    Value::Object(Map::from_iter(figures))
}

/// Applies all cases so often that documents of `bytes` in all have been changed.
fn measure(cases: &[Case], bytes: usize) -> Value {
    let each: usize = cases.iter().map(|case| case.before.len()).sum();
    let rounds = bytes.div_ceil(each);
    let [mut apply, mut copy, mut again] = std::array::from_fn(|_| Stopwatch::default());
    let mut out = Vec::new();
    for _ in 0..rounds {
        copy.time(|| {
            for case in cases {
                out.clear();
                out.extend_from_slice(black_box(&case.before));
                black_box(&out);
            }
        });
        apply.time(|| {
            for case in cases {
                out.clear();
                let update = Update::parse(Doc::new(&case.o).unwrap()).unwrap();
                update.apply(Doc::new(&case.before).unwrap(), &mut out).unwrap();
                black_box(&out);
            }
        });
    }
    let crate_rounds = rounds.div_ceil(20);
    for _ in 0..crate_rounds {
        again.time(|| {
            for case in cases {
                let document: bson::Document = bson::deserialize_from_slice(&case.before).unwrap();
                black_box(bson::serialize_to_vec(&document).unwrap());
            }
        });
    }
    let applied = (rounds * cases.len()) as f64;
    let decoded = (crate_rounds * cases.len()) as f64;
    json!({
        "bytes_per_document": each / cases.len(),
        "applied": applied,
        "applied_per_s": (applied / apply.secs()).round(),
        "ns_each": apply.secs() * 1e9 / applied,
        "gb_per_s": (rounds * each) as f64 / 1e9 / apply.secs(),
        "ratio_to_copying": copy.secs() / apply.secs(),
        "ratio_to_bson_crate": (again.secs() / decoded) / (apply.secs() / applied),
    })
}

/// Orders at some version, and what the oplog says about the next one.
fn orders(count: usize, pushes: bool) -> Vec<Case> {
    let target = Target { namespace: "shop.orders".to_owned(), uuid: CollectionUuid::from_bytes([7; 16]) };
    let mut mix =
        OplogMix::new(Orders::new(1), target, 10_000, 1, Timestamp { secs: 1_700_000_000, ordinal: 0 });
    let mut cases = Vec::new();
    while cases.len() < count {
        let mut entry = Vec::new();
        let (before, after) = match mix.entry(&mut entry) {
            Effect::Update(after) if !pushes => {
                (Version { updates: after.version.updates - 1, ..after.version }, after)
            }
            Effect::Push(after) if pushes => {
                (Version { pushed: after.version.pushed - 1, ..after.version }, after)
            }
            _ => continue,
        };
        let at = |version| {
            let mut out = Vec::new();
            mix.document(Live { version, ..after }, &mut out);
            out
        };
        let o = Doc::new(&entry).unwrap().get("o").unwrap().unwrap().value.to_vec();
        cases.push(checked(Case { before: at(before), o }, &at(after.version)));
    }
    cases
}

/// A case whose result has been checked.
fn checked(case: Case, expected: &[u8]) -> Case {
    let mut out = Vec::new();
    let update = Update::parse(Doc::new(&case.o).unwrap()).unwrap();
    update.apply(Doc::new(&case.before).unwrap(), &mut out).unwrap();
    assert_eq!(Doc::new(&out), Doc::new(expected));
    case
}

/// A document of 3,270 fields at the top, and a diff that sets its last.
fn wide_document(n: u64) -> Case {
    let mut before = Vec::new();
    wide(1, n, 3270, &mut before);
    let last = Doc::new(&before).unwrap().elements().last().unwrap().unwrap();
    let name = String::from_utf8(last.name.to_vec()).unwrap();
    let mut o = Vec::new();
    document(&mut o, |w| {
        w.i32("$v", 2);
        w.object("diff", |w| {
            w.object("u", |w| w.str(&name, "changed"));
            w.object("i", |w| w.i32("new", 1));
        });
    });
    let mut after = before[..before.len() - last.value.len() - name.len() - 3].to_vec();
    after.extend_from_slice(&[2]);
    after.extend_from_slice(name.as_bytes());
    after.extend_from_slice(b"\0\x08\0\0\0changed\0\x10new\0\x01\0\0\0\0");
    let len = u32::try_from(after.len()).unwrap();
    after[..4].copy_from_slice(&len.to_le_bytes());
    checked(Case { before, o }, &after)
}

/// A document with an array of 715 items, and a diff that changes one of them and appends another.
fn long_array(n: u64) -> Case {
    const ITEMS: u64 = 715;
    let item = |number: u64, count: i32, w: &mut Writer<'_>| {
        w.str("name", "an item of some length");
        w.i64("number", i64::try_from(number).unwrap());
        w.i32("count", count);
    };
    let (changed, mut before, mut after, mut o) = (n * 31 % ITEMS, Vec::new(), Vec::new(), Vec::new());
    let whole = |out: &mut Vec<u8>, is_after: bool| {
        document(out, |w| {
            w.i64("_id", 1);
            w.array("items", |w| {
                for number in 0..ITEMS + u64::from(is_after) {
                    let count = if is_after && number == changed { 2 } else { 1 };
                    w.object(&Index::new(number), |w| item(number, count, w));
                }
            });
            w.bool("open", true);
        });
    };
    whole(&mut before, false);
    whole(&mut after, true);
    document(&mut o, |w| {
        w.i32("$v", 2);
        w.object("diff", |w| {
            w.object("sitems", |w| {
                w.bool("a", true);
                w.object(&Index::with_prefix(b's', changed), |w| w.object("u", |w| w.i32("count", 2)));
                w.object(&Index::with_prefix(b'u', ITEMS), |w| item(ITEMS, 1, w));
            });
        });
    });
    checked(Case { before, o }, &after)
}
