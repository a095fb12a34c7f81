//! Jobs: pieces of a daemon's work that can be claimed, resumed, tried again and cancelled.
//!
//! One record for each kind and subject, so nothing is ever in work twice. Its epoch goes up with each claim and
//! never comes back, also when the job is queued again: whoever holds an older one is told to stop. So a record is
//! only removed when its subject is gone for good. The changes
//! themselves are methods on the record, without store or clock; what `Metadata` does of it, which is to read, call and
//! write, is in `kept`.

mod kept;

use crate::error::{Error, Result};
use crate::record::Record;
use crate::rules::backoff;
use crate::rules::lease::{Holder, Lease};
use crate::store::Collection;
use crate::words::{GroupId, Subject, Text, form};
use serde::{Deserialize, Serialize};
use tidemark_base::limits::MAX_COUNTER;
use tidemark_base::{Entropy, UnixMillis};

/// How long a claim holds without a heartbeat. Heartbeats come at least three times as often.
pub const LEASE_MS: u64 = 60_000;

/// A kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum JobKind {
    /// Build a head from an initial sync.
    Build,
    /// Apply the oplog to a head, for as long as its backup runs.
    Apply,
    /// Take a snapshot.
    Snapshot,
    /// Read a snapshot and prove it.
    Prove,
    /// Merge a head's runs.
    Compact,
    /// Let snapshots and oplog go.
    Expire,
    /// Collect garbage of the blockstore.
    Groom,
    /// Read the blockstore and check it.
    Verify,
    /// Prepare a restore.
    Restore,
    /// Delete what belongs to a terminated backup.
    Terminate,
}

impl JobKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Apply => "apply",
            Self::Snapshot => "snapshot",
            Self::Prove => "prove",
            Self::Compact => "compact",
            Self::Expire => "expire",
            Self::Groom => "groom",
            Self::Verify => "verify",
            Self::Restore => "restore",
            Self::Terminate => "terminate",
        }
    }
}

/// Where a job stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum JobState {
    /// Waits for somebody to claim it.
    Queued {
        /// Not before then.
        #[serde(with = "form::millis")]
        not_before: UnixMillis,
    },
    /// Somebody works on it.
    Running {
        /// Who, and until when without a heartbeat.
        lease: Lease,
        /// Since when.
        #[serde(with = "form::millis")]
        since: UnixMillis,
    },
    /// Done.
    Done {
        /// When.
        #[serde(with = "form::millis")]
        at: UnixMillis,
    },
    /// Given up: trying again cannot help.
    Failed {
        /// When.
        #[serde(with = "form::millis")]
        at: UnixMillis,
    },
    /// Cancelled.
    Cancelled {
        /// When.
        #[serde(with = "form::millis")]
        at: UnixMillis,
    },
}

/// How far a job is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Progress {
    /// Units done.
    pub done: u64,
    /// Units in all, once that is known.
    pub total: Option<u64>,
    /// What is going on, for people.
    pub doing: Option<Text>,
}

/// A job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Job {
    /// The group it is for; none for work on the whole site.
    pub group: Option<GroupId>,
    /// What is to be done.
    pub kind: JobKind,
    /// What it is about.
    pub subject: Subject,
    /// Where it stands.
    pub state: JobState,
    /// The number of claims so far: the fencing token of the last.
    pub epoch: u64,
    /// Failures in a row.
    pub failures: u32,
    /// What went wrong last, since it was queued.
    pub last_error: Option<Text>,
    /// Whether whoever works on it is asked to stop.
    pub cancel_requested: bool,
    /// How far it is.
    pub progress: Progress,
    /// When it was queued.
    #[serde(with = "form::millis")]
    pub queued_at: UnixMillis,
    /// Whether it was ordered while somebody was at it: then it is done once more, since what is being made may be of a
    /// moment before the order.
    #[serde(default, skip_serializing_if = "form::is_not")]
    pub is_ordered_again: bool,
}

/// The right to work on a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The id of the job's record.
    pub job: String,
    /// The epoch of this claim.
    pub epoch: u64,
}

/// How a piece of work ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All is done.
    Done,
    /// To be tried again later: something failed that may pass.
    Again(Text),
    /// Not to be tried again.
    Failed(Text),
    /// Stopped because that was asked for.
    Cancelled,
    /// Laid down for somebody else: a shutdown.
    Released,
}

/// The secondary key of jobs that somebody has to look at.
const OPEN: &str = "open";

impl Job {
    /// The id of its record.
    #[must_use]
    pub fn id_of(group: Option<GroupId>, kind: JobKind, subject: &Subject) -> String {
        let group = group.map_or_else(|| "site".to_owned(), |it| it.to_string());
        format!("{group}:{}:{subject}", kind.as_str())
    }

    /// A new job.
    #[must_use]
    pub fn new(group: Option<GroupId>, kind: JobKind, subject: Subject, now: UnixMillis) -> Self {
        Self {
            group,
            kind,
            subject,
            state: JobState::Queued { not_before: now },
            epoch: 0,
            failures: 0,
            last_error: None,
            cancel_requested: false,
            progress: Progress::default(),
            queued_at: now,
            is_ordered_again: false,
        }
    }

