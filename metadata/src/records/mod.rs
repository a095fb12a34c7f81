//! The kinds of records, a file each: fields, limits, and the rules that change them.

mod access;
mod agent;
mod backup;
mod check;
mod daemon;
mod event;
mod group;
mod invitation;
mod job;
mod matter;
mod people;
mod replica_set;
mod restore;
mod session;

pub use access::{AgentKey, ApiKey, NewApiKey};
pub use agent::Agent;
pub use backup::{
    BackupConfig, Copies, DeletedSnapshot, Ordered, PITR_WINDOW_HOURS, Status, SyncSource,
    TERMINATION_UNDO_MS,
};
pub use daemon::Daemon;
pub use event::{Event, EventLog, Happening};
pub use group::{Group, GroupName};
pub use invitation::{Invitation, Joining};
pub use job::{Claim, Job, JobKind, JobState, LEASE_MS, Outcome, Progress};
pub use matter::Matter;
pub use people::{LoginName, NewUser, Site, User};
pub use replica_set::{Host, ReplicaSet, Run, Seed, Sight, Standing};
pub use restore::{RestoreJob, RestoreLink, RestoreState, RestoreTarget};
pub use session::{Session, csrf_token};
