//! The one error type of the crate: what is wrong, where, and what to do about it.
//!
//! Decisions are made on [`Error::kind`], never on the text. No text quotes a secret or a stored value: only
//! names, ids and numbers that may be shown to whoever may see the record.

use crate::store::{Collection, Version};
use std::io;
use std::path::PathBuf;
use tidemark_base::ErrorKind;

/// The result of this crate's operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong with metadata.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A record is not as the caller expected; nothing of the batch was written.
    #[error(
        "{collection} '{id}' changed meanwhile (expected {}, found {}): read it again and decide anew",
        state(expected),
        state(found)
    )]
    Conflict {
        /// The collection of the record.
        collection: Collection,
        /// Its id; where that is made of a secret's hash, it still shows no secret.
        id: String,
        /// The version the caller had; none for a record that must not exist.
        expected: Option<Version>,
        /// The version that is there; none if there is no such record.
        found: Option<Version>,
    },
    /// Records kept changing under the caller.
    #[error("{collection} '{id}' was changed by others {attempts} times in a row: try again")]
    Contended {
        /// The collection of the record.
        collection: Collection,
        /// Its id.
        id: String,
        /// How often it was tried.
        attempts: u32,
    },
    /// What was asked for does not exist, or may not be known to the caller.
    #[error("no such {what}{}: {advice}", id.as_deref().map(|id| format!(" '{id}'")).unwrap_or_default())]
    NotFound {
        /// What it would be, for instance `group`.
        what: &'static str,
        /// Its id, unless that is a secret.
        id: Option<String>,
        /// What to do.
        advice: &'static str,
    },
    /// Input breaks a rule of its form.
    #[error("{field}: {problem}")]
    Invalid {
        /// Which field.
        field: &'static str,
        /// What is wrong with it, and what it should be.
        problem: String,
    },
    /// The request is well-formed, but a rule forbids it in the present state.
    #[error("{what}: {advice}")]
    Refused {
        /// What was refused and why.
        what: String,
        /// What to do instead.
        advice: &'static str,
    },
    /// The caller is no longer the one who works on this job.
    #[error("job '{job}' was taken over (epoch {held} is not the present {present}): stop working on it")]
    Fenced {
        /// The job.
        job: String,
        /// The epoch of the caller's claim.
        held: u64,
        /// The epoch of the job.
        present: u64,
    },
    /// Too many slow computations at once.
    #[error("{what}: try again in a moment")]
    Busy {
        /// What is busy.
        what: &'static str,
    },
    /// Another process holds the database for longer than a transaction waits.
    #[error("{} is locked by another process (while {action}): find out who holds it, for instance a copy or a shell that is open, and try again", path.display())]
    Locked {
        /// The database.
        path: PathBuf,
        /// What was being done.
        action: &'static str,
    },
    /// The disk or the quota is full.
    #[error("no space left for {} (while {action}): free space, then try again; nothing that was acknowledged is lost", path.display())]
    Full {
        /// The file.
        path: PathBuf,
        /// What was being done.
        action: &'static str,
    },
    /// Stored bytes are not what was written.
    #[error(
        "{place} is damaged: {problem}; restore the metadata database from a copy. Backups are not affected: they are in the blockstore"
    )]
    Corrupt {
        /// Which file, record or row.
        place: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Something was written by a newer version of Tidemark.
    #[error("{place} has version {found}, this program knows up to {supported}: use a newer Tidemark")]
    Newer {
        /// Which file or record.
        place: String,
        /// Version found.
        found: u32,
        /// Newest version known here.
        supported: u32,
    },
    /// A file is there and is something else.
    #[error("{} is not a Tidemark metadata database ({why}): name the right file, or a new one", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        why: String,
    },
    /// A file cannot be used as it is.
    #[error("{}: {problem}", path.display())]
    BadFile {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The operating system refused or failed.
    #[error("{action} {} failed: {source}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Any other failure of SQLite.
    #[error("the metadata database {} failed while {action}: {source}", path.display())]
    Database {
        /// The database.
        path: PathBuf,
        /// What was being done.
        action: &'static str,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// A bug of ours.
    #[error("{what}: this is a bug, please report it")]
    Internal {
        /// What should not have happened.
        what: String,
    },
}

fn state(version: &Option<Version>) -> String {
    version.map_or_else(|| "no such record".to_owned(), |it| format!("version {}", it.0))
}

impl Error {
    /// What the caller should do.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Conflict { .. } => ErrorKind::Conflict,
            Self::NotFound { .. } => ErrorKind::NotFound,
            Self::Invalid { .. }
            | Self::Refused { .. }
            | Self::Newer { .. }
            | Self::NotOurs { .. }
            | Self::BadFile { .. } => ErrorKind::Invalid,
            Self::Fenced { .. } => ErrorKind::Fenced,
            Self::Contended { .. }
            | Self::Busy { .. }
            | Self::Locked { .. }
            | Self::Full { .. }
            | Self::Io { .. } => ErrorKind::Retry,
            Self::Corrupt { .. } => ErrorKind::Corrupt,
            Self::Database { source, .. } => crate::sqlite::kind_of(source),
            Self::Internal { .. } => ErrorKind::Internal,
        }
    }

    pub(crate) fn invalid(field: &'static str, problem: impl Into<String>) -> Self {
        Self::Invalid { field, problem: problem.into() }
    }

    pub(crate) fn refused(what: impl Into<String>, advice: &'static str) -> Self {
        Self::Refused { what: what.into(), advice }
    }
}
