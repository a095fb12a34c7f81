//! `tidemark admin add-agent-key` and `add-api-key`.

use super::owner;
use crate::data::DataArg;
use crate::exit::Exit;
use crate::output::Output;
use anyhow::Result;
use clap::{Args, ValueEnum};
use serde::Serialize;
use std::fmt;
use tidemark_base::{Clock as _, OsEntropy, SystemClock};
use tidemark_metadata::rules::roles::{Role, Roles};
use tidemark_metadata::{GroupId, Name};

/// Make a key for the agents of a group; it is shown once
#[derive(Debug, Args)]
pub(crate) struct AddAgentKeyArgs {
    #[command(flatten)]
    data: DataArg,
    /// The group's id
    #[arg(long)]
    group: GroupId,
    /// What people call the key
    #[arg(long, default_value = "made by the operator")]
    name: String,
}

/// Make a key for the API; its private half is shown once
#[derive(Debug, Args)]
pub(crate) struct AddApiKeyArgs {
    #[command(flatten)]
    data: DataArg,
    /// The group it is for, by its id; without one, for the whole installation
    #[arg(long, requires = "role")]
    group: Option<GroupId>,
    /// What may be done with it in the group
    #[arg(long, requires = "group")]
    role: Option<RoleArg>,
    /// What people call the key
    #[arg(long, default_value = "made by the operator")]
    name: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RoleArg {
    /// See everything but secrets
    ReadOnly,
    /// Run backups, and restore
    BackupAdmin,
    /// People and keys as well
    Owner,
}

#[derive(Serialize)]
struct AgentKey {
    group: String,
    key: String,
}

impl fmt::Display for AgentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mmsGroupId={}\nmmsApiKey={}", self.group, self.key)
    }
}

#[derive(Serialize)]
struct ApiKey {
    public: String,
    private: String,
}

impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "public key  {}\nprivate key {}", self.public, self.private)
    }
}

pub(super) fn run_agent(args: &AddAgentKeyArgs, out: Output) -> Result<Exit> {
    let metadata = args.data.metadata()?;
    let (name, owner, now) = (Name::new(args.name.as_str())?, owner(&metadata)?, SystemClock::new().now());
    let key = metadata.create_agent_key(args.group, name, owner, now, &mut OsEntropy)?;
    out.result(&AgentKey { group: args.group.to_string(), key: key.reveal().to_owned() })?;
    Ok(Exit::Done)
}

pub(super) fn run_api(args: &AddApiKeyArgs, out: Output) -> Result<Exit> {
    let metadata = args.data.metadata()?;
    let sealing = args.data.sealing(&mut OsEntropy)?;
    let roles = match (args.group, args.role) {
        (Some(group), Some(role)) => Roles::in_group(group, role.into()),
        _ => Roles::global(),
    };
    let (name, owner, now) = (Name::new(args.name.as_str())?, owner(&metadata)?, SystemClock::new().now());
    let key = metadata.create_api_key(name, roles, owner, &sealing, now, &mut OsEntropy)?;
    let private = String::from_utf8_lossy(key.private.reveal()).into_owned();
    out.result(&ApiKey { public: hex::encode(key.record.public), private })?;
    Ok(Exit::Done)
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::ReadOnly => Self::ReadOnly,
            RoleArg::BackupAdmin => Self::BackupAdmin,
            RoleArg::Owner => Self::Owner,
        }
    }
}
