//! Who may do what, what is backed up and how, and the work that is to be done.
//!
//! Used by the front-end and the daemon, often at the same time from several processes. At the bottom a narrow
//! [`Store`] of versioned documents, in SQLite ([`SqliteStore`]) or in memory ([`MemoryStore`]); above it
//! [`Metadata`], typed records and the rules that change them, written once. What a change needs of the world —
//! time, randomness, the sealing key — comes in as an argument; decisions are pure functions in [`rules`].
//!
//! What always holds: every write names the version it replaces; what must be true together is written together;
//! a record belongs to its group by its id; no secret is stored in the clear, shown in `Debug` or quoted in an
//! error. Nothing needed for a restore is only here: that is all in the blockstore.
//!
//! Not here: HTTP, checks of who may do what (only the table, [`rules::roles`]), the work itself.

mod error;
mod memory;
mod metadata;
mod record;
mod records;
pub mod rules;
mod secret;
mod sqlite;
mod store;
mod words;

pub use error::{Error, Result};
pub use memory::MemoryStore;
pub use metadata::{Batch, Metadata};
pub use record::{Record, Stored};
pub use records::{
    Agent, AgentKey, ApiKey, BackupConfig, Claim, Copies, Daemon, DeletedSnapshot, Event, EventLog, Group,
    GroupName, Happening, Host, Invitation, Job, JobKind, JobState, Joining, LEASE_MS, LoginName, Matter,
    NewApiKey, NewUser, Ordered, Outcome, PITR_WINDOW_HOURS, Progress, ReplicaSet, RestoreJob, RestoreLink,
    RestoreState, RestoreTarget, Run, Seed, Session, Sight, Site, Standing, Status, SyncSource,
    TERMINATION_UNDO_MS, User, csrf_token,
};
pub use secret::{
    DigestHashes, Password, PasswordHash, PasswordHasher, Purpose, REALM, Sealed, SealingKey, Secret, Token,
    TokenHash, load_or_create,
};
pub use sqlite::SqliteStore;
pub use store::{By, Change, Collection, Document, Expect, Query, Store, Version, Write};
pub use words::{
    Code, DaemonName, GroupId, HostId, HostName, Login, Name, Namespace, ReplicaSetId, RestoreJobId, SetName,
    SnapshotName, Subject, Text, UserId, Zone,
};
