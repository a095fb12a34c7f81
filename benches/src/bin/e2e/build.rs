//! The first build, from a dump by the binary, against the bare pipeline; then with random `_id`s.
//!
//! Alternating; the bare pipeline is timed without reading the file. `tidemark head import` is timed whole,
//! with its start and reading the dump, which lies in memory as far as the system caches it.

use crate::{Size, text};
use anyhow::Result;
use serde_json::{Value, json};
use std::path::Path;
use tidemark_benches::engine::folder_mb;
use tidemark_benches::results::median;
use tidemark_benches::shop::Shop;
use tidemark_benches::{bare, child};
use tidemark_testkit::generate::orders::Orders;

pub(crate) fn run(size: Size) -> Result<Value> {
    let ascending = one(size, Orders::new(1))?;
    let random = one(size, Orders::with_uuid_ids(1))?;
    Ok(json!({
        "orders": size.orders,
        "to_bare": ascending["to_bare"],
        "random_to_bare": random["to_bare"],
        "ascending": ascending,
        "random": random,
    }))
}

fn one(size: Size, orders: Orders) -> Result<Value> {
    let dir = tempfile::tempdir()?;
    let dump = dir.path().join("dump");
    let bytes = Shop::new(orders, size.orders).dump(&dump)?;
    let (mut bare_s, mut runs, mut stored_mb) = (Vec::new(), Vec::new(), 0.0);
    for repeat in 0..size.repeats {
        bare_s.push(bare::pack(&dump.join("shop/orders.bson"), false)?.watch.secs());
        let store = dir.path().join(format!("store-{repeat}"));
        runs.push(import(&dump, &store)?);
        stored_mb = folder_mb(&store.join("packs"))?;
        std::fs::remove_dir_all(&store)?;
    }
    let mut figures = child::figures(&runs);
    let bare_s = median(bare_s);
    figures["plain_mb"] = json!(bytes as f64 / 1e6);
    figures["bare_s"] = json!(bare_s);
    figures["to_bare"] = json!(bare_s / figures["wall_s"].as_f64().unwrap_or(f64::INFINITY));
    figures["stored_mb"] = json!(stored_mb);
    Ok(figures)
}

/// Imports a dump into a new store; making the store is not counted.
pub(crate) fn import(dump: &Path, store: &Path) -> Result<child::Took> {
    child::run(child::tidemark()?.args(["store", "init", &text(store)]))?;
    let words = ["head", "import", &text(dump), "--store", &text(store), "--name", "rs0", "--optime"];
    child::run(child::tidemark()?.args(words).arg("1700000000,0"))
}
