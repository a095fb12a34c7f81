//! A tail that catches up with a burst of inserts and updates, and with a transaction that does not get shorter.

use crate::sink::{Sent, Sink};
use crate::{Agent, source};
use anyhow::Result;
use serde_json::{Value, json};
use tidemark_base::OpTime;
use tidemark_benches::Stopwatch;
use tidemark_testkit::live::ReplicaSet;

/// Entries of each kind.
const ENTRIES: u64 = 300_000;
const QUICK: u64 = 20_000;
/// Of the transaction, in documents of a MiB.
const TRANSACTION: u64 = 40;

pub(crate) fn run(quick: bool) -> Result<Value> {
    let entries = if quick { QUICK } else { ENTRIES };
    let set = source::start(1024)?;
    let folder = tempfile::tempdir()?;
    let begin = set.append_note_and_read_back()?;
    source::insert(&set, 0..entries)?;
    let inserted = set.append_note_and_read_back()?;
    source::update(&set, entries)?;
    let updated = set.append_note_and_read_back()?;
    let inserts = caught_up(folder.path(), &set, begin, inserted)?;
    let updates = caught_up(folder.path(), &set, inserted, updated)?;
    let all = caught_up(folder.path(), &set, begin, updated)?;
    source::transaction(&set, TRANSACTION)?;
    let transaction = caught_up(folder.path(), &set, updated, set.append_note_and_read_back()?)?;
    let most = [&inserts, &updates, &all].iter().map(|it| it.peak_rss_mib).max();
    Ok(json!({
        "inserts": inserts.figures(),
        "updates": updates.figures(),
        "both": all.figures(),
        "transaction": transaction.figures(),
        "peak_rss_mib": most,
        "cpu_s_per_million": all.cpu_s_per_million(),
    }))
}

struct CaughtUp {
    sent: Sent,
    wall_s: f64,
    cpu_s: f64,
    peak_rss_mib: u64,
}

impl CaughtUp {
    fn cpu_s_per_million(&self) -> f64 {
        self.cpu_s * 1e6 / self.sent.entries as f64
    }

    fn figures(&self) -> Value {
        json!({
            "entries": self.sent.entries,
            "plain_mb": self.sent.plain_bytes as f64 / 1e6,
            "stored_mb": self.sent.stored_bytes as f64 / 1e6,
            "wall_s": self.wall_s,
            "cpu_s": self.cpu_s,
            "cpu_s_per_million": self.cpu_s_per_million(),
            "peak_rss_mib": self.peak_rss_mib,
        })
    }
}

/// A new process that only tails, from one entry to another.
fn caught_up(folder: &std::path::Path, set: &ReplicaSet, from: OpTime, to: OpTime) -> Result<CaughtUp> {
    let sink = Sink::start(Some(from))?;
    let mut watch = Stopwatch::default();
    let (agent, sent) = watch.time(|| {
        let agent = Agent::start(folder, &sink, &set.host())?;
        let sent = sink.await_tip(to.ts)?;
        anyhow::Ok((agent, sent))
    })?;
    let (cpu_s, peak_rss_mib) = agent.took();
    Ok(CaughtUp { sent, wall_s: watch.secs(), cpu_s, peak_rss_mib })
}
