//! The making of a store, cut at every operation: it is made, or it says that it is not.

use crate::account::Contents;
use crate::check::{Index, Problem, check};
use crate::sim::machine::{Cut, Machine};
use crate::sim::{image, scratch};
use crate::world::{World, options};
use std::path::Path;
use tidemark_blockstore::Error;
use tidemark_blockstore::disk::SyncSite;

/// Makes a store in `below` a folder that exists, and examines images of every cut.
pub(crate) fn examine(below: &str, images: u64, skipped: Option<SyncSite>) -> Result<(), Problem> {
    let dir = scratch();
    let machine = Machine::new(dir.path(), &dir.path().join(below), 1, skipped);
    machine.record_from_nothing();
    let world = World::new(machine);
    let mut cuts = world.machine.take_cuts();
    assert!(cuts.len() > 10, "making a store takes more operations than {}", cuts.len());
    cuts.push(world.machine.cut_now());
    for cut in cuts {
        for seed in 0..images {
            let seed = cut.number << 8 | seed;
            examine_image(&world, &cut, seed).map_err(|problem| {
                format!("cut {} within '{}', image {seed:#x}: {problem}", cut.number, cut.what)
            })?;
        }
    }
    Ok(())
}

fn examine_image(world: &World, cut: &Cut, seed: u64) -> Result<(), Problem> {
    let target = scratch();
    let (base, root) = (world.machine.base(), world.machine.root());
    let store = image::build(cut, base, root, seed, target.path());
    if !cut.account.made && says_it_is_not_made(&store) {
        return Ok(());
    }
    check(&store, &cut.account, &Contents::default(), Index::Kept)
}

fn says_it_is_not_made(store: &Path) -> bool {
    matches!(options().open(store), Err(Error::NotAStore { .. }))
}

#[test]
fn a_power_cut_leaves_a_whole_store_or_none() {
    examine("store", 20, None).unwrap();
}

/// Each folder on the way is only as durable as its name in the one above.
#[test]
fn a_store_made_below_missing_folders_is_there_after_a_power_cut() {
    examine("not/yet/there/store", 20, None).unwrap();
}
