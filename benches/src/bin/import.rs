//! The first build in figures: a dump's folder, as mongodump writes it, imported into a store on disk.
//!
//! `cargo xtask bench import`, or the program itself with `--orders N --rounds R --dumps FOLDER` (where dumps are
//! kept for the next time): four million orders by ascending ObjectId, and by random UUID; a tenth with `--quick`.
//! Each measurement is a process of its own, so that its memory and CPU time are its own; the peer, which cuts,
//! names and compresses the same bytes on the same threads, from memory to nowhere, runs before and after each.

#![expect(clippy::print_stdout, clippy::unwrap_used, clippy::cast_precision_loss, reason = "a bench")]

use rayon::prelude::*;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use tidemark_base::{OpTime, SeededEntropy, Timestamp};
use tidemark_benches::{Stopwatch, cpu_secs, keep, peak_rss_mib, reset_peak_rss};
use tidemark_blockstore::{LocalBackend, Store, Superblock};
use tidemark_head::dump::DirectoryReader;
use tidemark_head::head::HeadName;
use tidemark_head::import::{Import, of_dump};
use tidemark_oplog::filter::Filter;
use tidemark_testkit::generate::orders::Orders;

/// What a thread of the peer cuts at once.
const PART_BYTES: usize = 4 << 20;
/// What an import may hold in memory.
const BUDGET_BYTES: usize = 512 << 20;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["one-import", dump] => println!("{}", import(Path::new(dump))),
        ["one-bare", dump] => println!("{}", bare(Path::new(dump))),
        _ => {
            let quick = words.contains(&"--quick");
            let orders = number(&words, "--orders").unwrap_or(if quick { 400_000 } else { 4_000_000 });
            let rounds = number(&words, "--rounds").unwrap_or(3);
            let folder = words.iter().position(|word| *word == "--dumps").and_then(|at| words.get(at + 1));
            let temporary = tempfile::tempdir().unwrap();
            let folder = folder.map_or_else(|| temporary.path().to_owned(), PathBuf::from);
            for (name, source) in
                [("ascending ObjectId", Orders::new(1)), ("random UUID", Orders::with_uuid_ids(1))]
            {
                let figures = compared(&dump(&folder, name, source, orders), orders, rounds);
                println!("{}", keep("import", name, &figures).unwrap());
            }
        }
    }
}

fn number(words: &[&str], name: &str) -> Option<u64> {
    let at = words.iter().position(|word| *word == name)?;
    words.get(at + 1)?.parse().ok()
}

/// A dump of orders, made unless it is there.
fn dump(folder: &Path, name: &str, source: Orders, orders: u64) -> PathBuf {
    let folder = folder.join(format!("{} {orders}", name.replace(' ', "-")));
    let database = folder.join("shop");
    if database.join("orders.bson").exists() {
        return folder;
    }
    std::fs::create_dir_all(&database).unwrap();
    let metadata = json!({
        "indexes": [{"v": {"$numberInt": "2"}, "key": {"_id": {"$numberInt": "1"}}, "name": "_id_"}],
        "uuid": "07070707070707070707070707070707",
        "collectionName": "orders",
        "type": "collection",
    });
    std::fs::write(database.join("orders.metadata.json"), metadata.to_string()).unwrap();
    let whole = database.join("orders.part");
    let mut file = BufWriter::new(File::create(&whole).unwrap());
    let mut document = Vec::new();
    for number in 0..orders {
        document.clear();
        source.document(number, &mut document);
        file.write_all(&document).unwrap();
    }
    file.into_inner().unwrap().sync_all().unwrap();
    std::fs::rename(whole, database.join("orders.bson")).unwrap();
    folder
}

fn compared(dump: &Path, orders: u64, rounds: u64) -> Value {
    let one = |what: &str| -> Value {
        let run =
            Command::new(std::env::current_exe().unwrap()).args([what, dump.to_str().unwrap()]).output();
        let output = run.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let mut bares = vec![one("one-bare")];
    let mut imports = Vec::new();
    for _ in 0..rounds {
        imports.push(one("one-import"));
        bares.push(one("one-bare"));
    }
    let least = |rows: &[Value], field: &str| {
        rows.iter().map(|row| row[field].as_f64().unwrap()).fold(f64::INFINITY, f64::min)
    };
    json!({
        "orders": orders,
        "ratio_wall": least(&bares, "wall_s") / least(&imports, "wall_s"),
        "ratio_cpu": least(&bares, "cpu_s") / least(&imports, "cpu_s"),
        "imports": imports,
        "bares": bares,
    })
}

fn import(dump: &Path) -> Value {
    let beside = dump.parent().unwrap();
    let folder = tempfile::tempdir_in(beside).unwrap();
    let store = Store::new(Arc::new(LocalBackend::create(&folder.path().join("store")).unwrap()));
    reset_peak_rss();
    let (mut watch, cpu) = (Stopwatch::default(), cpu_secs());
    watch.time(|| {
        let mut reader = DirectoryReader::new(dump).unwrap();
        let at = OpTime { ts: Timestamp { secs: 1_700_000_000, ordinal: 0 }, term: 1 };
        let mut import = Import::begin(&store, at, Filter::default(), BUDGET_BYTES).unwrap();
        of_dump(&mut import, &mut reader, &mut |_| Ok(())).unwrap();
        import.finish(&HeadName::new("local", "rs0").unwrap(), None).unwrap();
    });
    let (cpu, peak) = (cpu_secs() - cpu, peak_rss_mib());
    let packs = std::fs::read_dir(folder.path().join("store/packs")).unwrap();
    let stored: u64 = packs.map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    json!({"wall_s": watch.secs(), "cpu_s": cpu, "peak_rss_mib": peak, "stored_mb": stored as f64 / 1e6})
}

fn bare(dump: &Path) -> Value {
    let bytes = std::fs::read(dump.join("shop/orders.bson")).unwrap();
    let cutter = Superblock::new(&mut SeededEntropy::new(1)).cutter();
    let (mut watch, cpu) = (Stopwatch::default(), cpu_secs());
    watch.time(|| {
        bytes.par_chunks(PART_BYTES).for_each_init(
            || zstd::bulk::Compressor::new(3).unwrap(),
            |compressor, part| {
                for block in cutter.cut(part) {
                    std::hint::black_box((blake3::hash(block), compressor.compress(block).unwrap()));
                }
            },
        );
    });
    json!({"wall_s": watch.secs(), "cpu_s": cpu_secs() - cpu, "mb": bytes.len() as f64 / 1e6})
}
