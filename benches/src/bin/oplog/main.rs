//! The oplog: entries parsed, diffs applied, slices written and read.
//!
//! `cargo xtask bench oplog`; the program itself also takes the names of the parts (`entries`, `diffs`,
//! `slices`). Smaller inputs with `--quick`. Each part says what its peer is.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a bench")]

mod diffs;
mod entries;
mod slices;

use serde_json::Value;
use tidemark_benches::keep;

/// A part: whether it is to be quick in, figures out.
type Part = fn(bool) -> Value;

const PARTS: [(&str, Part); 3] = [("entries", entries::run), ("diffs", diffs::run), ("slices", slices::run)];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let quick = arguments.iter().any(|word| word == "--quick");
    let names: Vec<&String> = arguments.iter().filter(|word| !word.starts_with("--")).collect();
    for name in &names {
        assert!(PARTS.iter().any(|(part, _)| part == name), "there is no part {name:?}");
    }
    for (name, run) in PARTS {
        if names.is_empty() || names.iter().any(|wanted| *wanted == name) {
            println!("{}", keep("oplog", name, &run(quick)).unwrap());
        }
    }
}
