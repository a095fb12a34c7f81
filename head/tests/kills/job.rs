//! What a process that may be killed is told to do, handed over in environment variables; and how all open the store.

use crate::line::Line;
use crate::{applier, holder};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use tidemark_base::ErrorKind;
use tidemark_blockstore::{Healed, OpenOptions, Store};
use tidemark_head::HeadError;
use tidemark_head::head::Head;
use tidemark_oplog::store::StoreError;

const ROLE: &str = "TIDEMARK_HEAD_KILLS_ROLE";
const STORE: &str = "TIDEMARK_HEAD_KILLS_STORE";
const SEED: &str = "TIDEMARK_HEAD_KILLS_SEED";

/// What a process does until it is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Appends, applies, flushes, takes snapshots, collects.
    Applier,
    /// Claims the head, and does what it is told.
    Holder,
}

/// One process's work.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) role: Role,
    pub(crate) store: PathBuf,
    pub(crate) seed: u64,
}

/// Why a process cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Head(#[from] HeadError),
    #[error(transparent)]
    Slices(#[from] StoreError),
    #[error(transparent)]
    Store(#[from] tidemark_blockstore::Error),
    #[error("the head at {0} holds other documents than the source had there")]
    Documents(u32),
    #[error("of operations that all fit, some did not: {0}")]
    Divergences(String),
}

impl Failure {
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Self::Head(error) => error.kind(),
            Self::Slices(error) => error.kind(),
            Self::Store(error) => error.kind(),
            Self::Documents(_) | Self::Divergences(_) => ErrorKind::Corrupt,
        }
    }
}

impl Job {
    /// The job of this process, if it was started to have one.
    pub(crate) fn from_environment() -> Option<Self> {
        let role = match std::env::var(ROLE).ok()?.as_str() {
            "applier" => Role::Applier,
            "holder" => Role::Holder,
            other => panic!("{ROLE} is {other:?}: the test and the process it started disagree"),
        };
        let variable = |name| std::env::var(name).unwrap();
        Some(Self { role, store: variable(STORE).into(), seed: variable(SEED).parse().unwrap() })
    }

    /// This program, started again to do the job.
    pub(crate) fn command(&self) -> Command {
        let role = match self.role {
            Role::Applier => "applier",
            Role::Holder => "holder",
        };
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.env(ROLE, role).env(STORE, &self.store).env(SEED, self.seed.to_string());
        command
    }

    /// Does the job. It ends by being killed, when nobody listens any more, or by a failure, which is said.
    pub(crate) fn run(&self) -> ExitCode {
        let store = open(&self.store);
        let outcome = match self.role {
            Role::Applier => applier::run(store, self.seed),
            Role::Holder => holder::run(&store),
        };
        match outcome {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                Line::Failed(format!("{self:?}: {error}")).say();
                ExitCode::FAILURE
            }
        }
    }
}

/// Opens the store, whatever state a kill left it in. A kill loses nothing, so at most the last publish has to
/// be carried over.
pub(crate) fn open(root: &Path) -> Store {
    let options = OpenOptions::default().reserve_bytes(1 << 16).rewrite_log_from_bytes(4096);
    let backend = options.open(root).unwrap();
    for healed in backend.healed() {
        assert_eq!(*healed, Healed::PublishCompleted);
    }
    Store::new(Arc::new(backend))
}

/// Applies all that was appended.
pub(crate) fn catch_up(store: &Store, head: &mut Head) -> Result<(), Failure> {
    let slices = crate::log::name().slices(store);
    let Some(tip) = slices.tip()? else { return Ok(()) };
    let mut plain = Vec::new();
    for stored in slices.range(tip.chain, head.at().ts, tip.link.at.ts)? {
        let entries: Vec<_> = slices.read(&stored, &mut plain)?.iter().collect();
        head.apply(&entries)?;
        head.pass_slice(stored.header.end())?;
    }
    Ok(())
}
