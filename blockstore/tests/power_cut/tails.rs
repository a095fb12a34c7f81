//! A publish that dies between its record and its commit, whose blocks are then collected by another
//! process: it must not come back.
//!
//! Its root lies in a pack that stays, so that only the cutting off of its record, and the sync of that,
//! keep it from coming true with nothing below it.

use crate::check::{Index, Problem};
use crate::histories::examine_cuts;
use crate::script::Step;
use crate::sim::machine::{Death, Machine};
use crate::sim::scratch;
use crate::world::World;
use tidemark_base::BlockId;
use tidemark_blockstore::disk::SyncSite;
use tidemark_blockstore::{BlockRef, Expect, NewRef, RefChange};

const LONG_LEAF: u64 = 6;
const CHILD: u64 = 1;

fn set(name: &str, root: BlockId) -> [RefChange; 1] {
    let new = NewRef { roots: vec![root], value: Vec::new() };
    [RefChange { name: name.into(), expect: Expect::Any, set: Some(new) }]
}

/// The second process dies at its operation `after` while it publishes; whether it did.
fn examine_one(after: u64, images: u64, skipped: Option<SyncSite>) -> Result<bool, Problem> {
    let dir = scratch();
    let machine = Machine::new(dir.path(), &dir.path().join("store"), after, skipped);
    let mut world = World::new(machine);
    let (long, child) = (world.contents.leaf(LONG_LEAF), world.contents.leaf(CHILD));
    let root = world.contents.node(&[child], b"a root");
    let put = |world: &World, session: &tidemark_blockstore::Session| {
        let bytes = &world.contents.get(&child).bytes;
        assert_eq!(session.put(&[BlockRef::leaf(bytes)]).unwrap(), [child]);
        let bytes = &world.contents.get(&root).bytes;
        session.put(&[BlockRef::node(bytes)]).unwrap();
    };
    let first = world.store(0);
    let session = first.session(&[]).unwrap();
    session.put(&[BlockRef::leaf(&world.contents.get(&child).bytes)]).unwrap();
    session.sync().unwrap();
    session.close().unwrap();
    let session = first.session(&[]).unwrap();
    session.put(&[BlockRef::leaf(&world.contents.get(&long).bytes)]).unwrap();
    put(&world, &session);
    let kept = set("g/kept", long);
    let after_kept = world.machine.account(|account| account.publish_begins(&kept));
    session.publish(&kept).unwrap();
    world.machine.account(|account| account.refs_are(after_kept));
    session.close().unwrap();

    let second = world.store(1);
    let session = second.session(&[]).unwrap();
    put(&world, &session);
    session.sync().unwrap();
    world.machine.kill_after(1, after, Death::Before);
    let dying = set("g/dead", root);
    world.machine.account(|account| drop(account.publish_begins(&dying)));
    let outcome = session.publish(&dying);
    if !world.machine.is_dead(1) {
        outcome.unwrap();
        return Ok(false);
    }
    drop(session);
    drop(second);
    world.act((1, Step::Close));
    let came_true = first.get_ref("g/dead").unwrap().is_some();
    world.machine.record();
    for _ in 0..3 {
        world.act((0, Step::Collect { sweep: false }));
    }
    if came_true {
        // Killed after its commit; nothing is to be seen here.
        return Ok(true);
    }
    assert!(first.get_one(child).is_err() && first.get_one(root).is_ok(), "the scene is set");
    examine_cuts(&world, &world.machine.take_cuts(), images, &[Index::Kept, Index::Lost])?;
    Ok(true)
}

/// Lets it die at every operation in turn.
pub(crate) fn examine(images: u64, skipped: Option<SyncSite>) -> Result<u64, Problem> {
    let mut after = 0;
    while examine_one(after, images, skipped).map_err(|problem| format!("killed after {after}: {problem}"))? {
        after += 1;
    }
    Ok(after)
}

#[test]
fn a_dead_publish_does_not_come_back_once_its_blocks_may_be_collected() {
    let deaths = examine(3, None).unwrap();
    assert!(deaths >= 3, "a publish has more operations than {deaths}");
}
