//! `bench`: measurements that are kept. Each suite is a program of `benches/`, built with optimisation; it
//! prints its figures and appends them to `benches/results/<suite>.jsonl`.

use crate::steps::{Invocation, Steps};
use anyhow::{Result, bail};

/// A suite of measurements.
struct Suite {
    name: &'static str,
    what: &'static str,
}

const SUITES: [Suite; 3] = [
    Suite {
        name: "blockstore",
        what: "put, put again, get and garbage collection against bare hashing, compression and copying",
    },
    Suite {
        name: "head",
        what: "a head's life: build, apply, flush, snapshots, compaction, export, against bare compression",
    },
    Suite {
        name: "oplog",
        what: "entries parsed, diffs applied, slices written and read against other readers and bare compression",
    },
];

/// Runs one suite, or lists all.
pub(crate) fn run(name: Option<&str>, quick: bool) -> Result<()> {
    let Some(name) = name else {
        println!("cargo xtask bench <suite> [--quick]\n\n{}", list());
        return Ok(());
    };
    let Some(suite) = SUITES.iter().find(|suite| suite.name == name) else {
        bail!("there is no suite {name:?}; there are:\n{}", list());
    };
    let mut steps = Steps::new();
    steps.command(suite.name, &invocation(suite, quick))?;
    steps.summary();
    Ok(())
}

fn invocation(suite: &Suite, quick: bool) -> Invocation {
    let words = ["cargo", "run", "--locked", "--release", "-p", "tidemark-benches", "--bin", suite.name];
    Invocation::new(words.into_iter().chain(quick.then_some(["--", "--quick"]).into_iter().flatten()))
}

fn list() -> String {
    SUITES.iter().map(|suite| format!("{:12} {}", suite.name, suite.what)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemark_testkit::parts;

    #[test]
    fn every_suite_is_a_program() {
        for suite in &SUITES {
            let folder = parts::workspace().join("benches/src/bin");
            let places = [format!("{}.rs", suite.name), format!("{}/main.rs", suite.name)];
            let there = places.iter().any(|place| folder.join(place).is_file());
            assert!(there, "neither of {places:?} is in {}", folder.display());
        }
    }

    #[test]
    fn the_command_line_says_which_suite_and_how_much() {
        assert_eq!(
            invocation(&SUITES[0], true).to_string(),
            "cargo run --locked --release -p tidemark-benches --bin blockstore -- --quick"
        );
    }

    #[test]
    fn an_unknown_suite_is_answered_with_the_list() {
        let text = run(Some("no such"), false).unwrap_err().to_string();
        assert!(text.contains("blockstore"), "{text}");
    }
}
