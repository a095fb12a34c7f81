//! The arguments of the program, down to the groups of commands; each command has its own in [`crate::commands`].

use crate::commands::admin::AdminCommand;
use crate::commands::export::ExportArgs;
use crate::commands::get::GetArgs;
use crate::commands::head::HeadCommand;
use crate::commands::service::{DaemonArgs, FrontendArgs, ServeArgs};
use crate::commands::snapshot::SnapshotCommand;
use crate::commands::store::StoreCommand;
use crate::output::Format;
use clap::{Parser, Subcommand};

const AFTER_HELP: &str = "\
Exit codes:
  0    done
  1    failed; the message says why and what to do
  2    the arguments were not understood, or contradict each other or the store
  3    damage or divergence was found: the store, a dump or the data are not what they should be
  4    what was asked for is not there: head, snapshot, collection, document, point in time, file
  5    something was in the way: the store is busy, the disk full, the head taken over or not consistent
       yet; the same may work later
  141  whoever read the output has gone

Results go to standard output, notes, progress and errors to standard error. With -o json every result is one
JSON document on one line, and notes and errors are JSON lines too. Control characters in names, ids and
messages are escaped.

Examples:
  tidemark store init backup
  tidemark head import dump/ --store backup --name rs0 --optime 1795341091,408
  tidemark head apply oplog.bson --store backup --name rs0
  tidemark snapshot create --store backup --name rs0
  tidemark export --store backup --name rs0 --time 2026-11-22T10:00:00Z --archive - | mongorestore --archive
";

/// Continuous backup for MongoDB: the service, and commands on a store folder
#[derive(Debug, Parser)]
#[command(name = "tidemark", version, after_help = AFTER_HELP, propagate_version = true)]
pub(crate) struct Arguments {
    /// How results are written
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Text)]
    pub(crate) output: Format,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve everything in one process: pages and API, the agents' server, the daemon
    Serve(ServeArgs),
    /// Serve pages, API and agents, and leave the work to daemons
    Frontend(FrontendArgs),
    /// Work: build heads, apply oplog, take snapshots, prepare restores
    Daemon(DaemonArgs),
    /// Make people, groups and keys
    #[command(subcommand)]
    Admin(AdminCommand),
    /// Make, measure, check, clean and mend a store
    #[command(subcommand)]
    Store(StoreCommand),
    /// Import a dump as a head, apply oplog to it, list heads
    #[command(subcommand)]
    Head(HeadCommand),
    /// Keep states of a head, list them, prove and delete them
    #[command(subcommand)]
    Snapshot(SnapshotCommand),
    /// Write a state as a dump that mongorestore reads
    Export(ExportArgs),
    /// Show one document
    Get(GetArgs),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_sound() {
        Arguments::command().debug_assert();
    }
}
