//! Cost against size: builds of 0.5, 2 and 8 GB, the same change to each; and three hundred snapshots.

use crate::Size;
use anyhow::Result;
use serde_json::{Value, json};
use tidemark_benches::Stopwatch;
use tidemark_benches::engine::Engine;
use tidemark_benches::results::median;
use tidemark_benches::shop::{Round, Shop, Slices};
use tidemark_testkit::generate::orders::Orders;

/// How many orders, of workload G's.
const SIZES: [f64; 3] = [0.215, 0.86, 3.44];
/// Rounds after the first of which the middle one counts.
const ROUNDS: usize = 5;
const SNAPSHOTS: usize = 300;
/// How many at the beginning and at the end are compared.
const EDGE: usize = 10;
/// How many orders one of many snapshots changes.
const CHANGED: u64 = 1000;

pub(crate) fn run(size: Size) -> Result<Value> {
    let mut cases = Vec::new();
    let [mut per_order, mut next] = [Vec::new(), Vec::new()];
    for share in SIZES {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a count")]
        let orders = (size.orders as f64 * share) as u64;
        let dir = tempfile::tempdir()?;
        let mut shop = Shop::new(Orders::new(1), orders);
        let (mut build, mut slices) = (Stopwatch::default(), Slices::default());
        let mut engine = Engine::build(&dir.path().join("store"), &shop, &mut build)?;
        let first_mb = engine.packs_mb()?;
        engine.snapshot()?;
        let mut times = Vec::new();
        for _ in 0..ROUNDS {
            // The change that is 1 % of workload G, whatever the size.
            engine.append(&slices.of(&shop.round(Round::usual(size.orders)))?)?;
            let mut watch = Stopwatch::default();
            watch.time(|| {
                engine.follow()?;
                engine.snapshot()
            })?;
            times.push(watch.secs());
        }
        per_order.push(build.secs() / orders as f64);
        next.push(median(times.iter().copied()));
        cases.push(json!({
            "orders": orders,
            "build_s": build.secs(),
            "first_stored_mb": first_mb,
            "next_s": times,
            "next_stored_mb": (engine.packs_mb()? - first_mb) / ROUNDS as f64,
        }));
    }
    Ok(json!({"sizes": cases, "build_spread": spread(&per_order), "next_spread": spread(&next)}))
}

/// The largest, of the smallest.
fn spread(values: &[f64]) -> f64 {
    values.iter().copied().fold(0.0, f64::max) / values.iter().copied().fold(f64::INFINITY, f64::min)
}

/// Three hundred snapshots: what creating, listing and opening costs at the beginning and at the end.
pub(crate) fn many(size: Size) -> Result<Value> {
    let dir = tempfile::tempdir()?;
    let mut shop = Shop::new(Orders::new(1), size.orders / 4);
    let mut slices = Slices::default();
    let mut engine = Engine::build(&dir.path().join("store"), &shop, &mut Stopwatch::default())?;
    let [mut create, mut list, mut open] = [Vec::new(), Vec::new(), Vec::new()];
    let changed = Round { updates: CHANGED, ..Round::default() };
    for id in 1..=SNAPSHOTS {
        engine.apply_all(&slices.of(&shop.round(changed))?)?;
        create.push(ms(|| engine.snapshot())?);
        let mut found = 0;
        list.push(ms(|| {
            found = engine.list()?;
            Ok(())
        })?);
        anyhow::ensure!(found == id, "{found} snapshots of {id}");
        open.push(ms(|| engine.open_snapshot(id as u64))?);
    }
    let per_one: Vec<f64> = list.iter().zip(1..).map(|(ms, listed)| ms / f64::from(listed)).collect();
    Ok(json!({
        "orders": size.orders / 4,
        "snapshots": SNAPSHOTS,
        "create_growth": growth(&create),
        "open_growth": growth(&open),
        "list_growth": growth(&per_one),
        "list_ms_of_all": list.last(),
        "open_ms": median(open.iter().copied()),
        "create_ms_by_snapshot": create,
    }))
}

fn ms(work: impl FnOnce() -> Result<()>) -> Result<f64> {
    let mut watch = Stopwatch::default();
    watch.time(work)?;
    Ok(watch.secs() * 1e3)
}

/// The middle of the last ones, of that of the first ones.
fn growth(values: &[f64]) -> f64 {
    let last = values.len().saturating_sub(EDGE);
    median(values[last..].iter().copied()) / median(values[..EDGE.min(values.len())].iter().copied())
}
