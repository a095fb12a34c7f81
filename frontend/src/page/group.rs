//! The page of a group: its replica sets and how they stand, restores, people, keys, events.

use super::error::Shown;
use super::render::{Top, page};
use super::stand::{Lag, lags, matter, summary};
use super::view::{AgentRow, Button, EventRow, KeyRow, RestoreRow, buttons, restore_row};
use crate::actions::overview::{self, SetView};
use crate::actions::standing::Matter;
use crate::actions::{Actor, Problem, Result, groups, keys, people, restores};
use crate::login::doors::Desk;
use crate::login::person::Person;
use crate::site::Parts;
use askama::Template;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse as _, Redirect};
use tidemark_base::UnixMillis;
use tidemark_metadata::rules::roles::Permission;
use tidemark_metadata::{Event, Group, GroupId, Record as _, RestoreState, Status};

/// Events on the page, and restores.
const EVENTS: usize = 20;
const RESTORES: usize = 20;
/// How often a page loads itself again while something is going on, in seconds.
const REFRESH_SECS: u32 = 5;

#[derive(Template)]
#[template(path = "groups.html")]
struct GroupsPage {
    top: Top,
    groups: Vec<(String, String)>,
    may_create: bool,
    /// What is wrong with the site, and what happened to it: for whoever runs it.
    matters: Vec<String>,
    events: Vec<EventRow>,
}

pub(super) async fn all(State(desk): State<Desk>, person: Person) -> Shown {
    let actor = person.actor.clone();
    let may_create = person.actor.principal.may(Permission::ManageSite, None);
    let read = move |site: &Parts| {
        let (matters, events) = match may_create {
            true => overview::of_site(site, &actor, EVENTS)?,
            false => Default::default(),
        };
        Ok::<_, Problem>((groups::list(site, &actor)?, matters, events))
    };
    let (groups, matters, events): (Vec<Group>, Vec<Matter>, Vec<Event>) = desk.site.run(read).await?;
    if let ([only], false) = (groups.as_slice(), may_create) {
        return Ok(Redirect::to(&format!("/groups/{}", only.id)).into_response());
    }
    let groups = groups.iter().map(|it| (it.id.to_string(), it.name.to_string())).collect();
    let matters = matters.iter().map(matter).collect();
    let events = events.iter().map(EventRow::of).collect();
    Ok(page(&GroupsPage { top: Top::of("Groups", &person), groups, may_create, matters, events }))
}

#[derive(Template)]
#[template(path = "group.html")]
struct GroupPage {
    top: Top,
    id: String,
    /// What is wrong with the store that all of it is in.
    matters: Vec<String>,
    sets: Vec<SetCard>,
    restores: Vec<RestoreRow>,
    people: Vec<(String, String, String)>,
    agents: Vec<AgentRow>,
    agent_keys: Vec<KeyRow>,
    api_keys: Vec<KeyRow>,
    events: Vec<EventRow>,
    may_manage: bool,
    may_restore: bool,
    may_share: bool,
    install: String,
}

struct SetCard {
    id: String,
    name: String,
    status: &'static str,
    summary: String,
    /// Whether something is late or wrong.
    is_late: bool,
    /// Whether it was never started.
    is_new: bool,
    matters: Vec<String>,
    undo: Option<String>,
    lags: Vec<Lag>,
    hosts: Vec<String>,
    snapshots: usize,
    buttons: Vec<Button>,
    /// Whether some of them have to be confirmed.
    has_more: bool,
}

pub(super) async fn one(
    State(desk): State<Desk>,
    Path(group): Path<String>,
    RawQuery(query): RawQuery,
    person: Person,
) -> Shown {
    let group: GroupId = group.parse().map_err(|_| Problem::NotInGroup)?;
    let install = desk.trust.agent(&group.to_string());
    let mut shown = desk.site.run(move |site| read(site, &person, group, install)).await?;
    // For whoever wants to type.
    if query.as_deref() == Some("hold") {
        shown.top.refresh_secs = None;
    }
    Ok(page(&shown))
}

