//! What can go wrong around a real server. Each message says what failed, where, and what to do.
//!
//! Tests mostly `unwrap` these, so the text is all a person sees: the server's own words are inside it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tidemark_base::ErrorKind;

/// An error of the live test servers.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program that the tests need is not there.
    #[error(transparent)]
    Part(#[from] crate::parts::Error),
    /// The operating system refused something.
    #[error("could not {what} {path}: {source}")]
    Io {
        /// What was being done, as the beginning of a sentence.
        what: &'static str,
        /// The file, folder or program.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// No port outside the ephemeral range was free.
    #[error("found no free port on 127.0.0.1 in {first}..{end}; end the programs that listen there")]
    NoFreePort {
        /// First port tried.
        first: u16,
        /// One past the last port tried.
        end: u16,
    },
    /// A mongod ended, or kept silent, instead of accepting connections.
    #[error(
        "mongod did not start on port {port} ({state}). Its last words:\n{log_tail}\n\
         The whole log is kept at {kept_log}. If it names an option, look at Options::set_parameters and \
         extra_args; if a missing library, at what `cargo xtask setup` says"
    )]
    Start {
        /// The port it was given.
        port: u16,
        /// How the process stands: its exit status, or for how long it said nothing.
        state: String,
        /// The last lines of output and log.
        log_tail: String,
        /// Where the log was copied, or why it could not be.
        kept_log: String,
    },
    /// An operation that needs a running mongod met a stopped one.
    #[error("the mongod on port {port} is not running; call restart() first")]
    NotRunning {
        /// Its port.
        port: u16,
    },
    /// Something did not happen in time.
    #[error("waited {waited:?} in vain for {what}; last seen: {last}")]
    Timeout {
        /// What was awaited.
        what: String,
        /// For how long.
        waited: Duration,
        /// The last state or error seen.
        last: String,
    },
    /// A server or the driver refused an operation.
    #[error("could not {what}: {source}")]
    Driver {
        /// What was being done.
        what: String,
        /// The driver's error, with the server's code inside.
        source: Box<mongodb::error::Error>,
    },
    /// A reply or a document is not what the server's documentation says.
    #[error("unexpected answer to {what}: {found}")]
    Unexpected {
        /// The question.
        what: String,
        /// The answer.
        found: String,
    },
    /// A certificate could not be made.
    #[error("could not make a test certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// One of MongoDB's tools failed.
    #[error("{tool} ended with {status}. It said:\n{stderr}")]
    Tool {
        /// Its name.
        tool: &'static str,
        /// Its exit status.
        status: std::process::ExitStatus,
        /// All it wrote to its standard error.
        stderr: String,
    },
}

impl Error {
    /// What the caller should do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Part(_) => ErrorKind::NotFound,
            Self::Io { .. } | Self::NoFreePort { .. } | Self::Timeout { .. } => ErrorKind::Retry,
            Self::Start { .. } | Self::NotRunning { .. } | Self::Driver { .. } | Self::Tool { .. } => {
                ErrorKind::Invalid
            }
            Self::Unexpected { .. } | Self::Certificate(_) => ErrorKind::Internal,
        }
    }

    /// For `map_err` on I/O.
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { what, path, source }
    }

    /// For `map_err` on the driver.
    pub(crate) fn driver(what: impl Into<String>) -> impl FnOnce(mongodb::error::Error) -> Self {
        let what = what.into();
        move |source| Self::Driver { what, source: Box::new(source) }
    }

    /// A reply that is not what it should be.
    pub(crate) fn unexpected(what: impl Into<String>, found: impl ToString) -> Self {
        Self::Unexpected { what: what.into(), found: found.to_string() }
    }
}
