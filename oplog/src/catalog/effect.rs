//! What a command did to the catalog, what it does to documents, and what did not fit.

use std::fmt;
use tidemark_base::CollectionUuid;

/// The outcome of one command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// What happens to documents.
    pub effect: Effect,
    /// What did not fit a strict command, though a true state must fit: the state has diverged.
    pub misfits: Vec<Misfit>,
}

/// What a command does to documents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    #[default]
    Nothing,
    /// A collection is new, and empty.
    Created(CollectionUuid),
    /// Collections are gone with their documents. Also those that the catalog did not know: copies of them
    /// that come later are void.
    Dropped(Vec<CollectionUuid>),
    /// All documents of a collection are gone.
    Emptied(CollectionUuid),
    /// Only the newest documents that fit stay.
    CappedTo {
        /// The collection.
        uuid: CollectionUuid,
        /// How much fits.
        size_bytes: u64,
    },
}

/// A strict command that did not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// In which way.
    pub kind: MisfitKind,
    /// The namespace, as the command named it.
    pub namespace: String,
    /// The collection that was meant, or that was in the way.
    pub uuid: Option<CollectionUuid>,
}

/// In which way a command did not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MisfitKind {
    /// There is no such collection.
    NoCollection,
    /// A collection was made that exists.
    CollectionExists,
    /// A name was given that another collection has; both have it now.
    NameTaken,
    /// `dropDatabase` found a collection that had no `drop` of its own.
    DroppedWithDatabase,
    /// There is no such index.
    NoIndex {
        /// Its name.
        index: String,
    },
    /// An index was made whose name is taken; the one that was there stays.
    IndexExists {
        /// Its name.
        index: String,
    },
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.namespace.escape_debug())?;
        if let Some(uuid) = self.uuid {
            write!(f, " ({uuid})")?;
        }
        write!(f, ": {}", self.kind)
    }
}

impl fmt::Display for MisfitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCollection => f.write_str("there is no such collection"),
            Self::CollectionExists => f.write_str("the collection was there before it was created"),
            Self::NameTaken => f.write_str("another collection has this name"),
            Self::DroppedWithDatabase => f.write_str("was still there when its database was dropped"),
            Self::NoIndex { index } => write!(f, "there is no index '{}'", index.escape_debug()),
            Self::IndexExists { index } => {
                write!(f, "index '{}' was there before it was built", index.escape_debug())
            }
        }
    }
}
