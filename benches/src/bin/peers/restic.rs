//! Restic as Debian has it, with its defaults: format 2, compression auto, encrypted as always.

use crate::tool::{Change, Tool, text, version};
use anyhow::Result;
use std::path::Path;
use std::process::Command;
use tidemark_benches::child::{self, Took};

pub(crate) struct Restic;

impl Tool for Restic {
    fn name(&self) -> &'static str {
        "restic"
    }

    fn how(&self) -> Result<String> {
        Ok(format!("{}: backup of the dump folder, defaults; dump to a pipe", version("restic", "version")?))
    }

    fn first(&self, repository: &Path, dump: &Path) -> Result<Took> {
        on(repository, &["init"])?;
        on(repository, &["backup", &text(dump)])
    }

    fn next(&self, repository: &Path, change: &Change<'_>) -> Result<Took> {
        on(repository, &["backup", &text(change.dump)])
    }

    fn read(&self, repository: &Path, dump: &Path) -> Result<Took> {
        on(repository, &["dump", "latest", &text(&dump.join("shop/orders.bson"))])
    }
}

fn on(repository: &Path, words: &[&str]) -> Result<Took> {
    let mut command = Command::new("restic");
    command.args(["--quiet", "--repo", &text(repository), "--cache-dir"]);
    // Beside the repository, whose growth is measured.
    command.arg(repository.with_extension("cache")).args(words).env("RESTIC_PASSWORD", "bench");
    child::run(&mut command)
}
