//! Snapshots after small changes: what the next one costs, and fifty of them in a row, all kept.
//!
//! In process. The next one's time is that of applying the stored slices of the change, of folding what is worth it,
//! and of the snapshot; the first one's that of the build and of the snapshot. The slices lie in a store of their own,
//! and are counted by themselves.

use crate::Size;
use anyhow::Result;
use serde_json::{Value, json};
use tidemark_benches::Stopwatch;
use tidemark_benches::engine::Engine;
use tidemark_benches::results::median;
use tidemark_benches::shop::{Round, Shop, Slices};
use tidemark_testkit::generate::orders::Orders;

/// How many snapshots follow the first.
const ROUNDS: usize = 50;

pub(crate) fn run(size: Size) -> Result<Value> {
    let dir = tempfile::tempdir()?;
    let mut shop = Shop::new(Orders::new(1), size.orders);
    let (mut first, mut slices) = (Stopwatch::default(), Slices::default());
    let mut engine = Engine::build(&dir.path().join("store"), &shop, &mut first)?;
    first.time(|| engine.snapshot())?;
    // What the build leaves behind is no part of what later ones are held against.
    engine.collect()?;
    let (first_packs, first_store) = (engine.packs_mb()?, engine.store_mb()?);
    let [mut stored, mut times, mut slices_mb] = [vec![first_packs], Vec::new(), Vec::new()];
    let mut first_next_store = 0.0;
    for round in 0..ROUNDS {
        let slices = slices.of(&shop.round(Round::usual(size.orders)))?;
        engine.append(&slices)?;
        slices_mb.push(slices.iter().map(Vec::len).sum::<usize>() as f64 / 1e6);
        let mut next = Stopwatch::default();
        next.time(|| {
            engine.follow()?;
            engine.groom()?;
            engine.snapshot()
        })?;
        stored.push(engine.packs_mb()?);
        times.push(next.secs());
        if round == 0 {
            first_next_store = engine.store_mb()? - first_store;
        }
    }
    engine.collect()?;
    let kept_mb = engine.packs_mb()?;
    Ok(json!({
        "orders": size.orders,
        "first_s": first.secs(),
        "first_stored_mb": first_packs,
        "next_s": times[0],
        "next_s_median": median(times.iter().copied()),
        "next_to_first_time": times[0] / first.secs(),
        "next_stored_mb": stored[1] - stored[0],
        "next_stored_with_index_mb": first_next_store,
        "its_oplog_slices_mb": slices_mb[0],
        "kept_mb": kept_mb,
        "stored_to_first": kept_mb / first_packs,
        "stored_mb_by_snapshot": stored,
        "next_s_by_snapshot": times,
    }))
}
