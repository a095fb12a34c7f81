//! Groups, replica sets (clusters), hosts, agents, events.

use super::ask::{Answer, Ask};
use super::input::Input;
use crate::actions::{Problem, groups, shown};
use serde::Deserialize;
use serde_json::{Value, json};
use tidemark_metadata::{Agent, Event, Group, Host, ReplicaSet};

pub(super) async fn list(ask: Ask) -> Answer {
    let groups = ask.run(groups::list).await?;
    ask.list(&groups, shown_group)
}

pub(super) async fn get(ask: Ask) -> Answer {
    let group = ask.group()?;
    let found = ask.run(move |parts, actor| groups::get(parts, actor, group)).await?;
    ask.one(shown_group(&found))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewGroup {
    name: String,
}

pub(super) async fn create(ask: Ask, Input(new): Input<NewGroup>) -> Answer {
    let made = ask.run(move |parts, actor| groups::create(parts, actor, &new.name)).await?;
    ask.made(shown_group(&made))
}

fn shown_group(group: &Group) -> Value {
    json!({"id": group.id.to_string(), "name": group.name.as_str(), "created": shown(group.created_at)})
}

pub(super) async fn sets(ask: Ask) -> Answer {
    let group = ask.group()?;
    let sets = ask.run(move |parts, actor| groups::sets(parts, actor, group)).await?;
    ask.list(&sets, shown_set)
}

pub(super) async fn set(ask: Ask) -> Answer {
    let (group, set) = ask.set()?;
    let found = ask.run(move |parts, actor| groups::set(parts, actor, group, set)).await?;
    ask.one(shown_set(&found))
}

fn shown_set(set: &ReplicaSet) -> Value {
    let seeds = set.seeds.iter().map(|it| json!({"hostname": it.host.as_str(), "port": it.port}));
    json!({
        "id": set.id.to_string(),
        "groupId": set.group.to_string(),
        "typeName": "REPLICA_SET",
        "clusterName": set.name.as_str(),
        "replicaSetName": set.name.as_str(),
        "created": shown(set.created_at),
        "seeds": seeds.collect::<Vec<_>>(),
    })
}

pub(super) async fn hosts(ask: Ask) -> Answer {
    let group = ask.group()?;
    let hosts = ask.run(move |parts, actor| groups::hosts(parts, actor, group)).await?;
    ask.list(&hosts, shown_host)
}

pub(super) async fn host(ask: Ask) -> Answer {
    let (group, id) = (ask.group()?, ask.name("hostId").to_owned());
    let hosts = ask.run(move |parts, actor| groups::hosts(parts, actor, group)).await?;
    let found = hosts.iter().find(|it| it.host_id().to_string() == id);
    ask.one(shown_host(found.ok_or(Problem::NotFound { what: "host" })?))
}

fn shown_host(host: &Host) -> Value {
    json!({
        "id": host.host_id().to_string(),
        "groupId": host.group.to_string(),
        "hostname": host.name.as_str(),
        "port": host.port,
        "clusterId": host.replica_set.map(|it| it.to_string()),
        "replicaStateName": host.state.as_str(),
        "version": host.version.as_str(),
        "lastPing": shown(host.seen_at),
    })
}

pub(super) async fn agents(ask: Ask) -> Answer {
    let group = ask.group()?;
    let (agents, sets) = ask
        .run(move |parts, actor| {
            Ok((groups::agents(parts, actor, group)?, groups::sets(parts, actor, group)?))
        })
        .await?;
    ask.list(&agents, |it| shown_agent(it, &sets))
}

fn shown_agent(agent: &Agent, sets: &[ReplicaSet]) -> Value {
    let is_active = sets.iter().any(|it| it.active.as_ref().is_some_and(|it| it.holder == agent.agent));
    json!({
        "groupId": agent.group.to_string(),
        "id": agent.agent.as_str(),
        "typeName": "BACKUP",
        "hostname": agent.host.as_str(),
        "stateName": if is_active { "ACTIVE" } else { "STANDBY" },
        "tag": agent.version.as_str(),
        "lastConf": shown(agent.seen_at),
        "clockAheadMillis": agent.clock_ahead_ms,
    })
}

pub(super) async fn events(ask: Ask) -> Answer {
    let (group, window) = (ask.group()?, ask.window());
    let (events, total) = ask.run(move |parts, actor| groups::events(parts, actor, group, window)).await?;
    ask.page(events.iter().map(shown_event).collect(), total)
}

pub(super) async fn event(ask: Ask) -> Answer {
    let (group, number) = (ask.group()?, ask.id("eventId", "event")?);
    let found = ask.run(move |parts, actor| groups::event(parts, actor, group, number)).await?;
    ask.one(shown_event(&found))
}

fn shown_event(event: &Event) -> Value {
    json!({
        "id": event.number.to_string(),
        "groupId": event.group.map(|it| it.to_string()),
        "created": shown(event.at),
        "eventTypeName": event.what.code.as_str(),
        "subject": event.what.subject.as_ref().map(|it| it.as_str()),
        "actor": event.what.actor.as_ref().map(|it| it.as_str()),
        "text": event.what.text.as_str(),
    })
}
