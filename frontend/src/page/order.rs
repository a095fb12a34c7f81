//! What the forms of pages order: done, then back to the page; what is shown once is shown at once.

use super::error::Shown;
use super::render::{Top, page};
use crate::actions::backups::{self, Changes};
use crate::actions::restores::{self, LINK, When, Wish};
use crate::actions::source::{Said, source_of};
use crate::actions::{Problem, Result, groups, keys, people, snapshots};
use crate::login::doors::Desk;
use crate::login::posted::{Fields, Order};
use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use tidemark_base::Timestamp;
use tidemark_metadata::{GroupId, Namespace, ReplicaSetId, RestoreJobId, Status, UserId, Zone};

#[derive(Template)]
#[template(path = "once.html")]
struct OncePage {
    top: Top,
    text: &'static str,
    shown: Vec<(&'static str, String)>,
    back: String,
}

fn group_of(text: &str) -> Result<GroupId> {
    text.parse().map_err(|_| Problem::NotInGroup)
}

fn set_of(text: &str) -> Result<ReplicaSetId> {
    text.parse().map_err(|_| Problem::NotFound { what: "replica set" })
}

fn restore_of(text: &str) -> Result<RestoreJobId> {
    text.parse().map_err(|_| Problem::NotFound { what: "restore" })
}

fn back(group: GroupId) -> Response {
    Redirect::to(&format!("/groups/{group}")).into_response()
}

fn back_to_set(group: GroupId, set: ReplicaSetId) -> Response {
    Redirect::to(&format!("/groups/{group}/sets/{set}")).into_response()
}

fn back_to_restores(group: GroupId) -> Response {
    Redirect::to(&format!("/groups/{group}#restores")).into_response()
}

fn once(order: &Order, group: GroupId, text: &'static str, shown: Vec<(&'static str, String)>) -> Response {
    let top = Top::of("Shown once", &order.person);
    page(&OncePage { top, text, shown, back: format!("/groups/{group}") })
}

pub(super) async fn create_group(State(desk): State<Desk>, order: Order) -> Shown {
    let made = desk
        .site
        .run(move |site| groups::create(site, &order.person.actor, order.fields.text("name").trim()));
    Ok(back(made.await?.id))
}

pub(super) async fn status(
    State(desk): State<Desk>,
    Path((group, set)): Path<(String, String)>,
    order: Order,
) -> Shown {
    let (group, set) = (group_of(&group)?, set_of(&set)?);
    let wish = order.fields.text("status");
    let wish = Status::ALL.into_iter().find(|it| it.as_str() == wish);
    let wish = wish.ok_or_else(|| Problem::invalid("status", "there is no such status"))?;
    if matches!(wish, Status::Terminating | Status::Provisioning) {
        confirmed(&order.fields)?;
    }
    let changes = Changes { status: Some(wish), ..Changes::default() };
    let done = move |site: &_| backups::change(site, &order.person.actor, (group, set), &changes).map(drop);
    desk.site.run(done).await?;
    Ok(back(group))
}

fn confirmed(fields: &Fields) -> Result<()> {
    let said = fields.is_ticked("confirm");
    said.then_some(()).ok_or_else(|| Problem::invalid("confirmation", "tick the box to say that you mean it"))
}

pub(super) async fn delete_snapshot(
    State(desk): State<Desk>,
    Path((group, set, name)): Path<(String, String, String)>,
    order: Order,
) -> Shown {
    let (group, set) = (group_of(&group)?, set_of(&set)?);
    confirmed(&order.fields)?;
    let done = move |site: &_| snapshots::delete(site, &order.person.actor, (group, set), &name).map(drop);
    desk.site.run(done).await?;
    Ok(back_to_set(group, set))
}

pub(super) async fn undelete_snapshot(
    State(desk): State<Desk>,
    Path((group, set, name)): Path<(String, String, String)>,
    order: Order,
) -> Shown {
    let (group, set) = (group_of(&group)?, set_of(&set)?);
    let done = move |site: &_| snapshots::undelete(site, &order.person.actor, (group, set), &name).map(drop);
    desk.site.run(done).await?;
    Ok(back_to_set(group, set))
}

