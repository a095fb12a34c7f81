//! Restores: asked for, prepared by the daemon, fetched by a link.

use super::{Actor, Problem, Result, groups, happening, head_of, snapshots, telling};
use crate::site::Parts;
use tidemark_base::Timestamp;
use tidemark_head::HeadError;
use tidemark_head::snapshot::{self, Snapshot};
use tidemark_metadata::rules::roles::Permission;
use tidemark_metadata::{
    Batch, By, GroupId, Job, JobKind, Namespace, ReplicaSetId, RestoreJob, RestoreJobId, RestoreLink,
    RestoreState, RestoreTarget, SnapshotName, Subject, Text,
};

/// How long a link lives and how often it may be used, if nothing else is said.
pub(crate) const LINK: (u64, u32) = (1, 1);

/// What is wanted.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    /// Of when.
    pub(crate) when: When,
    /// Only these; all, if it is empty.
    pub(crate) namespaces: Vec<Namespace>,
    /// With users and roles.
    pub(crate) users_and_roles: bool,
    /// Packed with gzip.
    pub(crate) gzip: bool,
}

/// Which state.
#[derive(Clone, Debug)]
pub(crate) enum When {
    /// That of a snapshot, by its name.
    Snapshot(String),
    /// The one after every entry up to a timestamp.
    Time(Timestamp),
}

/// A restore, and how its work stands.
#[derive(Clone, Debug)]
pub(crate) struct Restore {
    /// What was asked for.
    pub(crate) job: RestoreJob,
    /// The daemon's work; none once nobody knows of it any more.
    pub(crate) work: Option<Job>,
    /// Its links.
    pub(crate) links: Vec<RestoreLink>,
    /// The snapshot that it is of, as long as that is there.
    pub(crate) snapshot: Option<Snapshot>,
}

impl Restore {
    /// Whether it is of a state that the source has left.
    pub(crate) fn is_rolled_back(&self) -> bool {
        let known = matches!(self.job.state, RestoreState::Ready { is_rolled_back: true, .. });
        known || self.snapshot.as_ref().is_some_and(|it| it.is_dead_branch)
    }

    /// What whoever restores must know first.
    pub(crate) fn warning(&self) -> Option<String> {
        let is_preparing = self.job.state == RestoreState::Preparing;
        let divergences = match self.job.state {
            RestoreState::Ready { divergences, .. } => divergences,
            RestoreState::Preparing => 0,
            RestoreState::Failed { .. } | RestoreState::Cancelled => return None,
        };
        let mut said = Vec::new();
        if divergences > 0 {
            said.push(format!(
                "This is not quite what the source had: {divergences} changes did not fit the copy. Some documents in it \
                 may be missing, old, or deleted on the source. If an earlier snapshot that is proven will do, restore that."
            ));
        }
        if self.is_rolled_back() {
            said.push(ROLLED_BACK.to_owned());
        }
        if is_preparing && self.snapshot.as_ref().is_some_and(|it| it.is_damaged) {
            said.push(DAMAGED.to_owned());
        }
        (!said.is_empty()).then(|| said.join(" "))
    }
}

const ROLLED_BACK: &str = "This state was rolled back on the source: the replica set went on from an earlier moment. What was \
    written shortly before may never have been acknowledged there, and what was written instead is not in it. Take it only \
    to look for what the rollback has taken away.";
const DAMAGED: &str = "This snapshot is damaged: it could not be read whole when it was checked. If what is damaged is part \
    of this restore, it fails; then choose another snapshot or second, or fewer collections.";

/// Asks for a restore.
pub(crate) fn create(
    parts: &Parts,
    actor: &Actor,
    (group, set): (GroupId, ReplicaSetId),
    wish: Wish,
) -> Result<Restore> {
    actor.require(Permission::Restore, group)?;
    let replica_set = groups::set(parts, actor, group, set)?;
    let (target, snapshot) = match wish.when {
        When::Snapshot(name) => {
            let found = snapshots::to_restore(parts, actor, (group, set), &name)?;
            (RestoreTarget::Snapshot { name: SnapshotName::new(name)? }, Some(found))
        }
        When::Time(timestamp) => {
            if u64::from(timestamp.secs) > parts.clock.now().0 / 1000 {
                return Err(Problem::invalid("timestamp", "it lies in the future"));
            }
            (RestoreTarget::PointInTime { timestamp }, None)
        }
    };
    let now = parts.clock.now();
    let id = parts.with_entropy(|entropy| RestoreJobId::new(now, entropy));
    let job = RestoreJob {
        group,
        id,
        replica_set: set,
        target,
        namespaces: wish.namespaces,
        users_and_roles: wish.users_and_roles,
        gzip: wish.gzip,
        state: RestoreState::Preparing,
        created_by: actor.user,
        created_at: now,
    };
    let work = Job::new(Some(group), JobKind::Restore, Subject::new(id.to_string())?, now);
    // Together: a restore without work would be prepared for ever.
    let mut batch = Batch::new();
    batch.create(&job)?;
    batch.create(&work)?;
    let text = format!("a restore of {} was asked for", replica_set.name);
    telling(parts, actor, group, "RESTORE_REQUESTED", Some(&id.to_string()), &text)?.commit(&batch)?;
    Ok(Restore { job, work: Some(work), links: Vec::new(), snapshot })
}

