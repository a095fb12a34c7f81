//! Preparing a restore: a root of the very state, proven, and the length of the archive that is fetched.

use crate::error::{DaemonError, Result};
use crate::place::{Place, bad_subject};
use crate::work::Work;
use tidemark_base::ErrorKind;
use tidemark_head::dump::Namespace;
use tidemark_head::dump::plan::Plan;
use tidemark_head::export::{self, Restorable};
use tidemark_head::fork::Fork;
use tidemark_head::{HeadError, snapshot};
use tidemark_metadata::{
    By, Host, Metadata, Outcome, ReplicaSet, RestoreJob, RestoreJobId, RestoreState, RestoreTarget,
    SnapshotName, Text,
};

pub(super) fn run(work: &Work) -> Result<Outcome> {
    let shared = &work.shared;
    let id: Option<RestoreJobId> = work.job.subject.as_str().parse().ok();
    let (Some(group), Some(id)) = (work.job.group, id) else { return Err(bad_subject(&work.job)) };
    let record = RestoreJob::id_of(group, id);
    let Some(wish) = shared.metadata.find::<RestoreJob>(&record)?.map(|it| it.record) else {
        return Ok(Outcome::Done);
    };
    let place = Place::new(group, wish.replica_set)?;
    let id = id.to_string();
    match wish.state {
        RestoreState::Preparing => {}
        RestoreState::Cancelled => {
            Restorable::remove(&shared.store, &place.name, &id)?;
            return Ok(Outcome::Done);
        }
        RestoreState::Ready { .. } | RestoreState::Failed { .. } => return Ok(Outcome::Done),
    }
    let prepared = match Restorable::find(&shared.store, &place.name, &id)? {
        Some(prepared) => Ok(prepared),
        None => prepare(work, &place, &wish, &id),
    };
    match prepared {
        Ok(prepared) => make_ready(work, &place, (&record, &wish.target), &prepared)?,
        Err(error) if work.is_cancelled() => {
            tracing::debug!("cancelled: {error}");
            set_state(work, &record, RestoreState::Cancelled)?;
            return Ok(Outcome::Cancelled);
        }
        Err(error) if is_final(&error) => {
            let error = Text::fit(&error.to_string());
            set_state(work, &record, RestoreState::Failed { error: error.clone() })?;
            return Ok(Outcome::Failed(error));
        }
        Err(error) => return Err(error),
    }
    Ok(Outcome::Done)
}

/// Whether trying again cannot help.
fn is_final(error: &DaemonError) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Invalid | ErrorKind::Corrupt)
        || matches!(error, DaemonError::Head(HeadError::Fuzzy { .. }))
}

/// Lets it be fetched; in the same batch people are told if it is not what the source had, or has left.
fn make_ready(
    work: &Work,
    place: &Place,
    (record, of): (&str, &RestoreTarget),
    prepared: &Restorable,
) -> Result<()> {
    let Restorable { at, bytes, divergences, .. } = *prepared;
    let is_rolled_back = is_rolled_back(work, place, of)?;
    let ready = RestoreState::Ready { bytes, divergences, is_rolled_back };
    let (code, text) = if divergences > 0 {
        let text = format!(
            "a restore is ready, but it is not quite what the source had at {at}: {divergences} changes did not fit the \
             copy, so some documents in it may be missing, old, or deleted on the source. If an earlier snapshot that is \
             proven will do, restore that; and order a new copy of this replica set"
        );
        ("RESTORE_DIVERGED", text)
    } else if is_rolled_back {
        let text = format!(
            "a restore is ready, but it is of a state at {at} that was rolled back on the source: what was written \
             shortly before it may never have been acknowledged there, and what the source did instead is not in it"
        );
        ("RESTORE_ROLLED_BACK", text)
    } else {
        return set_state(work, record, ready);
    };
    let telling = work.shared.telling(place.group, code, &place.subject, &text)?;
    set_state_in(&telling, record, ready)
}

/// Whether it is of a snapshot that the source has left. While a restore is being prepared, its snapshot stays.
fn is_rolled_back(work: &Work, place: &Place, of: &RestoreTarget) -> Result<bool> {
    let RestoreTarget::Snapshot { name } = of else { return Ok(false) };
    match snapshot::get(&work.shared.store, &place.name, number(name)?) {
        Err(HeadError::NoSnapshot { .. }) => Ok(false),
        found => Ok(found?.is_dead_branch),
    }
}

