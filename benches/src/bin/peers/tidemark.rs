//! Ours: the binary. The next backup is the oplog of the change, stored, applied, and a snapshot.

use crate::tool::{Change, Tool, text};
use anyhow::Result;
use std::path::Path;
use tidemark_benches::child::{self, Took};

pub(crate) struct Tidemark;

impl Tool for Tidemark {
    fn name(&self) -> &'static str {
        "tidemark"
    }

    fn how(&self) -> Result<String> {
        child::run(child::tidemark()?.arg("--version"))?;
        Ok("head import; then head apply of the oplog and snapshot create; export --archive".to_owned())
    }

    fn first(&self, repository: &Path, dump: &Path) -> Result<Took> {
        child::run(child::tidemark()?.args(["store", "init", &text(repository)]))?;
        let words = ["head", "import", &text(dump), "--optime", "1700000000,0"];
        Ok(on(repository, &words)?.then(snapshot(repository)?))
    }

    fn next(&self, repository: &Path, change: &Change<'_>) -> Result<Took> {
        Ok(on(repository, &["head", "apply", &text(change.oplog)])?.then(snapshot(repository)?))
    }

    fn read(&self, repository: &Path, _: &Path) -> Result<Took> {
        on(repository, &["export", "--snapshot", "2", "--archive", "-"])
    }
}

fn snapshot(repository: &Path) -> Result<Took> {
    on(repository, &["snapshot", "create"])
}

fn on(repository: &Path, words: &[&str]) -> Result<Took> {
    child::run(child::tidemark()?.args(words).args(["--store", &text(repository), "--name", "rs0"]))
}
