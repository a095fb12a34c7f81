//! The people of a group: who is in it, as what, and how others join.

use super::{Actor, Problem, Result, groups, telling};
use crate::site::Parts;
use tidemark_metadata::rules::roles::{Permission, Role};
use tidemark_metadata::{By, GroupId, User, UserId};

/// Who is in a group.
pub(crate) fn list(parts: &Parts, actor: &Actor, group: GroupId) -> Result<Vec<User>> {
    groups::get(parts, actor, group)?;
    let all = parts.metadata.all::<User>(By::IdPrefix(""))?.into_iter().map(|it| it.record);
    Ok(all.filter(|it| it.roles.groups.contains_key(&group)).collect())
}

/// One of them; nobody outside of the group can be found.
pub(crate) fn get(parts: &Parts, actor: &Actor, group: GroupId, user: UserId) -> Result<User> {
    groups::get(parts, actor, group)?;
    let found = parts.metadata.find::<User>(&user.to_string())?.map(|it| it.record);
    let found = found.filter(|it| it.roles.groups.contains_key(&group));
    found.ok_or(Problem::NotFound { what: "user" })
}

/// Invites somebody, for a week. The address is in the answer and nowhere else.
pub(crate) fn invite(parts: &Parts, actor: &Actor, group: GroupId, role: Role) -> Result<String> {
    actor.require(Permission::ManageAccess, group)?;
    let text = format!("somebody was invited as {}", role_name(role));
    let metadata = telling(parts, actor, group, "INVITATION_CREATED", None, &text)?;
    let now = parts.clock.now();
    let token = parts.with_entropy(|entropy| metadata.invite(group, role, actor.user, now, entropy))?;
    Ok(format!("{}/invitation/{}", parts.public_url, token.reveal()))
}

/// Gives somebody of the group another role, or with none takes it away.
pub(crate) fn set_role(
    parts: &Parts,
    actor: &Actor,
    (group, user): (GroupId, UserId),
    role: Option<Role>,
) -> Result<()> {
    actor.require(Permission::ManageAccess, group)?;
    let person = get(parts, actor, group, user)?;
    let became = role.map_or("no member any more", role_name);
    let text = format!("{} is now {became}", person.login);
    let metadata = telling(parts, actor, group, "USER_ROLE_CHANGED", Some(&user.to_string()), &text)?;
    metadata.set_role(user, group, role)?;
    Ok(())
}

/// A role as clients name it.
pub(crate) const fn role_name(role: Role) -> &'static str {
    match role {
        Role::ReadOnly => "GROUP_READ_ONLY",
        Role::BackupAdmin => "GROUP_BACKUP_ADMIN",
        Role::Owner => "GROUP_OWNER",
    }
}

/// The role of a name.
pub(crate) fn role(name: &str) -> Result<Role> {
    let all = [Role::ReadOnly, Role::BackupAdmin, Role::Owner];
    let found = all.into_iter().find(|it| role_name(*it) == name);
    found.ok_or_else(|| {
        Problem::invalid("roleName", "take GROUP_READ_ONLY, GROUP_BACKUP_ADMIN or GROUP_OWNER")
    })
}
