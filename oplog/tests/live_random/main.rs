//! A random workload on a real server, a copy taken meanwhile, and the oplog: together the server's state.
//!
//! The copy is taken as in an initial sync, so it is of no single moment; entries up to a note written after
//! it are applied tolerantly, later ones strictly, and none of those may diverge. In the end the server's own
//! `dbHash` of every database must equal the hash of our state, and documents, options and indexes are
//! compared byte for byte. `TIDEMARK_SEED` runs one seed; threads race, so a rerun is the same workload, not
//! the same history. `cargo xtask long live-random` runs many seeds.

#![expect(clippy::unwrap_used, reason = "a test")]

mod catalog;
mod copy;
mod dice;
#[path = "../replay/replayer.rs"]
mod replayer;
mod sessions;
mod verdict;
mod world;
mod writes;

use bson::{Document, doc};
use dice::Dice;
use mongodb::options::WriteConcern;
use mongodb::sync::Client;
use replayer::Replayer;
use sessions::Prepared;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tidemark_base::{OpTime, Timestamp, threads};
use tidemark_oplog::entry::Fuzzy;
use tidemark_testkit::live::{self, Options, ReplicaSet, oplog_from};
use tidemark_testkit::model::Scope;
use tidemark_testkit::rounds;
use world::{Counts, World};

const ROUNDS: u32 = 10;
const THREADS: u64 = 3;
const STEPS: usize = 130;
/// So that every round finds something to change.
const STEPS_BEFORE: usize = 70;
const SEED: &str = "TIDEMARK_SEED";

type Step = fn(&mut World) -> mongodb::error::Result<()>;

/// What a workload is made of, and how often each comes, in parts of the sum.
const STEPS_BY_WEIGHT: [(&str, u32, Step); 25] = [
    ("insert", 8, World::insert),
    ("insert many", 8, World::insert_many),
    ("replace", 6, World::replace),
    ("delete", 4, World::delete),
    ("delete many", 2, World::delete_many),
    ("update", 24, World::update),
    ("update many", 8, World::update_many),
    ("update in arrays", 5, World::update_in_arrays),
    ("find and modify", 6, World::find_and_modify),
    ("applyOps", 2, World::apply_ops),
    ("measure", 6, World::measure),
    ("transaction", 8, World::transaction),
    ("prepared transaction", 2, World::prepared_transaction),
    ("create", 5, World::create),
    ("create series", 2, World::create_series),
    ("view", 2, World::view),
    ("drop", 2, World::drop_collection),
    ("rename", 3, World::rename),
    ("create index", 5, World::create_index),
    ("drop indexes", 2, World::drop_indexes),
    ("collMod", 6, World::coll_mod),
    ("out", 2, World::out),
    ("make capped", 2, World::make_capped),
    // These two are dear.
    ("drop database", 0, World::drop_database),
    ("large transaction", 0, World::large_transaction),
];

impl World {
    fn step(&mut self) {
        let sum: u32 = STEPS_BY_WEIGHT.iter().map(|(_, weight, _)| weight).sum();
        let mut left = u32::try_from(self.dice.below(sum)).unwrap();
        let common = STEPS_BY_WEIGHT.iter().find(|(_, weight, _)| {
            let found = left < *weight;
            left = left.saturating_sub(*weight);
            found
        });
        let [.., drop_database, large_transaction] = &STEPS_BY_WEIGHT;
        let rare = match self.dice.below(400) {
            0 => Some(drop_database),
            1 => Some(large_transaction),
            _ => None,
        };
        let (name, _, step) = rare.or(common).unwrap();
        let accepted = step(self).is_ok();
        self.count(name, accepted);
    }
}

/// What all rounds share.
struct Rig {
    set: ReplicaSet,
    counts: Arc<Mutex<Counts>>,
    renaming: Arc<Mutex<()>>,
    prepared: Arc<Mutex<usize>>,
}

impl Rig {
    fn start() -> Self {
        let options = Options {
            // Rounds with large transactions must not push out the beginning of their own oplog.
            oplog_size_mb: 990,
            // For emptycapped, and for prepareTransaction outside of shards.
            set_parameters: vec![("enableTestCommands".to_owned(), "1".to_owned())],
            ..Options::default()
        };
        Self {
            set: ReplicaSet::start(1, &options).unwrap(),
            counts: Arc::default(),
            renaming: Arc::default(),
            prepared: Arc::default(),
        }
    }

    fn client(&self) -> Client {
        let mut options = self.set.client_options(self.set.access());
        // One member: a majority costs time here and shows nothing.
        options.write_concern = Some(WriteConcern::nodes(1));
        Client::with_options(options).unwrap()
    }

    fn world(&self, seed: u64, databases: &[String; 2], done: &Arc<AtomicUsize>) -> World {
        World {
            client: self.client(),
            dice: Dice::new(seed),
            databases: databases.clone(),
            counts: self.counts.clone(),
            done: done.clone(),
            renaming: self.renaming.clone(),
            prepared: self.prepared.clone(),
        }
    }
}

