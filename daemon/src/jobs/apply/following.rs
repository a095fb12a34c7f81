//! Reading what came and applying it, slice by slice.

use super::Applying;
use crate::error::Result;
use std::time::Duration;
use tidemark_base::Timestamp;
use tidemark_blockstore::Error;
use tidemark_head::HeadError;
use tidemark_head::follow::follow;
use tidemark_head::head::Line;
use tidemark_oplog::EntryProblem;
use tidemark_oplog::store::{StoreError, Tip};

/// After so long something else gets its turn, however much oplog there is.
const STRETCH: Duration = Duration::from_secs(5);

/// How far the oplog was applied.
pub(super) enum Followed {
    /// To its end; whether anything had come.
    ToTheEnd { has_come: bool },
    /// There is more.
    Partly,
    /// It cannot be gone on with, for this reason.
    Lost(String),
}

impl Applying<'_> {
    pub(super) fn follow(&mut self) -> Result<Followed> {
        let Some(tip) = self.slices.tip()? else {
            // A termination that was undone half-way has taken it, and no agent can go on from nowhere.
            return Ok(Followed::Lost("there is no oplog to go on from".to_owned()));
        };
        if self.chain != Some(tip.chain) {
            if let Some(lost) = self.go_to_line()? {
                return Ok(lost);
            }
            self.chain = Some(tip.chain);
        }
        if self.head.state().taken_in() == Some(tip.link) {
            return Ok(Followed::ToTheEnd { has_come: false });
        }
        match self.apply(&tip) {
            // Neither is healed by trying again: the chain is another one than it was, or lacks something.
            Err(
                error @ (HeadError::Fork { .. }
                | HeadError::Oplog(StoreError::NotCovered { .. })
                | HeadError::NeedsResync { .. }),
            ) => {
                tracing::warn!(head = self.place.name.prefix(), "cannot go on: {error}");
                Ok(Followed::Lost(error.to_string()))
            }
            // The copy began in the middle of a transaction: only another one brings that back.
            Err(HeadError::Entry(error)) if matches!(error.problem, EntryProblem::LostPart(_)) => {
                tracing::warn!(head = self.place.name.prefix(), "cannot go on: {error}");
                Ok(Followed::Lost(error.to_string()))
            }
            outcome => Ok(outcome?),
        }
    }

    /// The chain was begun again, or this is the first look: goes back to where it goes on from.
    fn go_to_line(&mut self) -> Result<Option<Followed>> {
        let before = self.head.at();
        match self.head.rewind_to_line()? {
            Line::Stands => Ok(None),
            Line::WentBack(at) => {
                let text = format!("the source rolled back: the head went back from {before} to {at}");
                self.work.shared.note(
                    Some(self.place.group),
                    "ROLLED_BACK",
                    Some(&self.place.subject),
                    &text,
                );
                self.snapshots = super::Snapshots::look(self.work, &self.place, self.head.state())?;
                self.flushed.at = self.head.at();
                Ok(None)
            }
            Line::Lost => {
                let why = "the source rolled back to before everything that is kept of this copy";
                Ok(Some(Followed::Lost(why.to_owned())))
            }
        }
    }

    fn apply(&mut self, tip: &Tip) -> Result<Followed, HeadError> {
        let (work, share, head) = (self.work, &self.share, &mut self.head);
        let clock = work.shared.clock.as_ref();
        let (began, position) = (clock.monotonic(), head.state().position());
        let mut has_flushed = false;
        let mut is_stopped = false;
        let outcome = follow(&self.slices, tip, position, Timestamp::MAX, &mut |entries, end| {
            head.apply(entries)?;
            let Some(end) = end else { return Ok(()) };
            head.pass_slice(end)?;
            has_flushed |= share.keep(head)?;
            is_stopped = work.is_over() || clock.monotonic() >= began + STRETCH;
            // A way out of the middle; what was applied stands.
            if is_stopped { Err(Error::Cancelled.into()) } else { Ok(()) }
        });
        if has_flushed {
            self.note_flush();
        }
        match outcome {
            Err(_) if is_stopped => Ok(Followed::Partly),
            outcome => outcome.map(|()| Followed::ToTheEnd { has_come: true }),
        }
    }
}
