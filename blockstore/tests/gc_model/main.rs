//! The exhaustive check of garbage collection: every interleaving of a small store, and every guard left out.
//!
//! `cargo test -p tidemark-blockstore --test gc_model` searches small worlds to the end and a larger one to a
//! number of steps; with `TIDEMARK_ROUNDS` at 2 or more (`cargo xtask long gc-model`) the larger one to the
//! end as well: 63.9 million states, a quarter of an hour on one core, 2 GB of memory. `-- --nocapture`
//! prints the number of states, and for each guard left out the shortest way to a loss. The model stands
//! alone: it shares no code with the crate, so that a mistake in one is not a mistake in the other. Where
//! they differ, one of them is wrong.
//!
//! **World.** Blocks A and B; B may be a child of A. Refs and pins name A, B, both or nothing. One or two
//! writers, perhaps a reader, one collector (the store's lock admits no second). Two packs at once at most, but
//! any number one after another, and any number of collections: see `canonical.rs`. Processes crash and
//! sessions expire at any moment; a session may expire while its process works.
//!
//! **What always holds** ([`State::is_safe`](state::State::is_safe)): whatever a ref or an open pin reaches has
//! an index row to an open or live pack with its bytes. A *loss* is more: no pack that still exists has both.
//!
//! **Steps**, each atomic, with the sentence of docs/ordering.md or of the code that it stands for:
//!
//! | step | what it stands for |
//! |---|---|
//! | `Open`, `ReaderOpens` | one transaction: start epoch := `E`; pins are live roots |
//! | `PutHit` | one transaction: open or live: raise `te`; condemned: live again, `te` raised |
//! | `PutMiss` | no usable row: the record is appended to the writer's open pack, or to a new one |
//! | `LookUp`, `TrustTouch`, `LookAgain` | a put that reads the row first, and asks for no transaction if its session knows the pack as touched since its epoch |
//! | `Sync` | the appended bytes are durable; past the end of a pack closed meanwhile they count for nothing |
//! | `InsertRows` | one transaction: the session lives and the pack is open for it; a row that is there already is a hit |
//! | `Seal` | the pack is complete: open → live |
//! | `Checkpoint` | one transaction: pins := what is finished, or refs; epoch := `E`; what was put is forgotten |
//! | `Publish` | one transaction over any refs; the session still exists |
//! | `Close`, `ReaderEnds` | the session ends by its own will, its pack is sealed |
//! | `Crash` | the process is gone, the session and what it had synced stay |
//! | `Expire` | the session is taken away and its pack closed at its valid length |
//! | `Fenced` | a process notices that its session is gone, and gives up |
//! | `Begin` | one transaction: `E := E+1`, `m`, roots |
//! | `Mark` | what the roots reach, over the index of that moment; the plan |
//! | `Condemn` | compare-and-set: live, nothing marked, `te < m` |
//! | `RewriteCopy` | marked blocks copied to a new pack and synced. Any pack in use may be rewritten: the share that is dead is policy |
//! | `RewriteMove`, `RewriteEnd` | the rows move in any number of transactions, then the source is condemned; each re-checks live and `te < m` |
//! | `Delete` | compare-and-set on a pack that was condemned when the plan was made: *deleting*, its rows removed by pack id |
//! | `Unlink` | the file of a deleting pack goes, in this collection or a later one |
//! | `CollectorStops` | the end of a collection, or its crash: what it knew is gone |
//!
//! `ReadEpoch`, `TouchLate`, `ReadRoots` and `RewriteSync` happen only where a guard is left out.
//!
//! **Deliberately absent**: the contents of blocks, clocks and leases (expiry may happen at any moment), lost
//! bytes that were synced, and the order of writes inside a transaction; the power-cut and kill tests have those.

#![expect(clippy::print_stdout, reason = "a search says how far it went")]

mod canonical;
mod collector;
mod explorer;
mod mutations;
mod packed;
mod sessions;
mod state;
mod step;
mod world;
mod writer;

use explorer::{Outcome, explore};
use std::cell::RefCell;
use std::collections::{BTreeSet, HashSet};
use world::{Guard, Rows, World};

/// How far the larger worlds are searched in an ordinary test run, in steps: losses need 3 to 24.
const STEPS: usize = 14;
/// How far those of them go in a long run that would take an evening to the end.
const LONG_STEPS: usize = 20;

/// Searches a world, says how large it is, and fails with the shortest trace if the invariant breaks.
fn assert_safe(world: &World) -> Outcome {
    let outcome = explore(world, |_, state| !state.is_safe(world));
    println!("{} states, {} steps deep: {world:?}", outcome.states, outcome.depth);
    if let Some(trace) = &outcome.trace {
        panic!("the invariant breaks:\n{}", step::describe(trace));
    }
    outcome
}

#[test]
fn nothing_is_lost_in_the_small_worlds_searched_to_the_end() {
    let one = World { writers: 1, packs: 2, ..World::usual() };
    let two = World { writers: 2, packs: 1, ..World::usual() };
    for world in [
        World { trust: true, ..one },
        World { trust: true, child: false, ..one },
        World { rows: Rows::Many, ..one },
        World { reader: true, ..one },
        World { trust: true, ..two },
        World { child: false, ..two },
    ] {
        assert_safe(&world);
    }
}

#[test]
fn nothing_is_lost_between_two_writers_and_two_packs() {
    let long = tidemark_testkit::rounds(1) > 1;
    let world = World { writers: 2, packs: 2, ..World::usual() };
    let steps = Some(if long { LONG_STEPS } else { STEPS });
    let outcome = assert_safe(&World { steps: steps.filter(|_| !long), ..world });
    assert!(!long || outcome.states > 10_000_000, "the world has shrunk: a step no longer happens");
    for world in [World { trust: true, ..world }, World { rows: Rows::Many, ..world }] {
        assert_safe(&World { steps, ..world });
    }
}

#[test]
fn every_step_of_the_protocol_happens() {
    let world = World { writers: 1, packs: 2, reader: true, trust: true, ..World::usual() };
    let world = World { steps: Some(16), ..world };
    let seen = RefCell::new((HashSet::new(), BTreeSet::new()));
    explore(&world, |_, state| {
        let (mut next, mut seen) = (Vec::new(), seen.borrow_mut());
        step::successors(&world, state, &mut next);
        for (step, _) in next {
            if seen.0.insert(std::mem::discriminant(&step)) {
                seen.1.insert(step.name());
            }
        }
        false
    });
    let expected = [
        "Begin",
        "Checkpoint",
        "Close",
        "CollectorStops",
        "Condemn",
        "Crash",
        "Delete",
        "Expire",
        "Fenced",
        "InsertRows",
        "LookAgain",
        "LookUp",
        "Mark",
        "Open",
        "Publish",
        "PutHit",
        "PutMiss",
        "ReaderEnds",
        "ReaderOpens",
        "RewriteCopy",
        "RewriteEnd",
        "RewriteMove",
        "Seal",
        "Sync",
        "TrustTouch",
        "Unlink",
    ];
    assert_eq!(seen.into_inner().1, expected.map(String::from).into());
}

/// The rule that a pack is deleted by a later collection only is for readers that hold a block's place: they
/// find the file for one collection more. No block hangs on it; if this test fails, say so in docs/ordering.md.
#[test]
fn deleting_in_the_collection_that_condemned_would_lose_nothing() {
    for (writers, packs, rows) in [(1, 2, Rows::One), (1, 2, Rows::Many)] {
        assert_safe(&World { writers, packs, rows, ..World::usual() }.without(Guard::DeleteLater));
    }
}