/// A note of ours, read back: everything before it has been seen. Tried again, since a server that cannot lock
/// everything at once (somebody waits to drop a database) refuses it.
fn note(rig: &Rig) -> OpTime {
    rig.set.append_note_and_read_back().unwrap()
}

/// From where to read the oplog, and after what to apply it.
struct Begin {
    fetch_from: Timestamp,
    apply_after: OpTime,
}

impl Begin {
    /// The order counts: a transaction that begins between the two notes is seen from its beginning.
    fn find(rig: &Rig, client: &Client) -> Self {
        let newest = note(rig).ts;
        let open = doc! {"state": {"$in": ["prepared", "inProgress"]}};
        let transactions = client.database("config").collection::<Document>("transactions");
        let oldest = transactions.find_one(open).sort(doc! {"startOpTime.ts": 1}).run().unwrap();
        let oldest = oldest.map(|row| {
            let ts = row.get_document("startOpTime").unwrap().get_timestamp("ts").unwrap();
            Timestamp { secs: ts.time, ordinal: ts.increment }
        });
        let fetch_from = oldest.unwrap_or(newest).min(newest);
        Self { fetch_from, apply_after: note(rig) }
    }
}

/// Some rounds have a transaction that is prepared before the copy begins and decided while it is taken.
fn prepare_before(world: &mut World) -> Option<Prepared> {
    if !world.dice.one_in(2) {
        return None;
    }
    // Now and then a change in it is refused.
    let prepared = (0..5).find_map(|_| world.prepare().ok());
    world.count("prepared before", prepared.is_some());
    prepared
}

/// Runs one seed; says in a line what it was.
fn round(rig: &Rig, seed: u64) -> String {
    let databases = [format!("a{seed}"), format!("b{seed}")];
    let done = Arc::new(AtomicUsize::new(0));
    let mut world = rig.world(seed, &databases, &done);
    (0..STEPS_BEFORE).for_each(|_| world.step());
    let prepared = prepare_before(&mut world);
    let client = rig.client();
    let begin = Begin::find(rig, &client);

    let before = done.load(Ordering::SeqCst);
    let mut running: Vec<_> = (1..=THREADS)
        .map(|thread| {
            let mut world = rig.world(seed.wrapping_mul(1000) + thread, &databases, &done);
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
    while done.load(Ordering::SeqCst) < before + STEPS / 2 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let copy = copy::take(&client, &databases);
    let consistent = note(rig);
    let still_running = running.iter().any(|thread| !thread.is_finished());
    running.into_iter().for_each(|thread| thread.join().unwrap());
    let stop = note(rig);

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
    note_round(rig, still_running, strict);
    let differences = verdict::differences(&client, &databases, &replayer.finish());
    let (number, some) = (differences.len(), differences.into_iter().take(20).collect::<Vec<_>>().join("\n"));
    assert!(number == 0, "seed {seed} ({SEED}={seed}): {number} differences\n{some}");
    databases.iter().for_each(|name| client.database(name).drop().run().unwrap());
    format!("seed {seed}: copied by {consistent}, {strict} strict entries up to {stop}")
}

/// Notes whether the round was what it should be: a copy taken meanwhile, and entries after it.
fn note_round(rig: &Rig, still_running: bool, strict: usize) {
    let mut counts = rig.counts.lock().unwrap();
    let mut count = |kind, yes: bool| {
        let (accepted, refused) = counts.entry(kind).or_default();
        *(if yes { accepted } else { refused }) += 1;
    };
    count("round: copied while it ran", still_running);
    count("round: strict entries", strict > 1);
}

fn seeds() -> Vec<u64> {
    match std::env::var(SEED) {
        Ok(seed) => vec![seed.parse().unwrap_or_else(|_| panic!("{SEED} must be a whole number"))],
        Err(_) => (0..u64::from(rounds(ROUNDS))).collect(),
    }
}

#[test]
fn a_copy_and_the_oplog_give_the_servers_state() {
    let rig = Rig::start();
    let seeds = seeds();
    for seed in &seeds {
        println!("{}", round(&rig, *seed));
    }
    let counts: BTreeMap<_, _> = rig.counts.lock().unwrap().clone();
    for (kind, (accepted, refused)) in &counts {
        println!("{kind:28} {accepted:6} accepted, {refused:6} refused");
    }
    let never = |name: &&str| counts.get(name).is_none_or(|(accepted, _)| *accepted == 0);
    let names = STEPS_BY_WEIGHT.iter().map(|(name, _, _)| *name);
    let rounds = ["prepared before", "round: copied while it ran", "round: strict entries"];
    let names: Vec<_> = names.chain(rounds).filter(never).collect();
    // A single round may miss something; ten do not.
    assert!(names.is_empty() || seeds.len() < 10, "never done, so nothing was shown of it: {names:?}");
}
