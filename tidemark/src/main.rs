//! The `tidemark` program: the service, and the operator's commands on a store folder.
//!
//! `serve` is everything in one process. The commands on a store are for engineers, and for the day when only the store
//! is left: they need no server, no network and nothing beside the folder. Arguments are read in [`cli`], what each
//! command does is in [`commands`], what is said and how it ends in [`output`] and [`exit`]. All that is known about
//! heads, pages and jobs is in the crates below.

mod cli;
mod commands;
mod data;
mod exit;
mod oplog_file;
mod output;
mod place;
mod progress;
mod safe;
mod times;

use clap::Parser;
use output::Output;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = match cli::Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return exit::not_understood(&error),
    };
    let out = Output::new(arguments.output);
    match commands::run(arguments.command, &out) {
        Ok(exit) => exit.into(),
        Err(error) => exit::failed(&error, &out),
    }
}
