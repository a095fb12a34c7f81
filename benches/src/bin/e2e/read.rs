//! Reading: exports by the binary to a pipe, of a base and of a stack of twenty patch runs, against unpacking
//! and checking the same bytes to the same pipe; single documents, cold and warm.
//!
//! Cold is a new process, `tidemark get` from its start to its end; the files lie in the system's cache.

use crate::{Size, text};
use anyhow::{Context, Result};
use rayon::prelude::*;
use serde_json::{Value, json};
use std::path::Path;
use tidemark_base::bson::Doc;
use tidemark_benches::engine::Engine;
use tidemark_benches::results::median;
use tidemark_benches::shop::{Round, Shop, Slices};
use tidemark_benches::{Stopwatch, bare, child};
use tidemark_testkit::generate::orders::Orders;

const PATCH_RUNS: usize = 20;
const REPEATS: usize = 3;
const COLD_GETS: usize = 20;
/// Documents that are asked for when all was read before, again and again.
const WARM_IDS: usize = 2000;
/// For how long, in seconds.
const WARM_S: f64 = 2.0;

pub(crate) fn run(size: Size) -> Result<Value> {
    let dir = tempfile::tempdir()?;
    let (store, dump) = (dir.path().join("store"), dir.path().join("dump"));
    let mut shop = Shop::new(Orders::new(1), size.orders);
    let mut engine = Engine::build(&store, &shop, &mut Stopwatch::default())?;
    engine.snapshot()?;
    let ids: Vec<_> = (0..WARM_IDS).map(|_| shop.any_id()).collect();
    let of_base = warm(&engine, &ids)?;
    let mut slices = Slices::default();
    for _ in 0..PATCH_RUNS {
        engine.apply_all(&slices.of(&shop.round(Round::usual(size.orders)))?)?;
        engine.flush()?;
    }
    // Reading the state of a snapshot is reading the base; the head is the stack.
    Shop::new(Orders::new(1), size.orders).dump(&dump)?;
    let packed = bare::pack(&dump.join("shop/orders.bson"), true)?;
    std::fs::remove_dir_all(&dump)?;
    let (mut bare_s, mut base, mut stack) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..REPEATS {
        let mut watch = Stopwatch::default();
        bare::unpack_to_pipe(&packed.blocks, &mut watch)?;
        bare_s.push(watch.secs());
        base.push(export(&store, &["--snapshot", "1"])?);
        stack.push(export(&store, &[])?);
    }
    drop(packed);
    let ids: Vec<_> = (0..WARM_IDS).map(|_| shop.any_id()).collect();
    let cold_ms = cold(&store, &ids)?;
    let of_stack = warm(&engine, &ids)?;
    let (bare_s, base_s) = (median(bare_s), median(base.iter().map(|it| it.wall_s)));
    // The stack has more documents than what was unpacked.
    let longer = stack[0].out_bytes as f64 / base[0].out_bytes as f64;
    let stack_s = median(stack.iter().map(|it| it.wall_s));
    Ok(json!({
        "orders": size.orders,
        "bare_s": bare_s,
        "base": child::figures(&base),
        "stack": child::figures(&stack),
        "base_to_bare": bare_s / base_s,
        "stack_to_bare": bare_s * longer / stack_s,
        "get_cold_ms": cold_ms,
        "gets_per_s": of_base[0],
        "gets_per_s_on_all_threads": of_base[1],
        "gets_per_s_of_stack": of_stack[0],
    }))
}

fn export(store: &Path, which: &[&str]) -> Result<child::Took> {
    let words = ["export", "--store", &text(store), "--name", "rs0", "--archive", "-"];
    child::run(child::tidemark()?.args(words).args(which))
}

fn cold(store: &Path, ids: &[Vec<u8>]) -> Result<f64> {
    let mut took = Vec::new();
    for id in ids.iter().take(COLD_GETS) {
        let id = Doc::new(id)?.get("_id")?.context("an _id was asked for")?;
        let hex: String = id.value.iter().map(|byte| format!("{byte:02x}")).collect();
        let words = ["get", "--store", &text(store), "--name", "rs0", "--ns", "shop.orders", "--id"];
        took.push(child::run(child::tidemark()?.args(words).arg(format!("{{\"$oid\":\"{hex}\"}}")))?.wall_s);
    }
    Ok(median(took) * 1e3)
}

/// Documents a second, on one thread and on all, once everything was read.
fn warm(engine: &Engine, ids: &[Vec<u8>]) -> Result<[f64; 2]> {
    let one = |ids: &[Vec<u8>]| ids.iter().try_for_each(|id| engine.get(id).map(drop));
    // All of them once, or as many as there is time for.
    per_s(ids, one)?;
    let all = |ids: &[Vec<u8>]| ids.par_iter().try_for_each(|id| engine.get(id).map(drop));
    Ok([per_s(ids, one)?, per_s(ids, all)?])
}

fn per_s(ids: &[Vec<u8>], get: impl Fn(&[Vec<u8>]) -> Result<()>) -> Result<f64> {
    let (mut watch, mut got) = (Stopwatch::default(), 0);
    // In portions, so that a slow reader does not take minutes.
    for portion in ids.chunks(ids.len() / 50).cycle() {
        watch.time(|| get(portion))?;
        got += portion.len();
        if watch.secs() > WARM_S {
            break;
        }
    }
    Ok(got as f64 / watch.secs())
}
