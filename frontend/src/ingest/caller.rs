//! Who asks, and about what: from the key and the path, before anything else of a request is looked at.

use super::Ingest;
use super::refused::{Refused, Result};
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::header;
use axum::http::request::Parts;
use std::str::FromStr;
use tidemark_base::CollectionUuid;
use tidemark_base::protocol::Code;
use tidemark_metadata::rules::roles::Principal;
use tidemark_metadata::{GroupId, ReplicaSetId};

/// Longest key that is looked at, in bytes: a real one has 68.
const MAX_KEY_BYTES: usize = 200;

/// An agent, by its key.
pub(crate) struct Caller {
    pub(crate) group: GroupId,
}

/// An agent that asks about a replica set of its group.
#[derive(Clone, Copy)]
pub(crate) struct OfSet {
    pub(crate) group: GroupId,
    pub(crate) set: ReplicaSetId,
}

/// One that asks about a copy of it.
pub(crate) struct OfSync {
    pub(crate) of: OfSet,
    pub(crate) sync: u32,
}

/// One that asks about a collection of the copy.
pub(crate) struct OfCollection {
    pub(crate) of: OfSet,
    pub(crate) sync: u32,
    pub(crate) uuid: CollectionUuid,
}

impl FromRequestParts<Ingest> for Caller {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, ingest: &Ingest) -> Result<Self> {
        let unknown = || Refused::new(Code::UnknownKey, "no agent key, or one that is not known here");
        let shown = parts.headers.get(header::AUTHORIZATION).and_then(|it| it.to_str().ok());
        let shown = shown.and_then(|it| it.strip_prefix("Bearer ")).filter(|it| it.len() <= MAX_KEY_BYTES);
        let shown = shown.ok_or_else(unknown)?.to_owned();
        let agent = ingest.run(move |_, parts| Ok(parts.metadata.agent_of_key(&shown)?)).await?;
        match agent {
            Some(Principal::Agent(group)) => Ok(Self { group }),
            _ => Err(unknown()),
        }
    }
}

impl FromRequestParts<Ingest> for OfSet {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, ingest: &Ingest) -> Result<Self> {
        let Caller { group } = Caller::from_request_parts(parts, ingest).await?;
        let set = of_path(parts, "set", "24 hexadecimal digits in lower case").await?;
        Ok(Self { group, set })
    }
}

impl FromRequestParts<Ingest> for OfSync {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, ingest: &Ingest) -> Result<Self> {
        let of = OfSet::from_request_parts(parts, ingest).await?;
        Ok(Self { of, sync: of_path(parts, "sync", "the number of a copy").await? })
    }
}

impl FromRequestParts<Ingest> for OfCollection {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, ingest: &Ingest) -> Result<Self> {
        let OfSync { of, sync } = OfSync::from_request_parts(parts, ingest).await?;
        Ok(Self { of, sync, uuid: of_path(parts, "uuid", "the UUID of a collection").await? })
    }
}

/// A word of the path; what is refused is not quoted.
async fn of_path<T: FromStr>(parts: &mut Parts, name: &str, what: &str) -> Result<T> {
    let wrong = || Refused::invalid(format!("{name} in the path is not {what}"));
    let params = RawPathParams::from_request_parts(parts, &()).await.map_err(|_| wrong())?;
    let found = params.iter().find(|(key, _)| *key == name).ok_or_else(wrong)?;
    found.1.parse().map_err(|_| wrong())
}
