//! An installation, with an owner, a group and keys: served by one process, or by a front-end and a daemon apart.

use super::{Api, Process, Result, wait_for};
use serde_json::Value;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The password of the owner, whose name is [`OWNER`]. Known to everybody: for machines on which others are not.
pub(super) const PASSWORD: &str = "correct horse battery staple";
/// What the owner logs in with.
pub(super) const OWNER: &str = "owner@example.com";

/// A program of an installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Everything in one process.
    Serve,
    /// Pages, API, the agents' server.
    Frontend,
    /// The work.
    Daemon,
}

/// A served installation.
pub struct Installation {
    programs: PathBuf,
    folder: PathBuf,
    parts: Vec<(Part, Process)>,
    ports: (u16, u16),
    /// Its one group.
    pub group: String,
    /// The key of the group's agents.
    pub agent_key: String,
    /// A client with every right in the group.
    pub api: Api,
}

/// The folder of the programs that this one was built with.
///
/// # Errors
/// If they are not there, with how to build them.
pub fn programs() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folders = own.ancestors().skip(1).take(2);
    let has_both = |folder: &&Path| ["tidemark", "tidemark-agent"].iter().all(|it| folder.join(it).is_file());
    let found = folders.into_iter().find(has_both).map(Path::to_owned);
    found.ok_or_else(|| "the programs are not built: cargo build -p tidemark -p tidemark-agent".into())
}

impl Installation {
    /// Sets an installation up in a folder that is there, and serves it on free ports of 127.0.0.1.
    ///
    /// # Errors
    /// If a program is not there or fails, with what it said.
    pub fn start(programs: &Path, folder: &Path) -> Result<Self> {
        Self::start_parts(programs, folder, &[Part::Serve])
    }

    /// The same, with front-end and daemon as two processes.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_apart(programs: &Path, folder: &Path) -> Result<Self> {
        Self::start_parts(programs, folder, &[Part::Frontend, Part::Daemon])
    }

    /// The first of the parts serves the API.
    fn start_parts(programs: &Path, folder: &Path, parts: &[Part]) -> Result<Self> {
        let place = Place { programs, folder, ports: (free_port()?, free_port()?) };
        let [first, others @ ..] = parts else { return Err("an installation without parts".into()) };
        let mut serving = place.begin(*first)?;
        std::fs::write(folder.join("password"), PASSWORD)?;
        let password = format!("--password-file={}", folder.join("password").display());
        let admin = |words: &[&str]| place.admin(words);
        admin(&["add-user", OWNER, &password])?;
        let group = text(&admin(&["add-group", "demo"])?, "id")?;
        let agent_key = text(&admin(&["add-agent-key", "--group", &group])?, "key")?;
        let api_key = admin(&["add-api-key", "--group", &group, "--role", "owner"])?;
        let ca = place.data().join("tls/ca.pem");
        let ca = wait_for("the CA's certificate", Duration::from_secs(30), || {
            serving.check()?;
            Ok(std::fs::read(&ca).ok())
        })?;
        let url = format!("https://127.0.0.1:{}", place.ports.0);
        let api = Api::new(&url, &ca, text(&api_key, "public")?, text(&api_key, "private")?)?;
        wait_for("the API", Duration::from_secs(30), || {
            serving.check()?;
            Ok(api.is_up().then_some(()))
        })?;
        let mut parts = vec![(*first, serving)];
        for part in others {
            parts.push((*part, place.begin(*part)?));
        }
        let (programs, folder, ports) = (programs.to_owned(), folder.to_owned(), place.ports);
        Ok(Self { programs, folder, parts, ports, group, agent_key, api })
    }

    /// The owner's name and password, for people.
    #[must_use]
    pub const fn owner() -> (&'static str, &'static str) {
        (OWNER, PASSWORD)
    }

    /// How agents reach it.
    #[must_use]
    pub fn mothership(&self) -> String {
        format!("https://127.0.0.1:{}", self.ports.1)
    }

    /// The programs it runs.
    #[must_use]
    pub fn programs(&self) -> &Path {
        &self.programs
    }

    /// Where it lies.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file of its CA.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.folder.join("data/tls/ca.pem")
    }

    /// That all of it still runs.
    ///
    /// # Errors
    /// If a part has ended, with its last words.
    pub fn check(&mut self) -> Result<()> {
        self.parts.iter_mut().try_for_each(|(_, process)| process.check())
    }

    /// Kills a part without a word, and starts it again.
    ///
    /// # Errors
    /// If there is no such part, or it does not come up again.
    pub fn kill_and_start(&mut self, part: Part) -> Result<()> {
        let place = Place { programs: &self.programs, folder: &self.folder, ports: self.ports };
        let found = self.parts.iter_mut().find(|(it, _)| *it == part);
        let (_, process) = found.ok_or("there is no such part")?;
        process.kill();
        *process = place.begin(part)?;
        wait_for("the API after a restart", Duration::from_secs(60), || {
            process.check()?;
            Ok(self.api.is_up().then_some(()))
        })
    }

    /// Tells it to end, and waits until it has: the part that serves at last.
    ///
    /// # Errors
    /// If a part does not end well.
    pub fn stop(self) -> Result<()> {
        self.parts.into_iter().rev().try_for_each(|(_, process)| process.stop(Duration::from_secs(60)))
    }
}

/// Where programs find an installation, and where they serve it.
struct Place<'a> {
    programs: &'a Path,
    folder: &'a Path,
    ports: (u16, u16),
}

impl Place<'_> {
    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn begin(&self, part: Part) -> Result<Process> {
        let (word, log) = match part {
            Part::Serve => ("serve", "serve.log"),
            Part::Frontend => ("frontend", "frontend.log"),
            Part::Daemon => ("daemon", "daemon.log"),
        };
        let mut command = Command::new(self.programs.join("tidemark"));
        command.arg(word).arg("--data").arg(self.data());
        if part != Part::Daemon {
            let (pages, agents) = self.ports;
            command
                .args([format!("--listen=127.0.0.1:{pages}"), format!("--listen-agents=127.0.0.1:{agents}")]);
        }
        Process::start(&mut command, &self.folder.join(log))
    }

    fn admin(&self, words: &[&str]) -> Result<Value> {
        let mut command = Command::new(self.programs.join("tidemark"));
        let output =
            command.args(["-o", "json", "admin"]).args(words).arg("--data").arg(self.data()).output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}

fn text(value: &Value, field: &str) -> Result<String> {
    let text = value.get(field).and_then(Value::as_str);
    Ok(text.ok_or_else(|| format!("there is no {field} in {value}"))?.to_owned())
}

/// A port that was free just now.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
