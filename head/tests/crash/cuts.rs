//! The power is cut at every operation of a script.

use crate::check::{Account, After, Problem, check, options, salts};
use crate::picture;
use crate::rig::Rig;
use crate::script::Script;
use std::sync::Arc;
use tidemark_base::SeededEntropy;
use tidemark_blockstore::disk::SyncSite;
use tidemark_blockstore::{MemoryBackend, Store};
use tidemark_testkit::power::{self, Machine, image, scratch};

/// Steps of a script, and the first seed: the three scripts of the short run have everything.
pub(crate) const STEPS: usize = 45;
pub(crate) const SEED: u64 = 23;

/// How a script is examined.
#[derive(Clone, Copy, Debug)]
struct Plan {
    seed: u64,
    steps: usize,
    /// Of so many cuts one is examined.
    one_in: u64,
    /// After one image in so many the rest of the script is done.
    goes_on_in: u64,
    /// A sync that does nothing.
    skipped: Option<SyncSite>,
}

/// What was examined.
#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    cuts: u64,
    images: u64,
    went_on: u64,
}

/// The order of writes is that of one thread, so that a script can be run again.
fn alone<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(work)
}

/// Runs a script and examines images of its cuts. The first problem, with everything needed to see it again.
fn examine(plan: Plan, figures: &mut Figures) -> Result<(), Problem> {
    let script = Script::write(plan.seed, plan.steps);
    let memory = Store::new(Arc::new(MemoryBackend::new(&mut salts())));
    let pictures = picture::of_script(&script, memory);
    let dir = scratch();
    let machine: Arc<Machine<Account>> =
        Machine::new(dir.path(), &dir.path().join("store"), plan.seed, plan.skipped);
    drop(options().disk(machine.disk(0)).entropy(Box::new(salts())).create(machine.root()).unwrap());
    machine.record();
    let open = || {
        let entropy = Box::new(SeededEntropy::new(plan.seed ^ machine.cut_now().number));
        let backend = options().disk(machine.disk(0)).entropy(entropy).open(machine.root()).unwrap();
        assert_eq!(backend.healed(), []);
        Store::new(Arc::new(backend))
    };
    let mut rig = Rig::opening(&script, open);
    for (done, step) in script.steps.iter().enumerate() {
        machine.account(|account| *account = Account { done, is_under_way: true });
        rig.run(step).unwrap_or_else(|error| panic!("{plan:?}: step {done} {step:?}: {error}"));
        machine.account(|account| *account = Account { done: done + 1, is_under_way: false });
        // What was acknowledged counts from the next operation on; that may be long after.
        let mut cuts = machine.take_cuts();
        cuts.push(machine.cut_now());
        figures.cuts += cuts.len() as u64;
        for cut in cuts.iter().filter(|cut| (cut.number + plan.seed).is_multiple_of(plan.one_in)) {
            figures.images += 1;
            let goes_on = figures.images.is_multiple_of(plan.goes_on_in);
            figures.went_on += u64::from(goes_on);
            let after = if goes_on { After::GoesOn } else { After::Looks };
            let target = scratch();
            let seed = plan.seed << 32 | cut.number;
            let root = image::build(cut, machine.base(), machine.root(), seed, target.path());
            check(&root, &script, &pictures, cut.account, after).map_err(|problem| {
                let power::Cut { number, what, .. } = cut;
                format!("{plan:?}, step {done} {step:?}, cut {number} within '{what}': {problem}")
            })?;
        }
    }
    rig.assert_documents();
    Ok(())
}

/// Some cuts of a few scripts; `cargo xtask long head-power-cuts` does thousands.
#[test]
fn a_power_cut_anywhere_loses_nothing_that_was_acknowledged_and_leaves_nothing_half_done() {
    let rounds = u64::from(tidemark_testkit::rounds(3));
    let mut figures = Figures::default();
    for seed in SEED..SEED + rounds {
        let plan = Plan { seed, steps: STEPS, one_in: 1, goes_on_in: 5, skipped: None };
        alone(|| examine(plan, &mut figures)).unwrap_or_else(|problem| panic!("{problem}"));
    }
    println!("{rounds} scripts: {figures:?}");
    assert!(figures.images > 100 * rounds, "scripts have become too short: {figures:?}");
}

/// The proof that the model sees what it should: without the sync of a pack's bytes, or of its name, something
/// acknowledged is lost.
#[test]
fn leaving_out_a_sync_of_packs_is_found() {
    for site in [SyncSite::PackData, SyncSite::PackEntry] {
        let found = (1..=5).find_map(|seed| {
            let plan = Plan { seed, steps: 20, one_in: 1, goes_on_in: 1000, skipped: Some(site) };
            alone(|| examine(plan, &mut Figures::default())).err()
        });
        let problem = found.unwrap_or_else(|| panic!("without the sync {site:?} nothing is found"));
        println!("{site:?}: {problem}\n");
    }
}
