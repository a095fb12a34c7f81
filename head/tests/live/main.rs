//! Heads that follow a living server: copied while it is written to, its oplog applied by a process that is
//! killed again and again, and the result held against the server's own account of itself.
//!
//! A round is a seed: a random workload on a real mongod (`testkit::workload`), a copy taken meanwhile and
//! imported, the oplog appended as slices to a store on disk, and an applier that takes them from there,
//! flushes, compacts, takes snapshots and reopens as its dice say, until it is killed with SIGKILL and started
//! again. At ten moments the workload stands still and the server is asked for its state. In the end the head
//! must be as the server is then, and a state made of the nearest root and the slices up to each of those
//! moments as the server was then: `dbHash` of every collection, options, UUIDs, indexes, the order of capped
//! collections, users and roles.
//!
//! This program is also the applier, started again with a task in its environment; hence `harness = false`
//! and `libtest-mimic`. `TIDEMARK_SEED` runs one seed; threads race, so a rerun is the same workload, not the
//! same history. `cargo xtask long head-live` runs many.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test, and one that says what it did")]

mod applier;
mod check;
mod killer;
mod log;
mod noted;
mod place;
mod round;
mod tail;
#[expect(dead_code, reason = "the test of dumps uses the rest")]
#[path = "../dump_live/through.rs"]
mod through;
mod verdict;
#[expect(dead_code, reason = "the test of dumps uses the rest")]
#[path = "../dump_live/whole.rs"]
mod whole;

use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;
use tidemark_testkit::rounds;
use tidemark_testkit::workload::{Stage, step_names};

const ROUNDS: u32 = 3;
const SEED: &str = "TIDEMARK_SEED";
/// So many rounds do everything at least once.
const ENOUGH: usize = 12;

fn main() -> ExitCode {
    if let Some(task) = applier::Task::from_environment() {
        task.run();
        return ExitCode::SUCCESS;
    }
    let name = "a_head_that_follows_a_living_server_has_its_state_at_every_moment";
    let trial = Trial::test(name, || {
        a_head_that_follows_a_living_server_has_its_state_at_every_moment();
        Ok(())
    });
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit_code()
}

fn a_head_that_follows_a_living_server_has_its_state_at_every_moment() {
    let stage = Stage::start();
    let seeds = seeds();
    for seed in &seeds {
        println!("{}", round::run(&stage, *seed));
    }
    let counts = stage.counts();
    for (kind, (accepted, refused)) in &counts {
        println!("{kind:28} {accepted:6} accepted, {refused:6} refused");
    }
    let never = |name: &&str| counts.get(name).is_none_or(|(accepted, _)| *accepted == 0);
    let names: Vec<_> = step_names().chain(round::KINDS).chain(check::KINDS).filter(never).collect();
    assert!(names.is_empty() || seeds.len() < ENOUGH, "never done, so nothing was shown of it: {names:?}");
}

fn seeds() -> Vec<u64> {
    match std::env::var(SEED) {
        Ok(seed) => vec![seed.parse().unwrap_or_else(|_| panic!("{SEED} must be a whole number"))],
        Err(_) => (0..u64::from(rounds(ROUNDS))).collect(),
    }
}
