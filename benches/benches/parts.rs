//! The parts of the engine alone, in small: what one key, entry, diff, slice or run costs.
//!
//! `cargo bench -p tidemark-benches`, with `-- <part>` for one. For comparing a change with what
//! was before it: criterion keeps the last figures under `target/criterion` and tells the difference. Figures
//! to quote come from the suites, which have a peer in the same run.

#![expect(clippy::unwrap_used, reason = "a bench")]

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::sync::Arc;
use tidemark_base::bson::{Doc, split};
use tidemark_base::{CollectionUuid, OpTime, SeededEntropy, Timestamp};
use tidemark_blockstore::{MemoryBackend, Session, Store};
use tidemark_head::head::HeadName;
use tidemark_head::import::Import;
use tidemark_head::key::{encode, key_of_document};
use tidemark_head::run::{KeyRange, Run, RunKind, RunReader, RunWriter};
use tidemark_head::state::State;
use tidemark_oplog::catalog::Collection;
use tidemark_oplog::entry::{Action, Body, Change, Entry, Fuzzy};
use tidemark_oplog::filter::Filter;
use tidemark_oplog::slice::{Link, SliceReader, SliceWriter};
use tidemark_oplog::update::Update;
use tidemark_testkit::generate::oplog_mix::{OplogMix, Target};
use tidemark_testkit::generate::orders::{Orders, Version};

const UUID: CollectionUuid = CollectionUuid::from_bytes([7; 16]);
const BEGIN: OpTime = OpTime { ts: Timestamp { secs: 1_700_000_000, ordinal: 0 }, term: 1 };
const DOCUMENTS: u64 = 10_000;
const ENTRIES: u64 = 10_000;

criterion_main!(parts);
criterion_group!(parts, keys, entries, updates, slices, runs, states);

fn store() -> Store {
    Store::new(Arc::new(MemoryBackend::new(&mut SeededEntropy::new(1))))
}

fn orders() -> Vec<u8> {
    let mut bytes = Vec::new();
    (0..DOCUMENTS).for_each(|number| Orders::new(1).document(number, &mut bytes));
    bytes
}

fn oplog() -> Vec<u8> {
    let target = Target { namespace: "shop.orders".to_owned(), uuid: UUID };
    let mut mix = OplogMix::new(Orders::new(1), target, DOCUMENTS, 1, BEGIN.ts);
    let mut bytes = Vec::new();
    for _ in 0..ENTRIES {
        mix.entry(&mut bytes);
    }
    bytes
}

fn docs(bytes: &[u8]) -> Vec<Doc<'_>> {
    split(bytes).map(Result::unwrap).collect()
}

