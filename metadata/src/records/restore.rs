//! Restores that were asked for, and the links by which they are fetched.
//!
//! A link dies by time, by use and by being revoked; who holds it needs nothing else, so it is as random as a key
//! and found by its hash only. Looking at a link without fetching (HEAD) counts nothing.

use crate::error::{Error, Result};
use crate::metadata::{Batch, Metadata};
use crate::record::{Record, Stored};
use crate::secret::{Purpose, Token, TokenHash};
use crate::store::{By, Collection};
use crate::words::{GroupId, Namespace, ReplicaSetId, RestoreJobId, SnapshotName, Text, UserId, form};
use serde::{Deserialize, Serialize};
use tidemark_base::limits::MAX_NAMESPACES;
use tidemark_base::{Entropy, Timestamp, UnixMillis};

/// The longest life of a link, and what it has if nothing else is said.
const LINK_MS: u64 = 24 * 3_600_000;
/// The greatest number of uses.
const MOST_USES: u32 = 1000;

/// What is to be restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum RestoreTarget {
    /// A snapshot.
    Snapshot {
        /// Its name.
        name: SnapshotName,
    },
    /// The state after every entry up to a timestamp.
    PointInTime {
        /// The timestamp.
        #[serde(with = "form::text")]
        timestamp: Timestamp,
    },
}

/// Where a restore stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum RestoreState {
    /// The daemon prepares it: see the job of this subject for the progress.
    Preparing,
    /// It can be fetched.
    Ready {
        /// The length of the archive in bytes, unpacked.
        bytes: u64,
        /// How many operations did not fit, so that the state may not be one that the source had.
        #[serde(default, skip_serializing_if = "is_zero")]
        divergences: u64,
        /// Whether it is of a snapshot that the source has left: it was rolled back to before it.
        #[serde(default, skip_serializing_if = "form::is_not")]
        is_rolled_back: bool,
    },
    /// It cannot be prepared.
    Failed {
        /// Why.
        error: Text,
    },
    /// Nobody wants it any more.
    Cancelled,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A restore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RestoreJob {
    /// Its group.
    pub group: GroupId,
    /// Its id.
    pub id: RestoreJobId,
    /// Of what.
    pub replica_set: ReplicaSetId,
    /// Of when.
    pub target: RestoreTarget,
    /// Only these; all, if it is empty.
    pub namespaces: Vec<Namespace>,
    /// With users and roles.
    pub users_and_roles: bool,
    /// Packed with gzip.
    pub gzip: bool,
    /// Where it stands.
    pub state: RestoreState,
    /// Who asked for it.
    pub created_by: UserId,
    /// When.
    #[serde(with = "form::millis")]
    pub created_at: UnixMillis,
}

impl RestoreJob {
    /// The id of its record.
    #[must_use]
    pub fn id_of(group: GroupId, id: RestoreJobId) -> String {
        format!("{group}:{id}")
    }

    /// Changes the state: once out of *preparing*, and from *ready* only to *cancelled*.
    ///
    /// # Errors
    /// `Invalid`.
    pub fn set_state(&mut self, next: RestoreState) -> Result<()> {
        let allowed = match (&self.state, &next) {
            (RestoreState::Preparing, next) => *next != RestoreState::Preparing,
            (RestoreState::Ready { .. }, RestoreState::Cancelled) => true,
            _ => false,
        };
        if !allowed {
            return Err(Error::refused("this restore is no longer being prepared", "ask for a new one"));
        }
        self.state = next;
        Ok(())
    }
}

impl Record for RestoreJob {
    const COLLECTION: Collection = Collection::RestoreJob;
    const NAME: &'static str = "restore job";

    fn id(&self) -> String {
        Self::id_of(self.group, self.id)
    }

    fn check(&self) -> Result<()> {
        if self.namespaces.len() > MAX_NAMESPACES {
            let problem = format!("{} of them, at most {MAX_NAMESPACES}", self.namespaces.len());
            return Err(Error::invalid("namespaces", problem));
        }
        Ok(())
    }
}

/// A link to a restore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RestoreLink {
    /// The hash of its token.
    pub token: TokenHash,
    /// The group of the restore.
    pub group: GroupId,
    /// The restore.
    pub restore: RestoreJobId,
    /// When it was made.
    #[serde(with = "form::millis")]
    pub created_at: UnixMillis,
    /// Until when it is good.
    #[serde(with = "form::millis")]
    pub expires_at: UnixMillis,
    /// How often it may be used.
    pub max_uses: u32,
    /// How often it was.
    pub uses: u32,
    /// When it was revoked.
    #[serde(with = "form::maybe_millis")]
    pub revoked_at: Option<UnixMillis>,
}

