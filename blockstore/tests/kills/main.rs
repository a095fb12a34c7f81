//! Processes that share a store and are killed at random moments: nothing acknowledged is lost.
//!
//! Acceptance 2 of the blockstore. This program is both the one who kills and, started again with a job in
//! its environment, the ones who are killed: so the processes are always of the same build as the test, and
//! nothing that is shipped or listed as a test exists only to be killed. That needs a main function of its
//! own, hence `harness = false` and `libtest-mimic` for the command line of an ordinary test.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test, and one that says what it did")]

mod account;
mod collector;
mod data;
mod holder;
mod job;
mod line;
mod process;
mod rounds;
mod sessions;
mod writer;

use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(job) = job::Job::from_environment() {
        return job.run();
    }
    let trials = vec![
        trial(
            "killed_processes_lose_nothing_acknowledged",
            rounds::killed_processes_lose_nothing_acknowledged,
        ),
        trial(
            "sessions_end_with_killed_processes_and_never_with_living_ones",
            sessions::sessions_end_with_killed_processes_and_never_with_living_ones,
        ),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A test that fails by panicking.
fn trial(name: &str, test: fn()) -> Trial {
    Trial::test(name, move || {
        test();
        Ok(())
    })
}