fn keys(c: &mut Criterion) {
    let ids = bson::doc! {
        "object_id": bson::oid::ObjectId::from_bytes([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
        "int": 1_234_567,
        "double": 1.234_567e-9,
        "string": "order-2026-0001234567",
        "document": {"shop": 17, "number": 1_234_567_i64},
    };
    let ids = ids.to_vec().unwrap();
    let mut group = c.benchmark_group("key");
    for id in Doc::new(&ids).unwrap().elements() {
        let (id, mut out) = (id.unwrap(), Vec::new());
        group.bench_function(BenchmarkId::from_parameter(String::from_utf8_lossy(id.name)), |b| {
            b.iter(|| {
                out.clear();
                encode(black_box(id), &mut out).unwrap();
            });
        });
    }
}

fn entries(c: &mut Criterion) {
    let bytes = oplog();
    let mut group = c.benchmark_group("entry");
    group.throughput(Throughput::Elements(ENTRIES));
    group.bench_function("parse", |b| {
        b.iter(|| {
            for entry in split(&bytes) {
                black_box(Entry::parse(entry.unwrap(), Fuzzy::default()).unwrap());
            }
        });
    });
}

fn updates(c: &mut Criterion) {
    let bytes = oplog();
    let mut document = Vec::new();
    Orders::new(1).document_at(1, Version::default(), &mut document);
    let updates = docs(&bytes).into_iter().filter_map(|entry| {
        match Entry::parse(entry, Fuzzy::default()).unwrap().body {
            Body::Change(Change { action: Action::Update { update, .. }, .. }) => Some(update),
            _ => None,
        }
    });
    let updates: Vec<Update<'_>> = updates.collect();
    let mut group = c.benchmark_group("update");
    group.throughput(Throughput::Elements(updates.len() as u64));
    let mut out = Vec::new();
    group.bench_function("apply", |b| {
        b.iter(|| {
            for update in &updates {
                out.clear();
                // A push far behind the end does not fit, which costs no less.
                let _ = black_box(update.apply(Doc::new(&document).unwrap(), &mut out));
            }
        });
    });
}

fn slices(c: &mut Criterion) {
    let bytes = oplog();
    let mut writer = SliceWriter::new(Link::genesis(BEGIN));
    docs(&bytes).into_iter().for_each(|entry| writer.push(entry).unwrap());
    let (slice, mut plain) = (writer.finish().unwrap(), Vec::new());
    let mut group = c.benchmark_group("slice");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("decode", |b| {
        b.iter(|| {
            let reader = SliceReader::open(&slice.bytes).unwrap();
            black_box(reader.decode(&mut plain).unwrap());
        });
    });
}

fn write_run(session: &Session, documents: &[Doc<'_>]) -> Run {
    let (mut writer, mut key) = (RunWriter::new(session, RunKind::Base), Vec::new());
    for document in documents {
        key.clear();
        key_of_document(*document, &mut key).unwrap();
        writer.push(&key, document.as_bytes(), &[]).unwrap();
    }
    writer.finish().unwrap().unwrap()
}

fn runs(c: &mut Criterion) {
    let bytes = orders();
    let documents = docs(&bytes);
    let mut group = c.benchmark_group("run");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("write", |b| {
        let session = || store().session(&[]).unwrap();
        b.iter_batched(session, |session| write_run(&session, &documents), BatchSize::PerIteration);
    });
    let session = store().session(&[]).unwrap();
    let run = write_run(&session, &documents);
    group.bench_function("scan", |b| {
        b.iter(|| {
            let mut cursor = RunReader::open(&session, &run).cursor(KeyRange::ALL);
            while cursor.advance().unwrap() {
                black_box(cursor.current());
            }
        });
    });
    group.throughput(Throughput::Elements(1));
    let mut key = Vec::new();
    key_of_document(documents[documents.len() / 2], &mut key).unwrap();
    group.bench_function("get", |b| b.iter(|| RunReader::open(&session, &run).get(&key).unwrap().unwrap()));
}

fn states(c: &mut Criterion) {
    let (bytes, oplog, store) = (orders(), oplog(), store());
    let session = store.session(&[]).unwrap();
    let mut import = Import::begin(&store, BEGIN, Filter::default(), 64 << 20).unwrap();
    let options = Doc::EMPTY.as_bytes().to_vec();
    let (database, name, indexes) = ("shop".to_owned(), "orders".to_owned(), Vec::new());
    import.collection(UUID, Collection { database, name, options, indexes }).unwrap();
    import.documents(UUID, &docs(&bytes)).unwrap();
    let head = import.finish(&HeadName::new("local", "rs0").unwrap(), None).unwrap();
    let entries = docs(&oplog);
    let open = || State::open(&store, head.root()).unwrap();
    let applied = || {
        let mut state = open();
        state.apply(&store, &entries).unwrap();
        state
    };
    let mut group = c.benchmark_group("state");
    group.throughput(Throughput::Elements(ENTRIES));
    group.bench_function("apply", |b| {
        b.iter_batched(open, |mut state| state.apply(&store, &entries).unwrap(), BatchSize::PerIteration);
    });
    group.bench_function("flush", |b| {
        b.iter_batched(applied, |mut state| state.flush(&session).unwrap(), BatchSize::PerIteration);
    });
}
