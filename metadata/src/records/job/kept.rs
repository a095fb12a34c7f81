//! Jobs where they are kept: read, changed as [`Job`] has it, and written, again if others come first.
//!
//! Called by front-ends and daemons. No rule of its own is here.

use super::{Claim, Job, JobKind, OPEN, Outcome, Progress};
use crate::error::Result;
use crate::metadata::Metadata;
use crate::record::Stored;
use crate::rules::lease::Holder;
use crate::store::By;
use crate::words::{GroupId, Subject};
use tidemark_base::{Entropy, UnixMillis};

impl Metadata {
    /// Sees to it that a job is open: makes it, queues it again, or leaves it as it is.
    ///
    /// # Errors
    /// As [`Metadata::commit`].
    pub fn queue_job(
        &self,
        group: Option<GroupId>,
        kind: JobKind,
        subject: &Subject,
        now: UnixMillis,
    ) -> Result<()> {
        let id = Job::id_of(group, kind, subject);
        self.upsert::<Job>(&id, |old| {
            let mut job = old.cloned().unwrap_or_else(|| Job::new(group, kind, subject.clone(), now));
            job.requeue(now);
            Ok(job)
        })
        .map(drop)
    }

    /// The same for what somebody has ordered: what is in work just now is done once more afterwards.
    ///
    /// # Errors
    /// As [`Metadata::commit`].
    pub fn order_job(
        &self,
        group: Option<GroupId>,
        kind: JobKind,
        subject: &Subject,
        now: UnixMillis,
    ) -> Result<()> {
        let id = Job::id_of(group, kind, subject);
        self.upsert::<Job>(&id, |old| {
            let mut job = old.cloned().unwrap_or_else(|| Job::new(group, kind, subject.clone(), now));
            job.order(now);
            Ok(job)
        })
        .map(drop)
    }

    /// Open jobs, a page at a time in the order of their ids.
    ///
    /// # Errors
    /// As [`Metadata::page`].
    pub fn open_jobs(&self, after: Option<&str>, limit: usize) -> Result<Vec<Stored<Job>>> {
        self.page(By::Key(OPEN), after, limit)
    }

    /// Claims a job, if it can be claimed now and nobody else is faster.
    ///
    /// # Errors
    /// `NotFound`, and as [`Metadata::commit`].
    pub fn claim_job(&self, id: &str, holder: &Holder, now: UnixMillis) -> Result<Option<Claim>> {
        self.change::<Job, _>(id, |job| {
            if job.is_claimable(holder, now) { job.claim(holder, now).map(Some) } else { Ok(None) }
        })
    }

    /// See [`Job::heartbeat`].
    ///
    /// # Errors
    /// `Fenced`; `NotFound` if the job was removed.
    pub fn job_heartbeat(&self, claim: &Claim, now: UnixMillis, progress: &Progress) -> Result<bool> {
        self.change::<Job, _>(&claim.job, |job| job.heartbeat(claim, now, progress.clone()))
    }

    /// See [`Job::finish`].
    ///
    /// # Errors
    /// `Fenced`; `NotFound` if the job was removed.
    pub fn finish_job(
        &self,
        claim: &Claim,
        outcome: &Outcome,
        now: UnixMillis,
        entropy: &mut dyn Entropy,
    ) -> Result<()> {
        self.change::<Job, _>(&claim.job, |job| job.finish(claim, outcome.clone(), now, entropy))
    }

    /// See [`Job::cancel`].
    ///
    /// # Errors
    /// `NotFound`.
    pub fn cancel_job(&self, id: &str, now: UnixMillis) -> Result<()> {
        self.change::<Job, _>(id, |job| {
            job.cancel(now);
            Ok(())
        })
    }
}