impl RestoreLink {
    /// Whether it still opens anything.
    #[must_use]
    pub fn is_good(&self, now: UnixMillis) -> bool {
        self.revoked_at.is_none() && now < self.expires_at && self.uses < self.max_uses
    }
}

impl Record for RestoreLink {
    const COLLECTION: Collection = Collection::RestoreLink;
    const NAME: &'static str = "restore link";

    fn id(&self) -> String {
        self.token.as_id()
    }

    fn key(&self) -> Option<String> {
        Some(RestoreJob::id_of(self.group, self.restore))
    }

    fn check(&self) -> Result<()> {
        let life = self.expires_at.0.checked_sub(self.created_at.0);
        if life.is_none_or(|it| it > LINK_MS) {
            return Err(Error::invalid("life of a link", "it is up to 24 hours"));
        }
        if self.max_uses == 0 || self.max_uses > MOST_USES || self.uses > self.max_uses {
            return Err(Error::invalid("uses of a link", format!("it is 1 to {MOST_USES}")));
        }
        Ok(())
    }
}

impl Metadata {
    /// Makes a link to a restore that is ready, for so many milliseconds (at most a day) and uses. The token is in
    /// the answer and nowhere else.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` if it is not ready, or time or uses are out of bounds.
    pub fn create_link(
        &self,
        group: GroupId,
        restore: RestoreJobId,
        (life_ms, max_uses): (u64, u32),
        now: UnixMillis,
        entropy: &mut dyn Entropy,
    ) -> Result<Token> {
        let token = Token::generate(Purpose::Link, entropy);
        let id = RestoreJob::id_of(group, restore);
        let link = RestoreLink {
            token: token.hash(),
            group,
            restore,
            created_at: now,
            expires_at: UnixMillis(now.0.saturating_add(life_ms)),
            max_uses,
            uses: 0,
            revoked_at: None,
        };
        self.repeat(Collection::RestoreJob, &id, || {
            let job = self.get::<RestoreJob>(&id)?;
            if !matches!(job.record.state, RestoreState::Ready { .. }) {
                return Err(Error::refused("this restore is not ready", "wait until it is prepared"));
            }
            let mut batch = Batch::new();
            batch.depend(&job);
            batch.create(&link)?;
            self.commit(&batch)
        })?;
        Ok(token)
    }

    /// The restore behind a link that is good; counts nothing.
    ///
    /// # Errors
    /// `NotFound` for one that is unknown, too old, used up, revoked, or whose restore is gone: always the same words.
    pub fn look_at_link(&self, shown: &str, now: UnixMillis) -> Result<RestoreJob> {
        self.good_link(shown, now).map(|(_, job)| job.record)
    }

    /// Uses a link up by one and returns the restore behind it. Of many at once, no more come through than it has
    /// uses left.
    ///
    /// # Errors
    /// As [`Metadata::look_at_link`].
    pub fn use_link(&self, shown: &str, now: UnixMillis) -> Result<RestoreJob> {
        self.repeat(Collection::RestoreLink, "(hidden)", || {
            let (link, job) = self.good_link(shown, now)?;
            let mut batch = Batch::new();
            batch.replace(&link, &RestoreLink { uses: link.record.uses + 1, ..link.record.clone() })?;
            batch.depend(&job);
            self.commit(&batch)?;
            Ok(job.record)
        })
    }

    /// Revokes all links to a restore.
    ///
    /// # Errors
    /// As [`Metadata::all`] and [`Metadata::change`].
    pub fn revoke_links(&self, group: GroupId, restore: RestoreJobId, now: UnixMillis) -> Result<()> {
        for link in self.all::<RestoreLink>(By::Key(&RestoreJob::id_of(group, restore)))? {
            self.change::<RestoreLink, _>(&link.record.id(), |it| {
                it.revoked_at = it.revoked_at.or(Some(now));
                Ok(())
            })?;
        }
        Ok(())
    }

    fn good_link(&self, shown: &str, now: UnixMillis) -> Result<(Stored<RestoreLink>, Stored<RestoreJob>)> {
        let gone = || Error::NotFound {
            what: "restore link",
            id: None,
            advice: "it is wrong, used up, revoked or has expired: ask for a new one",
        };
        let hash = TokenHash::of(Purpose::Link, shown).ok_or_else(gone)?;
        let link = self.find::<RestoreLink>(&hash.as_id())?.ok_or_else(gone)?;
        if !link.record.is_good(now) {
            return Err(gone());
        }
        let id = RestoreJob::id_of(link.record.group, link.record.restore);
        let job = self.find::<RestoreJob>(&id)?.ok_or_else(gone)?;
        match job.record.state {
            RestoreState::Ready { .. } => Ok((link, job)),
            _ => Err(gone()),
        }
    }
}
