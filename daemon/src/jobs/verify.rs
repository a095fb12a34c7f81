//! Checking the whole store, considerately. If it is sound, snapshots that were found to be damaged are proven again.

use super::groom::Told;
use super::prove;
use crate::error::Result;
use crate::place::Place;
use crate::work::Work;
use tidemark_blockstore::{Considerate, Depth};
use tidemark_head::snapshot;
use tidemark_metadata::{BackupConfig, By, Outcome};

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
        for backup in shared.metadata.all::<BackupConfig>(By::IdPrefix(""))? {
            prove_again(work, &backup.record).unwrap_or_else(|error| {
                tracing::warn!(set = %backup.record.replica_set, "what was damaged is not read again: {error}");
            });
        }
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

fn prove_again(work: &Work, backup: &BackupConfig) -> Result<()> {
    let place = Place::new(backup.group, backup.replica_set)?;
    prove::queue_all(work, &place, &snapshot::list(&work.shared.store, &place.name)?)
}
