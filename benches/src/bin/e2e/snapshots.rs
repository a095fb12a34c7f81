//! Snapshots after small changes: what the next one costs, and fifty of them in a row, all kept.
//!
//! In process. The next one's time is that of applying the stored slices of the change, of folding what is worth it,
//! and of the snapshot; the first one's that of the build and of the snapshot. The slices lie in a store of their own,
//! and are counted by themselves.

use crate::Size;
use anyhow::Result;
use serde_json::{Value, json};
use tempfile::TempDir;
use tidemark_benches::Stopwatch;
use tidemark_benches::engine::Engine;
use tidemark_benches::results::median;
use tidemark_benches::shop::{Round, Shop, Slices};
use tidemark_testkit::generate::orders::Orders;

/// How many snapshots follow the first.
const ROUNDS: usize = 50;
/// How often the first and the next are taken, each time in a new store: the next takes so little time that whatever
/// else the machine does shows. The last of the stores is the one that goes on.
const REPEATS: usize = 3;

pub(crate) fn run(size: Size) -> Result<Value> {
    let mut taken = Vec::new();
    for _ in 1..REPEATS {
        let (mut kept, first_s) = Kept::first(size)?;
        taken.push((first_s, kept.next(size)?.0));
    }
    let (mut kept, first_s) = Kept::first(size)?;
    let (first_packs, first_store) = (kept.engine.packs_mb()?, kept.engine.store_mb()?);
    let [mut stored, mut times, mut slices_mb] = [vec![first_packs], Vec::new(), Vec::new()];
    let mut first_next_store = 0.0;
    for round in 0..ROUNDS {
        let (next_s, slices) = kept.next(size)?;
        stored.push(kept.engine.packs_mb()?);
        times.push(next_s);
        slices_mb.push(slices);
        if round == 0 {
            first_next_store = kept.engine.store_mb()? - first_store;
        }
    }
    kept.engine.collect()?;
    let kept_mb = kept.engine.packs_mb()?;
    taken.push((first_s, times[0]));
    let ratios = taken.iter().map(|(first, next)| next / first);
    Ok(json!({
        "orders": size.orders,
        "first_s": first_s,
        "first_stored_mb": first_packs,
        "next_s": times[0],
        "next_s_median": median(times.iter().copied()),
        "next_to_first_time": median(ratios),
        "first_and_next_s": taken,
        "next_stored_mb": stored[1] - stored[0],
        "next_stored_with_index_mb": first_next_store,
        "its_oplog_slices_mb": slices_mb[0],
        "kept_mb": kept_mb,
        "stored_to_first": kept_mb / first_packs,
        "stored_mb_by_snapshot": stored,
        "next_s_by_snapshot": times,
    }))
}

/// A store with a first snapshot, and the shop that goes on.
struct Kept {
    shop: Shop,
    slices: Slices,
    engine: Engine,
    _dir: TempDir,
}

impl Kept {
    /// Also returns how long build and snapshot took, in seconds.
    fn first(size: Size) -> Result<(Self, f64)> {
        let dir = tempfile::tempdir()?;
        let shop = Shop::new(Orders::new(1), size.orders);
        let mut first = Stopwatch::default();
        let mut engine = Engine::build(&dir.path().join("store"), &shop, &mut first)?;
        first.time(|| engine.snapshot())?;
        // What the build leaves behind is no part of what later ones are held against.
        engine.collect()?;
        Ok((Self { shop, slices: Slices::default(), engine, _dir: dir }, first.secs()))
    }

    /// Lets a round happen, and takes the next snapshot. Returns how long that took, in seconds, and how many MB the
    /// slices are.
    fn next(&mut self, size: Size) -> Result<(f64, f64)> {
        let slices = self.slices.of(&self.shop.round(Round::usual(size.orders)))?;
        self.engine.append(&slices)?;
        let mut next = Stopwatch::default();
        next.time(|| {
            self.engine.follow()?;
            self.engine.groom()?;
            self.engine.snapshot()
        })?;
        Ok((next.secs(), slices.iter().map(Vec::len).sum::<usize>() as f64 / 1e6))
    }
}
