//! Checking the whole store, considerately.

use super::groom::Told;
use crate::error::Result;
use crate::work::Work;
use tidemark_blockstore::{Considerate, Depth};
use tidemark_metadata::Outcome;

const STORE_DAMAGED: &str = "STORE_DAMAGED";
/// So many findings are told; the number of all is told anyway.
const MOST_TOLD: usize = 20;

pub(super) fn run(work: &Work) -> Result<Outcome> {
    let (shared, told) = (&work.shared, Told(work));
    let report = shared.store.verify(Depth::Full, &Considerate::new(&told, shared.clock.as_ref()))?;
    tracing::info!(
        packs = report.packs,
        bytes = report.bytes,
        damage = report.damage.len(),
        "the store is checked"
    );
    for damage in report.damage.iter().take(MOST_TOLD) {
        let text = format!("{}; it hurts {}", damage.problem, damage.hurts.join(", "));
        shared.note(None, STORE_DAMAGED, None, &text);
    }
    if report.is_clean() {
        let text = "the store was read, and all of it is sound";
        shared.note_end(None, None, STORE_DAMAGED, ("STORE_SOUND", text))?;
    } else {
        // Last, so that this is what stands as long as it is so.
        let text = format!(
            "the store has {} damages: run `tidemark store verify` for all of them",
            report.damage.len()
        );
        shared.note(None, STORE_DAMAGED, None, &text);
    }
    Ok(Outcome::Done)
}
