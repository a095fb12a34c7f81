//! Thirty rounds that each replace 5 % of the documents at random, with compaction and without.
//!
//! In process. The bytes of change are what a round's flush alone stores; written is all that packs grew by.
//! What reading takes is every stored block that the head reaches, as a collection of garbage counts it.

use crate::Size;
use anyhow::Result;
use serde_json::{Value, json};
use std::path::Path;
use tidemark_benches::Stopwatch;
use tidemark_benches::engine::Engine;
use tidemark_benches::shop::{Round, Shop, Slices};
use tidemark_testkit::generate::orders::Orders;

const ROUNDS: usize = 30;
/// How often what nothing reaches is removed, so that the disk holds it all.
const ROUNDS_TO_COLLECT: usize = 5;

/// How it went.
#[derive(Default)]
struct Went {
    change_mb: f64,
    written_mb: f64,
    read_mb: Vec<f64>,
    groom: Stopwatch,
    read_s: f64,
    compacted_read_s: f64,
    compacted_mb: f64,
}

pub(crate) fn run(size: Size) -> Result<Value> {
    let dir = tempfile::tempdir()?;
    let with = rounds(&dir.path().join("with"), size, true)?;
    let off = rounds(&dir.path().join("off"), size, false)?;
    let last = |went: &Went| went.read_mb.last().copied().unwrap_or_default();
    Ok(json!({
        "orders": size.orders,
        "change_mb": with.change_mb,
        "written_mb": with.written_mb,
        "written_to_change": with.written_mb / with.change_mb,
        "read_bytes_to_compacted": last(&with) / with.compacted_mb,
        "read_s": with.read_s,
        "compacted_read_s": with.compacted_read_s,
        "read_time_to_compacted": with.read_s / with.compacted_read_s,
        "compaction_s": with.groom.secs(),
        "off_read_bytes_to_compacted": last(&off) / off.compacted_mb,
        "off_read_time_to_compacted": off.read_s / off.compacted_read_s,
        "read_mb_by_round": with.read_mb,
        "off_read_mb_by_round": off.read_mb,
    }))
}

fn rounds(folder: &Path, size: Size, compaction: bool) -> Result<Went> {
    let mut shop = Shop::new(Orders::new(1), size.orders);
    let mut slices = Slices::default();
    let mut engine = Engine::build(folder, &shop, &mut Stopwatch::default())?;
    let mut went = Went::default();
    for round in 1..=ROUNDS {
        engine.apply_all(&slices.of(&shop.round(Round::replacing(size.orders)))?)?;
        let before = engine.packs_mb()?;
        engine.flush()?;
        went.change_mb += engine.packs_mb()? - before;
        if compaction {
            went.groom.time(|| engine.groom())?;
        }
        went.written_mb += engine.packs_mb()? - before;
        went.read_mb.push(engine.live_mb()?);
        if round % ROUNDS_TO_COLLECT == 0 {
            engine.collect()?;
        }
    }
    went.read_s = read(&engine)?;
    engine.compact()?;
    went.compacted_mb = engine.live_mb()?;
    went.compacted_read_s = read(&engine)?;
    drop(engine);
    std::fs::remove_dir_all(folder)?;
    Ok(went)
}

/// Seconds to read everything, the second time: the first brings the files into memory.
fn read(engine: &Engine) -> Result<f64> {
    engine.read_all()?;
    let mut watch = Stopwatch::default();
    watch.time(|| engine.read_all())?;
    Ok(watch.secs())
}
