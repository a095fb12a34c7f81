//! The jobs, a file each: what they do, and how many of which kind are in work at once.

mod apply;
pub(crate) mod build;
mod expire;
mod groom;
mod prove;
mod restore;
pub(crate) mod terminate;
mod verify;

use crate::config::Config;
use crate::error::Result;
use crate::work::Work;
use tidemark_metadata::{JobKind, Outcome};

/// Jobs that share places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Follows an oplog for as long as its backup runs.
    Head,
    /// Somebody waits for it, and it takes long.
    Long,
    /// Short.
    Short,
    /// Nobody waits for it.
    Background,
}

impl Class {
    /// That of a kind of jobs; none for those that only the holder of a head does, beside its other work.
    pub(crate) const fn of(kind: JobKind) -> Option<Self> {
        match kind {
            JobKind::Apply => Some(Self::Head),
            JobKind::Build | JobKind::Restore => Some(Self::Long),
            JobKind::Expire | JobKind::Terminate => Some(Self::Short),
            JobKind::Prove | JobKind::Groom | JobKind::Verify => Some(Self::Background),
            JobKind::Snapshot | JobKind::Compact => None,
        }
    }

    /// How many are in work at once.
    pub(crate) const fn places(self, config: &Config) -> usize {
        match self {
            Self::Head => config.heads,
            Self::Long => config.workers,
            Self::Short | Self::Background => 1,
        }
    }
}

/// Which kinds go first within their class.
pub(crate) const fn rank(kind: JobKind) -> u8 {
    match kind {
        // Garbage before what only looks: it makes room.
        JobKind::Restore | JobKind::Expire | JobKind::Groom => 0,
        JobKind::Verify => 2,
        _ => 1,
    }
}

/// What people call a kind.
pub(crate) const fn name(kind: JobKind) -> &'static str {
    match kind {
        JobKind::Build => "build",
        JobKind::Apply => "apply",
        JobKind::Snapshot => "snapshot",
        JobKind::Prove => "prove",
        JobKind::Compact => "compact",
        JobKind::Expire => "expire",
        JobKind::Groom => "groom",
        JobKind::Verify => "verify",
        JobKind::Restore => "restore",
        JobKind::Terminate => "terminate",
    }
}

/// Does a job; on the job's own thread.
pub(crate) fn run(work: &Work) -> Result<Outcome> {
    match work.job.kind {
        JobKind::Build => build::run(work),
        JobKind::Apply => apply::run(work),
        JobKind::Prove => prove::run(work),
        JobKind::Expire => expire::run(work),
        JobKind::Groom => groom::run(work),
        JobKind::Verify => verify::run(work),
        JobKind::Restore => restore::run(work),
        JobKind::Terminate => terminate::run(work),
        // Never claimed here: see `Class::of`.
        JobKind::Snapshot | JobKind::Compact => Ok(Outcome::Released),
    }
}
