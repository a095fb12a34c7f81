//! A random workload on a real server: every kind of write there is, from several threads at once.
//!
//! Used by the tests that take a copy while it runs and hold what they make of copy and oplog against the
//! server. A [`Stage`] is the server and what its workers share; a [`World`] is one worker, whose choices
//! follow from its seed. Threads race, so a seed gives the same workload again, not the same history.
//! [`take`] copies databases meanwhile; [`Begin`] says from where to read the oplog.
//!
//! What is not as expected panics, as in a test: all of this runs in tests only.

#![expect(clippy::unwrap_used, reason = "runs in tests only, where a failure is a panic")]

mod begin;
mod catalog;
mod copy;
mod dice;
mod files;
mod sessions;
mod stage;
mod users;
mod workers;
mod world;
mod writes;

pub use begin::Begin;
pub use copy::take;
pub use dice::Dice;
pub use sessions::Prepared;
pub use stage::{Counts, Stage};
pub use workers::Workers;
pub use world::World;

type Step = fn(&mut World) -> mongodb::error::Result<()>;

/// What a workload is made of, and how often each comes, in parts of the sum.
const STEPS_BY_WEIGHT: [(&str, u32, Step); 27] = [
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
    ("file", 3, World::file),
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
    ("users", 2, World::users),
    // These two are dear.
    ("drop database", 0, World::drop_database),
    ("large transaction", 0, World::large_transaction),
];

/// Those that change documents alone, as long as all collections are there.
const OF_DOCUMENTS: [&str; 13] = [
    "insert",
    "insert many",
    "replace",
    "delete",
    "delete many",
    "update",
    "update many",
    "update in arrays",
    "find and modify",
    "measure",
    "file",
    "transaction",
    "large transaction",
];

/// The names of all steps, under which they are counted.
pub fn step_names() -> impl Iterator<Item = &'static str> {
    STEPS_BY_WEIGHT.iter().map(|(name, _, _)| *name)
}

impl World {
    /// Does one thing, whatever comes; waits while the stage is still.
    ///
    /// # Panics
    /// If another worker has panicked.
    pub fn step(&mut self) {
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
        let still = self.shared.still.clone();
        let _going_on = still.read().unwrap();
        let calm = self.shared.calm.clone();
        let _changing = (!OF_DOCUMENTS.contains(name)).then(|| calm.read().unwrap());
        if self.shared.leaves_out.contains(name) {
            return;
        }
        let accepted = step(self).is_ok();
        self.count(name, accepted);
    }
}
