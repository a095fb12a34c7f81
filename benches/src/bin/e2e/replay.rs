//! The first entries of the oplog workload, by `mongorestore --oplogReplay` and by `tidemark head apply`.
//!
//! Both begin with the documents that the entries touch and no others: that is in favour of the server, which
//! has them all in memory. Ours is timed with its start, making the entries durable as slices, and the flush.

use crate::{Size, build, text};
use anyhow::Result;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use tidemark_benches::child;
use tidemark_benches::mongo::Mongod;
use tidemark_benches::shop::{BEGIN, Shop, UUID};
use tidemark_testkit::generate::oplog_mix::{Effect, OplogMix, Target};
use tidemark_testkit::generate::orders::Orders;
use tidemark_testkit::parts::Part;

const ENTRIES: u64 = 50_000;

pub(crate) fn run(size: Size) -> Result<Value> {
    let dir = tempfile::tempdir()?;
    let at = |name: &str| dir.path().join(name);
    let entries = ENTRIES * size.orders / tidemark_benches::shop::G;
    let touched = write(&at("oplog.bson"), &at("dump"), size.orders / 2, entries)?;
    let server = Mongod::start()?;
    server.tool(Part::Mongorestore, &["--quiet", &text(&at("dump"))])?;
    fs::create_dir(at("empty"))?;
    let (oplog, empty) = (text(&at("oplog.bson")), text(&at("empty")));
    let words = ["--quiet", "--oplogReplay", "--oplogFile", &oplog, &empty];
    let (replay, server_cpu_s) = server.tool(Part::Mongorestore, &words)?;
    drop(server);
    build::import(&at("dump"), &at("store"))?;
    let words = ["head", "apply", &oplog, "--store", &text(&at("store")), "--name", "rs0"];
    let apply = child::run(child::tidemark()?.args(words))?;
    let per_s = |took: child::Took| entries as f64 / took.wall_s;
    Ok(json!({
        "entries": entries,
        "touched_documents": touched,
        "mongorestore_entries_per_s": per_s(replay),
        "mongorestore_cpu_s": replay.cpu_s,
        "server_cpu_s": server_cpu_s,
        "tidemark_entries_per_s": per_s(apply),
        "tidemark_cpu_s": apply.cpu_s,
        "times_as_fast": replay.wall_s / apply.wall_s,
    }))
}

/// Writes entries, and a dump of the documents that they touch as they were before. Returns how many those are.
fn write(oplog: &Path, dump: &Path, documents: u64, entries: u64) -> Result<usize> {
    let (orders, mut bytes) = (Orders::new(1), Vec::new());
    let target = Target { namespace: "shop.orders".to_owned(), uuid: UUID };
    let mut mix = OplogMix::new(orders, target, documents, 1, BEGIN.ts);
    let mut touched = BTreeSet::new();
    for _ in 0..entries {
        match mix.entry(&mut bytes) {
            Effect::Insert(_) => {}
            Effect::Update(order) | Effect::Push(order) | Effect::Delete(order) => {
                touched.insert(order.number);
            }
        }
    }
    fs::write(oplog, &bytes)?;
    Shop::new(orders, 0).dump(dump)?;
    bytes.clear();
    touched.retain(|number| *number < documents);
    touched.iter().for_each(|number| orders.document(*number, &mut bytes));
    fs::write(dump.join("shop/orders.bson"), &bytes)?;
    Ok(touched.len())
}
