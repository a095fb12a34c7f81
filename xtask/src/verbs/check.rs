//! `check`: what is fast enough to run at every save. Needs no server and no set-up.

use crate::steps::{Steps, clippy, format};
use crate::tidy;
use anyhow::Result;

pub(crate) fn run() -> Result<()> {
    let mut steps = Steps::new();
    steps.command("fmt", &format())?;
    steps.command("clippy", &clippy())?;
    steps.work("tidy", tidy::run)?;
    steps.command("unit tests", &["cargo", "test", "--locked", "--workspace", "--lib"].into())?;
    steps.summary();
    Ok(())
}
