//! A head's life in figures: first build, oplog applied, flush, snapshots, compaction, export, single documents.
//!
//! `cargo xtask bench head`: a million orders, and a tenth as many entries of oplog; a tenth of both with
//! `--quick`. The peer of the build is naming and compressing the same bytes in blocks of 64 KiB on the same
//! threads, of the export decompressing and checking them.

#![expect(clippy::print_stdout, clippy::unwrap_used, clippy::cast_precision_loss, reason = "a bench")]

use rayon::prelude::*;
use serde_json::{Value, json};
use std::io;
use std::path::Path;
use std::sync::Arc;
use tidemark_base::bson::{Doc, split};
use tidemark_base::{CollectionUuid, OpTime, Timestamp, UnixMillis};
use tidemark_benches::{Stopwatch, keep, peak_rss_mib, reset_peak_rss};
use tidemark_blockstore::{LocalBackend, Store};
use tidemark_head::dump::{ArchiveWriter, Compression, Versions};
use tidemark_head::export;
use tidemark_head::head::{Head, HeadName};
use tidemark_head::import::Import;
use tidemark_oplog::catalog::Collection;
use tidemark_oplog::filter::Filter;
use tidemark_oplog::slice::{Link, SliceReader, SliceWriter, TARGET_BYTES};
use tidemark_testkit::generate::oplog_mix::{OplogMix, Target};
use tidemark_testkit::generate::orders::Orders;

const UUID: CollectionUuid = CollectionUuid::from_bytes([7; 16]);
const BEGIN: OpTime = OpTime { ts: Timestamp { secs: 1_700_000_000, ordinal: 0 }, term: 1 };
/// What an import may hold in memory.
const BUDGET_BYTES: usize = 512 << 20;
/// How much is made and handed over at once, in bytes.
const BATCH_BYTES: usize = 8 << 20;
const BLOCK_BYTES: usize = 65_536;
/// How many single documents are asked for.
const GETS: u64 = 2000;

fn main() {
    let quick = std::env::args().any(|word| word == "--quick");
    let orders = if quick { 100_000 } else { 1_000_000 };
    println!("{}", keep("head", "life", &life(orders, orders / 10)).unwrap());
}

fn life(orders: u64, entries: u64) -> Value {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("store");
    let store = Store::new(Arc::new(LocalBackend::create(&folder).unwrap()));
    let mut figures = json!({"orders": orders, "entries": entries});
    let mut note = |name: &str, value: Value| figures[name] = value;
    reset_peak_rss();
    let (mut head, build, bare) = build(&store, orders);
    note("build_s", json!(build.secs()));
    note("bare_build_s", json!(bare.secs()));
    note("build_ratio", json!(bare.secs() / build.secs()));
    note("build_peak_rss_mib", json!(peak_rss_mib()));
    note("stored_mb_first", stored_mb(&folder));
    note("first_snapshot_s", timed(|| head.snapshot(&UnixMillis(0)).unwrap()));
    reset_peak_rss();
    let (apply, read) = apply(&mut head, orders, entries);
    note("apply_s", json!(apply.secs()));
    note("of_it_reading_slices_s", json!(read.secs()));
    note("applied_entries_per_s", json!((entries as f64 / apply.secs()).round()));
    note("flush_s", timed(|| head.flush().unwrap()));
    note("apply_peak_rss_mib", json!(peak_rss_mib()));
    note("stored_mb_after_flush", stored_mb(&folder));
    note("second_snapshot_s", timed(|| head.snapshot(&UnixMillis(0)).unwrap()));
    reset_peak_rss();
    note("export_of_stack_s", timed(|| export(&head)));
    note("get_us", json!(gets(&head, orders)));
    note("compact_s", timed(|| head.compact().unwrap()));
    note("compact_peak_rss_mib", json!(peak_rss_mib()));
    note("stored_mb_after_compaction", stored_mb(&folder));
    note("export_of_base_s", timed(|| export(&head)));
    note("claim_s", timed(|| Head::claim(&store, head.name()).unwrap()));
    figures
}

fn timed<T>(work: impl FnOnce() -> T) -> Value {
    let mut watch = Stopwatch::default();
    watch.time(work);
    json!(watch.secs())
}

