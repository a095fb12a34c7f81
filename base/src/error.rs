//! What a caller should do about an error: the one classification that all crates' errors map to.
//!
//! Every crate has its own error enum with typed fields; each has a `kind()` that returns one of these.
//! Retry loops, HTTP statuses and exit codes are decided on the kind, never on the text.

use std::fmt;

/// What the caller should do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Nothing is wrong with the request; the same call may succeed later (busy, disk full, network down).
    Retry,
    /// The request or its input is wrong and will stay wrong; the message says what to change.
    Invalid,
    /// What was asked for does not exist.
    NotFound,
    /// Somebody else changed the thing first; read again and decide anew.
    Conflict,
    /// Bytes are not what was written; never retried, always reported to a person.
    Corrupt,
    /// The caller has lost the right to write (a newer epoch, an expired session); stop at once.
    Fenced,
    /// A bug of ours.
    Internal,
}

impl ErrorKind {
    /// All kinds, in the order of their exit codes.
    pub const ALL: [Self; 7] = [
        Self::Retry,
        Self::Invalid,
        Self::NotFound,
        Self::Conflict,
        Self::Corrupt,
        Self::Fenced,
        Self::Internal,
    ];

    /// The name used in logs and machine-readable output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Invalid => "invalid",
            Self::NotFound => "not found",
            Self::Conflict => "conflict",
            Self::Corrupt => "corrupt",
            Self::Fenced => "fenced",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
