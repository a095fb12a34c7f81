//! Which member is read, and how an agent connects: as the API and the forms of pages give them. No store here.

use super::backups::Connecting;
use super::{Problem, Result};
use tidemark_base::protocol::{Address, Connection};
use tidemark_metadata::{HostName, Seed, SyncSource};

/// The name of a source, which [`source_of`] takes.
pub(crate) fn source_name(source: &SyncSource) -> String {
    match source {
        SyncSource::Secondary => "SECONDARY".to_owned(),
        SyncSource::Primary => "PRIMARY".to_owned(),
        SyncSource::Member(it) => format!("{}:{}", it.host, it.port),
    }
}

/// The source of a name.
pub(crate) fn source_of(text: &str) -> Result<SyncSource> {
    match text {
        "PRIMARY" => Ok(SyncSource::Primary),
        "SECONDARY" => Ok(SyncSource::Secondary),
        other => Ok(SyncSource::Member(address(other)?)),
    }
}

fn address(text: &str) -> Result<Seed> {
    let wrong = || Problem::invalid("address", "it is host:port");
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let port = port.parse().ok().filter(|it| *it > 0).ok_or_else(wrong)?;
    Ok(Seed { host: HostName::new(host)?, port })
}

/// What was said of how to connect.
#[derive(Default)]
pub(crate) struct Said {
    /// That what was set be forgotten.
    pub(crate) is_forgotten: bool,
    pub(crate) seeds: Option<Vec<String>>,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) auth_source: Option<String>,
    pub(crate) ca_pem: Option<String>,
}

impl Said {
    /// All of it, if any was said: a part of an old one and a part of a new one is no connection.
    pub(crate) fn whole(self) -> Result<Connecting> {
        let Self { is_forgotten, seeds, user, password, auth_source, ca_pem } = self;
        let is_said =
            [&user, &password, &auth_source, &ca_pem].iter().any(|it| it.is_some()) || seeds.is_some();
        match (is_forgotten, is_said) {
            (false, false) => return Ok(Connecting::AsItIs),
            (true, false) => return Ok(Connecting::ByItsOwnFile),
            (true, true) => {
                let problem = "it cannot be set and forgotten at once: say one of them";
                return Err(Problem::invalid("connection", problem));
            }
            (false, true) => {}
        }
        let seeds = seeds.unwrap_or_default();
        let seeds = seeds.iter().map(|it| address(it)).collect::<Result<Vec<_>>>()?;
        Ok(Connecting::So(Connection {
            seeds: seeds.into_iter().map(|it| Address { host: it.host.into(), port: it.port }).collect(),
            user: user.unwrap_or_default(),
            password: password.unwrap_or_default(),
            auth_source: auth_source.unwrap_or_else(|| "admin".to_owned()),
            ca_pem,
        }))
    }
}
