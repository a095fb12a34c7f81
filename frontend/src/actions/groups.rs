//! Groups, and what agents have found in them.

use super::{Actor, Problem, Result, telling};
use crate::site::Parts;
use tidemark_metadata::rules::roles::Permission;
use tidemark_metadata::{Agent, By, Event, EventLog, Group, GroupId, Host, Name, ReplicaSet, ReplicaSetId};

/// The groups that somebody may look at.
pub(crate) fn list(parts: &Parts, actor: &Actor) -> Result<Vec<Group>> {
    let all = parts.metadata.all::<Group>(By::IdPrefix(""))?.into_iter().map(|it| it.record);
    Ok(all.filter(|it| actor.may(Permission::View, it.id)).collect())
}

/// One of them.
pub(crate) fn get(parts: &Parts, actor: &Actor, group: GroupId) -> Result<Group> {
    actor.require(Permission::View, group)?;
    let found = parts.metadata.find::<Group>(&group.to_string())?;
    found.map(|it| it.record).ok_or(Problem::NotInGroup)
}

/// Makes a group.
pub(crate) fn create(parts: &Parts, actor: &Actor, name: &str) -> Result<Group> {
    actor.require_on_site(Permission::ManageSite)?;
    let (name, now) = (Name::new(name)?, parts.clock.now());
    let id = parts.with_entropy(|entropy| GroupId::new(now, entropy));
    let made = Group { id, name, created_at: now };
    let text = format!("group '{}' was made", made.name);
    telling(parts, actor, id, "GROUP_CREATED", None, &text)?.add_group(&made)?;
    Ok(made)
}

/// Its replica sets, by name.
pub(crate) fn sets(parts: &Parts, actor: &Actor, group: GroupId) -> Result<Vec<ReplicaSet>> {
    get(parts, actor, group)?;
    let mut sets: Vec<ReplicaSet> = of_group(parts, group)?;
    sets.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
    Ok(sets)
}

/// One of them.
pub(crate) fn set(parts: &Parts, actor: &Actor, group: GroupId, set: ReplicaSetId) -> Result<ReplicaSet> {
    get(parts, actor, group)?;
    let found = parts.metadata.find::<ReplicaSet>(&ReplicaSet::id_of(group, set))?;
    found.map(|it| it.record).ok_or(Problem::NotFound { what: "replica set" })
}

/// Its hosts.
pub(crate) fn hosts(parts: &Parts, actor: &Actor, group: GroupId) -> Result<Vec<Host>> {
    get(parts, actor, group)?;
    of_group(parts, group)
}

/// Its agents, those last heard of first.
pub(crate) fn agents(parts: &Parts, actor: &Actor, group: GroupId) -> Result<Vec<Agent>> {
    get(parts, actor, group)?;
    let mut agents: Vec<Agent> = of_group(parts, group)?;
    agents.sort_by_key(|it| std::cmp::Reverse(it.seen_at));
    Ok(agents)
}

/// A page of its events, newest first, and how many there are.
pub(crate) fn events(
    parts: &Parts,
    actor: &Actor,
    group: GroupId,
    (skip, take): (u64, usize),
) -> Result<(Vec<Event>, u64)> {
    get(parts, actor, group)?;
    let log = parts.metadata.find::<EventLog>(&group.to_string())?;
    let (first, next) = log.map_or((0, 0), |it| (it.record.first, it.record.next));
    let before = next.saturating_sub(skip);
    let events = parts.metadata.events(Some(group), Some(before), take)?;
    Ok((events, next - first))
}

/// One event.
pub(crate) fn event(parts: &Parts, actor: &Actor, group: GroupId, number: u64) -> Result<Event> {
    get(parts, actor, group)?;
    let found = parts.metadata.events(Some(group), Some(number.saturating_add(1)), 1)?;
    found.into_iter().find(|it| it.number == number).ok_or(Problem::NotFound { what: "event" })
}

fn of_group<R: tidemark_metadata::Record>(parts: &Parts, group: GroupId) -> Result<Vec<R>> {
    let found = parts.metadata.all::<R>(By::IdPrefix(&format!("{group}:")))?;
    Ok(found.into_iter().map(|it| it.record).collect())
}
