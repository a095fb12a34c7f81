//! `long`: ordinary tests, repeated far longer than `test` does.
//!
//! A long test reads how many rounds to run from `TIDEMARK_ROUNDS` and runs a small number without it. A row
//! in the table names it and says how many rounds are worth an evening.

use crate::steps::{Invocation, Steps};
use anyhow::{Context, Result, bail};

const ROUNDS: &str = "TIDEMARK_ROUNDS";

/// The one long run that is no test: all fuzz targets.
const FUZZ: &str = "fuzz";
/// How long each of them runs.
const FUZZ_MINUTES: u32 = 10;

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

const RUNS: [LongRun; 21] = [
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
    LongRun {
        name: "gc-model",
        what: "every interleaving of garbage collection with two writers, crashes and expiry (64 million states)",
        package: "tidemark-blockstore",
        target: "gc_model",
        test: "nothing_is_lost_between_two_writers_and_two_packs",
        rounds: 2,
    },
    LongRun {
        name: "store-kills",
        what: "kill writers and the collector of one store with SIGKILL; nothing acknowledged is lost",
        package: "tidemark-blockstore",
        target: "kills",
        test: "killed_processes_lose_nothing_acknowledged",
        rounds: 200,
    },
    LongRun {
        name: "metadata-kills",
        what: "kill writers of one metadata database with SIGKILL; every batch is there whole or not at all",
        package: "tidemark-metadata",
        target: "processes",
        test: "a_killed_process_leaves_all_or_nothing",
        rounds: 500,
    },
    LongRun {
        name: "disk-full",
        what: "fill a real small disk and make room again (needs the right to mount one)",
        package: "tidemark-blockstore",
        target: "full_disk",
        test: "a_real_full_disk_loses_nothing_and_is_got_out_of",
        rounds: 20,
    },
    LongRun {
        name: "flips",
        what: "flip every byte of the golden store, the index included; a round is one flip of the index",
        package: "tidemark-blockstore",
        target: "flips",
        test: "flips_in_the_index_are_found_or_change_no_answer",
        rounds: 100_000,
    },
    LongRun {
        name: "power-cuts",
        what: "cut the power at every operation of a history; a round is a history of some 300 images",
        package: "tidemark-blockstore",
        target: "power_cut",
        test: "histories::a_power_cut_anywhere_loses_nothing_that_was_acknowledged",
        rounds: 1000,
    },
    LongRun {
        name: "disk-errors",
        what: "let every disk operation of a history fail once; a round is a history",
        package: "tidemark-blockstore",
        target: "power_cut",
        test: "disk_errors::a_disk_error_at_any_operation_loses_nothing_and_the_store_goes_on",
        rounds: 100,
    },
    LongRun {
        name: "live-random",
        what: "a random workload on a mongod; a copy taken meanwhile and the oplog give its state; a round is a seed",
        package: "tidemark-oplog",
        target: "live_random",
        test: "a_copy_and_the_oplog_give_the_servers_state",
        rounds: 200,
    },
    LongRun {
        name: "head-model",
        what: "random histories of a head, with forks and exports, against an ordered map; a round is a history",
        package: "tidemark-head",
        target: "head_model",
        test: "a_head_holds_what_an_ordered_map_holds",
        rounds: 5000,
    },
    LongRun {
        name: "service",
        what: "the whole service under a random load: everything killed, elections, snapshots compared; a round is a minute",
        package: "tidemark",
        target: "service",
        test: "load::under_load_and_kills_every_snapshot_and_the_last_second_are_what_the_source_had",
        rounds: 10,
    },
    LongRun {
        name: "service-disk-full",
        what: "fill the disk of a whole service and make room again (needs the right to mount one, and 3 GiB of memory)",
        package: "tidemark",
        target: "full_disk",
        test: "a_disk_that_is_full_stops_the_service_for_no_longer_than_that",
        rounds: 4,
    },
    LongRun {
        name: "head-live",
        what: "a head follows a mongod at work, its applier killed again and again, right at noted moments; by seed",
        package: "tidemark-head",
        target: "live",
        test: "a_head_that_follows_a_living_server_has_its_state_at_every_moment",
        rounds: 100,
    },
    LongRun {
        name: "head-power-cuts",
        what: "cut the power at every operation on a head; a round is a script of some 600 images",
        package: "tidemark-head",
        target: "crash",
        test: "cuts::a_power_cut_anywhere_loses_nothing_that_was_acknowledged_and_leaves_nothing_half_done",
        rounds: 1000,
    },
    LongRun {
        name: "head-disk-errors",
        what: "let every disk operation on a head fail once; a round is a script",
        package: "tidemark-head",
        target: "crash",
        test: "disk_errors::a_disk_error_at_any_operation_loses_nothing_and_the_same_roots_are_reached",
        rounds: 100,
    },
    LongRun {
        name: "head-calls",
        what: "let every call of a head on its backend fail once, reads too; a round is a script",
        package: "tidemark-head",
        target: "crash",
        test: "calls::a_call_that_fails_once_loses_nothing",
        rounds: 50,
    },
    LongRun {
        name: "head-kills",
        what: "kill processes that take one head from each other with SIGKILL; nothing acknowledged is lost",
        package: "tidemark-head",
        target: "kills",
        test: "killed_appliers_lose_nothing_acknowledged",
        rounds: 200,
    },
    LongRun {
        name: "updates",
        what: "random documents and updates on a mongod; we make the same of them; a round is one of each form",
        package: "tidemark-oplog",
        target: "update_model",
        test: "against_server::a_real_server_makes_the_same_of_random_diffs_and_modifiers",
        rounds: 50_000,
    },
    LongRun {
        name: "lines",
        what: "sources that roll back at random; the head always ends where the oplog's line leads",
        package: "tidemark-head",
        target: "line",
        test: "however_the_source_rolls_back_the_head_is_what_the_line_says",
        rounds: 5000,
    },
    LongRun {
        name: "daemon-crashes",
        what: "a daemon's machine dies at calls of its store; a round is other calls than the one before",
        package: "tidemark-daemon",
        target: "jobs",
        test: "crashes::a_machine_that_dies_loses_nothing",
        rounds: 20,
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
    if name == FUZZ {
        return super::fuzz::run_all(rounds.unwrap_or(FUZZ_MINUTES));
    }
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
    let line = |run: &LongRun| format!("{:16} {:>5} rounds: {}", run.name, run.rounds, run.what);
    let fuzz =
        format!("{FUZZ:16} {FUZZ_MINUTES:>5} minutes: hostile bytes for every decoder, so long for each");
    RUNS.iter().map(line).chain([fuzz]).collect::<Vec<_>>().join("\n")
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
        let names: BTreeSet<_> = RUNS.iter().map(|run| run.name).chain([FUZZ]).collect();
        assert_eq!(names.len(), RUNS.len() + 1);
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
