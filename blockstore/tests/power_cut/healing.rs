//! The healing of a lost index, cut at every operation, and work after it.
//!
//! Each of SQLite's two files has a name of its own. The log of one index must never stand beside another:
//! SQLite would replay it.

use crate::check::{Index, Problem};
use crate::histories::examine_cuts;
use crate::script::Step;
use crate::sim::machine::Machine;
use crate::sim::real::{INDEX, WAL};
use crate::sim::scratch;
use crate::world::World;
use tidemark_blockstore::disk::SyncSite;

/// Enough for an index of many more pages than one small publish changes.
const BLOCKS: u64 = 600;

/// Puts a copy in the place of a file: another file under its name.
fn put_back(world: &World, name: &str, bytes: &[u8]) {
    let copy = world.machine.base().join("copy");
    std::fs::write(&copy, bytes).unwrap();
    std::fs::rename(copy, world.machine.root().join(name)).unwrap();
}

/// Runs the history and examines images of every cut.
pub(crate) fn examine(images: u64, skipped: Option<SyncSite>) -> Result<u64, Problem> {
    let dir = scratch();
    let mut world = World::new(Machine::new(dir.path(), &dir.path().join("store"), 1, skipped));
    let act = |world: &mut World, steps: &[Step]| steps.iter().for_each(|step| world.act((0, *step)));
    let publish = Step::Publish { set: 2, delete: 0, value_len: 100 };
    // Closed once, so that most of this is in the index and a few pages in its log.
    act(&mut world, &[Step::Put { first: 0, count: BLOCKS, node: false }, publish, Step::Close]);
    act(&mut world, &[Step::Put { first: 10_000, count: 1, node: false }, publish]);
    let found = world.machine.cut_now().real.files;
    assert_eq!(found.keys().collect::<Vec<_>>(), [INDEX, WAL]);
    act(&mut world, &[Step::Close]);
    // The index was lost, and its log stayed.
    put_back(&world, WAL, &found[WAL]);
    std::fs::remove_file(world.machine.root().join(INDEX)).unwrap();

    world.machine.record();
    world.heals = true;
    let store = world.store(0);
    assert_eq!(store.list_refs("").unwrap().len(), 2);
    let cuts = world.machine.take_cuts();
    assert!(cuts.iter().any(|cut| cut.what.contains("IndexRename")), "the index was rebuilt");
    let examined = examine_cuts(&world, &cuts, images, &[Index::Doubtful])?;
    // From now on it is healed, once and for all.
    act(&mut world, &[Step::Put { first: 20_000, count: 2, node: false }, Step::Sync, publish]);
    act(&mut world, &[Step::Collect { sweep: true }, Step::Close]);
    Ok(examined + examine_cuts(&world, &world.machine.take_cuts(), images, &[Index::Kept])?)
}

#[test]
fn a_power_cut_while_the_index_is_rebuilt_loses_nothing() {
    let examined = examine(3, None).unwrap();
    assert!(examined > 100, "healing takes more operations than {examined} / 3");
}
