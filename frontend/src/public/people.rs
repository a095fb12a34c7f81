//! The users of a group, their roles, invitations.

use super::ask::{Answer, Ask};
use super::input::Input;
use crate::actions::people::{self, role, role_name};
use serde::Deserialize;
use serde_json::{Value, json};
use tidemark_metadata::{GroupId, User};

pub(super) async fn list(ask: Ask) -> Answer {
    let group = ask.group()?;
    let users = ask.run(move |parts, actor| people::list(parts, actor, group)).await?;
    ask.list(&users, |it| shown_user(it, group))
}

pub(super) async fn get(ask: Ask) -> Answer {
    let (group, user) = (ask.group()?, ask.id("userId", "user")?);
    let found = ask.run(move |parts, actor| people::get(parts, actor, group, user)).await?;
    ask.one(shown_user(&found, group))
}

/// Of their roles only the one in this group: the others are nobody's business here.
fn shown_user(user: &User, group: GroupId) -> Value {
    let role = user.roles.groups.get(&group).map(|it| role_name(*it));
    json!({
        "id": user.id.to_string(),
        "username": user.login.as_str(),
        "roles": [{"groupId": group.to_string(), "roleName": role}],
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct InRole {
    role_name: String,
}

pub(super) async fn set_role(ask: Ask, Input(new): Input<InRole>) -> Answer {
    let (group, user) = (ask.group()?, ask.id("userId", "user")?);
    let found = ask
        .run(move |parts, actor| {
            people::set_role(parts, actor, (group, user), Some(role(&new.role_name)?))?;
            people::get(parts, actor, group, user)
        })
        .await?;
    ask.one(shown_user(&found, group))
}

pub(super) async fn remove(ask: Ask) -> Answer {
    let (group, user) = (ask.group()?, ask.id("userId", "user")?);
    ask.run(move |parts, actor| people::set_role(parts, actor, (group, user), None)).await?;
    ask.done()
}

pub(super) async fn invite(ask: Ask, Input(new): Input<InRole>) -> Answer {
    let group = ask.group()?;
    let url = ask.run(move |parts, actor| people::invite(parts, actor, group, role(&new.role_name)?)).await?;
    ask.made(json!({"groupId": group.to_string(), "url": url}))
}
