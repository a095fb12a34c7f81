//! Random histories, cut at every operation.

use crate::check::{Index, Problem, check};
use crate::script::history;
use crate::sim::machine::{Cut, Machine};
use crate::sim::{image, scratch};
use crate::world::World;
use tidemark_base::SeededEntropy;
use tidemark_blockstore::disk::SyncSite;

/// How a history is examined.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) steps: usize,
    /// Images of each cut.
    pub(crate) images: u64,
    /// A sync that does nothing.
    pub(crate) skipped: Option<SyncSite>,
    /// What becomes of the index; one of three images loses it if nothing is said.
    pub(crate) index: Option<Index>,
}

/// What was examined.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) cuts: u64,
    pub(crate) images: u64,
}

/// Names the history if something in it panics.
struct Running(Plan);

impl Drop for Running {
    #[expect(clippy::print_stderr, reason = "a failing test must say what it was doing")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("this was {:?}", self.0);
        }
    }
}

/// Runs a history and examines images of every cut. The first problem, with everything needed to see it
/// again.
pub(crate) fn examine(plan: Plan, figures: &mut Figures) -> Result<(), Problem> {
    let _running = Running(plan);
    let dir = scratch();
    let root = dir.path().join("store");
    let machine = Machine::new(dir.path(), &root, plan.seed, plan.skipped);
    let mut world = World::new(machine);
    world.machine.record();
    for (number, act) in history(plan.seed, plan.steps, true).into_iter().enumerate() {
        world.act(act);
        for cut in world.machine.take_cuts() {
            figures.cuts += 1;
            for seed in 0..plan.images {
                figures.images += 1;
                let seed = plan.seed << 32 | cut.number << 8 | seed;
                let index = plan.index.unwrap_or_else(|| some_index(seed));
                examine_image(&world, &cut, seed, index).map_err(|problem| {
                    format!(
                        "{plan:?}, step {number} {act:?}, cut {} within '{}', image {seed:#x}: {problem}",
                        cut.number, cut.what
                    )
                })?;
            }
        }
    }
    world.close();
    Ok(())
}

fn some_index(seed: u64) -> Index {
    if SeededEntropy::new(seed ^ 0x1dec).below(3) == 0 { Index::Lost } else { Index::Kept }
}

/// Examines images of cuts, for each thing that may become of the index. How many.
pub(crate) fn examine_cuts(
    world: &World,
    cuts: &[Cut],
    images: u64,
    indexes: &[Index],
) -> Result<u64, Problem> {
    for seed in 0..images {
        for cut in cuts {
            for index in indexes {
                let seed = cut.number << 8 | seed;
                examine_image(world, cut, seed, *index).map_err(|problem| {
                    format!("cut {} within '{}', image {seed:#x}: {problem}", cut.number, cut.what)
                })?;
            }
        }
    }
    Ok(images * (cuts.len() * indexes.len()) as u64)
}

/// Builds one image of a cut and checks it.
pub(crate) fn examine_image(world: &World, cut: &Cut, seed: u64, index: Index) -> Result<(), Problem> {
    let target = scratch();
    let (base, root) = (world.machine.base(), world.machine.root());
    let store = image::build(cut, base, root, seed, target.path());
    check(&store, &cut.account, &world.contents, index).map_err(|problem| format!("({index:?}) {problem}"))
}

/// Every cut of a few histories; `cargo xtask long power-cuts` runs thousands.
#[test]
fn a_power_cut_anywhere_loses_nothing_that_was_acknowledged() {
    let rounds = u64::from(tidemark_testkit::rounds(3));
    let mut figures = Figures::default();
    for seed in 1..=rounds {
        let plan = Plan { seed, steps: 60, images: 1, skipped: None, index: None };
        if let Err(problem) = examine(plan, &mut figures) {
            panic!("{problem}");
        }
    }
    println!("{rounds} histories, {} cuts, {} images", figures.cuts, figures.images);
    assert!(figures.cuts > 100 * rounds, "histories have become too short: {figures:?}");
}
