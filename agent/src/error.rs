//! What can go wrong in the agent, and what is to be done about it.
//!
//! Nothing secret is in any of them: keys and passwords are in values that cannot be shown
//! ([`crate::config::Secret`]), and the driver does not repeat them.

use std::time::Duration;
use tidemark_base::ErrorKind;
use tidemark_base::codec::CodecError;
use tidemark_base::protocol::{Code, Refusal};
use tidemark_oplog::EntryError;
use tidemark_oplog::initial_sync::BatchError;
use tidemark_oplog::slice::SliceError;

/// An error of the agent.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration cannot be used.
    #[error("configuration: {0}")]
    Config(String),
    /// The key is of another group.
    #[error(
        "the key (mmsApiKey) is of the group {found}, but mmsGroupId says {expected}; give the agent a key of its own group"
    )]
    Group {
        /// What the agent was set up for.
        expected: String,
        /// What the server says.
        found: String,
    },
    /// The Backup HTTP server refused a request.
    #[error("the server refused ({status}, {:?}): {}", refusal.code, refusal.message)]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Why, and what is expected instead.
        refusal: Box<Refusal>,
        /// What it says about when to come again.
        retry_after: Option<Duration>,
    },
    /// No answer from the Backup HTTP server.
    #[error("{server} cannot be reached: {why}")]
    Unreachable {
        /// Its address.
        server: String,
        /// What the network or TLS says.
        why: String,
    },
    /// An answer that is not of the protocol.
    #[error("{server} gives an answer that is not understood (status {status}): {why}")]
    Answer {
        /// Its address.
        server: String,
        /// The HTTP status.
        status: u16,
        /// What is wrong with it.
        why: String,
    },
    /// MongoDB or its driver refused.
    #[error("could not {what}: {}", words(source))]
    Source {
        /// What was being done.
        what: String,
        /// The driver's error.
        source: Box<mongodb::error::Error>,
    },
    /// MongoDB does not answer.
    #[error("could not {what}: no answer in {secs} s")]
    Late {
        /// What was being done.
        what: String,
        /// How long it was waited for.
        secs: u64,
    },
    /// MongoDB's answer is not what its documentation says, or a replica set is not what it should be.
    #[error("{what}: {found}")]
    Unexpected {
        /// The question.
        what: String,
        /// The answer.
        found: String,
    },
    /// What MongoDB sent is not sound BSON.
    #[error("the source sent broken BSON: {0}")]
    Bson(#[from] CodecError),
    /// What MongoDB sent is no oplog entry.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// An entry does not fit where it should.
    #[error(transparent)]
    Slice(#[from] SliceError),
    /// A document does not fit where it should.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// The operating system refused something.
    #[error("could not {what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// The system's answer.
        source: std::io::Error,
    },
}

/// Longest text of the driver's that is repeated, in characters.
const MAX_WORDS: usize = 300;

/// What went wrong, without the command and the reply, which both servers and driver repeat in full.
fn words(error: &mongodb::error::Error) -> String {
    let words = match &*error.kind {
        mongodb::error::ErrorKind::Command(command) => {
            let message = command.message.split(" to execute command {").next().unwrap_or_default();
            format!("{message} ({} {})", command.code, command.code_name)
        }
        other => other.to_string(),
    };
    words.chars().take(MAX_WORDS).collect()
}

/// The codes of MongoDB that something depends on.
pub(crate) mod codes {
    pub(crate) const UNAUTHORIZED: i32 = 13;
    pub(crate) const NAMESPACE_NOT_FOUND: i32 = 26;
    pub(crate) const CAPPED_POSITION_LOST: i32 = 136;
    pub(crate) const KEY_NOT_FOUND: i32 = 211;
}

impl Error {
    /// What the caller should do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Config(_) | Self::Group { .. } => ErrorKind::Invalid,
            Self::Refused { refusal, .. } => match refusal.code {
                Code::UnknownKey | Code::Invalid | Code::TooLarge => ErrorKind::Invalid,
                Code::NotFound => ErrorKind::NotFound,
                Code::NotNext
                | Code::Fork
                | Code::OtherBatch
                | Code::OtherSync
                | Code::NotDone
                | Code::Stopped
                | Code::NotActive => ErrorKind::Conflict,
                Code::TooSlow | Code::Busy | Code::NoSpace | Code::Internal => ErrorKind::Retry,
            },
            Self::Unreachable { .. }
            | Self::Answer { .. }
            | Self::Source { .. }
            | Self::Late { .. }
            | Self::Io { .. } => ErrorKind::Retry,
            Self::Unexpected { .. } => ErrorKind::Invalid,
            Self::Bson(_) | Self::Entry(_) => ErrorKind::Corrupt,
            Self::Slice(error) => error.kind(),
            Self::Batch(error) => error.kind(),
        }
    }

    /// For `map_err` on the driver.
    pub(crate) fn source(what: impl Into<String>) -> impl FnOnce(mongodb::error::Error) -> Self {
        let what = what.into();
        move |source| Self::Source { what, source: Box::new(source) }
    }

    /// An answer of MongoDB that is not what it should be.
    pub(crate) fn unexpected(what: impl Into<String>, found: impl ToString) -> Self {
        Self::Unexpected { what: what.into(), found: found.to_string() }
    }

    /// The refusal, if it is one.
    pub(crate) fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused { refusal, .. } => Some(refusal),
            _ => None,
        }
    }

    /// MongoDB's code, if it answered with one.
    pub(crate) fn mongo_code(&self) -> Option<i32> {
        let Self::Source { source, .. } = self else { return None };
        match &*source.kind {
            mongodb::error::ErrorKind::Command(command) => Some(command.code),
            _ => None,
        }
    }
}
