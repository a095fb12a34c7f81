//! What can be wrong with an oplog entry, always with the position at which it stands.

use crate::names::NameError;
use crate::update::UpdateError;
use tidemark_base::codec::CodecError;
use tidemark_base::{ErrorKind, OpTime};

/// An entry that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("oplog entry at {at}: {problem}")]
pub struct EntryError {
    /// Where it stands. [`OpTime::NULL`] if the entry is so broken that its `ts` cannot be read.
    pub at: OpTime,
    /// What is wrong.
    pub problem: EntryProblem,
}

/// What is wrong with an entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryProblem {
    /// It is not sound BSON.
    #[error(transparent)]
    Bson(#[from] CodecError),
    /// A field is missing or of the wrong type.
    #[error(
        "field '{field}' is missing, or of a type that is not known; resync, with a newer Tidemark if there is one"
    )]
    Field {
        /// The field's name.
        field: &'static str,
    },
    /// A field that has a meaning is there more than once, and readers could take it for different things.
    #[error(
        "field '{field}' is there more than once, which no server writes; the replica set must be resynced"
    )]
    Repeated {
        /// The field's name.
        field: &'static str,
    },
    /// It belongs to a tenant (`tid`), whose namespaces are not those of others.
    #[error("it belongs to a tenant of a serverless cluster ('tid'), and such clusters are not supported")]
    Tenant,
    /// Its `v` is not 2.
    #[error("oplog format version {found} is not known to this version of Tidemark; resync with a newer one")]
    Version {
        /// The version found.
        found: i64,
    },
    /// Its `op` is not known: it may change data in a way that would be missed.
    #[error("operation type '{op}' is not known to this version of Tidemark; resync with a newer one")]
    UnknownOperation {
        /// The type, escaped.
        op: String,
    },
    /// Its command is not known: it may change data in a way that would be missed.
    #[error("command '{command}' is not known to this version of Tidemark; resync with a newer one")]
    UnknownCommand {
        /// The command's name, escaped.
        command: String,
    },
    /// Its command changes data in a way that the oplog does not describe.
    #[error("command '{command}' cannot be followed from the oplog: {why}; the replica set must be resynced")]
    NeedsResync {
        /// The command's name, escaped.
        command: String,
        /// Why it cannot be followed.
        why: &'static str,
    },
    /// A namespace that no server accepts.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The update is not understood.
    #[error(transparent)]
    Update(#[from] UpdateError),
    /// A step of a transaction contradicts itself, or what came before it.
    #[error("transaction: {0}; the replica set must be resynced, with a newer Tidemark if there is one")]
    Transaction(String),
    /// A transaction is decided of which an earlier entry is not held: operations are lost.
    #[error("transaction: {0}; operations are lost, and the replica set must be resynced")]
    LostPart(String),
    /// Operations are nested too deep.
    #[error("applyOps nests more than {limit} levels deep")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
}

impl EntryError {
    /// An error at a position.
    pub(crate) fn at(at: OpTime, problem: impl Into<EntryProblem>) -> Self {
        Self { at, problem: problem.into() }
    }

    /// What the caller should do: all of these are of the input, and stay. What no server writes is
    /// [`ErrorKind::Corrupt`], and so is a log that has lost entries.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self.problem {
            EntryProblem::Bson(_)
            | EntryProblem::Field { .. }
            | EntryProblem::Repeated { .. }
            | EntryProblem::LostPart(_) => ErrorKind::Corrupt,
            _ => ErrorKind::Invalid,
        }
    }
}
