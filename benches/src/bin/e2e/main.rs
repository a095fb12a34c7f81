//! The engine as a whole against what it promises: `cargo xtask bench e2e [case…] [--quick]`.
//!
//! Each case prints its figures, and for each promise whether it is met, and keeps them. With `--quick` a
//! fortieth of the data: to see that it works.

#![expect(clippy::print_stdout, reason = "a command-line program talks to its user")]

mod apply;
mod build;
mod read;
mod replace;
mod replay;
mod size;
mod snapshots;

use anyhow::{Result, bail};
use serde_json::Value;
use tidemark_benches::shop::{G, QUICK};
use tidemark_benches::targets;
use tidemark_benches::{is_quick, keep};

type Case = (&'static str, fn(Size) -> Result<Value>);

/// In the order of the promises.
const CASES: [Case; 8] = [
    ("snapshots", snapshots::run),
    ("replace", replace::run),
    ("build", build::run),
    ("apply", apply::run),
    ("replay", replay::run),
    ("read", read::run),
    ("size", size::run),
    ("many", size::many),
];

/// How much data.
#[derive(Clone, Copy, Debug)]
struct Size {
    /// Orders of workload G.
    orders: u64,
    /// How often what is compared is repeated.
    repeats: usize,
}

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    if let [word, rest @ ..] = words.as_slice()
        && word == apply::CHILD
    {
        return apply::child(rest);
    }
    if let Some(word) = words.iter().find(|word| !CASES.iter().any(|(name, _)| name == word)) {
        bail!("there is no case {word:?}; there are: {}", CASES.map(|(name, _)| name).join(", "));
    }
    let size = if is_quick() { Size { orders: QUICK, repeats: 1 } } else { Size { orders: G, repeats: 2 } };
    for (name, case) in CASES.iter().filter(|(name, _)| words.is_empty() || words.iter().any(|it| it == name))
    {
        println!("\n{name}");
        let figures = case(size)?;
        println!("{}", keep("e2e", name, &figures)?);
        targets::verdicts("e2e", name, &figures).for_each(|line| println!("{line}"));
    }
    Ok(())
}

/// A thing of a path that must be text for a command line.
fn text(path: &std::path::Path) -> String {
    path.to_string_lossy().into_owned()
}
