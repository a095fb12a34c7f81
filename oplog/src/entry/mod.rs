//! One oplog entry, parsed over its raw bytes without copying: what it does, to what, and how it must fit.
//!
//! [`Entry::parse`] reads the outer document once. Payloads are not checked to the bottom here: what is
//! copied is checked when a copy is made. Fields that are not known are kept in the raw bytes and ignored;
//! an operation type or a command that is not known is an error.

mod change;
mod command;
mod doubt;
mod fields;
mod group;
mod operations;
mod parse;

use crate::names::Namespace;
use crate::update::Update;
use tidemark_base::bson::{Doc, Element};
use tidemark_base::{CollectionUuid, OpTime, Timestamp};

pub use doubt::Doubt;
pub use operations::{MAX_NESTED_APPLY_OPS, Operation, Operations};

/// One entry of the oplog.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entry<'a> {
    /// Its bytes.
    pub raw: Doc<'a>,
    /// Where it stands.
    pub at: OpTime,
    /// The primary's clock when it was written, in milliseconds since 1970; for people, never for ordering.
    pub wall_ms: Option<i64>,
    /// What it does.
    pub body: Body<'a>,
}

/// What an entry does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Body<'a> {
    /// One change of one document (`i`, `u`, `d`).
    Change(Change<'a>),
    /// A command that changes the catalog, and perhaps data with it (`c`).
    Command(CommandEntry<'a>),
    /// Operations that take effect together, here (`applyOps` outside of transactions).
    Group(Operations<'a>),
    /// A step of a transaction.
    Transaction(TransactionStep<'a>),
    /// Nothing that a backup holds: notes, and bookkeeping of servers that is known not to change user data.
    Nothing,
}

/// How an operation must fit what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Manner {
    /// Exactly: an insert is new, an update or delete finds its document. Else the state has diverged.
    Strict,
    /// As in an initial sync: an insert may overwrite, an update or delete may find nothing and then does
    /// nothing.
    Tolerant,
    /// As the user's own `applyOps` does it: an insert overwrites, a delete may find nothing, an update of
    /// what is not there inserts if `upsert` is set, and does nothing else.
    User {
        /// Whether updates upsert (`alwaysUpsert`, true unless switched off).
        upsert: bool,
        /// Whether it is replayed over a copy that may be ahead of it: then an update whose operators do not
        /// fit the document ([`crate::update::UpdateError::Misfit`]) does nothing, and that is no divergence.
        /// Not all of these come out as on the server ([`Change::doubt`]).
        fuzzy: bool,
    },
}

impl Manner {
    /// Whether what is there may be ahead of the operation.
    #[must_use]
    pub const fn is_fuzzy(self) -> bool {
        matches!(self, Self::Tolerant | Self::User { fuzzy: true, .. })
    }
}

/// Which entries are replayed over a copy that may be ahead of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fuzzy {
    /// The end of the initial sync: entries up to it, inclusive, are [`Manner::Tolerant`]. None if the
    /// state was exact from the start.
    pub until: Option<Timestamp>,
}

impl Fuzzy {
    /// How the server's own operations fit that take effect at `ts`.
    #[must_use]
    pub fn manner_at(self, ts: Timestamp) -> Manner {
        match self.until {
            Some(until) if ts <= until => Manner::Tolerant,
            _ => Manner::Strict,
        }
    }
}

/// The collection that an operation is about. The uuid alone counts where there is one: the name is what
/// the collection was called when the entry was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Target<'a> {
    /// `ui`; absent only in very old entries and in what users pass to `applyOps`.
    pub uuid: Option<CollectionUuid>,
    /// `ns`.
    pub namespace: Namespace<'a>,
}

/// One change of one document.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change<'a> {
    /// Of which collection.
    pub target: Target<'a>,
    /// How it must fit.
    pub manner: Manner,
    /// What it does.
    pub action: Action<'a>,
}

impl<'a> Change<'a> {
    /// The `_id` of its document.
    #[must_use]
    pub const fn id(&self) -> Element<'a> {
        match self.action {
            Action::Insert { id, .. } | Action::Update { id, .. } | Action::Delete { id } => id,
        }
    }
}

/// What happens to a document.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action<'a> {
    /// It is new.
    Insert {
        /// Its `_id`.
        id: Element<'a>,
        /// All of it, `_id` first as the server logs it (not enforced).
        document: Doc<'a>,
    },
    /// It changes.
    Update {
        /// Its `_id`, from `o2`.
        id: Element<'a>,
        /// How.
        update: Update<'a>,
    },
    /// It goes.
    Delete {
        /// Its `_id`.
        id: Element<'a>,
    },
}

/// A command, the database it was logged for, and the collection it is about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CommandEntry<'a> {
    /// The database in `ns`.
    pub database: &'a str,
    /// `ui`, where there is one: it alone names the collection.
    pub uuid: Option<CollectionUuid>,
    /// How it must fit.
    pub manner: Manner,
    /// The command.
    pub command: Command<'a>,
}

