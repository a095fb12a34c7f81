//! The collector: one collection after the other.

use crate::line::Line;
use std::time::Duration;
use tidemark_base::SeededEntropy;
use tidemark_blockstore::{Error, GcOptions, Quiet, Result, Store};

/// Collects until killed.
pub(crate) fn run(store: &Store, seed: u64) -> Result<()> {
    let mut random = SeededEntropy::new(seed);
    loop {
        let options = GcOptions { sweep: random.below(2) == 0, dry_run: false };
        let report = store.collect(options, &Quiet)?;
        if let Some(problem) = report.damaged.first() {
            return Err(Error::Invalid { what: format!("a collection found damage: {problem}") });
        }
        Line::Collected(report.deleted_packs, report.rewritten_packs).say();
        // The writers come first: a store is not collected without pause.
        std::thread::sleep(Duration::from_millis(random.below(10)));
    }
}