fn read(site: &Parts, person: &Person, group: GroupId, install: String) -> Result<GroupPage> {
    let actor = &person.actor;
    let (now, name) = (site.clock.now(), groups::get(site, actor, group)?.name);
    let sets = overview::of_group(site, actor, group)?;
    let restores = restores::list(site, actor, group, None)?;
    let is_busy = restores.iter().any(|it| it.job.state == RestoreState::Preparing)
        || sets.iter().any(|it| it.backup.config.status == Status::Provisioning);
    let mut top = Top::at(name.as_str(), person, now);
    top.refresh_secs = is_busy.then_some(REFRESH_SECS);
    let restores = restores.iter().take(RESTORES).map(|it| restore_row(it, named(it, &sets), now)).collect();
    let (agent_keys, api_keys) = key_rows(site, actor, group)?;
    let (events, _) = groups::events(site, actor, group, (0, EVENTS))?;
    let people = people::list(site, actor, group)?.into_iter().map(|it| {
        let role = it.roles.groups.get(&group).map_or("", |role| people::role_name(*role));
        (it.id.to_string(), it.login.to_string(), role.to_owned())
    });
    Ok(GroupPage {
        top,
        id: group.to_string(),
        matters: overview::of_store(site, actor, group)?.iter().map(matter).collect(),
        sets: sets.iter().map(|it| card(it, now)).collect(),
        restores,
        people: people.collect(),
        agents: groups::agents(site, actor, group)?.iter().map(|it| AgentRow::of(it, now)).collect(),
        agent_keys,
        api_keys,
        events: events.iter().map(EventRow::of).collect(),
        may_manage: actor.may(Permission::ManageBackup, group),
        may_restore: actor.may(Permission::Restore, group),
        may_share: actor.may(Permission::ManageAccess, group),
        install,
    })
}

/// The name of the replica set that a restore is of, as far as it is still there.
fn named(restore: &restores::Restore, sets: &[SetView]) -> String {
    let set = sets.iter().find(|it| it.backup.set.id == restore.job.replica_set);
    set.map_or_else(|| restore.job.replica_set.to_string(), |it| it.backup.set.name.to_string())
}

fn key_rows(site: &Parts, actor: &Actor, group: GroupId) -> Result<(Vec<KeyRow>, Vec<KeyRow>)> {
    let of_agents = keys::of_agents(site, actor, group)?;
    let of_agents = of_agents.iter().map(|it| KeyRow::new(it.id(), it.name.as_str(), "", it.created_at));
    let of_api = keys::of_api(site, actor, group)?;
    let of_api = of_api.iter().map(|it| {
        let role = it.roles.groups.get(&group).map_or("", |role| people::role_name(*role));
        KeyRow::new(it.id(), it.name.as_str(), role, it.created_at)
    });
    Ok((of_agents.collect(), of_api.collect()))
}

fn card(view: &SetView, now: UnixMillis) -> SetCard {
    let (set, config) = (&view.backup.set, &view.backup.config);
    let hosts = view.hosts.iter().map(|it| format!("{}:{} {} {}", it.name, it.port, it.state, it.version));
    let undo = config.terminated_at.map(|it| {
        let until = it.0.saturating_add(tidemark_metadata::TERMINATION_UNDO_MS);
        super::render::moment(UnixMillis(until))
    });
    let buttons = buttons(config.status);
    SetCard {
        id: set.id.to_string(),
        name: set.name.to_string(),
        status: config.status.as_str(),
        summary: summary(view),
        is_late: view.late.any() || !view.matters.is_empty(),
        is_new: config.status == Status::Inactive,
        matters: view.matters.iter().map(matter).collect(),
        undo,
        lags: lags(view, now),
        hosts: hosts.collect(),
        snapshots: view.snapshots,
        has_more: buttons.iter().any(|it| it.confirm.is_some()),
        buttons,
    }
}
