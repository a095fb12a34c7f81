//! A process that dies over its work, the index lost with it and rebuilt, the same work done again, then a
//! power cut.
//!
//! The rebuild indexes what it finds in the packs, synced or not: whoever puts that again is told that the
//! store has it, and need not sync anything of it.

use crate::check::{Index, Problem};
use crate::histories::examine_cuts;
use crate::script::Step;
use crate::sim::machine::{Death, Machine};
use crate::sim::real::{INDEX, WAL};
use crate::sim::scratch;
use crate::world::World;
use tidemark_blockstore::disk::SyncSite;

/// The same blocks each time, the last publish's root among them: the second time nothing has to be written.
const WORK: [Step; 2] =
    [Step::Put { first: 10, count: 3, node: false }, Step::Publish { set: 1, delete: 0, value_len: 20 }];

/// Kills the first process at its operation `after`; how many images were examined, if it came that far.
fn examine_one(after: u64, images: u64, skipped: Option<SyncSite>) -> Result<Option<u64>, Problem> {
    let dir = scratch();
    let mut world = World::new(Machine::new(dir.path(), &dir.path().join("store"), after, skipped));
    for step in
        [Step::Publish { set: 2, delete: 0, value_len: 300 }, Step::Close, Step::Session { pin: None }]
    {
        world.act((0, step));
    }
    world.machine.kill_after(0, after, Death::Before);
    for step in WORK {
        if world.deaths() == 0 {
            world.act((0, step));
        }
    }
    if world.deaths() == 0 {
        return Ok(None);
    }
    for name in [INDEX, WAL, "index.db-shm"] {
        let _ = std::fs::remove_file(world.machine.root().join(name));
    }
    world.machine.record();
    world.heals = true;
    world.store(0);
    let cuts = world.machine.take_cuts();
    assert!(cuts.iter().any(|cut| cut.what.contains("IndexRename")), "the index was rebuilt");
    for step in WORK {
        world.act((0, step));
    }
    examine_cuts(&world, &world.machine.take_cuts(), images, &[Index::Kept]).map(Some)
}

/// Kills at every operation in turn.
pub(crate) fn examine(images: u64, skipped: Option<SyncSite>) -> Result<u64, Problem> {
    let mut examined = 0;
    for after in 0.. {
        match examine_one(after, images, skipped).map_err(|e| format!("killed {after}: {e}"))? {
            Some(images) => examined += images,
            None => break,
        }
    }
    Ok(examined)
}

#[test]
fn what_a_rebuilt_index_has_is_durable() {
    let examined = examine(3, None).unwrap();
    assert!(examined > 100, "the work has more operations than {examined} / 3");
}
