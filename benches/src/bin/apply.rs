//! Oplog applied: from stored slices to a flushed root, on one thread and on two.
//!
//! `cargo xtask bench apply`: five million entries over two million documents, half a million with `--quick`. The
//! slices are made once. Each measurement is a process of its own on as many processors as it has threads, so
//! that its peak of memory is its own, and it measures there what bare zstd gains by the second thread as well.
//! The documents below are not there: applying never reads them.

#![expect(clippy::print_stdout, clippy::unwrap_used, clippy::cast_precision_loss, reason = "a bench")]

use rayon::prelude::*;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use tidemark_base::bson::split;
use tidemark_base::{CollectionUuid, OpTime, SeededEntropy, Timestamp};
use tidemark_benches::{Stopwatch, keep, peak_rss_mib, reset_peak_rss};
use tidemark_blockstore::{LocalBackend, OpenOptions, Store};
use tidemark_head::follow::follow;
use tidemark_head::head::{Head, HeadName};
use tidemark_head::state::State;
use tidemark_oplog::catalog::Collection;
use tidemark_oplog::filter::Filter;
use tidemark_oplog::slice::{Link, SliceWriter, TARGET_BYTES};
use tidemark_oplog::store::SliceStore;
use tidemark_testkit::generate::oplog_mix::{OplogMix, Target};
use tidemark_testkit::generate::orders::Orders;

const UUID: CollectionUuid = CollectionUuid::from_bytes([7; 16]);
const BEGIN: OpTime = OpTime { ts: Timestamp { secs: 1_700_000_000, ordinal: 0 }, term: 1 };
/// What the delta may hold in memory.
const BUDGET_BYTES: usize = 512 << 20;
const SLICES: &str = "g/bench/h/rs0";
const BLOCK_BYTES: usize = 65_536;
/// How much is compressed to see what a thread gains, in bytes.
const BARE_BYTES: usize = 128 << 20;
/// How often each number of threads is measured; the best counts, since others use the machine.
const ROUNDS: usize = 2;

fn main() {
    let words: Vec<String> = std::env::args().collect();
    if let Some(at) = words.iter().position(|word| word == "--measure") {
        println!(
            "{}",
            measure(Path::new(&words[at + 1]), words.get(at + 2).map_or(1, |n| n.parse().unwrap()))
        );
        return;
    }
    let quick = words.iter().any(|word| word == "--quick");
    let (entries, documents) = if quick { (500_000, 200_000) } else { (5_000_000, 2_000_000) };
    let dir = tempfile::tempdir().unwrap();
    let plain_bytes = make_slices(dir.path(), entries, documents);
    let mut figures = json!({
        "entries": entries,
        "documents": documents,
        "plain_mb": plain_bytes as f64 / 1e6,
        "budget_mib": BUDGET_BYTES >> 20,
    });
    let [one, two] = [1, 2].map(|threads| best(dir.path(), threads));
    let per_s = |it: &Value| entries as f64 / it["apply_s"].as_f64().unwrap();
    let bare = |it: &Value| it["bare_mb_per_s"].as_f64().unwrap();
    figures["entries_per_s"] = json!(per_s(&two).round());
    figures["gain_of_second_thread"] = json!(per_s(&two) / per_s(&one));
    figures["gain_of_bare_zstd"] = json!(bare(&two) / bare(&one));
    figures["peak_rss_mib"] = two["peak_rss_mib"].clone();
    figures["one"] = one;
    figures["two"] = two;
    println!(
        "{}",
        keep("apply", if quick { "slices_to_root_quick" } else { "slices_to_root" }, &figures).unwrap()
    );
}

/// Stores slices of a mix of entries. Returns their plain length.
fn make_slices(dir: &Path, entries: u64, documents: u64) -> u64 {
    let store = Store::new(Arc::new(LocalBackend::create(&dir.join("slices")).unwrap()));
    let (slices, session) = (SliceStore::new(&store, SLICES), store.session(&[]).unwrap());
    slices.start(&session, Link::genesis(BEGIN)).unwrap();
    let target = Target { namespace: "shop.orders".to_owned(), uuid: UUID };
    let mut mix = OplogMix::new(Orders::new(1), target, documents, 1, BEGIN.ts);
    let mut writer = SliceWriter::new(Link::genesis(BEGIN));
    let (mut bytes, mut made, mut plain_bytes) = (Vec::new(), 0, 0);
    while made < entries {
        bytes.clear();
        while made < entries && bytes.len() < TARGET_BYTES {
            mix.entry(&mut bytes);
            made += 1;
        }
        plain_bytes += bytes.len() as u64;
        split(&bytes).for_each(|entry| writer.push(entry.unwrap()).unwrap());
        slices.append(&session, &writer.finish().unwrap().bytes).unwrap();
    }
    plain_bytes
}

