//! Single documents: the first one of a process that has just started, and many.

use crate::rig::{Rig, Share, UUID, name};
use rayon::prelude::*;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use tidemark_base::bson::Doc;
use tidemark_benches::Stopwatch;
use tidemark_blockstore::{LocalBackend, Store};
use tidemark_head::head::look_up;
use tidemark_head::run::{Cached, Source};
use tidemark_head::state::State;
use tidemark_testkit::generate::orders::Orders;

/// The word that makes this program the process that has just started.
pub(crate) const COLD: &str = "--cold-get";
/// How many different documents are asked for, and how often each.
const DIFFERENT: u64 = 20_000;
const TIMES: u64 = 5;
/// What a reader may hold: more than those lie in.
const CACHE_BYTES: usize = 128 << 20;

/// A base and a stack of 20 runs, cold and warm.
pub(crate) fn run(orders: u64) -> Value {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("store");
    let mut rig = Rig::build(&folder, orders);
    let base = both(&rig, &folder, orders);
    for round in 0..20 {
        rig.layer(round, Share { updated: 10, deleted: 2, inserted: 10, ..Share::default() });
    }
    json!({"orders": orders, "base": base, "stack_of_20": both(&rig, &folder, orders)})
}

fn both(rig: &Rig, folder: &Path, orders: u64) -> Value {
    let state = rig.head.state();
    // Neighbours, in a few hundred leaves: what a reader that is asked often holds in memory.
    let ids: Vec<Vec<u8>> = (0..DIFFERENT).map(|n| rig.document(n % orders, 0)).collect();
    let spread: Vec<Vec<u8>> = (0..DIFFERENT / 10).map(|n| rig.document(n * 7919 % orders, 0)).collect();
    let asked = |source: &dyn Source, id: &[u8]| {
        let id = Doc::new(id).unwrap().get("_id").unwrap().unwrap();
        std::hint::black_box(state.get(source, UUID, id).unwrap());
    };
    let cached = Cached::new(&rig.store, CACHE_BYTES);
    let source: &dyn Source = &cached;
    ids.iter().for_each(|id| asked(source, id));
    let one = per_s(TIMES * DIFFERENT, || {
        (0..TIMES).for_each(|_| ids.iter().for_each(|id| asked(source, id)));
    });
    let all = per_s(TIMES * DIFFERENT, || {
        (0..TIMES).for_each(|_| ids.par_iter().for_each(|id| asked(source, id)));
    });
    let all_over = per_s(DIFFERENT / 10, || spread.iter().for_each(|id| asked(&rig.store, id)));
    let program = std::env::current_exe().unwrap();
    let colds: Vec<f64> = (0..5)
        .map(|_| {
            let out = Command::new(&program).args([COLD, folder.to_str().unwrap()]).output().unwrap();
            String::from_utf8(out.stdout).unwrap().trim().parse().unwrap()
        })
        .collect();
    json!({
        "warm_per_s_one_thread": one,
        "warm_per_s_all_threads": all,
        "uncached_per_s": all_over,
        "cold_ms": colds,
    })
}

fn per_s(gets: u64, work: impl FnOnce()) -> f64 {
    let mut watch = Stopwatch::default();
    watch.time(work);
    (gets as f64 / watch.secs()).round()
}

/// Milliseconds from an unopened store to the first document, in a process that has done nothing else.
pub(crate) fn cold(folder: &str) -> f64 {
    let mut document = Vec::new();
    Orders::new(1).document(54_321, &mut document);
    let id = Doc::new(&document).unwrap().get("_id").unwrap().unwrap();
    let mut watch = Stopwatch::default();
    watch.time(|| {
        let store = Store::new(Arc::new(LocalBackend::open(Path::new(folder)).unwrap()));
        let state = State::open(&store, look_up(&store, &name()).unwrap().root).unwrap();
        assert!(state.get(&store, UUID, id).unwrap().is_some());
    });
    watch.secs() * 1e3
}
