//! `tidemark head`: the group of commands on heads, and the list of them.

use super::apply::{self, ApplyArgs};
use super::compact::{self, CompactArgs};
use super::import::{self, ImportArgs};
use crate::exit::Exit;
use crate::output::Output;
use crate::place::{StoreArg, short};
use crate::times::At;
use anyhow::Result;
use clap::Subcommand;
use serde::Serialize;
use std::fmt;
use tidemark_blockstore::Store;
use tidemark_head::head::{HeadName, look_up};
use tidemark_head::root::Root;
use tidemark_head::snapshot;

#[derive(Debug, Subcommand)]
pub(crate) enum HeadCommand {
    Import(ImportArgs),
    Apply(ApplyArgs),
    Compact(CompactArgs),
    /// List the heads of a store
    #[command(visible_alias = "list")]
    Ls(StoreArg),
}

pub(crate) fn run(command: HeadCommand, out: Output) -> Result<Exit> {
    match command {
        HeadCommand::Import(arguments) => import::run(&arguments, out),
        HeadCommand::Apply(arguments) => apply::run(&arguments, out),
        HeadCommand::Compact(arguments) => compact::run(&arguments, out),
        HeadCommand::Ls(store) => list(&store.open(out)?, out),
    }
}

/// All heads, by group and name.
pub(super) fn names(store: &Store) -> Result<Vec<HeadName>> {
    let refs = store.list_refs("g/")?.into_iter();
    let names = refs.filter_map(|(full, _)| {
        let (group, head) = full.strip_prefix("g/")?.strip_suffix("/head")?.split_once("/h/")?;
        HeadName::new(group, head).ok()
    });
    Ok(names.collect())
}

#[derive(Serialize)]
struct Listed {
    heads: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    name: String,
    at: At,
    /// From when on the state is consistent, if it is not yet.
    consistent_from: Option<At>,
    /// Where the stored oplog ends; the head may be behind it.
    oplog_ends: Option<At>,
    snapshots: usize,
    /// Operations that did not fit the data so far.
    diverged: u64,
    epoch: u64,
    root: String,
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.heads.is_empty() {
            return f.write_str("no heads; make one with `tidemark head import`");
        }
        for Line { name, at, consistent_from, oplog_ends, snapshots, diverged, epoch, .. } in &self.heads {
            writeln!(f, "{name}")?;
            writeln!(f, "  at              {at}")?;
            if let Some(from) = consistent_from {
                writeln!(f, "  consistent from {from}")?;
            }
            if let Some(end) = oplog_ends {
                writeln!(f, "  oplog ends      {end}")?;
            }
            writeln!(f, "  snapshots       {snapshots}")?;
            if *diverged > 0 {
                writeln!(f, "  diverged        {diverged} operations did not fit")?;
            }
            writeln!(f, "  epoch           {epoch}")?;
        }
        Ok(())
    }
}

fn list(store: &Store, out: Output) -> Result<Exit> {
    let lines = names(store)?.into_iter().map(|name| {
        let found = look_up(store, &name)?;
        let root = Root::read(store, found.root)?;
        let tip = name.slices(store).tip()?;
        anyhow::Ok(Line {
            at: At::of(root.at),
            consistent_from: root.fuzzy_until.filter(|until| *until > root.at.ts).map(At::of_timestamp),
            oplog_ends: tip.map(|tip| At::of(tip.link.at)),
            snapshots: snapshot::list(store, &name)?.len(),
            diverged: root.diverged.operations,
            epoch: found.holder.epoch,
            root: found.root.to_string(),
            name: short(&name),
        })
    });
    out.result(&Listed { heads: lines.collect::<Result<_>>()? })?;
    Ok(Exit::Done)
}
