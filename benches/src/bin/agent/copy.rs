//! The copy beside mongodump.

use crate::sink::{Sent, Sink};
use crate::{Agent, source};
use anyhow::Result;
use serde_json::{Value, json};
use std::process::Command;
use tidemark_benches::Stopwatch;
use tidemark_benches::child::{self, Took};
use tidemark_benches::process::{self, Which};
use tidemark_benches::results::median;
use tidemark_testkit::generate::orders::Orders;
use tidemark_testkit::live::ReplicaSet;
use tidemark_testkit::live::tools::{Target, command};
use tidemark_testkit::parts::Part;

/// Documents: about a gigabyte.
const ORDERS: u64 = 1_600_000;
/// The same, to see that it works.
const QUICK: u64 = 100_000;
/// How often each has its turn.
const TURNS: usize = 5;
/// What the agent puts into a batch, and its level.
const BATCH_BYTES: usize = 8 << 20;
const LEVEL: i32 = 3;

pub(crate) fn run(quick: bool) -> Result<Value> {
    let (orders, turns) = if quick { (QUICK, 1) } else { (ORDERS, TURNS) };
    let set = source::start(256)?;
    source::insert(&set, 0..orders)?;
    let folder = tempfile::tempdir()?;
    // Once each, so that what either reads is in memory.
    agent(folder.path(), &set)?;
    mongodump(&set)?;
    let (mut ours, mut theirs, mut packing, mut sent) = (vec![], vec![], vec![], Sent::default());
    for _ in 0..turns {
        let (took, all) = agent(folder.path(), &set)?;
        ours.push(took);
        sent = all;
        theirs.push(mongodump(&set)?);
        packing.push(compression(orders)?);
    }
    anyhow::ensure!(sent.documents >= orders, "{} documents were sent of {orders}", sent.documents);
    let of = |runs: &[Took], what: fn(&Took) -> f64| median(runs.iter().map(what));
    let (wall, cpu) = (of(&ours, |it| it.wall_s), of(&ours, |it| it.cpu_s));
    let (dump_wall, dump_cpu) = (of(&theirs, |it| it.wall_s), of(&theirs, |it| it.cpu_s));
    let compression_s = median(packing);
    Ok(json!({
        "orders": orders,
        "plain_mb": sent.plain_bytes as f64 / 1e6,
        "stored_mb": sent.stored_bytes as f64 / 1e6,
        "agent": child::figures(&ours),
        "mongodump": child::figures(&theirs),
        "compression_cpu_s": compression_s,
        "peak_rss_mib": ours.iter().map(|it| it.peak_rss_mib).max(),
        "wall_to_mongodump": wall / dump_wall,
        "cpu_to_mongodump": cpu / dump_cpu,
        "cpu_less_compression_to_mongodump": (cpu - compression_s) / dump_cpu,
    }))
}

/// A copy by a new process, from its start to the end of the copy.
fn agent(folder: &std::path::Path, set: &ReplicaSet) -> Result<(Took, Sent)> {
    let sink = Sink::start(None)?;
    let mut watch = Stopwatch::default();
    let (agent, sent) = watch.time(|| {
        let agent = Agent::start(folder, &sink, &set.host())?;
        let sent = sink.await_copy()?;
        anyhow::Ok((agent, sent))
    })?;
    let (cpu_s, peak_rss_mib) = agent.took();
    Ok((Took { wall_s: watch.secs(), cpu_s, peak_rss_mib, out_bytes: sent.stored_bytes }, sent))
}

fn mongodump(set: &ReplicaSet) -> Result<Took> {
    let dump = command(Part::Mongodump, &Target::from(set), &["--quiet", "--db=shop", "--archive"])?;
    // Not into our own pipe, which somebody would have to empty.
    let mut shell = Command::new("sh");
    shell.args(["-c", "exec \"$@\" >/dev/null", "sh"]).arg(dump.get_program()).args(dump.get_args());
    child::run(&mut shell)
}

/// Seconds of a processor that compressing the same documents takes, in batches as the agent's, on one thread.
fn compression(orders: u64) -> Result<f64> {
    let mut compressor = zstd::bulk::Compressor::new(LEVEL)?;
    let (mut batch, mut packed, mut cpu_s) = (Vec::new(), Vec::new(), 0.0);
    for number in 0..orders {
        Orders::new(1).document(number, &mut batch);
        if batch.len() >= BATCH_BYTES || number + 1 == orders {
            packed.clear();
            packed.reserve(batch.len());
            let before = process::cpu_secs(Which::Own);
            compressor.compress_to_buffer(&batch, &mut packed)?;
            cpu_s += process::cpu_secs(Which::Own) - before;
            batch.clear();
        }
    }
    Ok(cpu_s)
}
