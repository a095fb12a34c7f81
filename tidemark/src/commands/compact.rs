//! `tidemark head compact`: patches are folded into documents, so that reading a head stays cheap.

use super::divergences::Divergences;
use crate::exit::Exit;
use crate::output::Output;
use crate::place::HeadArg;
use anyhow::Result;
use clap::Args;
use serde::Serialize;
use std::fmt;
use tidemark_head::compaction::UNPACED;
use tidemark_head::head::Head;

const EXAMPLES: &str = "\
Examples:
  tidemark head compact --store backup --name rs0
  tidemark head compact --store backup --name rs0 --full
";

/// Fold changes into the documents of a head
///
/// What the oplog did is stored as it came, above the documents. Where so much of it lies that reading the head costs
/// a quarter more than it need, it is folded into them; elsewhere nothing is touched. Snapshots stay as they are.
/// Exits with 3 if operations do not fit the data they meet.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CompactArgs {
    #[command(flatten)]
    head: HeadArg,
    /// Fold everything, worth it or not
    #[arg(long)]
    full: bool,
}

/// What was done.
#[derive(Serialize)]
struct Compacted {
    /// In so many collections something was folded.
    collections: usize,
    /// All of it, worth it or not.
    full: bool,
    root: String,
    divergences: Divergences,
}

impl fmt::Display for Compacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.full, self.collections) {
            (true, _) => writeln!(f, "everything is folded")?,
            (false, 0) => writeln!(f, "nothing was worth folding")?,
            (false, 1) => writeln!(f, "folded what was worth it in 1 collection")?,
            (false, collections) => writeln!(f, "folded what was worth it in {collections} collections")?,
        }
        write!(f, "{}", self.divergences)
    }
}

pub(super) fn run(args: &CompactArgs, out: Output) -> Result<Exit> {
    let store = args.head.open(out)?;
    let mut head = Head::claim(&store, &args.head.name)?;
    let collections = if args.full {
        head.compact()?;
        head.state().catalog().iter().count()
    } else {
        head.compact_if_worth(UNPACED)?.iter().count()
    };
    let mut divergences = Divergences::default();
    divergences.add(&head.take_divergences());
    let exit = if divergences.count == 0 { Exit::Done } else { Exit::Found };
    let root = head.root().to_string();
    out.result(&Compacted { collections, full: args.full, root, divergences })?;
    Ok(exit)
}