/// Changes the state, unless somebody has cancelled the restore meanwhile.
fn set_state(work: &Work, record: &str, next: RestoreState) -> Result<()> {
    set_state_in(&work.shared.metadata, record, next)
}

fn set_state_in(metadata: &Metadata, record: &str, next: RestoreState) -> Result<()> {
    metadata.change::<RestoreJob, _>(record, |wish| {
        if wish.state == RestoreState::Preparing { wish.set_state(next.clone()) } else { Ok(()) }
    })?;
    Ok(())
}

fn prepare(work: &Work, place: &Place, wish: &RestoreJob, id: &str) -> Result<Restorable> {
    let shared = &work.shared;
    work.say("opening the state", 0, None);
    let mut fork = match &wish.target {
        RestoreTarget::Snapshot { name } => Fork::of_snapshot(&shared.store, &place.name, number(name)?)?,
        RestoreTarget::PointInTime { timestamp } => Fork::at(&shared.store, &place.name, *timestamp)?,
    };
    work.go_on()?;
    let root = fork.flush()?;
    let mut restorable = Restorable {
        root,
        at: fork.state().at(),
        namespaces: wish.namespaces.iter().map(|it| it.as_str().to_owned()).collect(),
        with_users: wish.users_and_roles,
        bytes: 0,
        divergences: 0,
        server: server_version(work, place)?,
        prepared: shared.now(),
    };
    let plan = restorable.plan(&fork)?;
    require_all(&restorable, &plan)?;
    let total = snapshot_bytes(work, place, wish)?;
    let prepared = export::prepare_and_tell(fork.state(), fork.session(), &plan, &mut |bytes| {
        work.say("reading the state", bytes, total);
        work.go_on()
    })?;
    // Also what did not fit long before, and was told of then: whoever restores now may never have heard of it.
    let known = fork.state().diverged().and(prepared.divergences.diverged());
    restorable.divergences = known.operations;
    restorable.bytes = restorable.archive_bytes(&plan, &prepared)?;
    restorable.put(fork.session(), &place.name, id)?;
    Ok(restorable)
}

/// The number of a snapshot by its name, which is that of its ref.
fn number(name: &SnapshotName) -> Result<u64> {
    let number = u64::from_str_radix(name.as_str(), 16).ok().filter(|_| name.as_str().len() == 16);
    number.ok_or_else(|| HeadError::BadName { what: "snapshot", name: name.to_string() }.into())
}

/// About how much is to be read: known of snapshots only.
fn snapshot_bytes(work: &Work, place: &Place, wish: &RestoreJob) -> Result<Option<u64>> {
    let RestoreTarget::Snapshot { name } = &wish.target else { return Ok(None) };
    let known = snapshot::get(&work.shared.store, &place.name, number(name)?)?;
    let is_whole = wish.namespaces.is_empty();
    Ok(known.proven.filter(|_| is_whole).map(|it| it.document_bytes))
}

/// The version of the source's servers: restore tools ask for it.
fn server_version(work: &Work, place: &Place) -> Result<Option<String>> {
    let set = ReplicaSet::id_of(place.group, place.set);
    let hosts = work.shared.metadata.all::<Host>(By::Key(&set))?;
    let versions = hosts.into_iter().map(|it| it.record.version.as_str().to_owned());
    Ok(versions.filter(|it| is_version(it)).min())
}

/// Whether a text is three numbers.
fn is_version(text: &str) -> bool {
    let is_number = |it: &str| !it.is_empty() && it.len() < 6 && it.bytes().all(|byte| byte.is_ascii_digit());
    text.split('.').count() == 3 && text.split('.').all(is_number)
}

/// Everything that was asked for must be there: an archive that lacks it would be noticed when it is needed.
fn require_all(restorable: &Restorable, plan: &Plan) -> Result<()> {
    let is = |asked: &str, Namespace { database, collection, .. }: &Namespace| {
        let rest = asked.strip_prefix(database.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.strip_prefix('.') == Some(collection))
    };
    for asked in &restorable.namespaces {
        if !plan.entries.iter().any(|entry| is(asked, &entry.part.namespace)) {
            let namespace = asked.escape_debug().to_string();
            return Err(DaemonError::NotThere { namespace, at: restorable.at });
        }
    }
    Ok(())
}
