//! MongoDB's own tools: a dump restored into a server, and dumped from it, whole each time.

use crate::tool::text;
use anyhow::Result;
use serde_json::{Value, json};
use std::path::Path;
use tidemark_benches::child::Took;
use tidemark_benches::engine::folder_mb;
use tidemark_benches::mongo::Mongod;
use tidemark_benches::shop::Shop;
use tidemark_testkit::generate::orders::Orders;
use tidemark_testkit::parts::Part;

pub(crate) fn run(orders: u64) -> Result<Value> {
    let dir = tempfile::tempdir()?;
    let at = |name: &str| dir.path().join(name);
    let plain = Shop::new(Orders::new(1), orders).dump(&at("dump"))?;
    let server = Mongod::start()?;
    let restore = server.tool(Part::Mongorestore, &["--quiet", &text(&at("dump"))])?;
    let dump = server.tool(Part::Mongodump, &["--quiet", "--db", "shop", "--archive"])?;
    let packed =
        server.tool(Part::Mongodump, &["--quiet", "--db", "shop", "--gzip", "--out", &text(&at("gz"))])?;
    let version = "tools 100.7.0, mongod 6.0.5, as `cargo xtask setup` fetches them";
    Ok(json!({
        "orders": orders,
        "plain_mb": plain as f64 / 1e6,
        "tools": {
            "mongorestore": one(restore, None, &format!("{version}; of a folder, one collection")),
            "mongodump": one(dump, None, "to a pipe"),
            "mongodump --gzip": one(packed, Some(&at("gz")), "to a folder; the next one is the same again"),
        },
    }))
}

fn one((took, server_cpu_s): (Took, f64), stored: Option<&Path>, how: &str) -> Value {
    json!({
        "wall_s": took.wall_s,
        "cpu_s": took.cpu_s + server_cpu_s,
        "peak_rss_mib": took.peak_rss_mib,
        "stored_mb": stored.and_then(|it| folder_mb(it).ok()),
        "how": format!("{how}; processor time with the server's"),
    })
}