    /// Whether it still has to be done.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.state, JobState::Queued { .. } | JobState::Running { .. })
    }

    /// Whether `holder` may claim it now.
    #[must_use]
    pub fn is_claimable(&self, holder: &Holder, now: UnixMillis) -> bool {
        match &self.state {
            // A wait that is longer than any wait can be: the clock was set back.
            JobState::Queued { not_before } => {
                now >= *not_before || not_before.0 > now.0.saturating_add(LONGEST_WAIT_MS)
            }
            JobState::Running { lease, .. } => lease.is_free_for(holder, now, LEASE_MS),
            _ => false,
        }
    }

    /// Claims it.
    ///
    /// # Errors
    /// `Invalid` if it cannot be claimed now.
    pub fn claim(&mut self, holder: &Holder, now: UnixMillis) -> Result<Claim> {
        if !self.is_claimable(holder, now) {
            let what = format!("job '{}' cannot be claimed now", self.id());
            return Err(Error::refused(what, "look for another"));
        }
        self.epoch += 1;
        // What is begun now is of a moment after every order.
        self.is_ordered_again = false;
        self.state = JobState::Running { lease: holder.lease(now, LEASE_MS), since: now };
        Ok(Claim { job: self.id(), epoch: self.epoch })
    }

    /// Says that the work goes on, and how far it is. Whether to stop, because that was asked for. A lease that ran
    /// out meanwhile is renewed as long as nobody else has claimed the job.
    ///
    /// # Errors
    /// `Fenced` if the claim is no longer the last, or the job is closed.
    pub fn heartbeat(&mut self, claim: &Claim, now: UnixMillis, progress: Progress) -> Result<bool> {
        let lease = self.lease_of(claim)?;
        lease.until = UnixMillis(now.0.saturating_add(LEASE_MS));
        self.progress = progress;
        Ok(self.cancel_requested)
    }

    /// Ends a piece of work.
    ///
    /// # Errors
    /// `Fenced` if the claim is no longer the last, or the job is closed.
    pub fn finish(
        &mut self,
        claim: &Claim,
        outcome: Outcome,
        now: UnixMillis,
        entropy: &mut dyn Entropy,
    ) -> Result<()> {
        self.lease_of(claim)?;
        match outcome {
            Outcome::Again(_) | Outcome::Released if self.cancel_requested => {
                self.state = JobState::Cancelled { at: now };
            }
            Outcome::Done => {
                self.state = JobState::Done { at: now };
                self.failures = 0;
                self.last_error = None;
            }
            Outcome::Again(error) => {
                // What ran well for long and then fails is tried again as soon as what fails for the first time.
                let before = if self.ran_long(now) { 0 } else { self.failures };
                self.failures = before.saturating_add(1);
                self.last_error = Some(error);
                let wait =
                    u64::try_from(backoff::wait(self.failures, entropy).as_millis()).unwrap_or(u64::MAX);
                self.state = JobState::Queued { not_before: UnixMillis(now.0.saturating_add(wait)) };
            }
            Outcome::Failed(error) => {
                self.failures = self.failures.saturating_add(1);
                self.last_error = Some(error);
                self.state = JobState::Failed { at: now };
            }
            Outcome::Cancelled => self.state = JobState::Cancelled { at: now },
            Outcome::Released => self.state = JobState::Queued { not_before: now },
        }
        if std::mem::take(&mut self.is_ordered_again) {
            self.requeue(now);
        }
        Ok(())
    }

    /// Sees to it that it is done after now: queued, or once more when it is in work.
    pub fn order(&mut self, now: UnixMillis) {
        self.is_ordered_again = matches!(self.state, JobState::Running { .. });
        self.requeue(now);
    }

    /// Asks for it to stop: at once if nobody works on it. Closed jobs stay as they are.
    pub fn cancel(&mut self, now: UnixMillis) {
        self.is_ordered_again = false;
        match self.state {
            JobState::Queued { .. } => self.state = JobState::Cancelled { at: now },
            JobState::Running { .. } => self.cancel_requested = true,
            _ => {}
        }
    }

    /// Queues it again if it is closed; the epoch goes on.
    pub fn requeue(&mut self, now: UnixMillis) {
        if !self.is_open() {
            let fresh = Self::new(self.group, self.kind, self.subject.clone(), now);
            *self = Self { epoch: self.epoch, ..fresh };
        }
    }

    fn ran_long(&self, now: UnixMillis) -> bool {
        matches!(self.state, JobState::Running { since, .. } if now.0 > since.0.saturating_add(LONGEST_WAIT_MS))
    }

    fn lease_of(&mut self, claim: &Claim) -> Result<&mut Lease> {
        let fenced = || Error::Fenced { job: claim.job.clone(), held: claim.epoch, present: self.epoch };
        if self.epoch != claim.epoch || self.id() != claim.job {
            return Err(fenced());
        }
        let error = fenced();
        match &mut self.state {
            JobState::Running { lease, .. } => Ok(lease),
            _ => Err(error),
        }
    }
}

/// No job waits longer than this: see [`backoff`].
const LONGEST_WAIT_MS: u64 = 3_600_000;

impl Record for Job {
    const COLLECTION: Collection = Collection::Job;
    const NAME: &'static str = "job";

    fn id(&self) -> String {
        Self::id_of(self.group, self.kind, &self.subject)
    }

    fn key(&self) -> Option<String> {
        self.is_open().then(|| OPEN.to_owned())
    }

    fn check(&self) -> Result<()> {
        if self.epoch >= MAX_COUNTER {
            return Err(Error::invalid("epoch of a job", "it is out of range"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