/// What is copied, and from where; for a backup that was never started, or with a confirmation, also that a copy be made.
pub(super) async fn source(
    State(desk): State<Desk>,
    Path((group, set)): Path<(String, String)>,
    order: Order,
) -> Shown {
    let (group, set) = (group_of(&group)?, set_of(&set)?);
    let fields = &order.fields;
    let excluded = fields.words("excluded").into_iter().map(Namespace::new).collect::<Result<_, _>>()?;
    let filled = |name| fields.filled(name).map(ToOwned::to_owned);
    let seeds: Vec<String> = fields.words("seeds").into_iter().map(ToOwned::to_owned).collect();
    let connection = Said {
        is_forgotten: fields.is_ticked("forget"),
        seeds: (!seeds.is_empty()).then_some(seeds),
        user: filled("user"),
        // As it was typed: spaces may be part of it.
        password: Some(fields.text("password").to_owned()).filter(|it| !it.is_empty()),
        auth_source: filled("authSource"),
        ca_pem: filled("ca"),
    };
    let wish = [("start", Status::Started), ("anew", Status::Provisioning)];
    let changes = Changes {
        status: wish.into_iter().find(|(name, _)| fields.is_ticked(name)).map(|(_, status)| status),
        excluded_namespaces: Some(excluded),
        sync_source: fields.filled("source").map(source_of).transpose()?,
        connection: connection.whole()?,
        ..Changes::default()
    };
    let done = move |site: &_| backups::change(site, &order.person.actor, (group, set), &changes).map(drop);
    desk.site.run(done).await?;
    Ok(back(group))
}

pub(super) async fn schedule(
    State(desk): State<Desk>,
    Path((group, set)): Path<(String, String)>,
    order: Order,
) -> Shown {
    let (group, set) = (group_of(&group)?, set_of(&set)?);
    let fields = &order.fields;
    let changes = Changes {
        interval_hours: fields.number("interval")?,
        reference_hour: fields.number("hour")?,
        zone: fields.filled("zone").map(Zone::new).transpose()?,
        pitr_window_hours: fields.number("window")?,
        retention: [
            fields.number("days")?,
            fields.number("daily")?,
            fields.number("weekly")?,
            fields.number("monthly")?,
        ],
        ..Changes::default()
    };
    let done = move |site: &_| backups::change(site, &order.person.actor, (group, set), &changes).map(drop);
    desk.site.run(done).await?;
    Ok(back_to_set(group, set))
}

pub(super) async fn restore(
    State(desk): State<Desk>,
    Path((group, set)): Path<(String, String)>,
    order: Order,
) -> Shown {
    let (group, set) = (group_of(&group)?, set_of(&set)?);
    let wish = wish(&order.fields)?;
    let done = move |site: &_| restores::create(site, &order.person.actor, (group, set), wish).map(drop);
    desk.site.run(done).await?;
    Ok(back_to_restores(group))
}

fn wish(fields: &Fields) -> Result<Wish> {
    let when = match (fields.filled("snapshot"), fields.filled("second")) {
        // Some snapshot is always chosen in the form, so whoever gives a second wants that.
        (_, Some(second)) => When::Time(Timestamp { secs: parse_second(second)?, ordinal: u32::MAX }),
        (Some(name), None) => When::Snapshot(name.to_owned()),
        (None, None) => return Err(Problem::invalid("restore", "choose a snapshot, or give a second")),
    };
    let namespaces = fields.words("namespaces").into_iter().map(Namespace::new).collect::<Result<_, _>>()?;
    let (users_and_roles, gzip) = (fields.is_ticked("users"), fields.is_ticked("gzip"));
    Ok(Wish { when, namespaces, users_and_roles, gzip })
}

/// A second in UTC, as pages show it, or as logs and browsers write it; without seconds they are zero.
fn parse_second(text: &str) -> Result<u32> {
    let text = text.trim_end_matches("UTC").trim_end_matches('Z').trim().replacen(' ', "T", 1);
    let seconds = if text.len() == 16 { ":00" } else { "" };
    let stamp = format!("{text}{seconds}Z").parse::<jiff::Timestamp>().ok();
    let second = stamp.and_then(|it| u32::try_from(it.as_second()).ok());
    second.ok_or_else(|| Problem::invalid("second", "it is a time like 2026-11-22 10:00:00, in UTC"))
}

pub(super) async fn cancel(
    State(desk): State<Desk>,
    Path((group, id)): Path<(String, String)>,
    order: Order,
) -> Shown {
    let (group, id) = (group_of(&group)?, restore_of(&id)?);
    desk.site.run(move |site| restores::cancel(site, &order.person.actor, group, id).map(drop)).await?;
    Ok(back_to_restores(group))
}