/// A command that changes the catalog. Collection names are without their database, but for renames.
/// `o` is the whole command document: options that are not known are kept and shown again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Command<'a> {
    /// `create`: options are the fields of `o` but the first and `idIndex`.
    Create {
        /// The collection's name.
        name: &'a str,
        /// The command.
        o: Doc<'a>,
        /// Specification of the `_id` index; absent if clustered, or a `v: 1` index.
        id_index: Option<Doc<'a>>,
    },
    /// `drop`.
    Drop {
        /// The collection's name.
        name: &'a str,
    },
    /// `dropDatabase`.
    DropDatabase,
    /// `renameCollection`, within one database.
    Rename {
        /// The name before.
        from: Namespace<'a>,
        /// The name after.
        to: Namespace<'a>,
        /// Whether a temporary collection stays one.
        stay_temp: bool,
        /// What it replaces.
        drop_target: DropTarget,
    },
    /// `convertToCapped` as old servers log it: the newest documents that fit stay.
    ConvertToCapped {
        /// The collection's name.
        name: &'a str,
        /// The size in bytes.
        size_bytes: u64,
    },
    /// `emptycapped`: all documents go.
    EmptyCapped {
        /// The collection's name.
        name: &'a str,
    },
    /// `collMod`: changes are the fields of `o` but the first.
    CollMod {
        /// The collection's name.
        name: &'a str,
        /// The command.
        o: Doc<'a>,
    },
    /// `createIndexes`, of one index on an empty collection: the specification is the fields of `o` but the
    /// first.
    CreateIndex {
        /// The collection's name.
        name: &'a str,
        /// The command.
        o: Doc<'a>,
    },
    /// `startIndexBuild`: nothing is there yet.
    StartIndexBuild {
        /// The collection's name.
        name: &'a str,
    },
    /// `commitIndexBuild`: the indexes are there, whether the start was seen or not.
    CommitIndexBuild {
        /// The collection's name.
        name: &'a str,
        /// An array of specifications.
        indexes: Doc<'a>,
    },
    /// `abortIndexBuild`: what came with a copy goes.
    AbortIndexBuild {
        /// The collection's name.
        name: &'a str,
        /// An array of specifications.
        indexes: Doc<'a>,
    },
    /// `dropIndexes` and its old spellings: one index by name, or `*` for all but `_id_`.
    DropIndexes {
        /// The collection's name.
        name: &'a str,
        /// The index's name.
        index: &'a str,
    },
}

impl<'a> CommandEntry<'a> {
    /// The database, and the collection that the command is about: none if it is about all of them; of a rename
    /// the one before.
    #[must_use]
    pub fn target(&self) -> (&'a str, Option<&'a str>) {
        let name = match self.command {
            Command::DropDatabase => return (self.database, None),
            Command::Rename { from, .. } => return (from.database(), Some(from.collection())),
            Command::Create { name, .. }
            | Command::Drop { name }
            | Command::ConvertToCapped { name, .. }
            | Command::EmptyCapped { name }
            | Command::CollMod { name, .. }
            | Command::CreateIndex { name, .. }
            | Command::StartIndexBuild { name }
            | Command::CommitIndexBuild { name, .. }
            | Command::AbortIndexBuild { name, .. }
            | Command::DropIndexes { name, .. } => name,
        };
        (self.database, Some(name))
    }
}

/// What a rename replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropTarget {
    /// Nothing.
    No,
    /// Whatever has the name (old form).
    ByName,
    /// This collection, which has no drop entry of its own.
    Uuid(CollectionUuid),
}

/// Who writes a transaction, and after what.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chain<'a> {
    /// The session: `lsid`, whole, child sessions included. Absent in grouped operations of newer servers,
    /// which chain by `previous` alone.
    pub session: Option<Doc<'a>>,
    /// Its transaction number; 0 without a session.
    pub txn_number: i64,
    /// `prevOpTime`; [`OpTime::NULL`] for the first.
    pub previous: OpTime,
}

/// A step of a transaction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TransactionStep<'a> {
    /// Whose.
    pub chain: Chain<'a>,
    /// Which.
    pub step: Step<'a>,
    /// How many operations the whole transaction has, if this says so: its last entry of several does.
    pub count: Option<i64>,
}

/// What a step of a transaction is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step<'a> {
    /// Operations that take effect later, if at all (`partialTxn`).
    Part(Operations<'a>),
    /// The last operations, which take effect with `commitTransaction`, if at all.
    Prepare(Operations<'a>),
    /// The last operations: all take effect here.
    Commit(Operations<'a>),
    /// What was prepared takes effect here.
    CommitPrepared,
    /// What was held is void.
    Abort,
}

#[cfg(test)]
mod tests;
