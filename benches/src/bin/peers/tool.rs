//! What each tool is asked to do.

use anyhow::Result;
use std::path::Path;
use tidemark_benches::child::Took;

/// What happened between two backups, in both forms.
pub(crate) struct Change<'c> {
    /// The whole dump of the changed data.
    pub(crate) dump: &'c Path,
    /// The oplog of the change.
    pub(crate) oplog: &'c Path,
}

/// A program that keeps backups in a repository: a folder that is its own.
pub(crate) trait Tool {
    /// Its name.
    fn name(&self) -> &'static str;
    /// Its version and settings; fails if it is missing.
    fn how(&self) -> Result<String>;
    /// Backs a dump up into a new repository. Making that is not counted.
    fn first(&self, repository: &Path, dump: &Path) -> Result<Took>;
    /// Backs the changed data up.
    fn next(&self, repository: &Path, change: &Change<'_>) -> Result<Took>;
    /// Reads the newest backup into a pipe. `dump` is what was backed up.
    fn read(&self, repository: &Path, dump: &Path) -> Result<Took>;
}

/// A path as a word of a command line.
pub(crate) fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// The first line that a program says of its version.
pub(crate) fn version(program: &str, word: &str) -> Result<String> {
    // Started as any run, so that a missing one is told in the same way.
    tidemark_benches::child::run(std::process::Command::new(program).arg(word))?;
    let output = std::process::Command::new(program).arg(word).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
}