pub(super) async fn link(
    State(desk): State<Desk>,
    Path((group, id)): Path<(String, String)>,
    order: Order,
) -> Shown {
    let (group, id) = (group_of(&group)?, restore_of(&id)?);
    let bounds =
        (order.fields.number("hours")?.unwrap_or(LINK.0), order.fields.number("uses")?.unwrap_or(LINK.1));
    let actor = order.person.actor.clone();
    let made = desk.site.run(move |site| {
        let url = restores::link(site, &actor, (group, id), bounds)?;
        Ok::<_, Problem>((url, restores::get(site, &actor, group, id)?.job.gzip))
    });
    let (url, is_packed) = made.await?;
    let lines = desk.trust.download(&url, is_packed);
    let text = "Whoever has this link can read the data, as long as it is good. It is shown this once.";
    let how = "To restore it, where curl and mongorestore are (into localhost:27017, unless mongorestore is given \
               --uri; what is there already stays, unless it is given --drop)";
    Ok(once(&order, group, text, vec![("Link", url), (how, lines)]))
}

pub(super) async fn revoke(
    State(desk): State<Desk>,
    Path((group, id)): Path<(String, String)>,
    order: Order,
) -> Shown {
    let (group, id) = (group_of(&group)?, restore_of(&id)?);
    desk.site.run(move |site| restores::revoke(site, &order.person.actor, group, id)).await?;
    Ok(back_to_restores(group))
}

pub(super) async fn invite(State(desk): State<Desk>, Path(group): Path<String>, order: Order) -> Shown {
    let (group, role) = (group_of(&group)?, people::role(order.fields.text("role"))?);
    let actor = order.person.actor.clone();
    let url = desk.site.run(move |site| people::invite(site, &actor, group, role)).await?;
    let text = "Send this to the one you invite: it is good once, for a week. It is shown this once.";
    Ok(once(&order, group, text, vec![("Invitation", url)]))
}

pub(super) async fn role(
    State(desk): State<Desk>,
    Path((group, user)): Path<(String, String)>,
    order: Order,
) -> Shown {
    let group = group_of(&group)?;
    let user: UserId = user.parse().map_err(|_| Problem::NotFound { what: "user" })?;
    // None takes the person out of the group.
    let role = order.fields.filled("role").map(people::role).transpose()?;
    let done = move |site: &_| people::set_role(site, &order.person.actor, (group, user), role);
    desk.site.run(done).await?;
    Ok(back(group))
}

pub(super) async fn agent_key(State(desk): State<Desk>, Path(group): Path<String>, order: Order) -> Shown {
    let group = group_of(&group)?;
    let (actor, name) = (order.person.actor.clone(), order.fields.text("name").trim().to_owned());
    let made = desk.site.run(move |site| keys::create_for_agents(site, &actor, group, &name)).await?;
    let text =
        "The key for agents of this group: write it into agent.conf as mmsApiKey. It is shown this once.";
    Ok(once(&order, group, text, vec![("Key", made.0.reveal().to_owned())]))
}

pub(super) async fn revoke_agent_key(
    State(desk): State<Desk>,
    Path((group, id)): Path<(String, String)>,
    order: Order,
) -> Shown {
    let group = group_of(&group)?;
    desk.site.run(move |site| keys::revoke_of_agents(site, &order.person.actor, group, &id)).await?;
    Ok(back(group))
}

pub(super) async fn api_key(State(desk): State<Desk>, Path(group): Path<String>, order: Order) -> Shown {
    let (group, role) = (group_of(&group)?, people::role(order.fields.text("role"))?);
    let (actor, name) = (order.person.actor.clone(), order.fields.text("name").trim().to_owned());
    let made = desk.site.run(move |site| keys::create_for_api(site, &actor, group, (&name, role))).await?;
    let private = String::from_utf8_lossy(made.private.reveal()).into_owned();
    let text = "A key of the public API. Its private half is shown this once.";
    let public = hex::encode(made.record.public);
    Ok(once(&order, group, text, vec![("Public key", public), ("Private key", private)]))
}

pub(super) async fn revoke_api_key(
    State(desk): State<Desk>,
    Path((group, id)): Path<(String, String)>,
    order: Order,
) -> Shown {
    let group = group_of(&group)?;
    desk.site.run(move |site| keys::revoke_of_api(site, &order.person.actor, group, &id)).await?;
    Ok(back(group))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_taken_as_pages_logs_and_browsers_write_it() {
        for text in
            ["2026-11-22 10:00:00 UTC", "2026-11-22T10:00:00Z", "2026-11-22T10:00", "2026-11-22 10:00:00"]
        {
            assert_eq!(parse_second(text).unwrap(), 1_795_341_600, "{text}");
        }
        for bad in
            ["", "yesterday", "10:00", "2026-11-22", "2026-11-22T10:00:00+01:00", "1969-01-01 00:00:00"]
        {
            assert!(parse_second(bad).is_err(), "{bad}");
        }
    }
}
