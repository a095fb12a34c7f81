//! One round: a workload, a head that follows it, and what it must be at each noted moment.

use crate::killer::Killer;
use crate::noted::{self, Noted};
use crate::tail::Tail;
use crate::{SEED, check, place};
use mongodb::sync::Client;
use std::time::Duration;
use tidemark_base::bson::Doc;
use tidemark_base::{BlockId, threads};
use tidemark_blockstore::Store;
use tidemark_head::import::Import;
use tidemark_oplog::catalog::Collection;
use tidemark_testkit::workload::{Begin, Dice, Stage, Workers};

const THREADS: u64 = 3;
/// So that every round finds something to change.
const STEPS_BEFORE: usize = 70;
/// Done before the copy is taken.
const STEPS_TO_COPY: usize = 65;
/// Moments that are noted.
const NOTED: u32 = 10;
/// Steps between two of them, and as many more as the dice say.
const STEPS_BETWEEN: usize = 15;

/// What rounds are counted by, beside their steps.
pub(crate) const KINDS: [&str; 2] = ["prepared before", "round: appliers killed"];

/// Runs one seed; says in a line what it was.
pub(crate) fn run(stage: &Stage, seed: u64) -> String {
    let _told = SeedOfFailure(seed);
    let folder = tempfile::tempdir().unwrap();
    let store_folder = folder.path().join("store");
    let store = place::create(&store_folder);
    let databases = [format!("a{seed}"), format!("b{seed}")];
    let mut dice = Dice::new(seed);
    let mut world = stage.world(seed, &databases);
    (0..STEPS_BEFORE).for_each(|_| world.step());
    let prepared = world.prepare_now_and_then();
    let client = stage.client();
    let begin = Begin::find(stage, &client);

    let workers = Workers::start(stage, seed, &databases, THREADS, Duration::ZERO);
    let decide = prepared.map(|prepared| {
        // By itself: commands of the workload, and so the copy, may wait for it.
        let decide = move || {
            std::thread::sleep(Duration::from_millis(150));
            world.decide(prepared).unwrap();
        };
        threads::spawn("decide", decide).unwrap()
    });
    workers.wait_for(stage, STEPS_TO_COPY);
    let imported = import(stage, &store, &client, &databases, begin, &mut dice);
    // It does not stand still with the others.
    decide.into_iter().for_each(|thread| thread.join().unwrap());

    let mut tail = Tail::start(&client, &store, begin.fetch_from, seed);
    let killer = Killer::start(&store_folder, seed);
    let mut noted = Vec::new();
    for _ in 0..NOTED {
        workers.wait_for(stage, STEPS_BETWEEN + usize::try_from(dice.below(20)).unwrap());
        let still = stage.still();
        noted.push(Noted::take(stage, &client, &databases));
        drop(still);
        tail.take(noted.last().unwrap().at);
    }
    workers.finish();
    let last = Noted::take(stage, &client, &databases);
    tail.take(last.at);
    tail.finish();
    let kills = killer.finish();
    stage.count(KINDS[1], kills > 0);

    let what = check::all(stage, &store, imported, &noted, &last, &mut dice);
    if dice.one_in(3) {
        check::dump(stage, &store, &last, folder.path());
    }
    databases.iter().for_each(|name| clean_up(&client, name));
    format!("seed {seed}: {} slices up to {}, {kills} appliers killed, {what}", tail.appended(), last.at)
}

/// Says which seed it was if the round fails.
struct SeedOfFailure(u64);

impl Drop for SeedOfFailure {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("failed with seed {0}: run it alone with {SEED}={0}", self.0);
        }
    }
}

/// Copies the databases while they are written to, and makes a head of that.
fn import(
    stage: &Stage,
    store: &Store,
    client: &Client,
    databases: &[String; 2],
    begin: Begin,
    dice: &mut Dice,
) -> BlockId {
    let copy = noted::copy(client, databases);
    let fuzzy_until = stage.note().ts;
    let budget_bytes = dice.pick(&[1 << 12, 1 << 16, usize::MAX]);
    let mut import = Import::begin(store, begin.apply_after, place::filter(), budget_bytes).unwrap();
    for collection in &copy.collections {
        let uuid = collection.uuid.unwrap();
        let row = Collection {
            database: collection.db.clone(),
            name: collection.name.clone(),
            options: collection.options.to_vec(),
            indexes: collection.indexes.iter().map(|index| index.to_vec()).collect(),
        };
        import.collection(uuid, row).unwrap();
        let documents: Vec<_> = collection.documents.iter().map(|it| Doc::new(it).unwrap()).collect();
        documents.chunks(10).for_each(|chunk| import.documents(uuid, chunk).unwrap());
    }
    let head = import.finish(&place::name(), Some(fuzzy_until)).unwrap();
    assert!(head.state().require_consistent().is_err(), "the copy is of no single moment");
    place::keep_import(store, head.root());
    head.root()
}

fn clean_up(client: &Client, database: &str) {
    let database = client.database(database);
    database.drop().run().unwrap();
    for command in ["dropAllUsersFromDatabase", "dropAllRolesFromDatabase"] {
        database.run_command(bson::doc! {command: 1}).run().unwrap();
    }
}
