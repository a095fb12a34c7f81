//! `tidemark admin`: people, groups and keys, made where the installation lies; for setting it up by script.
//!
//! Works on the metadata, beside a running service. Who may write to the folder may do all of this.

mod group;
mod key;
mod user;

use crate::exit::Exit;
use crate::output::Output;
use anyhow::{Context, Result};
use clap::Subcommand;
use tidemark_metadata::rules::roles::Roles;
use tidemark_metadata::{By, Metadata, User, UserId};

#[derive(Debug, Subcommand)]
pub(crate) enum AdminCommand {
    /// Make a user; the first one owns the installation
    #[command(name = "add-user")]
    User(user::AddUserArgs),
    /// Make a group, as a project is called: its replica sets, people and keys belong together
    #[command(name = "add-group")]
    Group(group::AddGroupArgs),
    /// Make a key for the agents of a group; it is shown once
    #[command(name = "add-agent-key")]
    AgentKey(key::AddAgentKeyArgs),
    /// Make a key for the API; its private half is shown once
    #[command(name = "add-api-key")]
    ApiKey(key::AddApiKeyArgs),
}

pub(crate) fn run(command: &AdminCommand, out: Output) -> Result<Exit> {
    match command {
        AdminCommand::User(args) => user::run(args, out),
        AdminCommand::Group(args) => group::run(args, out),
        AdminCommand::AgentKey(args) => key::run_agent(args, out),
        AdminCommand::ApiKey(args) => key::run_api(args, out),
    }
}

/// One who owns the installation: in whose name the operator makes keys.
fn owner(metadata: &Metadata) -> Result<UserId> {
    let users = metadata.all::<User>(By::IdPrefix(""))?;
    let owner = users.iter().find(|it| it.record.roles == Roles::global());
    let owner = owner.or_else(|| users.iter().find(|it| it.record.roles.global_owner));
    owner.map(|it| it.record.id).context("there is no user yet: make one with 'tidemark admin add-user'")
}
