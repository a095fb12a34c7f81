//! Reading a head: exports into a pipe, stacks against their compacted form, single documents.
//!
//! `cargo xtask bench read`: a million orders, a tenth with `--quick`; the program itself also takes the names
//! of the parts (`export`, `replaced`, `get`). The peer of an export decompresses and names the same documents in
//! blocks of 64 KiB on the same threads and writes them to the same pipe, which a `cat` empties; they take turns.

#![expect(clippy::print_stdout, clippy::unwrap_used, clippy::cast_precision_loss, reason = "a bench")]

mod export;
mod get;
mod rig;

use serde_json::Value;
use tidemark_benches::keep;

/// A part: how many orders in, figures out.
type Part = fn(u64) -> Value;

const PARTS: [(&str, Part); 3] =
    [("export", export::layers), ("replaced", export::replaced), ("get", get::run)];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [word, folder] = arguments.as_slice()
        && word == get::COLD
    {
        println!("{}", get::cold(folder));
        return;
    }
    let orders = if arguments.iter().any(|word| word == "--quick") { 100_000 } else { 1_000_000 };
    let names: Vec<&String> = arguments.iter().filter(|word| !word.starts_with("--")).collect();
    for name in &names {
        assert!(PARTS.iter().any(|(part, _)| part == name), "there is no part {name:?}");
    }
    for (name, run) in PARTS {
        if names.is_empty() || names.iter().any(|wanted| *wanted == name) {
            println!("{}", keep("read", name, &run(orders)).unwrap());
        }
    }
}
