//! The commands: arguments, what is done with the crates below, and the result that is shown.
//!
//! One file for each command, or for a few short ones of a group. Nothing here knows a format.

pub(crate) mod admin;
pub(crate) mod export;
pub(crate) mod get;
pub(crate) mod head;
pub(crate) mod service;
pub(crate) mod snapshot;
pub(crate) mod store;

mod apply;
mod applying;
mod compact;
mod divergences;
mod import;
mod origin;
mod target;
mod verify;

use crate::cli::Command;
use crate::exit::Exit;
use crate::output::Output;
use anyhow::Result;

/// Runs a command.
pub(crate) fn run(command: Command, out: &Output) -> Result<Exit> {
    match command {
        Command::Serve(arguments) => service::serve(&arguments, *out),
        Command::Frontend(arguments) => service::frontend(&arguments, *out),
        Command::Daemon(arguments) => service::daemon(&arguments, *out),
        Command::Store(command) => store::run(command, *out),
        Command::Head(command) => head::run(command, *out),
        Command::Snapshot(command) => snapshot::run(command, *out),
        Command::Export(arguments) => export::run(&arguments, *out),
        Command::Get(arguments) => get::run(&arguments, *out),
        Command::Admin(command) => admin::run(&command, *out),
    }
}
