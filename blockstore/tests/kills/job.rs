//! What a process that may be killed is told to do, handed over in environment variables.

use crate::line::Line;
use crate::{collector, holder, writer};
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use tidemark_blockstore::{LocalBackend, OpenOptions, Result, Store};

const ROLE: &str = "TIDEMARK_KILLS_ROLE";
const STORE: &str = "TIDEMARK_KILLS_STORE";
const NAME: &str = "TIDEMARK_KILLS_NAME";
const SEED: &str = "TIDEMARK_KILLS_SEED";

/// What a process does until it is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Puts and publishes.
    Writer,
    /// Collects garbage.
    Collector,
    /// Holds one session open.
    Holder,
}

/// One process's work.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) role: Role,
    pub(crate) store: PathBuf,
    /// Its refs start with this.
    pub(crate) name: String,
    pub(crate) seed: u64,
}

impl Job {
    /// The job of this process, if it was started to have one.
    pub(crate) fn from_environment() -> Option<Self> {
        let role = match std::env::var(ROLE).ok()?.as_str() {
            "writer" => Role::Writer,
            "collector" => Role::Collector,
            "holder" => Role::Holder,
            other => panic!("{ROLE} is {other:?}: the test and the process it started disagree"),
        };
        let variable = |name| std::env::var(name).unwrap();
        let seed = variable(SEED).parse().unwrap();
        Some(Self { role, store: variable(STORE).into(), name: variable(NAME), seed })
    }

    /// This program, started again to do the job.
    pub(crate) fn command(&self) -> Command {
        let role = match self.role {
            Role::Writer => "writer",
            Role::Collector => "collector",
            Role::Holder => "holder",
        };
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.env(ROLE, role).env(STORE, &self.store).env(NAME, &self.name);
        command.env(SEED, self.seed.to_string());
        command
    }

    /// Does the job. It ends by being killed, when nobody listens any more, or by a failure, which is said.
    pub(crate) fn run(&self) -> ExitCode {
        let outcome = open(&self.store).and_then(|backend| {
            let store = Store::new(Arc::new(backend));
            Line::Opened.say();
            match self.role {
                Role::Writer => writer::run(store, &self.name, self.seed),
                Role::Collector => collector::run(&store, self.seed),
                Role::Holder => holder::run(&store, &self.name, self.seed),
            }
        });
        match outcome {
            Ok(()) => ExitCode::SUCCESS,
            Err(e) => {
                Line::Failed(format!("{self:?}: {e}")).say();
                ExitCode::FAILURE
            }
        }
    }
}

/// Opens the store as all processes here do: a short `refs.log`, so that it is rewritten again and again
/// and kills hit that as well.
pub(crate) fn open(store: &std::path::Path) -> Result<LocalBackend> {
    OpenOptions::default().reserve_bytes(1 << 16).rewrite_log_from_bytes(1).open(store)
}
