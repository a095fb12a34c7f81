//! Borg as Debian has it, without encryption, with zstd 3.

use crate::tool::{Change, Tool, text, version};
use anyhow::Result;
use std::path::Path;
use std::process::Command;
use tidemark_benches::child::{self, Took};

pub(crate) struct Borg;

impl Tool for Borg {
    fn name(&self) -> &'static str {
        "borg"
    }

    fn how(&self) -> Result<String> {
        let version = version("borg", "--version")?;
        Ok(format!("{version}: create of the dump folder, no encryption, zstd,3; extract to a pipe"))
    }

    fn first(&self, repository: &Path, dump: &Path) -> Result<Took> {
        on(repository, &["init", "--encryption", "none", &text(repository)])?;
        create(repository, "1", dump)
    }

    fn next(&self, repository: &Path, change: &Change<'_>) -> Result<Took> {
        create(repository, "2", change.dump)
    }

    fn read(&self, repository: &Path, _: &Path) -> Result<Took> {
        on(repository, &["extract", "--stdout", &format!("{}::2", text(repository))])
    }
}

fn create(repository: &Path, name: &str, dump: &Path) -> Result<Took> {
    let archive = format!("{}::{name}", text(repository));
    on(repository, &["create", "--compression", "zstd,3", &archive, &text(dump)])
}

fn on(repository: &Path, words: &[&str]) -> Result<Took> {
    let mut command = Command::new("borg");
    // Its cache and configuration: beside the repository, whose growth is measured.
    command.args(words).env("BORG_BASE_DIR", repository.with_extension("cache"));
    command.env("BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK", "yes");
    child::run(&mut command)
}
