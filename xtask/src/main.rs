//! The one way to do each chore: `cargo xtask <verb>`.
//!
//! People and continuous integration call this and nothing else; what a verb does is printed while it does
//! it. Must build without the MongoDB driver and start at once, so it uses the testkit without its `live`
//! feature.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line program talks to its user")]

mod setup;
mod steps;
mod tidy;
#[cfg(test)]
mod turn;
mod verbs;

use clap::{Parser, Subcommand};
use std::process::ExitCode;
use verbs::{bench, check, demo, fuzz, long, page, test};

/// The chores of Tidemark.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Fetch, verify and cache mongod, mongodump and mongorestore, unless they are here already
    ///
    /// TIDEMARK_MONGOD, TIDEMARK_MONGODUMP and TIDEMARK_MONGORESTORE name programs of your own; programs
    /// on PATH come next, then the cache. TIDEMARK_CACHE moves the cache.
    Setup,
    /// The fast checks, for while you work: format, clippy, tidy, unit tests of the libraries
    Check,
    /// Everything a change must pass: set-up, format, clippy, docs, tidy, all tests with real servers
    Test,
    /// The rules that no compiler checks: head comments, dependency direction, file length, …
    Tidy,
    /// A test repeated for long; without a name, the list of them
    Long {
        /// Which one
        name: Option<String>,
        /// How many rounds instead of the usual number
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
        rounds: Option<u32>,
    },
    /// Measurements against a peer or a limit in the same run; without a name, all suites and the page of them
    Bench {
        /// Which suite, or `page`; an unknown one is answered with the list
        name: Option<String>,
        /// Which cases of the suite, where it has any
        cases: Vec<String>,
        /// A part of the data: to see that it works, not to quote
        #[arg(long)]
        quick: bool,
    },
    /// Hostile bytes for one decoder, with cargo-fuzz; without a name, the list of targets
    Fuzz {
        /// Which one
        target: Option<String>,
        /// How long instead of one minute
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
        minutes: Option<u32>,
    },
    /// Every state of the page in a headless Chromium, checked, and kept as pictures in target/page to look at
    ///
    /// CHROMIUM names one of your own; else it is looked for on PATH.
    Page,
    /// A small Tidemark at work on a real replica set, and a page to look at
    Demo {
        /// End when all was shown, instead of leaving the page up
        #[arg(long)]
        once: bool,
    },
}

fn main() -> ExitCode {
    let done = match Arguments::parse().verb {
        Verb::Setup => setup::run(),
        Verb::Check => check::run(),
        Verb::Test => test::run(),
        Verb::Tidy => tidy::run(),
        Verb::Long { name, rounds } => long::run(name.as_deref(), rounds),
        Verb::Bench { name, cases, quick } => bench::run(name.as_deref(), &cases, quick),
        Verb::Fuzz { target, minutes } => fuzz::run(target.as_deref(), minutes),
        Verb::Page => page::run(),
        Verb::Demo { once } => demo::run(once),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