/// The fastest of some measurements, each in a process of its own.
fn best(dir: &Path, threads: usize) -> Value {
    let measured = (0..ROUNDS).map(|_| {
        let mut command = Command::new("taskset");
        command.args(["-c", if threads == 1 { "0" } else { "0,1" }]).arg(std::env::current_exe().unwrap());
        command.arg("--measure").arg(dir).arg(threads.to_string());
        let output = command.env("RAYON_NUM_THREADS", threads.to_string()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    });
    measured.min_by(|a, b| a["apply_s"].as_f64().unwrap().total_cmp(&b["apply_s"].as_f64().unwrap())).unwrap()
}

fn measure(dir: &Path, threads: usize) -> Value {
    let (bare_cpu, bare_before) = (cpu_s(), bare_mb_per_s());
    let bare_cpu = cpu_s() - bare_cpu;
    let slices =
        SliceStore::new(&Store::new(Arc::new(LocalBackend::open(&dir.join("slices")).unwrap())), SLICES);
    let heads = tempfile::tempdir_in(dir).unwrap();
    // The same salts, so that roots can be compared.
    let options = OpenOptions::default().entropy(Box::new(SeededEntropy::new(1)));
    let store = Store::new(Arc::new(options.create(&heads.path().join("store")).unwrap()));
    let mut head = new_head(&store);
    let tip = slices.tip().unwrap().unwrap();
    reset_peak_rss();
    let cpu = cpu_s();
    let [mut all, mut watch] = [Stopwatch::default(), Stopwatch::default()];
    let (mut flushes, mut most_bytes, mut flush_cpu) = (0, 0, 0.0);
    let mut flush = |head: &mut Head| -> tidemark_head::Result<()> {
        let before = cpu_s();
        watch.time(|| head.flush())?;
        flush_cpu += cpu_s() - before;
        Ok(())
    };
    all.time(|| {
        let position = head.state().position();
        follow(&slices, &tip, position, Timestamp::MAX, &mut |entries, end| {
            head.apply(entries)?;
            end.map_or(Ok(()), |end| head.pass_slice(end))?;
            most_bytes = most_bytes.max(head.state().delta_bytes());
            if head.state().delta_bytes() > BUDGET_BYTES - (16 << 20) {
                flush(&mut head)?;
                flushes += 1;
            }
            Ok(())
        })
        .unwrap();
        flush(&mut head).unwrap();
    });
    json!({
        "threads": threads,
        "apply_s": all.secs(),
        "of_it_flush_s": watch.secs(),
        "flushes": flushes + 1,
        "cpu_s": cpu_s() - cpu,
        "flush_cpu_s": flush_cpu,
        "delta_peak_mib": most_bytes >> 20,
        "peak_rss_mib": peak_rss_mib(),
        // A machine that others use is slower by this factor, too.
        "bare_cpu_ns_per_kb": bare_cpu * 1e12 / BARE_BYTES as f64,
        "bare_mb_per_s": f64::max(bare_before, bare_mb_per_s()),
        "root": head.root().to_string(),
    })
}

fn new_head(store: &Store) -> Head {
    let session = store.session(&[]).unwrap();
    let mut state = State::empty(BEGIN, Filter::default());
    let options = bson::doc! {}.to_vec().unwrap();
    let index = bson::doc! {"v": 2, "key": {"_id": 1}, "name": "_id_"}.to_vec().unwrap();
    let (database, name) = ("shop".to_owned(), "orders".to_owned());
    state.insert_collection(UUID, Collection { database, name, options, indexes: vec![index] }).unwrap();
    let root = state.flush(&session).unwrap();
    Head::create(&session, &HeadName::new("local", "rs0").unwrap(), root).unwrap()
}

/// What compressing orders in blocks comes to.
fn bare_mb_per_s() -> f64 {
    let (source, mut bytes, mut number) = (Orders::new(1), Vec::with_capacity(BLOCK_BYTES * 17), 0);
    while bytes.len() < BLOCK_BYTES * 16 {
        source.document(number, &mut bytes);
        number += 1;
    }
    let mut watch = Stopwatch::default();
    watch.time(|| {
        (0..BARE_BYTES / BLOCK_BYTES).into_par_iter().for_each_init(
            || zstd::bulk::Compressor::new(3).unwrap(),
            |compressor, n| {
                let block = bytes.chunks(BLOCK_BYTES).nth(n % 16).unwrap();
                std::hint::black_box(compressor.compress(block).unwrap());
            },
        );
    });
    BARE_BYTES as f64 / 1e6 / watch.secs()
}

/// Processor time of this process so far, in seconds.
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_ascii_whitespace().collect();
    // utime and stime, in hundredths of a second.
    [11, 12].iter().map(|&at| fields[at].parse::<f64>().unwrap()).sum::<f64>() / 100.0
}
