//! A process killed at each of its operations, the next one going on with what it sees, then a power cut.
//!
//! What a killed process had written is still seen by all, synced or not. Whoever builds on it must make it
//! durable first.

use crate::check::{Index, Problem};
use crate::histories::examine_cuts;
use crate::script::Step;
use crate::sim::machine::{Cut, Death, Machine};
use crate::sim::scratch;
use crate::world::World;
use tidemark_blockstore::disk::SyncSite;

/// Large values, so that the second publish rewrites the log.
const PUBLISH: Step = Step::Publish { set: 3, delete: 0, value_len: 1400 };

/// How the model is run.
#[derive(Clone, Copy)]
pub(crate) struct Plan<'a> {
    /// Images of each cut.
    pub(crate) images: u64,
    /// What becomes of the index in them.
    pub(crate) indexes: &'a [Index],
    /// A sync that does nothing.
    pub(crate) skipped: Option<SyncSite>,
}

/// Kills the first process at its operation `after`; whether it came that far.
fn examine_one(after: u64, death: Death, plan: Plan<'_>) -> Result<bool, Problem> {
    let dir = scratch();
    let machine = Machine::new(dir.path(), &dir.path().join("store"), after, plan.skipped);
    let mut world = World::new(machine);
    world.act((0, Step::Put { first: 0, count: 3, node: true }));
    world.act((0, PUBLISH));
    world.machine.kill_after(0, after, death);
    let killed_steps = [Step::Put { first: 3, count: 3, node: false }, PUBLISH, Step::Close];
    // A process that has died is revived as soon as it is buried; the first step after that is the next
    // process's.
    for step in killed_steps {
        world.act((0, step));
        if !world.is_open(0) {
            break;
        }
    }
    let died = world.deaths() > 0;
    if died {
        world.machine.record();
        let small = Step::Publish { set: 1, delete: 0, value_len: 20 };
        for step in [Step::Session { pin: None }, small, Step::End, Step::Collect { sweep: true }] {
            world.act((0, step));
        }
        examine_cuts(&world, &world.machine.take_cuts(), plan.images, plan.indexes)?;
    }
    Ok(died)
}

/// Kills at every operation in turn.
pub(crate) fn examine(plan: Plan<'_>) -> Result<u64, Problem> {
    let mut killed = 0;
    for death in [Death::Before, Death::Within] {
        let mut after = 0;
        while examine_one(after, death, plan).map_err(|e| format!("killed {death:?} {after}: {e}"))? {
            after += 1;
        }
        killed += after;
    }
    Ok(killed)
}

#[test]
fn what_a_killed_process_left_unsynced_is_made_durable_by_whoever_builds_on_it() {
    let plan = Plan { images: 1, indexes: &[Index::Kept, Index::Lost], skipped: None };
    let killed = examine(plan).unwrap();
    assert!(killed > 24, "the steps have more operations than {killed} / 2");
}

/// The first process dies over a publish, the second over the next one; then the store is opened again.
/// Whether both died.
fn examine_two(first: u64, second: u64) -> Result<[bool; 2], Problem> {
    let dir = scratch();
    let machine = Machine::new(dir.path(), &dir.path().join("store"), first << 8 | second, None);
    let mut world = World::new(machine);
    world.act((0, Step::Publish { set: 2, delete: 0, value_len: 300 }));
    // Both are at work before the first dies: an opening in between would settle what it left.
    for process in [0, 1] {
        world.act((process, Step::Put { first: 5, count: 2, node: false }));
        world.act((process, Step::Sync));
    }
    let mut died = [false; 2];
    for (process, after) in [(0, first), (1, second)] {
        let deaths = world.deaths();
        world.machine.kill_after(process, after, Death::Within);
        world.act((process, Step::Publish { set: 1, delete: 1, value_len: 20 + process as u64 }));
        died[process] = world.deaths() > deaths;
    }
    if died == [true, true] {
        world.machine.record();
        world.store(0);
        world.act((0, Step::Put { first: 9, count: 1, node: false }));
        examine_cuts(&world, &world.machine.take_cuts(), 1, &[Index::Kept])?;
    }
    Ok(died)
}

/// The second cuts off what the first left, and dies before that is synced: once the store was opened and
/// read without it, it must stay away.
#[test]
fn a_dead_publish_cut_off_by_one_that_dies_too_does_not_come_back() {
    let mut both = 0;
    for first in 0.. {
        for second in 0.. {
            let died = examine_two(first, second).unwrap_or_else(|e| panic!("killed {first}, {second}: {e}"));
            if !died[0] {
                assert!(both > 40, "only {both} pairs of deaths");
                return;
            }
            if !died[1] {
                break;
            }
            both += 1;
        }
    }
}

/// The first process is killed while it publishes and rewrites the log; the second, at work all the while,
/// publishes next.
#[test]
fn a_process_killed_while_it_rewrites_the_log_does_not_stop_the_others() {
    let mut died = 0;
    for after in 0.. {
        let dir = scratch();
        let machine = Machine::new(dir.path(), &dir.path().join("store"), after, None);
        let mut world = World::new(machine);
        world.act((0, PUBLISH));
        for process in [0, 1] {
            world.act((process, Step::Put { first: 5, count: 2, node: false }));
            world.act((process, Step::Sync));
        }
        world.machine.record();
        world.machine.kill_after(0, after, Death::After);
        world.act((0, PUBLISH));
        let rewrote = |cut: &Cut| cut.what.starts_with("rename");
        if world.deaths() == 0 {
            assert!(world.machine.take_cuts().iter().any(rewrote), "the second publish rewrites the log");
            break;
        }
        died += 1;
        world.act((1, Step::Publish { set: 1, delete: 1, value_len: 20 }));
        let cuts = world.machine.take_cuts();
        examine_cuts(&world, &cuts, 1, &[Index::Lost]).unwrap_or_else(|e| panic!("killed {after}: {e}"));
    }
    assert!(died > 8, "a publish with a rewriting has more operations than {died}");
}
