//! Processes that share one database: they open it at the same moment, race, and are killed at random moments.
//! Every batch happened whole or not at all, and nothing that was acknowledged is gone.
//!
//! This program is both the one who kills and, started again with a job in its environment, the ones who are
//! killed; that needs a main function of its own, hence `harness = false`.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test, and one that says what it did")]

mod child;
mod parent;

use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;

fn main() -> ExitCode {
    if child::ran() {
        return ExitCode::SUCCESS;
    }
    let trials = vec![
        trial("no_change_of_a_process_is_lost", parent::no_change_of_a_process_is_lost),
        trial("a_killed_process_leaves_all_or_nothing", parent::a_killed_process_leaves_all_or_nothing),
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
