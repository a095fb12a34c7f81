//! Keys of programs: those of agents, and those of the public API. Each is shown once.

use super::people::role_name;
use super::{Actor, Problem, Result, groups, telling};
use crate::site::Parts;
use tidemark_metadata::rules::roles::{Permission, Role, Roles};
use tidemark_metadata::{AgentKey, ApiKey, By, GroupId, Name, NewApiKey, Record, Token};

/// The keys of a group's agents.
pub(crate) fn of_agents(parts: &Parts, actor: &Actor, group: GroupId) -> Result<Vec<AgentKey>> {
    groups::get(parts, actor, group)?;
    let found = parts.metadata.all::<AgentKey>(By::Key(&group.to_string()))?;
    Ok(found.into_iter().map(|it| it.record).collect())
}

/// Makes one. It is in the answer and nowhere else.
pub(crate) fn create_for_agents(
    parts: &Parts,
    actor: &Actor,
    group: GroupId,
    name: &str,
) -> Result<(Token, AgentKey)> {
    actor.require(Permission::ManageAccess, group)?;
    let (name, now) = (Name::new(name)?, parts.clock.now());
    let text = format!("a key for agents was made: {name}");
    let metadata = telling(parts, actor, group, "AGENT_KEY_CREATED", None, &text)?;
    let token = parts
        .with_entropy(|entropy| metadata.create_agent_key(group, name.clone(), actor.user, now, entropy))?;
    let key = AgentKey { token: token.hash(), group, name, created_by: actor.user, created_at: now };
    Ok((token, key))
}

/// Revokes one: agents that use it are turned away from now on.
pub(crate) fn revoke_of_agents(parts: &Parts, actor: &Actor, group: GroupId, id: &str) -> Result<()> {
    actor.require(Permission::ManageAccess, group)?;
    let found = of_agents(parts, actor, group)?.into_iter().find(|it| it.id() == id);
    let key = found.ok_or(Problem::NotFound { what: "agent key" })?;
    let text = format!("a key for agents was revoked: {}", key.name);
    telling(parts, actor, group, "AGENT_KEY_REVOKED", None, &text)?.remove::<AgentKey>(&key.id())?;
    Ok(())
}

/// The keys of the public API that are for a group.
pub(crate) fn of_api(parts: &Parts, actor: &Actor, group: GroupId) -> Result<Vec<ApiKey>> {
    groups::get(parts, actor, group)?;
    let found = parts.metadata.all::<ApiKey>(By::Key(&group.to_string()))?;
    Ok(found.into_iter().map(|it| it.record).collect())
}

/// Makes one with a role in the group. Its private half is in the answer and nowhere else.
pub(crate) fn create_for_api(
    parts: &Parts,
    actor: &Actor,
    group: GroupId,
    (name, role): (&str, Role),
) -> Result<NewApiKey> {
    // Whoever may do this is an owner of the group, and so no role is more than they have.
    actor.require(Permission::ManageAccess, group)?;
    let (name, roles, now) = (Name::new(name)?, Roles::in_group(group, role), parts.clock.now());
    let text = format!("an API key was made: {name}, {}", role_name(role));
    let made = parts
        .with_entropy(|entropy| NewApiKey::draw(name, roles, actor.user, &parts.sealing, now, entropy))?;
    telling(parts, actor, group, "API_KEY_CREATED", Some(&made.record.id()), &text)?.add_api_key(&made)?;
    Ok(made)
}

/// Revokes one.
pub(crate) fn revoke_of_api(parts: &Parts, actor: &Actor, group: GroupId, id: &str) -> Result<()> {
    actor.require(Permission::ManageAccess, group)?;
    let found = of_api(parts, actor, group)?.into_iter().find(|it| it.id() == id);
    let key = found.ok_or(Problem::NotFound { what: "API key" })?;
    let text = format!("an API key was revoked: {}", key.name);
    telling(parts, actor, group, "API_KEY_REVOKED", Some(id), &text)?.remove::<ApiKey>(&key.id())?;
    Ok(())
}
