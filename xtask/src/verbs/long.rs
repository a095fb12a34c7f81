//! `long`: ordinary tests, repeated far longer than `test` does.
//!
//! A long test reads how many rounds to run from `TIDEMARK_ROUNDS` and runs a small number without it. A row
//! in the table names it and says how many rounds are worth an evening.

use crate::steps::{Invocation, Steps};
use anyhow::{Context, Result, bail};

const ROUNDS: &str = "TIDEMARK_ROUNDS";

/// A test worth repeating.
struct LongRun {
    name: &'static str,
    what: &'static str,
    package: &'static str,
    /// The integration test file, without `.rs`.
    target: &'static str,
    test: &'static str,
    rounds: u32,
}

const RUNS: [LongRun; 2] = [
    LongRun {
        name: "kills",
        what: "kill the test runner with SIGKILL; no mongod and no folder of its may stay",
        package: "tidemark-testkit",
        target: "live",
        test: "a_killed_runner_leaves_no_mongod",
        rounds: 200,
    },
    LongRun {
        name: "elections",
        what: "write through elections of a replica set of three; each acknowledged write is there, once",
        package: "tidemark-testkit",
        target: "live",
        test: "writes_survive_elections",
        rounds: 100,
    },
];

impl LongRun {
    fn invocation(&self, rounds: u32, last: &str) -> Invocation {
        let Self { package, target, test, .. } = self;
        let words =
            ["cargo", "test", "--locked", "-p", package, "--test", target, "--", "--exact", test, last];
        Invocation::from(words).with(ROUNDS, rounds.to_string())
    }

    /// A filter that matches nothing counts as success for cargo; here it must not.
    fn check_it_exists(&self) -> Result<()> {
        let listing = self.invocation(self.rounds, "--list");
        let output = listing.command()?.stderr(std::process::Stdio::inherit()).output();
        let output = output.with_context(|| format!("cannot run {listing}"))?;
        if !output.status.success() {
            bail!("{listing} failed: {}", output.status);
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let line = format!("{}: test", self.test);
        if !text.lines().any(|it| it == line) {
            bail!("{} has no test {}: correct the table of long runs", self.target, self.test);
        }
        Ok(())
    }
}

/// Runs one, or lists all.
pub(crate) fn run(name: Option<&str>, rounds: Option<u32>) -> Result<()> {
    let Some(name) = name else {
        println!("cargo xtask long <name> [--rounds N]\n\n{}", list());
        return Ok(());
    };
    let Some(run) = RUNS.iter().find(|run| run.name == name) else {
        bail!("there is no long run {name:?}; there are:\n{}", list());
    };
    let mut steps = Steps::new();
    steps.work("set-up", crate::setup::run)?;
    steps.work("build", || run.check_it_exists())?;
    steps.command(run.name, &run.invocation(rounds.unwrap_or(run.rounds), "--nocapture"))?;
    steps.summary();
    Ok(())
}

fn list() -> String {
    let line = |run: &LongRun| format!("{:12} {:>5} rounds: {}", run.name, run.rounds, run.what);
    RUNS.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_long_run_names_a_test_that_exists() {
        let _turn = crate::turn::take();
        let files = crate::tidy::files::of_workspace(&tidemark_testkit::parts::workspace()).unwrap();
        for run in &RUNS {
            let last = run.test.rsplit("::").next().unwrap();
            let declared = format!("fn {last}()");
            let found = files.iter().any(|it| it.path.contains("/tests/") && it.text.contains(&declared));
            assert!(found, "{}: no file under tests/ has `{declared}`", run.name);
        }
    }

    #[test]
    fn names_are_unique() {
        let names: BTreeSet<_> = RUNS.iter().map(|run| run.name).collect();
        assert_eq!(names.len(), RUNS.len());
    }

    #[test]
    fn the_command_line_runs_exactly_one_test_for_the_rounds_asked_for() {
        assert_eq!(
            RUNS[0].invocation(7, "--nocapture").to_string(),
            "TIDEMARK_ROUNDS=7 cargo test --locked -p tidemark-testkit --test live -- \
             --exact a_killed_runner_leaves_no_mongod --nocapture"
        );
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_list() {
        let text = run(Some("no such"), None).unwrap_err().to_string();
        assert!(text.contains("kills") && text.contains("elections"), "{text}");
    }
}
