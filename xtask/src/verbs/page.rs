//! `page`: every state of the page in a headless Chromium, with a picture of each; not among the tests, which need no
//! browser.

use crate::steps::{Invocation, Steps};
use anyhow::Result;
use tidemark_testkit::parts;

pub(crate) fn run() -> Result<()> {
    let folder = parts::workspace().join("target/page").display().to_string();
    let tour = ["cargo", "run", "--locked", "-p", "tidemark-frontend", "--example", "page", "--", &folder];
    let mut steps = Steps::new();
    steps.command("page", &Invocation::new(tour))
}
