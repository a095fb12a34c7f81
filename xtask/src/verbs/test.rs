//! `test`: everything a change must pass; continuous integration runs this and nothing else.
//!
//! The unit, property and real-server tests, bounded seeds of the long ones and the fuzz corpora are all
//! ordinary tests, so `cargo test` runs them; a new kind of test needs no new step here.

use crate::steps::{Invocation, Steps, clippy, format};
use crate::{setup, tidy};
use anyhow::Result;

pub(crate) fn run() -> Result<()> {
    let docs = ["cargo", "doc", "--locked", "--workspace", "--no-deps"];
    let mut steps = Steps::new();
    steps.work("set-up", setup::run)?;
    steps.command("fmt", &format())?;
    steps.work("tidy", tidy::run)?;
    steps.command("clippy", &clippy())?;
    let agents = ["cargo", "clippy", "--locked", "-p", "tidemark-oplog", "--no-default-features"];
    steps.command(
        "oplog as the agent builds it",
        &Invocation::new(agents.into_iter().chain(["--", "-Dwarnings"])),
    )?;
    steps.command("docs", &Invocation::from(docs).with("RUSTDOCFLAGS", "-Dwarnings"))?;
    steps.command("tests", &["cargo", "test", "--locked", "--workspace"].into())?;
    steps.summary();
    Ok(())
}
