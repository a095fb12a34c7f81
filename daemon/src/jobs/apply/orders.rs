//! What was ordered of a head: jobs that only its holder can do, done between two looks at the oplog. Orders that wait are
//! one; one that comes while it is being carried out is carried out afterwards (`Job::order`).

use super::Applying;
use crate::error::Result;
use tidemark_metadata::{Claim, Job, JobKind, Outcome, Text};

impl Applying<'_> {
    /// Carries an order out, if there is one. It waits until the head is at the end of the oplog, so that what comes of
    /// it is of all that had come when it was given.
    pub(super) fn carry_out(
        &mut self,
        kind: JobKind,
        is_at_end: bool,
        work: impl FnOnce(&mut Self) -> Result<Outcome>,
    ) -> Result<()> {
        let Some(claim) = is_at_end.then(|| self.ordered(kind)).transpose()?.flatten() else { return Ok(()) };
        let done = work(self);
        let outcome = match &done {
            Ok(outcome) => outcome.clone(),
            Err(error) => Outcome::Again(Text::fit(&error.to_string())),
        };
        let shared = &self.work.shared;
        shared.metadata.finish_job(&claim, &outcome, shared.now(), shared.entropy().as_mut())?;
        done.map(drop)
    }

    /// The order, claimed, if there is one.
    fn ordered(&self, kind: JobKind) -> Result<Option<Claim>> {
        let (shared, place) = (&self.work.shared, &self.place);
        let id = Job::id_of(Some(place.group), kind, &place.subject);
        if !shared.metadata.find::<Job>(&id)?.is_some_and(|job| job.record.is_open()) {
            return Ok(None);
        }
        Ok(shared.metadata.claim_job(&id, &shared.me.holder()?, shared.now())?)
    }
}
