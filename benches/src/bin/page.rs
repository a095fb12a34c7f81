//! Writes `docs/performance.md` and its plots from the results that are kept: `cargo xtask bench page`.
//!
//! With `--quick` the page of the newest quick run, into `target/performance-quick/`, to be looked at only.

#![expect(clippy::print_stdout, reason = "a command-line program talks to its user")]

use anyhow::{Context, Result};
use std::fs;
use tidemark_benches::page::render;
use tidemark_benches::results::{Run, folder};
use tidemark_testkit::parts;

fn main() -> Result<()> {
    let quick = tidemark_benches::is_quick();
    let run = Run::newest(&folder(), quick)?;
    let place = parts::workspace().join(if quick { "target/performance-quick" } else { "docs" });
    let plots = place.join("performance");
    // What the page does not show any more goes.
    if plots.exists() {
        fs::remove_dir_all(&plots)?;
    }
    let page = render(run.as_ref());
    fs::create_dir_all(&place)?;
    let file = place.join("performance.md");
    fs::write(&file, &page.text).with_context(|| format!("cannot write {}", file.display()))?;
    for (name, svg) in &page.plots {
        fs::create_dir_all(&plots)?;
        fs::write(plots.join(name), svg)?;
    }
    println!("{} and {} plots", file.display(), page.plots.len());
    Ok(())
}
