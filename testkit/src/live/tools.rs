//! MongoDB's own mongodump and mongorestore, run against a test server: the peer that exports must please.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::{Access, Error, Mongod, ReplicaSet};
use crate::parts::{self, Part};

/// Where a tool connects to, and as whom.
#[derive(Clone, Debug)]
pub struct Target {
    /// What the tools take as `--host`.
    pub host: String,
    /// The way in.
    pub access: Access,
}

impl From<&Mongod> for Target {
    /// This server alone, with every right.
    fn from(mongod: &Mongod) -> Self {
        Self { host: format!("127.0.0.1:{}", mongod.port()), access: mongod.access().clone() }
    }
}

impl From<&ReplicaSet> for Target {
    /// The whole set, with every right.
    fn from(set: &ReplicaSet) -> Self {
        Self { host: set.host(), access: set.access().clone() }
    }
}

/// Runs mongodump with these arguments besides those for the connection; returns what it said.
///
/// # Errors
/// If it is missing, or fails: with all it said.
pub fn mongodump(target: &Target, args: &[&str]) -> Result<String, Error> {
    run(Part::Mongodump, target, args)
}

/// Runs mongorestore with these arguments besides those for the connection; returns what it said.
///
/// # Errors
/// If it is missing, or fails: with all it said.
pub fn mongorestore(target: &Target, args: &[&str]) -> Result<String, Error> {
    run(Part::Mongorestore, target, args)
}

/// One of both with these arguments besides those for the connection, to be started by whoever connects its pipes.
///
/// # Errors
/// If it is missing.
pub fn command(part: Part, target: &Target, args: &[&str]) -> Result<Command, Error> {
    let mut command = Command::new(parts::locate(part)?.path);
    command
        .arg(format!("--host={}", target.host))
        .args(target.access.tool_arguments())
        .args(args)
        .stdin(Stdio::null());
    Ok(command)
}

fn run(part: Part, target: &Target, args: &[&str]) -> Result<String, Error> {
    let mut command = command(part, target, args)?;
    let program = PathBuf::from(command.get_program());
    let output = command.output().map_err(Error::io("start", &program))?;
    // Both tools write their progress to standard error and nothing of interest to standard output.
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() {
        Ok(stderr)
    } else {
        Err(Error::Tool { tool: part.program(), status: output.status, stderr })
    }
}