/// All of a group or of one of its replica sets, newest first.
pub(crate) fn list(
    parts: &Parts,
    actor: &Actor,
    group: GroupId,
    set: Option<ReplicaSetId>,
) -> Result<Vec<Restore>> {
    groups::get(parts, actor, group)?;
    let jobs = parts.metadata.all::<RestoreJob>(By::IdPrefix(&format!("{group}:")))?;
    let jobs = jobs.into_iter().rev().map(|it| it.record);
    jobs.filter(|it| set.is_none_or(|set| it.replica_set == set)).map(|it| with_work(parts, it)).collect()
}

/// One of them.
pub(crate) fn get(parts: &Parts, actor: &Actor, group: GroupId, id: RestoreJobId) -> Result<Restore> {
    groups::get(parts, actor, group)?;
    let found = parts.metadata.find::<RestoreJob>(&RestoreJob::id_of(group, id))?;
    with_work(parts, found.ok_or(MISSING)?.record)
}

const MISSING: Problem = Problem::NotFound { what: "restore" };

fn with_work(parts: &Parts, job: RestoreJob) -> Result<Restore> {
    let work = work_of(&job)?;
    let work = parts.metadata.find::<Job>(&work)?.map(|it| it.record);
    let links = parts.metadata.all::<RestoreLink>(By::Key(&RestoreJob::id_of(job.group, job.id)))?;
    // It is only told about, and nobody is to ask for the same again because of that.
    let snapshot = snapshot_of(parts, &job).unwrap_or_else(|error| {
        tracing::warn!(restore = %job.id, "the snapshot of a restore cannot be looked up: {error}");
        None
    });
    Ok(Restore { job, work, links: links.into_iter().map(|it| it.record).collect(), snapshot })
}

fn snapshot_of(parts: &Parts, job: &RestoreJob) -> Result<Option<Snapshot>> {
    let RestoreTarget::Snapshot { name } = &job.target else { return Ok(None) };
    let Some(number) = snapshots::number(name.as_str()) else { return Ok(None) };
    match snapshot::get(&parts.store, &head_of(job.group, job.replica_set)?, number) {
        Err(HeadError::NoSnapshot { .. }) => Ok(None),
        found => Ok(Some(found?)),
    }
}

fn work_of(job: &RestoreJob) -> Result<String> {
    Ok(Job::id_of(Some(job.group), JobKind::Restore, &Subject::new(job.id.to_string())?))
}

/// Gives a restore up: its work stops, its links open nothing any more.
pub(crate) fn cancel(parts: &Parts, actor: &Actor, group: GroupId, id: RestoreJobId) -> Result<Restore> {
    actor.require(Permission::Restore, group)?;
    let job = get(parts, actor, group, id)?.job;
    let now = parts.clock.now();
    let subject = id.to_string();
    let metadata =
        telling(parts, actor, group, "RESTORE_CANCELLED", Some(&subject), "a restore was cancelled")?;
    metadata.change::<RestoreJob, _>(&RestoreJob::id_of(group, id), |job| match job.state {
        RestoreState::Cancelled => Ok(()),
        _ => job.set_state(RestoreState::Cancelled),
    })?;
    parts.metadata.revoke_links(group, id, now)?;
    match parts.metadata.cancel_job(&work_of(&job)?, now) {
        Ok(()) | Err(tidemark_metadata::Error::NotFound { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    get(parts, actor, group, id)
}

/// Makes a link for so many hours and uses. It is in the answer and nowhere else.
pub(crate) fn link(
    parts: &Parts,
    actor: &Actor,
    (group, id): (GroupId, RestoreJobId),
    (hours, uses): (u64, u32),
) -> Result<String> {
    actor.require(Permission::Restore, group)?;
    get(parts, actor, group, id)?;
    if !(1..=24).contains(&hours) {
        return Err(Problem::invalid("life of a link", "it is 1 to 24 hours"));
    }
    let life_ms = hours * 3_600_000;
    let text = format!("a link to a restore was made, for {hours} hours and {uses} downloads");
    let metadata = telling(parts, actor, group, "RESTORE_LINK_CREATED", Some(&id.to_string()), &text)?;
    let now = parts.clock.now();
    let token =
        parts.with_entropy(|entropy| metadata.create_link(group, id, (life_ms, uses), now, entropy))?;
    Ok(format!("{}/restore/{}", parts.public_url, token.reveal()))
}

/// Revokes all links of a restore.
pub(crate) fn revoke(parts: &Parts, actor: &Actor, group: GroupId, id: RestoreJobId) -> Result<()> {
    actor.require(Permission::Restore, group)?;
    get(parts, actor, group, id)?;
    let subject = id.to_string();
    // The event first: links are revoked one by one, and one that died without a word would be the worse half.
    let what = happening(actor, "RESTORE_LINKS_REVOKED", Some(&subject), "the links were revoked")?;
    parts.metadata.note(Some(group), parts.clock.now(), &what)?;
    parts.metadata.revoke_links(group, id, parts.clock.now())?;
    Ok(())
}

/// What is going on with it, for people, and how much of it is done.
pub(crate) fn progress(restore: &Restore) -> (Option<Text>, Option<(u64, u64)>) {
    let Some(work) = &restore.work else { return (None, None) };
    let parts = work.progress.total.map(|total| (work.progress.done.min(total), total));
    (work.progress.doing.clone().or_else(|| work.last_error.clone()), parts)
}