fn stored_mb(folder: &Path) -> Value {
    fn bytes(folder: &Path) -> u64 {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
        entries
            .map(
                |entry| {
                    if entry.path().is_dir() { bytes(&entry.path()) } else { entry.metadata().unwrap().len() }
                },
            )
            .sum()
    }
    json!(bytes(&folder.join("packs")) as f64 / 1e6)
}

/// Builds a head of orders. Second: the time that naming and compressing the same bytes takes.
fn build(store: &Store, orders: u64) -> (Head, Stopwatch, Stopwatch) {
    let [mut build, mut bare] = [Stopwatch::default(), Stopwatch::default()];
    let mut import = build.time(|| Import::begin(store, BEGIN, Filter::default(), BUDGET_BYTES).unwrap());
    let options = bson::doc! {}.to_vec().unwrap();
    let index = bson::doc! {"v": 2, "key": {"_id": 1}, "name": "_id_"}.to_vec().unwrap();
    let collection =
        Collection { database: "shop".to_owned(), name: "orders".to_owned(), options, indexes: vec![index] };
    import.collection(UUID, collection).unwrap();
    let (source, mut batch) = (Orders::new(1), Vec::new());
    for number in 0..orders {
        source.document(number, &mut batch);
        if batch.len() >= BATCH_BYTES || number + 1 == orders {
            bare.time(|| bare_build(&batch));
            build.time(|| {
                let documents: Vec<Doc<'_>> = split(&batch).map(Result::unwrap).collect();
                import.documents(UUID, &documents).unwrap();
            });
            batch.clear();
        }
    }
    let name = HeadName::new("local", "rs0").unwrap();
    let head = build.time(|| import.finish(&name, None).unwrap());
    (head, build, bare)
}

fn bare_build(bytes: &[u8]) {
    bytes.par_chunks(BLOCK_BYTES).for_each_init(
        || zstd::bulk::Compressor::new(3).unwrap(),
        |compressor, block| {
            std::hint::black_box((blake3::hash(block), compressor.compress(block).unwrap()));
        },
    );
}

/// Applies entries from slices. Second: the part of it that unpacking slices takes.
fn apply(head: &mut Head, orders: u64, entries: u64) -> (Stopwatch, Stopwatch) {
    let target = Target { namespace: "shop.orders".to_owned(), uuid: UUID };
    let mut mix = OplogMix::new(Orders::new(1), target, orders, 1, BEGIN.ts);
    let mut writer = SliceWriter::new(Link::genesis(BEGIN));
    let [mut apply, mut read] = [Stopwatch::default(), Stopwatch::default()];
    let (mut bytes, mut made, mut plain) = (Vec::new(), 0, Vec::new());
    while made < entries {
        bytes.clear();
        while made < entries && bytes.len() < TARGET_BYTES {
            mix.entry(&mut bytes);
            made += 1;
        }
        split(&bytes).for_each(|entry| writer.push(entry.unwrap()).unwrap());
        let slice = writer.finish().unwrap();
        apply.time(|| {
            let reader = SliceReader::open(&slice.bytes).unwrap();
            let documents = read.time(|| reader.decode(&mut plain).unwrap());
            head.apply(&documents.iter().collect::<Vec<_>>()).unwrap();
            head.pass_slice(reader.header().end()).unwrap();
        });
    }
    (apply, read)
}

fn export(head: &Head) {
    let (state, store) = (head.state(), head.store());
    let plan = export::plan(state, store, &Filter::default(), false).unwrap();
    let parts: Vec<_> = plan.entries.iter().map(|entry| entry.part.clone()).collect();
    let sink =
        ArchiveWriter::new(io::sink(), "nowhere", Compression::Plain, &Versions::default(), parts).unwrap();
    export::write(state, store, &plan, sink).unwrap();
}

/// Microseconds for one document, all over the collection.
fn gets(head: &Head, orders: u64) -> f64 {
    let (source, mut watch, mut document) = (Orders::new(1), Stopwatch::default(), Vec::new());
    for n in 0..GETS {
        document.clear();
        source.document(n * 7919 % orders, &mut document);
        let id = Doc::new(&document).unwrap().get("_id").unwrap().unwrap();
        watch.time(|| std::hint::black_box(head.state().get(head.store(), UUID, id).unwrap()));
    }
    watch.secs() * 1e6 / GETS as f64
}
