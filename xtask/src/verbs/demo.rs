//! `demo`: a small Tidemark at work, on a real replica set; the page stays up until Ctrl-C.

use crate::setup;
use crate::steps::{Invocation, Steps};
use anyhow::{Context as _, Result};

pub(crate) fn run(once: bool) -> Result<()> {
    let programs = ["cargo", "build", "--locked", "--release", "-p", "tidemark", "-p", "tidemark-agent"];
    let demo = ["cargo", "run", "--locked", "-p", "tidemark-testkit", "--features", "service", "--bin"];
    // This program lies in a folder beside that of the programs.
    let own = std::env::current_exe()?;
    let folder = own.ancestors().nth(2).context("this program lies in no folder")?.join("release");
    let mut steps = Steps::new();
    steps.work("set-up", setup::run)?;
    steps.command("programs", &programs.into())?;
    let words = demo.into_iter().map(ToOwned::to_owned);
    let words = words.chain(["testkit-demo", "--"].map(ToOwned::to_owned));
    let words = words.chain([folder.display().to_string()]).chain(once.then(|| "--once".to_owned()));
    let words: Vec<String> = words.collect();
    steps.command("demo", &Invocation::new(words.iter().map(String::as_str)))?;
    Ok(())
}
