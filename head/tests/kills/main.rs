//! Processes that claim one head and are killed at random moments: whoever was taken over changes nothing, and no
//! acknowledged slice, flush or snapshot is lost.
//!
//! This program is both the one who kills and, started again with a job in its environment, the ones who are
//! killed; that needs a main function of its own, hence `harness = false` and `libtest-mimic` for the command
//! line of an ordinary test.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test, and one that says what it did")]

mod account;
mod applier;
mod claims;
mod holder;
mod job;
mod line;
mod log;
mod process;
mod rounds;

use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(job) = job::Job::from_environment() {
        return job.run();
    }
    let trials = vec![
        trial("killed_appliers_lose_nothing_acknowledged", rounds::killed_appliers_lose_nothing_acknowledged),
        trial(
            "of_two_processes_that_claim_a_head_the_first_is_fenced_and_changes_nothing",
            claims::of_two_processes_that_claim_a_head_the_first_is_fenced_and_changes_nothing,
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
