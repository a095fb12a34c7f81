//! Oplog applied: from slices to a flushed root, on one thread and on two, each in a process of its own, on as many
//! processors as it has threads: the one that hands entries on is no thread more.
//!
//! Five million entries over two million documents: 60 % updates, 20 % inserts, 15 % deletes, 5 % pushes. The
//! slices are stored; reading, unpacking and checking them is part of the time.

use crate::{Size, text};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use tidemark_base::bson::split;
use tidemark_benches::engine::Engine;
use tidemark_benches::process::{self, Which};
use tidemark_benches::shop::{BEGIN, Shop, Slices, UUID};
use tidemark_benches::{Stopwatch, bare, child};
use tidemark_oplog::slice::TARGET_BYTES;
use tidemark_testkit::generate::oplog_mix::{OplogMix, Target};
use tidemark_testkit::generate::orders::Orders;

/// The word that makes this program the process that applies.
pub(crate) const CHILD: &str = "apply-child";
const THREADS: usize = 2;
/// How much is compressed to see what a second thread brings, in bytes.
const SCALING_BYTES: usize = 256 << 20;

pub(crate) fn run(size: Size) -> Result<Value> {
    let (documents, entries) = (size.orders / 2, size.orders / 4 * 5);
    let dir = tempfile::tempdir()?;
    let shop = Shop::new(Orders::new(1), documents);
    let (mut took, mut plain) = (Vec::new(), 0);
    for threads in [1, THREADS] {
        let store = dir.path().join(format!("store-{threads}"));
        let engine = Engine::build(&store, &shop, &mut Stopwatch::default())?;
        plain = append_slices(&engine, documents, entries)?;
        drop(engine);
        took.push(apart(&store, threads, &dir.path().join("figures"))?);
        std::fs::remove_dir_all(&store)?;
    }
    let secs = |at: usize| took[at]["s"].as_f64().unwrap_or(f64::INFINITY);
    let mut bytes = Vec::new();
    shop.documents(&mut |batch| {
        bytes.extend_from_slice(&batch[..batch.len().min(SCALING_BYTES - bytes.len())]);
        Ok(())
    })?;
    let bare_scaling = bare::scaling(&bytes, THREADS)?;
    let scaling = secs(0) / secs(1);
    Ok(json!({
        "documents": documents,
        "entries": entries,
        "entry_mb": plain as f64 / 1e6,
        "entries_per_s": entries as f64 / secs(1),
        "entries_per_s_on_one": entries as f64 / secs(0),
        "scaling": scaling,
        "bare_scaling": bare_scaling,
        "scaling_to_bare": scaling / bare_scaling,
        "peak_rss_mib": took[1]["peak_rss_mib"],
        "on_one": took[0],
        "on_two": took[1],
    }))
}

/// Makes entries and stores them as slices. Returns their plain length.
fn append_slices(engine: &Engine, documents: u64, entries: u64) -> Result<u64> {
    let target = Target { namespace: "shop.orders".to_owned(), uuid: UUID };
    let mut mix = OplogMix::new(Orders::new(1), target, documents, 1, BEGIN.ts);
    let mut slices = Slices::default();
    let (mut bytes, mut made, mut plain) = (Vec::new(), 0, 0);
    while made < entries {
        bytes.clear();
        while made < entries && bytes.len() < TARGET_BYTES {
            mix.entry(&mut bytes);
            made += 1;
        }
        plain += bytes.len() as u64;
        debug_assert!(split(&bytes).all(|it| it.is_ok()));
        engine.append(&slices.of(&bytes)?)?;
    }
    Ok(plain)
}

/// Lets another process of this program apply, so that its memory is its own.
fn apart(store: &Path, threads: usize, figures: &Path) -> Result<Value> {
    let own = std::env::current_exe()?;
    let words = [CHILD.to_owned(), text(store), threads.to_string(), text(figures)];
    child::run(Command::new(own).args(words))?;
    Ok(serde_json::from_slice(&std::fs::read(figures)?)?)
}

/// The process that applies: store, threads, where the figures go.
pub(crate) fn child(words: &[String]) -> Result<()> {
    let [store, threads, figures] = words else { bail!("{CHILD} is for this program only") };
    let threads = threads.parse()?;
    process::run_on(threads)?;
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    let mut engine = Engine::open(Path::new(store))?;
    let mut watch = Stopwatch::default();
    let cpu = process::cpu_secs(Which::Own);
    watch.time(|| {
        engine.follow()?;
        engine.flush()
    })?;
    let took = json!({
        "s": watch.secs(),
        "cpu_s": process::cpu_secs(Which::Own) - cpu,
        "peak_rss_mib": process::peak_rss_mib(Which::Own),
    });
    std::fs::write(figures, took.to_string()).context("the figures cannot be handed over")
}
