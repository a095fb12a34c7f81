//! Collecting garbage, considerately.

use crate::error::Result;
use crate::work::Work;
use tidemark_blockstore::{Considerate, Error, GcOptions, Observer, Stage};
use tidemark_metadata::Outcome;

const STORE_FULL: &str = "STORE_FULL";

/// Tells the metadata what the blockstore tells, and stops it when the job is to stop.
pub(super) struct Told<'w>(pub(super) &'w Work);

impl Observer for Told<'_> {
    fn progress(&self, stage: Stage, done: u64, total: Option<u64>) {
        let doing = match stage {
            Stage::Mark => "finding what is in use",
            Stage::Delete => "deleting",
            Stage::Condemn => "looking for what nobody uses",
            Stage::Rewrite => "copying what is in use",
            Stage::Verify => "checking",
        };
        self.0.say(doing, done, total);
    }

    fn cancelled(&self) -> bool {
        self.0.is_over()
    }
}

pub(super) fn run(work: &Work) -> Result<Outcome> {
    let (shared, told) = (&work.shared, Told(work));
    // With little room nobody waits for the next collection to delete what this one condemns.
    let options = GcOptions { sweep: shared.config.room.shortage().is_some(), ..GcOptions::default() };
    let report = match shared.store.collect(options, &Considerate::new(&told, shared.clock.as_ref())) {
        // Somebody else is at it, which is as good.
        Err(Error::CollectionRunning) => return Ok(Outcome::Done),
        report => report?,
    };
    tracing::info!(figures = ?report.figures, deleted = report.deleted_packs, "garbage is collected");
    for damaged in &report.damaged {
        shared.note(None, "STORE_DAMAGED", None, damaged);
    }
    if report.no_room_to_copy {
        let text = "the disk is too full to collect all garbage: give the store more room, or keep snapshots less long";
        shared.note(None, STORE_FULL, None, text);
    } else {
        let text = "the disk has room again to collect all garbage";
        shared.note_end(None, None, STORE_FULL, ("STORE_ROOMY", text))?;
    }
    Ok(Outcome::Done)
}
