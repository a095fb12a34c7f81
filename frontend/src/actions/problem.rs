//! Why something that people or API clients asked for was not done.

use tidemark_base::ErrorKind;

/// The result of what people and clients may do.
pub(crate) type Result<T, E = Problem> = std::result::Result<T, E>;

/// Why it was not done. Texts may be shown to whoever asked as [`Problem::told`] has them.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    /// It is not there, or not theirs: always the same words.
    #[error("there is no such group, or you are not in it")]
    NotInGroup,
    /// Their role does not allow it.
    #[error("your role does not allow to {permission}: ask an owner of the group")]
    Forbidden { permission: &'static str },
    /// There is no such thing in the group.
    #[error("there is no such {what} in this group: list them to see what there is")]
    NotFound { what: &'static str },
    /// A field breaks its rule.
    #[error("{field}: {problem}")]
    Invalid { field: &'static str, problem: String },
    /// It cannot be done, or not now.
    #[error("{what}")]
    Refused { what: String },
    /// The records.
    #[error(transparent)]
    Metadata(#[from] tidemark_metadata::Error),
    /// Heads and snapshots.
    #[error(transparent)]
    Head(#[from] tidemark_head::HeadError),
    /// The blocks.
    #[error(transparent)]
    Store(#[from] tidemark_blockstore::Error),
    /// The oplog.
    #[error(transparent)]
    Oplog(#[from] tidemark_oplog::store::StoreError),
}

impl Problem {
    pub(crate) fn invalid(field: &'static str, problem: impl Into<String>) -> Self {
        Self::Invalid { field, problem: problem.into() }
    }

    pub(crate) fn refused(what: impl Into<String>) -> Self {
        Self::Refused { what: what.into() }
    }

    /// What the caller should do.
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Self::NotInGroup | Self::NotFound { .. } => ErrorKind::NotFound,
            Self::Forbidden { .. } | Self::Invalid { .. } | Self::Refused { .. } => ErrorKind::Invalid,
            Self::Metadata(error) => error.kind(),
            Self::Head(error) => error.kind(),
            Self::Store(error) => error.kind(),
            Self::Oplog(error) => error.kind(),
        }
    }

    /// Whether it is well-formed, but a rule forbids it as things are.
    pub(crate) const fn is_of_the_moment(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::Metadata(tidemark_metadata::Error::Refused { .. }))
    }

    /// What may be told to whoever asked: no paths, nothing of the inside.
    pub(crate) fn told(&self) -> String {
        match self.kind() {
            ErrorKind::Invalid | ErrorKind::NotFound => self.to_string(),
            ErrorKind::Conflict => "it was changed by somebody else meanwhile: look again".to_owned(),
            ErrorKind::Retry => "the server is busy, or its disk is full: try again in a moment".to_owned(),
            ErrorKind::Corrupt | ErrorKind::Fenced | ErrorKind::Internal => {
                "the server could not do this: its log says why".to_owned()
            }
        }
    }
}
