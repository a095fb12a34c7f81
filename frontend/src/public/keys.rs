//! Keys of agents and of the public API. What opens something is in the answer to its making, and nowhere else.

use super::ask::{Answer, Ask};
use super::input::Input;
use crate::actions::people::{role, role_name};
use crate::actions::{keys, shown};
use serde::Deserialize;
use serde_json::{Value, json};
use tidemark_metadata::{AgentKey, ApiKey, Record as _};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewAgentKey {
    desc: String,
}

pub(super) async fn of_agents(ask: Ask) -> Answer {
    let group = ask.group()?;
    let keys = ask.run(move |parts, actor| keys::of_agents(parts, actor, group)).await?;
    ask.list(&keys, shown_agent_key)
}

pub(super) async fn create_for_agents(ask: Ask, Input(new): Input<NewAgentKey>) -> Answer {
    let group = ask.group()?;
    let (token, key) =
        ask.run(move |parts, actor| keys::create_for_agents(parts, actor, group, &new.desc)).await?;
    let mut thing = shown_agent_key(&key);
    add(&mut thing, "key", token.reveal());
    ask.made(thing)
}

pub(super) async fn revoke_of_agents(ask: Ask) -> Answer {
    let (group, id) = (ask.group()?, ask.name("keyId").to_owned());
    ask.run(move |parts, actor| keys::revoke_of_agents(parts, actor, group, &id)).await?;
    ask.done()
}

fn shown_agent_key(key: &AgentKey) -> Value {
    json!({
        "_id": key.id(),
        "groupId": key.group.to_string(),
        "desc": key.name.as_str(),
        "createdUserId": key.created_by.to_string(),
        "createdTime": shown(key.created_at),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewApiKey {
    desc: String,
    roles: Vec<String>,
}

pub(super) async fn of_api(ask: Ask) -> Answer {
    let group = ask.group()?;
    let keys = ask.run(move |parts, actor| keys::of_api(parts, actor, group)).await?;
    ask.list(&keys, shown_api_key)
}

pub(super) async fn create_for_api(ask: Ask, Input(new): Input<NewApiKey>) -> Answer {
    let group = ask.group()?;
    let made = ask
        .run(move |parts, actor| {
            let [name] = new.roles.as_slice() else {
                return Err(crate::actions::Problem::invalid("roles", "give one"));
            };
            keys::create_for_api(parts, actor, group, (&new.desc, role(name)?))
        })
        .await?;
    let mut thing = shown_api_key(&made.record);
    add(&mut thing, "privateKey", &String::from_utf8_lossy(made.private.reveal()));
    ask.made(thing)
}

pub(super) async fn revoke_of_api(ask: Ask) -> Answer {
    let (group, id) = (ask.group()?, ask.name("keyId").to_owned());
    ask.run(move |parts, actor| keys::revoke_of_api(parts, actor, group, &id)).await?;
    ask.done()
}

fn shown_api_key(key: &ApiKey) -> Value {
    let roles = key.roles.groups.iter();
    let roles = roles.map(|(group, it)| json!({"groupId": group.to_string(), "roleName": role_name(*it)}));
    json!({
        "id": key.id(),
        "publicKey": key.id(),
        "desc": key.name.as_str(),
        "roles": roles.collect::<Vec<_>>(),
        "createdUserId": key.created_by.to_string(),
        "createdTime": shown(key.created_at),
    })
}

fn add(thing: &mut Value, name: &str, value: &str) {
    if let Some(fields) = thing.as_object_mut() {
        fields.insert(name.to_owned(), json!(value));
    }
}
