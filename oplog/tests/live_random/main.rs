//! A random workload on a real server, a copy taken meanwhile, and the oplog: together the server's state.
//!
//! The copy is taken as in an initial sync, so it is of no single moment; entries up to a note written after
//! it are applied tolerantly, later ones strictly, and none of those may diverge. In the end the server's own
//! `dbHash` of every database must equal the hash of our state, and documents, options and indexes are
//! compared byte for byte. `TIDEMARK_SEED` runs one seed; threads race, so a rerun is the same workload, not
//! the same history. `cargo xtask long live-random` runs many seeds.

#![expect(clippy::unwrap_used, reason = "a test")]

#[path = "../replay/replayer.rs"]
mod replayer;
mod verdict;

use replayer::Replayer;
use std::time::Duration;
use tidemark_base::threads;
use tidemark_oplog::entry::Fuzzy;
use tidemark_testkit::live::{self, oplog_from};
use tidemark_testkit::model::Scope;
use tidemark_testkit::rounds;
use tidemark_testkit::workload::{self, Begin, Stage, step_names};

const ROUNDS: u32 = 10;
const THREADS: u64 = 3;
const STEPS: usize = 130;
/// So that every round finds something to change.
const STEPS_BEFORE: usize = 70;
const SEED: &str = "TIDEMARK_SEED";

/// Runs one seed; says in a line what it was.
fn round(stage: &Stage, seed: u64) -> String {
    let databases = [format!("a{seed}"), format!("b{seed}")];
    let mut world = stage.world(seed, &databases);
    (0..STEPS_BEFORE).for_each(|_| world.step());
    let prepared = world.prepare_now_and_then();
    let client = stage.client();
    let begin = Begin::find(stage, &client);

    let before = stage.done();
    let mut running: Vec<_> = (1..=THREADS)
        .map(|thread| {
            let mut world = stage.world(seed.wrapping_mul(1000) + thread, &databases);
            threads::spawn("workload", move || (0..STEPS).for_each(|_| world.step())).unwrap()
        })
        .collect();
    if let Some(prepared) = prepared {
        // By itself: commands of the workload, and so the copy, may wait for it.
        let decide = move || {
            std::thread::sleep(Duration::from_millis(150));
            world.decide(prepared).unwrap();
        };
        running.push(threads::spawn("decide", decide).unwrap());
    }
    while stage.done() < before + STEPS / 2 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let copy = workload::take(&client, &databases);
    let consistent = stage.note();
    let still_running = running.iter().any(|thread| !thread.is_finished());
    running.into_iter().for_each(|thread| thread.join().unwrap());
    let stop = stage.note();

    let fuzzy = Fuzzy { until: Some(consistent.ts) };
    let mut replayer = Replayer::load(&copy, Scope::Users, begin.apply_after.ts, fuzzy);
    let mut strict = 0;
    for entry in oplog_from(&client, begin.fetch_from).unwrap() {
        let at = live::entry_optime(&entry).unwrap().ts;
        if at <= stop.ts {
            replayer.entry(entry.as_bytes());
            strict += usize::from(at > consistent.ts);
        }
    }
    assert_eq!(replayer.open_transactions(), 0, "seed {seed}");
    note_round(stage, still_running, strict);
    let differences = verdict::differences(&client, &databases, &replayer.finish());
    let (number, some) = (differences.len(), differences.into_iter().take(20).collect::<Vec<_>>().join("\n"));
    assert!(number == 0, "seed {seed} ({SEED}={seed}): {number} differences\n{some}");
    databases.iter().for_each(|name| client.database(name).drop().run().unwrap());
    format!("seed {seed}: copied by {consistent}, {strict} strict entries up to {stop}")
}

/// Notes whether the round was what it should be: a copy taken meanwhile, and entries after it.
fn note_round(stage: &Stage, still_running: bool, strict: usize) {
    stage.count("round: copied while it ran", still_running);
    stage.count("round: strict entries", strict > 1);
}

fn seeds() -> Vec<u64> {
    match std::env::var(SEED) {
        Ok(seed) => vec![seed.parse().unwrap_or_else(|_| panic!("{SEED} must be a whole number"))],
        Err(_) => (0..u64::from(rounds(ROUNDS))).collect(),
    }
}

#[test]
fn a_copy_and_the_oplog_give_the_servers_state() {
    let stage = Stage::start();
    let seeds = seeds();
    for seed in &seeds {
        println!("{}", round(&stage, *seed));
    }
    let counts = stage.counts();
    for (kind, (accepted, refused)) in &counts {
        println!("{kind:28} {accepted:6} accepted, {refused:6} refused");
    }
    let never = |name: &&str| counts.get(name).is_none_or(|(accepted, _)| *accepted == 0);
    let rounds = ["prepared before", "round: copied while it ran", "round: strict entries"];
    let names: Vec<_> = step_names().chain(rounds).filter(never).collect();
    // A single round may miss something; ten do not.
    assert!(names.is_empty() || seeds.len() < 10, "never done, so nothing was shown of it: {names:?}");
}
