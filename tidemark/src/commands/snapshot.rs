//! `tidemark snapshot`: states of a head that are kept.

use super::divergences::Divergences;
use crate::exit::Exit;
use crate::output::Output;
use crate::place::HeadArg;
use crate::times::{At, wall};
use anyhow::Result;
use clap::{Args, Subcommand};
use serde::Serialize;
use std::fmt;
use tidemark_base::SystemClock;
use tidemark_head::head::Head;
use tidemark_head::snapshot::{self, Proof, Snapshot};

#[derive(Debug, Subcommand)]
pub(crate) enum SnapshotCommand {
    /// Keep the state that the head has now
    Create(HeadArg),
    /// List the snapshots of a head, oldest first
    #[command(visible_alias = "ls")]
    List(HeadArg),
    /// Show what is known of a snapshot
    Describe(One),
    /// Read all of a snapshot and check that everything in it fits; exits with 3 if not
    Prove(One),
    /// Delete a snapshot; its space is free after `tidemark store gc`
    Delete(One),
}

/// One snapshot.
#[derive(Debug, Args)]
pub(crate) struct One {
    /// Its number, as `snapshot list` shows it
    #[arg(value_name = "ID")]
    id: u64,
    #[command(flatten)]
    head: HeadArg,
}

pub(crate) fn run(command: SnapshotCommand, out: Output) -> Result<Exit> {
    match command {
        SnapshotCommand::Create(head) => create(&head, out),
        SnapshotCommand::List(head) => list(&head, out),
        SnapshotCommand::Describe(one) => describe(&one, out),
        SnapshotCommand::Prove(one) => prove(&one, out),
        SnapshotCommand::Delete(one) => delete(&one, out),
    }
}

#[derive(Serialize)]
struct Shown {
    id: u64,
    at: At,
    taken: String,
    took_ms: u64,
    /// `stored`, or `proven` once all of it was read, or `damaged` if that failed.
    state: &'static str,
    /// The head went back to before it: the source may never have had this state.
    dead_branch: bool,
    collections: u64,
    run_bytes: u64,
    new_run_bytes: u64,
    documents: Option<u64>,
    document_bytes: Option<u64>,
    divergences: Option<u64>,
    /// Operations that did not fit, as the head knew when it was taken.
    diverged: u64,
    root: String,
}

impl Shown {
    fn of(id: u64, snapshot: &Snapshot) -> Self {
        let proven = snapshot.proven;
        Self {
            id,
            at: At::of(snapshot.at),
            taken: wall(snapshot.taken),
            took_ms: snapshot.took_ms,
            state: match (snapshot.is_damaged, proven) {
                (true, _) => "damaged",
                (false, Some(_)) => "proven",
                (false, None) => "stored",
            },
            dead_branch: snapshot.is_dead_branch,
            collections: snapshot.collections,
            run_bytes: snapshot.run_bytes,
            new_run_bytes: snapshot.new_run_bytes,
            documents: proven.map(|it| it.documents),
            document_bytes: proven.map(|it| it.document_bytes),
            divergences: proven.map(|it| it.divergences),
            diverged: snapshot.diverged.operations,
            root: snapshot.root.to_string(),
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "snapshot {}", self.id)?;
        writeln!(f, "  at          {}", self.at)?;
        writeln!(f, "  taken       {}, in {} ms", self.taken, self.took_ms)?;
        writeln!(f, "  state       {}{}", self.state, if self.dead_branch { ", dead branch" } else { "" })?;
        writeln!(f, "  collections {}", self.collections)?;
        writeln!(f, "  size        {} bytes, {} of them new", self.run_bytes, self.new_run_bytes)?;
        if let (Some(documents), Some(bytes), Some(found)) =
            (self.documents, self.document_bytes, self.divergences)
        {
            writeln!(f, "  documents   {documents}, {bytes} bytes; {found} divergences")?;
        }
        if self.diverged > 0 {
            writeln!(f, "  diverged    {} operations did not fit before it was taken", self.diverged)?;
        }
        write!(f, "  root        {}", self.root)
    }
}

#[derive(Serialize)]
struct Listed {
    snapshots: Vec<Shown>,
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.snapshots.is_empty() {
            return f.write_str("no snapshots; keep one with `tidemark snapshot create`");
        }
        for it in &self.snapshots {
            let dead = if it.dead_branch { " dead branch" } else { "" };
            writeln!(f, "{:>6}  {:>15} bytes new  {}{dead}  {}", it.id, it.new_run_bytes, it.state, it.at)?;
        }
        Ok(())
    }
}

fn create(args: &HeadArg, out: Output) -> Result<Exit> {
    let store = args.open(out)?;
    let mut head = Head::claim(&store, &args.name)?;
    if let Some(tip) = args.name.slices(&store).tip()?.filter(|tip| tip.link.at.ts > head.at().ts) {
        let end = tip.link.at;
        out.note(&format!(
            "the stored oplog goes on to {end}: `tidemark head apply` without files applies it"
        ));
    }
    let (id, snapshot) = head.snapshot(&SystemClock::new())?;
    out.result(&Shown::of(id, &snapshot))?;
    Ok(Exit::Done)
}

fn list(args: &HeadArg, out: Output) -> Result<Exit> {
    let store = args.open(out)?;
    // Without a head there is nothing to list, but a wrong name should be told.
    tidemark_head::head::look_up(&store, &args.name)?;
    let snapshots = snapshot::list(&store, &args.name)?;
    let snapshots = snapshots.iter().map(|(id, snapshot)| Shown::of(*id, snapshot)).collect();
    out.result(&Listed { snapshots })?;
    Ok(Exit::Done)
}

fn describe(args: &One, out: Output) -> Result<Exit> {
    let store = args.head.open(out)?;
    let snapshot = snapshot::get(&store, &args.head.name, args.id)?;
    out.result(&Shown::of(args.id, &snapshot))?;
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct Proved {
    snapshot: Shown,
    divergences: Divergences,
}

impl fmt::Display for Proved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.snapshot)?;
        write!(f, "{}", self.divergences)
    }
}

fn prove(args: &One, out: Output) -> Result<Exit> {
    let store = args.head.open(out)?;
    let Proof { snapshot, divergences: found } = snapshot::prove(&store, &args.head.name, args.id)?;
    let mut divergences = Divergences::default();
    divergences.add(&found);
    let exit = if found.is_empty() { Exit::Done } else { Exit::Found };
    out.result(&Proved { snapshot: Shown::of(args.id, &snapshot), divergences })?;
    Ok(exit)
}

#[derive(Serialize)]
struct Deleted {
    deleted: u64,
}

impl fmt::Display for Deleted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "snapshot {} is deleted; `tidemark store gc` frees its space", self.deleted)
    }
}

fn delete(args: &One, out: Output) -> Result<Exit> {
    let store = args.head.open(out)?;
    snapshot::delete(&store, &args.head.name, args.id)?;
    out.result(&Deleted { deleted: args.id })?;
    Ok(Exit::Done)
}
