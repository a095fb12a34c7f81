//! The `tidemark` program: for now the operator's commands on a store folder.
//!
//! For engineers, and for the day when only the store is left: nothing here needs a server, a network or
//! anything beside the folder. Arguments are read in [`cli`], what each command does is in [`commands`], what
//! is said and how it ends in [`output`] and [`exit`]. Synchronous; all that is known about heads is in the
//! crates below.

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
