//! What people and API clients may do: checked against their role, done, and noted as an event, in one batch.
//!
//! Called by the JSON API and by the pages, so that both mean the same. Every function takes who acts and asks the table
//! of permissions before anything is read; whatever is outside of somebody's groups does not exist for them. Blocking:
//! callers run these through [`Site::run`](crate::site::Site::run). No HTTP here.

pub(crate) mod backups;
pub(crate) mod groups;
pub(crate) mod keys;
pub(crate) mod overview;
pub(crate) mod people;
mod problem;
pub(crate) mod restores;
pub(crate) mod snapshots;
pub(crate) mod source;
pub(crate) mod standing;

pub(crate) use problem::{Problem, Result};

use crate::site::Parts;
use tidemark_base::UnixMillis;
use tidemark_head::head::HeadName;
use tidemark_metadata::rules::roles::{Permission, Principal};
use tidemark_metadata::{Code, GroupId, Happening, Metadata, ReplicaSetId, Subject, Text, UserId};

/// Who acts: a person, or the API key that a person made.
#[derive(Clone, Debug)]
pub(crate) struct Actor {
    /// What they may do.
    pub(crate) principal: Principal,
    /// The person.
    pub(crate) user: UserId,
    /// What events call them.
    pub(crate) name: Subject,
}

impl Actor {
    /// Whether they may do this in a group.
    pub(crate) fn may(&self, permission: Permission, group: GroupId) -> bool {
        self.principal.may(permission, Some(group))
    }

    /// Fails unless they may do this in a group. Who may not even look learns nothing of it.
    pub(crate) fn require(&self, permission: Permission, group: GroupId) -> Result<()> {
        match (self.may(Permission::View, group), self.may(permission, group)) {
            (false, _) => Err(Problem::NotInGroup),
            (true, false) => Err(Problem::Forbidden { permission: named(permission) }),
            (true, true) => Ok(()),
        }
    }

    /// Fails unless they may do this on the site.
    pub(crate) fn require_on_site(&self, permission: Permission) -> Result<()> {
        match self.principal.may(permission, None) {
            true => Ok(()),
            false => Err(Problem::Forbidden { permission: named(permission) }),
        }
    }
}

const fn named(permission: Permission) -> &'static str {
    match permission {
        Permission::View => "look at this group",
        Permission::ManageBackup => "change backups",
        Permission::Restore => "restore",
        Permission::Terminate => "end a backup for good",
        Permission::ManageRetention => "change how long snapshots are kept",
        Permission::ManageAccess => "manage people and keys",
        Permission::ManageSite => "manage the site",
        Permission::AgentWork => "do an agent's work",
    }
}

/// What an event says of a deed.
fn happening(
    actor: &Actor,
    code: &'static str,
    subject: Option<&str>,
    text: &str,
) -> Result<Happening, tidemark_metadata::Error> {
    let subject = subject.map(Subject::new).transpose()?;
    Ok(Happening { code: Code::new(code)?, subject, actor: Some(actor.name.clone()), text: Text::fit(text) })
}

/// The records, for one deed that is noted in the batch that does it: neither is there without the other.
fn telling(
    parts: &Parts,
    actor: &Actor,
    group: GroupId,
    code: &'static str,
    subject: Option<&str>,
    text: &str,
) -> Result<Metadata> {
    let what = happening(actor, code, subject, text)?;
    Ok(parts.metadata.telling(Some(group), parts.clock.now(), what))
}

/// The head of a replica set.
pub(crate) fn head_of(group: GroupId, set: ReplicaSetId) -> Result<HeadName> {
    Ok(HeadName::new(&group.to_string(), &set.to_string())?)
}

/// A moment as people and programs read it: ISO 8601, UTC, to the second.
pub(crate) fn shown(at: UnixMillis) -> String {
    let stamp = i64::try_from(at.0 / 1000).ok().and_then(|it| jiff::Timestamp::from_second(it).ok());
    stamp.map_or_else(|| "beyond the calendar".to_owned(), |it| it.to_string())
}
