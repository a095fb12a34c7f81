//! One disk operation fails, each in turn, by a bad or a full disk; then the disk works again.
//!
//! The error says what to do; a session that failed to write never claims success again; the store goes on
//! in the same process, after reopening, and after a power cut. A failed sync of a file has lost its bytes
//! for good, as on Linux: nothing may rely on them afterwards.

use crate::check::{Index, Problem};
use crate::histories::examine_image;
use crate::script::{Act, Step, history};
use crate::sim::machine::{Fault, Machine};
use crate::sim::scratch;
use crate::world::World;
use std::io::ErrorKind;

/// Steps of a history: each of its operations needs a run of its own.
const STEPS: usize = 18;
/// Of the cuts after a failure, one in this many is examined.
const EVERY: u64 = 7;

/// Fails operation `after` of a history; whether it has that many.
fn examine(acts: &[Act], fault: Fault) -> Result<bool, Problem> {
    let dir = scratch();
    let machine = Machine::new(dir.path(), &dir.path().join("store"), fault.after, None);
    let mut world = World::with_faults(machine);
    world.machine.record();
    world.machine.fail(fault);
    for act in acts {
        world.act(*act);
        let cuts = world.machine.take_cuts();
        if world.machine.has_failed() {
            for cut in cuts.iter().filter(|cut| cut.number % EVERY == fault.after % EVERY) {
                let index = if cut.number % 2 == 0 { Index::Kept } else { Index::Lost };
                examine_image(&world, cut, cut.number, index)
                    .map_err(|e| format!("{act:?}, cut {} within '{}': {e}", cut.number, cut.what))?;
            }
        }
    }
    let failed = world.machine.has_failed();
    world.close();
    // The same process goes on with the store opened anew.
    for step in [Step::Put { first: 30, count: 2, node: true }, Step::Sync, Step::Collect { sweep: true }] {
        world.act((0, step));
    }
    let cut = world.machine.cut_now();
    for index in [Index::Kept, Index::Lost] {
        examine_image(&world, &cut, fault.after, index).map_err(|e| format!("at the end: {e}"))?;
    }
    Ok(failed)
}

/// Fails every operation in turn.
fn examine_all(seed: u64, steps: usize, kind: ErrorKind) -> u64 {
    let acts = history(seed, steps, false);
    let mut after = 0;
    loop {
        match examine(&acts, Fault { after, kind }) {
            Ok(true) => after += 1,
            Ok(false) => return after,
            Err(problem) => panic!("history {seed}, operation {after} fails with {kind:?}: {problem}"),
        }
    }
}

#[test]
fn a_disk_error_at_any_operation_loses_nothing_and_the_store_goes_on() {
    let rounds = u64::from(tidemark_testkit::rounds(1));
    for seed in 1..=rounds {
        let failed = examine_all(seed, STEPS, ErrorKind::Other);
        assert!(failed > 50, "the history has only {failed} operations");
    }
}

#[test]
fn a_full_disk_at_any_operation_loses_nothing_and_the_store_goes_on() {
    let rounds = u64::from(tidemark_testkit::rounds(1));
    for seed in 1..=rounds {
        let failed = examine_all(100 + seed, STEPS, ErrorKind::StorageFull);
        assert!(failed > 50, "the history has only {failed} operations");
    }
}
