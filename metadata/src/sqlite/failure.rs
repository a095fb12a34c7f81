//! What SQLite says, as our errors: locked, full, damaged, or anything else.

use crate::error::Error;
use rusqlite::ErrorCode as Code;
use std::path::Path;
use tidemark_base::ErrorKind;

/// The database that errors are about.
#[derive(Clone, Copy)]
pub(super) struct Place<'a>(pub(super) &'a Path);

impl<'a> Place<'a> {
    /// Turns a failure of SQLite into an error that says what to do.
    pub(super) fn failed(self, action: &'static str) -> impl FnOnce(rusqlite::Error) -> Error + 'a {
        move |source| {
            let path = self.0.to_owned();
            match source.sqlite_error_code() {
                Some(Code::DatabaseBusy | Code::DatabaseLocked) => Error::Locked { path, action },
                Some(Code::DiskFull) => Error::Full { path, action },
                Some(Code::DatabaseCorrupt) => self.corrupt(source.to_string()),
                Some(Code::NotADatabase) => Error::NotOurs {
                    path,
                    why: "it is no SQLite database, or its first page is damaged".into(),
                },
                Some(Code::ReadOnly | Code::PermissionDenied | Code::CannotOpen) => {
                    let problem = format!(
                        "{source} (while {action}): check owner and mode of the file and its folder, and that it is not mounted read-only"
                    );
                    Error::BadFile { path, problem }
                }
                _ => Error::Database { path, action, source },
            }
        }
    }

    /// The file is not what was written.
    pub(super) fn corrupt(self, problem: impl Into<String>) -> Error {
        Error::Corrupt { place: self.0.display().to_string(), problem: problem.into() }
    }

    /// One row is not what was written.
    pub(super) fn corrupt_row(self, row: &str, problem: &str) -> Error {
        Error::Corrupt { place: format!("row {row} of {}", self.0.display()), problem: problem.to_owned() }
    }
}

/// What the caller should do about a failure that has no error of its own here.
pub(crate) fn kind_of(source: &rusqlite::Error) -> ErrorKind {
    match source.sqlite_error_code() {
        Some(Code::SystemIoFailure | Code::OutOfMemory) => ErrorKind::Retry,
        _ => ErrorKind::Internal,
    }
}
