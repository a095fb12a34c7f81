//! Agents of an installation.

use super::{Installation, Process, Result};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

/// How an agent reaches its replica set.
#[derive(Clone, Debug, Default)]
pub struct AgentSetUp {
    /// What it calls itself.
    pub name: String,
    /// The replica set, as `name/host:port,host:port`.
    pub replica_set: String,
    /// Further lines of its file, for instance who logs in.
    pub lines: Vec<String>,
}

impl AgentSetUp {
    /// Writes the agent's file.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, installation: &Installation) -> Result<PathBuf> {
        let file = installation.folder().join(format!("{}.conf", self.name));
        let mut lines = vec![
            format!("agent = {}", self.name),
            format!("mmsGroupId = {}", installation.group),
            format!("mmsApiKey = {}", installation.agent_key),
            format!("mothership = {}", installation.mothership()),
            format!("sslTrustedMMSBackupServerCertificate = {}", installation.ca_file().display()),
            format!("replicaSets = {}", self.replica_set),
        ];
        lines.extend(self.lines.iter().cloned());
        fs::write(&file, lines.join("\n") + "\n")?;
        fs::set_permissions(&file, Permissions::from_mode(0o600))?;
        Ok(file)
    }
}

/// Lets an agent look for problems, and starts it if none blocks. What it said comes back beside it.
///
/// # Errors
/// If a problem blocks, with what was said.
pub fn start_agent(installation: &Installation, set_up: &AgentSetUp) -> Result<(Process, String)> {
    let (file, program) = (set_up.write(installation)?, installation.programs().join("tidemark-agent"));
    let check = Command::new(&program).arg("check").arg("--config").arg(&file).output()?;
    let said = String::from_utf8_lossy(&check.stdout).into_owned();
    if !check.status.success() {
        return Err(format!("{said}{}", String::from_utf8_lossy(&check.stderr)).into());
    }
    let log = installation.folder().join(format!("{}.log", set_up.name));
    let process = Process::start(Command::new(&program).arg("--config").arg(&file), &log)?;
    Ok((process, said))
}
