//! The collections, one for each kind of record. The list is closed: an implementation may prepare each.

use std::fmt;

macro_rules! collections {
    ($($(#[$doc:meta])* $name:ident = $text:literal),* $(,)?) => {
        /// A kind of record.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Collection {
            $($(#[$doc])* $name,)*
        }

        impl Collection {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The name under which it is stored. Never changes.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

collections! {
    /// The installation as a whole; one record.
    Site = "site",
    /// Projects.
    Group = "group",
    /// Names of groups that are taken.
    GroupName = "groupName",
    /// People.
    User = "user",
    /// Login names that are taken.
    Login = "login",
    /// Invitations to a group, by the hash of their token.
    Invitation = "invitation",
    /// Sessions of people, by the hash of their token.
    Session = "session",
    /// Keys of the public API, by their public half.
    ApiKey = "apiKey",
    /// Keys of agents, by their hash.
    AgentKey = "agentKey",
    /// Agents that were seen.
    Agent = "agent",
    /// Servers of MongoDB.
    Host = "host",
    /// Replica sets.
    ReplicaSet = "replicaSet",
    /// What is backed up and how.
    BackupConfig = "backupConfig",
    /// Daemons that were seen.
    Daemon = "daemon",
    /// Work for daemons.
    Job = "job",
    /// Restores that were asked for.
    RestoreJob = "restoreJob",
    /// Links to prepared restores, by the hash of their token.
    RestoreLink = "restoreLink",
    /// Where the events of a group begin and end.
    EventLog = "eventLog",
    /// What happened.
    Event = "event",
    /// What was noted as wrong, and not as over since.
    Matter = "matter",
}

impl fmt::Display for Collection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
