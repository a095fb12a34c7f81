//! `tidemark head apply`: a head is brought on along its oplog, from files and from what is stored already.

use super::applying::{Applied, Applying};
use crate::exit::{Exit, Problem};
use crate::oplog_file::OplogFile;
use crate::output::Output;
use crate::place::HeadArg;
use crate::progress::Progress;
use crate::times::Moment;
use anyhow::{Context, Result};
use clap::Args;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use tidemark_base::{OpTime, Timestamp};
use tidemark_head::head::Head;

const EXAMPLES: &str = "\
Examples:
  tidemark head apply oplog.bson --store backup --name rs0
  tidemark head apply oplog-1.bson.gz oplog-2.bson.gz --store backup --name rs0 --until 2026-11-22T10:00:00Z
  mongodump -d local -c oplog.rs -o - | tidemark head apply - --store backup --name rs0
  tidemark head apply --store backup --name rs0      what is stored and was not applied, after a crash
";

/// Apply oplog entries to a head
///
/// Entries are made durable in the store, as slices of the head's oplog, before they are applied: stopped
/// anywhere, the same command goes on. Entries that the head has are skipped and counted, so files may overlap.
/// Within a file entries must be in order. Exits with 3 if operations do not fit the data they meet.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ApplyArgs {
    /// Files of entries, in the order of the oplog, plain or gzipped; - is standard input
    #[arg(value_name = "OPLOG.BSON")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    head: HeadArg,
    /// The position that the imported data has: earlier entries only feed transactions that are open there
    #[arg(long, value_name = "T,I")]
    after: Option<Timestamp>,
    /// Stop after this: a time with its zone, or a position; inclusive
    #[arg(long, value_name = "TIME|T,I")]
    until: Option<Moment>,
    /// Stop before this position
    #[arg(long, value_name = "T,I", conflicts_with = "until")]
    before: Option<Timestamp>,
    /// The data was copied while it changed: tolerate what does not fit, up to and including this position
    #[arg(long, value_name = "T,I")]
    fuzzy_until: Option<Timestamp>,
    /// How many threads apply; as many as there are processors unless said
    #[arg(long)]
    threads: Option<NonZeroUsize>,
}

impl ApplyArgs {
    /// The last position that is applied.
    fn until(&self) -> Timestamp {
        let before = self.before.map(|it| Timestamp::from_u64(it.to_u64().saturating_sub(1)));
        self.until.as_ref().map(Moment::until).or(before).unwrap_or(Timestamp::MAX)
    }
}

pub(super) fn run(args: &ApplyArgs, out: Output) -> Result<Exit> {
    if let Some(threads) = args.threads {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.get());
        pool.build_global().context("cannot start so many threads")?;
    }
    let store = args.head.open(out)?;
    let mut head = Head::claim(&store, &args.head.name)?;
    check_position(&mut head, args)?;
    if let Some(until) = args.fuzzy_until {
        head.extend_fuzzy_until(until)?;
    }
    let progress = Progress::bytes(out, "applying", known_bytes(&args.files));
    let mut applying = Applying::new(head, args.until(), out, &progress)?;
    applying.catch_up()?;
    for path in &args.files {
        applying.take(OplogFile::open(path)?)?;
    }
    let applied = applying.finish()?;
    drop(progress);
    ended(&applied, out)
}

/// Shows what was applied.
fn ended(applied: &Applied, out: Output) -> Result<Exit> {
    out.result(applied)?;
    Ok(applied.exit())
}

/// The head must stand somewhere, and nothing may be left out between there and what is applied.
fn check_position(head: &mut Head, args: &ApplyArgs) -> Result<()> {
    let usage = |what: String| Err(Problem::Usage(what).into());
    match args.after {
        Some(after) if head.state().has_no_position() => {
            head.set_position(OpTime { ts: after, term: OpTime::NO_TERM })?;
        }
        Some(after) if after > head.at().ts => {
            let at = head.at();
            return usage(format!("the head stands at {at}: entries up to {after} would be left out"));
        }
        None if head.state().has_no_position() => {
            return usage("nobody knows where the imported data stands: say it with --after T,I".into());
        }
        _ => {}
    }
    let at = head.at();
    if at.ts <= args.until() {
        return Ok(());
    }
    let end = args.until.as_ref().map(ToString::to_string).or(args.before.map(|it| it.to_string()));
    usage(format!(
        "the head stands at {at}, beyond {}, and only goes forward: `tidemark export --time` gives earlier states",
        end.unwrap_or_default()
    ))
}

/// The length of all files unpacked, if it can be known.
fn known_bytes(files: &[PathBuf]) -> Option<u64> {
    let len = |path: &PathBuf| {
        let plain = std::fs::metadata(path).ok().filter(|it| it.is_file())?;
        path.extension().is_none_or(|it| it != "gz").then_some(plain.len())
    };
    files.iter().map(len).sum()
}
