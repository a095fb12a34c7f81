//! Tidemark beside restic, borg, MongoDB's own tools and bare zstd: `cargo xtask bench peers [--quick]`.
//!
//! A first backup, the next one after a small change, and reading that one into a pipe. The tools take turns,
//! each turn in a fresh place, so that a disk that slows down slows down all. Needs
//! `apt-get install restic borgbackup` and what `cargo xtask setup` fetches.

#![expect(clippy::print_stdout, reason = "a command-line program talks to its user")]

mod borg;
mod mongo;
mod restic;
mod tidemark;
mod tool;

use anyhow::{Result, bail};
use serde_json::{Map, Value, json};
use std::path::Path;
use tidemark_benches::child::{self, Took};
use tidemark_benches::engine::folder_mb;
use tidemark_benches::process::{self, Which};
use tidemark_benches::results::median;
use tidemark_benches::shop::{G, QUICK, Round, Shop};
use tidemark_benches::{Stopwatch, bare, is_quick, keep};
use tidemark_testkit::generate::orders::Orders;
use tool::{Change, Tool};

/// How many turns each tool has.
const TURNS: usize = 2;

/// What the turns of a tool gave: each a run, and by how many MB its repository grew.
type Turns = Vec<(Took, Option<f64>)>;

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    if let Some(word) = words.iter().find(|word| !["backup", "mongo"].contains(&word.as_str())) {
        bail!("there is no case {word:?}; there are: backup, mongo");
    }
    let wanted = |case: &str| words.is_empty() || words.iter().any(|it| it == case);
    let (orders, turns) = if is_quick() { (QUICK, 1) } else { (G, TURNS) };
    if wanted("backup") {
        backup(orders, turns)?;
    }
    if wanted("mongo") {
        println!("{}", keep("peers", "mongo", &mongo::run(orders / 4)?)?);
    }
    Ok(())
}

fn backup(orders: u64, turns: usize) -> Result<()> {
    let tools: [&dyn Tool; 3] = [&tidemark::Tidemark, &restic::Restic, &borg::Borg];
    // A tool that is missing is told before anything is made.
    let how = tools.iter().map(|tool| tool.how()).collect::<Result<Vec<_>>>()?;
    let dir = tempfile::tempdir()?;
    let (dump, oplog) = (dir.path().join("dump"), dir.path().join("oplog.bson"));
    let repository = |tool: &dyn Tool, turn: usize| dir.path().join(format!("{}-{turn}", tool.name()));
    let mut shop = Shop::new(Orders::new(1), orders);
    let plain_mb = shop.dump(&dump)? as f64 / 1e6;
    let [mut first, mut next, mut read] = [(); 3].map(|()| vec![Turns::new(); tools.len()]);
    let mut bare = Bare::default();
    for turn in 0..turns {
        for (tool, turns) in tools.iter().zip(&mut first) {
            turns.push(grown(&repository(*tool, turn), |place| tool.first(place, &dump))?);
        }
        bare.turn(&dump)?;
    }
    std::fs::write(&oplog, shop.round(Round::usual(orders)))?;
    shop.dump(&dump)?;
    let change = Change { dump: &dump, oplog: &oplog };
    for turn in 0..turns {
        for (tool, turns) in tools.iter().zip(&mut next) {
            turns.push(grown(&repository(*tool, turn), |place| tool.next(place, &change))?);
        }
    }
    for turn in 0..turns {
        for (tool, turns) in tools.iter().zip(&mut read) {
            turns.push((tool.read(&repository(*tool, turn), &dump)?, None));
        }
    }
    for (case, turns, bare) in
        [("first", &first, Some(bare.there())), ("next", &next, None), ("restore", &read, Some(bare.back()))]
    {
        let names = tools.iter().map(|tool| tool.name());
        let mut all: Map<String, Value> = names
            .zip(turns.iter().zip(&how))
            .map(|(name, (turns, how))| (name.to_owned(), of(turns, how)))
            .collect();
        let wall = |name: &str| all[name]["wall_s"].as_f64().unwrap_or_default();
        let to_fastest = wall("tidemark") / wall("restic").min(wall("borg"));
        all.extend(bare.map(|bare| ("bare".to_owned(), bare)));
        let figures =
            json!({"orders": orders, "plain_mb": plain_mb, "tidemark_to_fastest": to_fastest, "tools": all});
        println!("{}", keep("peers", case, &figures)?);
    }
    Ok(())
}

/// Does something to a repository; returns with it by how many MB that grew.
fn grown(repository: &Path, work: impl FnOnce(&Path) -> Result<Took>) -> Result<(Took, Option<f64>)> {
    let before = if repository.exists() { folder_mb(repository)? } else { 0.0 };
    let took = work(repository)?;
    Ok((took, Some(folder_mb(repository)? - before)))
}

/// The turns of a tool as figures.
fn of(turns: &Turns, how: &str) -> Value {
    let mut figures = child::figures(&turns.iter().map(|(took, _)| *took).collect::<Vec<_>>());
    let grown: Vec<f64> = turns.iter().filter_map(|(_, grown)| *grown).collect();
    figures["stored_mb"] = json!((!grown.is_empty()).then(|| median(grown)));
    figures["how"] = json!(how);
    figures
}

/// The bare pipelines, there and back.
#[derive(Default)]
struct Bare {
    there: Vec<Took>,
    back: Vec<Took>,
    stored_mb: f64,
}

impl Bare {
    fn turn(&mut self, dump: &Path) -> Result<()> {
        let cpu = process::cpu_secs(Which::Own);
        let packed = bare::pack(&dump.join("shop/orders.bson"), true)?;
        let packed_cpu = process::cpu_secs(Which::Own);
        let mut back = Stopwatch::default();
        bare::unpack_to_pipe(&packed.blocks, &mut back)?;
        let back_cpu_s = process::cpu_secs(Which::Own) - packed_cpu;
        self.stored_mb = packed.stored_bytes as f64 / 1e6;
        self.there.push(Took { wall_s: packed.watch.secs(), cpu_s: packed_cpu - cpu, ..Took::default() });
        self.back.push(Took { wall_s: back.secs(), cpu_s: back_cpu_s, ..Took::default() });
        Ok(())
    }

    fn there(&self) -> Value {
        let turns = self.there.iter().map(|took| (*took, Some(self.stored_mb))).collect();
        of(&turns, "cut, BLAKE3, zstd 3, in memory; processor time with reading the dump")
    }

    fn back(&self) -> Value {
        let turns = self.back.iter().map(|took| (*took, None)).collect();
        of(&turns, "zstd, BLAKE3, written to a pipe")
    }
}
