//! What the agent is told where it is installed: by a file, the environment and flags, in this order of strength.
//!
//! Made by the binary ([`Config::load`]) or by whoever runs the agent in its own process. Secrets come from the file,
//! from a file of their own or from the environment, never from a flag: arguments are public on any machine. What is
//! wrong is said here, before anything starts.

mod file;
mod load;
mod secret;

pub use load::Flags;
pub(crate) use load::address;
pub use secret::Secret;

use std::path::PathBuf;
use tidemark_base::protocol::Address;

/// What the agent is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// What it calls itself, the same in all its lives.
    pub agent: String,
    /// The host it runs on.
    pub host: String,
    /// The group it is for: 24 hexadecimal digits.
    pub group: String,
    /// The key that lets it in.
    pub key: Secret,
    /// Where the Backup HTTP server is: addresses that are tried in turn.
    pub motherships: Vec<String>,
    /// Who vouches for it, and nobody else: a PEM file. Without, whom the system trusts.
    pub ca_file: Option<PathBuf>,
    /// The replica sets to back up.
    pub sets: Vec<SetConfig>,
}

/// How to get into a replica set.
#[derive(Clone, Debug)]
pub struct SetConfig {
    /// Its name; empty if whoever set it up did not say.
    pub name: String,
    /// Members to begin with.
    pub seeds: Vec<Address>,
    /// Who vouches for its members, as a PEM file; without, there is no TLS.
    pub tls_ca_file: Option<PathBuf>,
    /// As whom; none for nobody.
    pub login: Option<Login>,
}

/// As whom to get in.
#[derive(Clone, Debug)]
pub struct Login {
    /// The user.
    pub username: String,
    /// The password.
    pub password: Secret,
    /// The database that knows the user.
    pub auth_source: String,
}
