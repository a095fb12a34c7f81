//! `bench`: measurements that are kept. Each suite is a program of `benches/`, built with optimisation; it
//! prints its figures and appends them to `benches/results/<suite>.jsonl`. All of them together, in order, are
//! a run, of which `docs/performance.md` is rendered.

use crate::steps::{Invocation, Steps};
use anyhow::{Result, bail};
use tidemark_base::{Clock as _, SystemClock};

/// A suite of measurements.
struct Suite {
    name: &'static str,
    what: &'static str,
    /// The package of the binary that it runs as well, if any.
    runs: Option<&'static str>,
}

/// In the order in which they run: those that need a calm disk first.
const SUITES: [Suite; 10] = [
    Suite {
        name: "peers",
        what: "backups by Tidemark, restic, borg, mongodump and bare zstd: apt-get install restic borgbackup",
        runs: Some("tidemark"),
    },
    Suite {
        name: "e2e",
        what: "the engine as a whole against what it promises; a case may be named, for instance `e2e build`",
        runs: Some("tidemark"),
    },
    Suite {
        name: "agent",
        what: "the agent's copy beside mongodump, and its tail, into a server that checks and discards",
        runs: Some("tidemark-agent"),
    },
    Suite {
        name: "apply",
        what: "oplog from slices to a flushed root, on one thread and two, against what bare compression gains",
        runs: None,
    },
    Suite {
        name: "compaction",
        what: "rounds of changes and snapshots: what is kept, written and read, against what was changed",
        runs: None,
    },
    Suite {
        name: "head",
        what: "a head's life: build, apply, flush, snapshots, compaction, export, against bare compression",
        runs: None,
    },
    Suite {
        name: "blockstore",
        what: "put, put again, get and garbage collection against bare hashing, compression and copying",
        runs: None,
    },
    Suite {
        name: "import",
        what: "a dump's folder imported, in ascending and in random order, against bare cutting, naming and compression",
        runs: None,
    },
    Suite {
        name: "oplog",
        what: "entries parsed, diffs applied, slices written and read against other readers and bare compression",
        runs: None,
    },
    Suite {
        name: "read",
        what: "exports into a pipe against the bare work, stacks against their compacted form, single documents",
        runs: None,
    },
];

/// What renders the page; no suite.
const PAGE: &str = "page";
/// By this the suites know that they are part of a run of all; `benches/src/results.rs` reads it.
const RUN: &str = "TIDEMARK_BENCH_RUN";

/// Runs one suite, or cases of it, or all suites and the page.
pub(crate) fn run(name: Option<&str>, cases: &[String], quick: bool) -> Result<()> {
    let mut steps = Steps::new();
    match name {
        None => all(&mut steps, quick)?,
        Some(PAGE) => steps.command(PAGE, &invocation(PAGE, &[], quick))?,
        Some(name) => {
            let Some(suite) = SUITES.iter().find(|suite| suite.name == name) else {
                bail!("there is no suite {name:?}; there are:\n{}", list());
            };
            if let Some(package) = suite.runs {
                steps.command(package, &binary(package))?;
            }
            steps.command(suite.name, &invocation(suite.name, cases, quick))?;
        }
    }
    steps.summary();
    Ok(())
}

fn all(steps: &mut Steps, quick: bool) -> Result<()> {
    let began = SystemClock::new().now().0.to_string();
    for package in ["tidemark", "tidemark-agent"] {
        steps.command(package, &binary(package))?;
    }
    // Built before anything is measured: a compiler beside it would be measured too.
    steps
        .command("programs", &["cargo", "build", "--locked", "--release", "-p", "tidemark-benches"].into())?;
    for suite in &SUITES {
        steps.command(suite.name, &invocation(suite.name, &[], quick).with(RUN, began.as_str()))?;
    }
    steps.command(PAGE, &invocation(PAGE, &[], quick))
}

/// Builds a program that some suites run.
fn binary(package: &str) -> Invocation {
    Invocation::new(["cargo", "build", "--locked", "--release", "-p", package])
}

fn invocation(program: &str, cases: &[String], quick: bool) -> Invocation {
    let words = ["cargo", "run", "--locked", "--release", "-p", "tidemark-benches", "--bin", program];
    let more = cases.iter().map(String::as_str).chain(quick.then_some("--quick"));
    let border = (quick || !cases.is_empty()).then_some("--");
    Invocation::new(words.into_iter().chain(border).chain(more))
}

fn list() -> String {
    let lines = SUITES.iter().map(|suite| (suite.name, suite.what));
    let page = (PAGE, "renders docs/performance.md of the results that are kept");
    lines.chain([page]).map(|(name, what)| format!("{name:12} {what}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemark_testkit::parts;

    #[test]
    fn every_suite_is_a_program() {
        for name in SUITES.iter().map(|suite| suite.name).chain([PAGE]) {
            let folder = parts::workspace().join("benches/src/bin");
            let places = [format!("{name}.rs"), format!("{name}/main.rs")];
            let there = places.iter().any(|place| folder.join(place).is_file());
            assert!(there, "neither of {places:?} is in {}", folder.display());
        }
    }

    #[test]
    fn every_program_is_run_when_all_are() {
        let programs = std::fs::read_dir(parts::workspace().join("benches/src/bin")).unwrap();
        for program in programs {
            let name = program.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned();
            assert!(name == PAGE || SUITES.iter().any(|suite| suite.name == name), "{name} is no suite");
        }
    }

    #[test]
    fn the_command_line_says_which_suite_which_cases_and_how_much() {
        let run = "cargo run --locked --release -p tidemark-benches --bin";
        assert_eq!(invocation("oplog", &[], true).to_string(), format!("{run} oplog -- --quick"));
        assert_eq!(invocation("oplog", &[], false).to_string(), format!("{run} oplog"));
        let cases = ["build".to_owned(), "size".to_owned()];
        assert_eq!(invocation("e2e", &cases, true).to_string(), format!("{run} e2e -- build size --quick"));
    }

    #[test]
    fn the_name_of_a_run_is_the_one_that_the_suites_read() {
        let reader = parts::workspace().join("benches/src/results.rs");
        assert!(std::fs::read_to_string(reader).unwrap().contains(&format!("\"{RUN}\"")));
    }

    #[test]
    fn an_unknown_suite_is_answered_with_the_list() {
        let text = run(Some("no such"), &[], false).unwrap_err().to_string();
        assert!(text.contains("blockstore"), "{text}");
    }
}
