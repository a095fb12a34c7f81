//! What must be true of the head of a round, when the workload has ended.

use crate::noted::Noted;
use crate::tail::Tail;
use crate::verdict::{assert_fits, assert_same};
use crate::whole::Whole;
use crate::{log, place, through};
use std::path::Path;
use tidemark_base::{BlockId, Timestamp};
use tidemark_blockstore::{Depth, GcOptions, Quiet, Store};
use tidemark_head::HeadError;
use tidemark_head::dump::Compression;
use tidemark_head::fork::Fork;
use tidemark_head::snapshot;
use tidemark_head::state::State;
use tidemark_testkit::live::tools::{Target, mongodump};
use tidemark_testkit::workload::{Dice, Stage};

/// What is counted of it.
pub(crate) const KINDS: [&str; 6] = [
    "moment: of a snapshot",
    "moment: of the import",
    "moment: within a slice",
    "moment: after going back",
    "round: gone back",
    "round: dumped",
];

/// Checks everything; says in words what there was.
pub(crate) fn all(
    stage: &Stage,
    store: &Store,
    imported: BlockId,
    noted: &[Noted],
    last: &Noted,
    dice: &mut Dice,
) -> String {
    let mut head = place::claim(store);
    assert_same("the head", store, head.state(), last);
    for it in noted {
        by_fork(stage, store, it, KINDS[0]);
        if dice.one_in(3) {
            from_import(stage, store, imported, it, dice);
        }
    }
    let snapshots = snapshot::list(store, &place::name()).unwrap();
    for (id, _) in &snapshots {
        let proof = snapshot::prove(store, &place::name(), *id).unwrap();
        assert_fits(proof.divergences);
    }
    stage.count(KINDS[4], !snapshots.is_empty());
    if !snapshots.is_empty() {
        let ids: Vec<_> = snapshots.iter().map(|(id, _)| *id).collect();
        head.rewind(dice.pick(&ids)).unwrap();
        // The oplog goes on from there in a new chain, and is sent again.
        let mut tail = Tail::resume(&stage.client(), store, u64::try_from(dice.below(1000)).unwrap());
        tail.take(last.at);
        tail.finish();
        log::bring_to_the_end(store, &mut head);
        head.compact().unwrap();
        assert_fits(head.take_divergences());
        assert_same("the head, gone back and on again", store, head.state(), last);
        noted.iter().for_each(|it| by_fork(stage, store, it, KINDS[3]));
    }
    store.collect(GcOptions::default(), &Quiet).unwrap();
    let report = store.verify(Depth::Full, &Quiet).unwrap();
    assert!(report.is_clean(), "{report:?}");
    format!("claimed {} times, {} snapshots", head.epoch(), snapshots.len())
}

/// What the head exports is what mongodump dumps of the server, which has not changed since. Not where buckets
/// have lost their time-series collection, as they do when a collection of its name is made while it is: those
/// the server shows to nobody, and we export them.
pub(crate) fn dump(stage: &Stage, store: &Store, last: &Noted, folder: &Path) {
    let is_lost = |database: &str, name: &str| {
        let names = stage.client().database(database).list_collection_names().run().unwrap();
        !names.iter().any(|it| it == name)
    };
    let mut buckets = last
        .state
        .collections
        .iter()
        .filter_map(|it| it.name.strip_prefix("system.buckets.").map(|name| (it.db.as_str(), name)));
    if buckets.any(|(database, name)| is_lost(database, name)) {
        return stage.count(KINDS[5], false);
    }
    let (theirs, ours) = (folder.join("theirs"), folder.join("ours"));
    mongodump(&Target::from(stage.set()), &["--out", theirs.to_str().unwrap()]).unwrap();
    through::to_directory(&place::claim(store), &ours, Compression::Plain);
    let (theirs, ours) = (Whole::of_directory(&theirs), Whole::of_directory(&ours));
    through::same_whole(&theirs, &ours, false);
    stage.count(KINDS[5], true);
}

/// The state at a moment, as a fork finds it; there is none before the first snapshot.
fn by_fork(stage: &Stage, store: &Store, noted: &Noted, kind: &'static str) {
    let at = noted.at.ts;
    let fork = match Fork::at(store, &place::name(), at) {
        Err(HeadError::TooEarly { .. }) => None,
        other => Some(other.unwrap_or_else(|error| panic!("{at}: {error}"))),
    };
    stage.count(kind, fork.is_some());
    let Some(mut fork) = fork else { return };
    assert_fits(fork.take_divergences());
    assert_same(&format!("a fork at {at}"), store, fork.state(), noted);
}

/// The state at a moment, all the way from the import.
fn from_import(stage: &Stage, store: &Store, imported: BlockId, noted: &Noted, dice: &mut Dice) {
    let mut state = State::open(store, imported).unwrap();
    log::bring(store, &mut state, noted.at.ts, dice.pick(&[1, 7, usize::MAX]));
    assert_fits(state.take_divergences());
    stage.count(KINDS[1], true);
    stage.count(KINDS[2], state.taken_in().map(|link| link.at.ts) < Some::<Timestamp>(noted.at.ts));
    assert_same(&format!("the import, brought to {}", noted.at), store, &state, noted);
}
