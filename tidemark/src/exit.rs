//! How a run ends: the exit code that scripts decide on, and the last message.
//!
//! Codes are decided on the kinds of errors, never on their text. They are documented in `--help`.

use crate::output::Output;
use crate::safe;
use std::error::Error as StdError;
use std::io::{self, Write};
use std::process::ExitCode;
use tidemark_base::ErrorKind;
use tidemark_head::HeadError;
use tidemark_head::dump::DumpError;
use tidemark_oplog::EntryError;
use tidemark_oplog::slice::SliceError;
use tidemark_oplog::store::StoreError;

/// The end of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    Found = 3,
    NotThere = 4,
    TryAgain = 5,
    /// As a shell reports a program that was ended by SIGPIPE.
    PipeClosed = 141,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A failure that the commands notice themselves.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    /// The arguments do not fit each other, or what is there.
    #[error("{0}")]
    Usage(String),
    /// What was asked for is not there.
    #[error("{0}")]
    NotThere(String),
    /// The input is not what it should be.
    #[error("{0}")]
    Damaged(String),
}

/// Ends a run whose arguments were not understood, or that only asked for help.
pub(crate) fn not_understood(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        return match error.print() {
            Ok(()) => Exit::Done.into(),
            Err(error) => end_of_write(&error),
        };
    }
    // Arguments are quoted as they were given.
    let text: Vec<String> = error.render().to_string().lines().map(safe::line).collect();
    match writeln!(io::stderr().lock(), "{}", text.join("\n")) {
        Ok(()) => Exit::Usage.into(),
        Err(error) => end_of_write(&error),
    }
}

/// Ends a run that failed.
pub(crate) fn failed(error: &anyhow::Error, out: &Output) -> ExitCode {
    let exit = of(error);
    if exit != Exit::PipeClosed {
        out.error(&message(error), exit);
    }
    exit.into()
}

fn end_of_write(error: &io::Error) -> ExitCode {
    let exit = if error.kind() == io::ErrorKind::BrokenPipe { Exit::PipeClosed } else { Exit::Failed };
    exit.into()
}

/// The causes one behind the other. Many say their own cause: what was said is not repeated.
fn message(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// The exit of an error: that of the outermost cause that has one.
fn of(error: &anyhow::Error) -> Exit {
    let is_closed = |cause: &(dyn StdError + 'static)| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    };
    if error.chain().any(is_closed) {
        return Exit::PipeClosed;
    }
    error.chain().find_map(of_cause).unwrap_or(Exit::Failed)
}

fn of_cause(cause: &(dyn StdError + 'static)) -> Option<Exit> {
    if let Some(problem) = cause.downcast_ref::<Problem>() {
        return Some(match problem {
            Problem::Usage(_) => Exit::Usage,
            Problem::NotThere(_) => Exit::NotThere,
            Problem::Damaged(_) => Exit::Found,
        });
    }
    if let Some(error) = cause.downcast_ref::<io::Error>() {
        return match error.kind() {
            io::ErrorKind::NotFound => Some(Exit::NotThere),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some(Exit::TryAgain),
            _ => None,
        };
    }
    kind(cause).map(|kind| match kind {
        ErrorKind::Retry | ErrorKind::Fenced => Exit::TryAgain,
        ErrorKind::Corrupt => Exit::Found,
        ErrorKind::NotFound => Exit::NotThere,
        ErrorKind::Invalid | ErrorKind::Conflict | ErrorKind::Internal => Exit::Failed,
    })
}

/// The kind of one of our crates' errors.
fn kind(cause: &(dyn StdError + 'static)) -> Option<ErrorKind> {
    cause
        .downcast_ref::<HeadError>()
        .map(HeadError::kind)
        .or_else(|| cause.downcast_ref::<tidemark_blockstore::Error>().map(tidemark_blockstore::Error::kind))
        .or_else(|| cause.downcast_ref::<StoreError>().map(StoreError::kind))
        .or_else(|| cause.downcast_ref::<DumpError>().map(DumpError::kind))
        .or_else(|| cause.downcast_ref::<SliceError>().map(SliceError::kind))
        .or_else(|| cause.downcast_ref::<EntryError>().map(EntryError::kind))
        .or_else(|| cause.downcast_ref::<tidemark_metadata::Error>().map(tidemark_metadata::Error::kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Context, anyhow};

    #[test]
    fn an_exit_is_that_of_the_kind_below_the_context() {
        let missing = HeadError::NoHead { name: "x".into() };
        assert_eq!(of(&anyhow::Error::new(missing).context("while looking")), Exit::NotThere);
        let damaged: anyhow::Error = Problem::Damaged("cut".into()).into();
        assert_eq!(of(&damaged), Exit::Found);
        assert_eq!(of(&anyhow!("something")), Exit::Failed);
        let closed = Err::<(), _>(io::Error::from(io::ErrorKind::BrokenPipe)).context("writing").unwrap_err();
        assert_eq!(of(&closed), Exit::PipeClosed);
    }

    #[test]
    fn a_cause_that_was_said_is_not_said_again() {
        let error = anyhow!("full").context("cannot write: full").context("exporting");
        assert_eq!(message(&error), "exporting: cannot write: full");
    }
}
