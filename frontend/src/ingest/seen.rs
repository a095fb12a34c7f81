//! What agents say they see, as records: checked, bounded, and noted.
//!
//! An agent may be in hostile hands, so each text goes through the type that has its rule, and there is an end to how
//! many agents, sets and hosts one group's agents can make known.

use super::caller::OfSet;
use super::refused::{Refused, Result};
use crate::site::Parts;
use std::net::Ipv6Addr;
use tidemark_base::UnixMillis;
use tidemark_base::limits::{MAX_OF_A_GROUP, MAX_PROBLEMS};
use tidemark_base::protocol::{ConfRequest, Member, SetReport};
use tidemark_metadata::{
    Agent, BackupConfig, By, GroupId, Host, HostName, Metadata, Record, ReplicaSet, Seed, SetName, Sight,
    Subject, Text,
};

/// How old the news of a host that has not changed may get.
const HOST_NEWS_MS: u64 = 120_000;

/// Notes an agent.
pub(crate) fn note_agent(parts: &Parts, group: GroupId, request: &ConfRequest) -> Result<Subject> {
    let now = parts.clock.now();
    let ahead = i128::from(request.clock_ms) - i128::from(now.0);
    let agent = Agent {
        group,
        agent: Subject::new(request.agent.as_str())?,
        host: host_name(&request.host)?,
        version: Text::fit(&request.version),
        seen_at: now,
        clock_ahead_ms: i64::try_from(ahead).unwrap_or(i64::MAX),
    };
    if request.is_check {
        return Ok(agent.agent);
    }
    make_room::<Agent>(&parts.metadata, group, &agent.id())?;
    parts.metadata.upsert(&agent.id(), |_| Ok(agent.clone()))?;
    Ok(agent.agent)
}

/// Makes a set and its backup known, if they are not. A backup is never started by an agent.
pub(crate) fn note_set(parts: &Parts, of: OfSet, report: &SetReport) -> Result<()> {
    let id = ReplicaSet::id_of(of.group, of.set);
    if parts.metadata.find::<ReplicaSet>(&id)?.is_none() {
        make_room::<ReplicaSet>(&parts.metadata, of.group, &id)?;
        report_set(parts, of, report)?;
    }
    let new = BackupConfig::new(of.group, of.set);
    parts
        .metadata
        .upsert::<BackupConfig>(&new.id(), |old| Ok(old.cloned().unwrap_or_else(|| new.clone())))?;
    Ok(())
}

/// Notes what the active agent of a set says of it.
pub(crate) fn note_sight(parts: &Parts, of: OfSet, report: &SetReport) -> Result<()> {
    report_set(parts, of, report)?;
    let now = parts.clock.now();
    for member in &report.members {
        note_host(&parts.metadata, of, member, now)?;
    }
    let sight = Sight {
        at: now,
        source_clock: report.source_clock_ms.map(UnixMillis),
        majority: report.majority,
        oldest: report.oldest,
        problems: report.problems.iter().take(MAX_PROBLEMS).map(|it| Text::fit(it)).collect(),
    };
    Ok(parts.metadata.note_sight(of.group, of.set, &sight)?)
}

fn report_set(parts: &Parts, of: OfSet, report: &SetReport) -> Result<()> {
    let name = SetName::new(report.name.as_str())?;
    let seed = |it: &Member| Ok(Seed { host: host_name(&it.host)?, port: it.port });
    let seeds: Vec<Seed> = report.members.iter().map(seed).collect::<Result<_>>()?;
    parts.metadata.report_replica_set(of.group, of.set, &name, &seeds, parts.clock.now())?;
    Ok(())
}

fn note_host(metadata: &Metadata, of: OfSet, member: &Member, now: UnixMillis) -> Result<()> {
    let host = Host {
        group: of.group,
        name: host_name(&member.host)?,
        port: member.port,
        replica_set: Some(of.set),
        state: Text::fit(&member.state),
        version: Text::fit(&member.version),
        seen_at: now,
    };
    make_room::<Host>(metadata, of.group, &host.id())?;
    metadata.upsert::<Host>(&host.id(), |old| {
        let is_news = |old: &Host| {
            now.0.abs_diff(old.seen_at.0) > HOST_NEWS_MS
                || Host { seen_at: old.seen_at, ..host.clone() } != *old
        };
        Ok(old.filter(|it| !is_news(it)).unwrap_or(&host).clone())
    })?;
    Ok(())
}

/// A host's name as it is kept: in lower case, and an address in its one form.
fn host_name(text: &str) -> Result<HostName> {
    let text = text.to_ascii_lowercase();
    let bare = text.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(&text);
    Ok(match bare.parse::<Ipv6Addr>() {
        Ok(address) => HostName::new(format!("[{address}]"))?,
        Err(_) => HostName::new(text)?,
    })
}

/// Refuses a record that is not there yet, if its group has as many as it may have.
fn make_room<R: Record>(metadata: &Metadata, group: GroupId, id: &str) -> Result<()> {
    if metadata.find::<R>(id)?.is_some() {
        return Ok(());
    }
    let prefix = format!("{group}:");
    if metadata.page::<R>(By::IdPrefix(&prefix), None, MAX_OF_A_GROUP)?.len() < MAX_OF_A_GROUP {
        return Ok(());
    }
    let name = R::NAME;
    let message = format!(
        "the group has {MAX_OF_A_GROUP} records of this kind ({name}) already: no more are made known"
    );
    Err(Refused::invalid(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_one_name() {
        let name = |text| host_name(text).map(|it| it.to_string()).ok();
        assert_eq!(name("DB1.Example.com").as_deref(), Some("db1.example.com"));
        for same in ["::1", "[::1]", "[0:0:0:0:0:0:0:1]"] {
            assert_eq!(name(same).as_deref(), Some("[::1]"));
        }
        for bad in ["", "a b", "../../etc", "a\nb", "<script>"] {
            assert_eq!(name(bad), None, "{bad}");
        }
    }
}
