//! A store on a disk that is too small: writers fail with an error that says what to do, nothing durable is
//! lost, refs can be deleted and garbage collected all the same, and then the store goes on.
//!
//! One scenario, two disks. In every test run the store's own files share a quota, which is exact and needs
//! no rights, but leaves SQLite's files out. `cargo xtask long disk-full` runs it on a real file system of a
//! few MiB, with SQLite's files on it and in processes of their own; that needs the right to mount one, so
//! that test is listed only there. It starts this program again inside the mount, hence the main function.

#![expect(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test")]

mod quota;
mod real;
mod scenario;

use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(part) = real::Part::from_environment() {
        part.run();
        return ExitCode::SUCCESS;
    }
    let mut trials = vec![
        trial(
            "a_full_disk_loses_nothing_and_is_got_out_of",
            quota::a_full_disk_loses_nothing_and_is_got_out_of,
        ),
        trial("only_what_makes_room_uses_the_reserve", quota::only_what_makes_room_uses_the_reserve),
        trial("sparse_packs_are_copied_with_little_room", quota::sparse_packs_are_copied_with_little_room),
        trial("a_reserve_cut_short_is_completed", quota::a_reserve_cut_short_is_completed),
    ];
    if std::env::var_os("TIDEMARK_ROUNDS").is_some() {
        trials.push(trial(
            "a_real_full_disk_loses_nothing_and_is_got_out_of",
            real::a_real_full_disk_loses_nothing_and_is_got_out_of,
        ));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A test that fails by panicking.
fn trial(name: &str, test: fn()) -> Trial {
    Trial::test(name, move || {
        test();
        Ok(())
    })
}
