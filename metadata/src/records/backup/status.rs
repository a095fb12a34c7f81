//! The life of a backup: where it may stand, and which change whoever may order.

use serde::{Deserialize, Serialize};

/// Where a backup stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// Never started, or ended for good.
    Inactive,
    /// The first copy is being made, or a new one.
    Provisioning,
    /// Following the oplog.
    Started,
    /// At rest; snapshots go by their retention.
    Stopped,
    /// Everything will be deleted; undone until then by stopping.
    Terminating,
}

/// Who wants a change of status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ordered {
    /// A person or an API client.
    ByUser,
    /// The service: work has been done, or cannot go on.
    ByService,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Inactive, Self::Provisioning, Self::Started, Self::Stopped, Self::Terminating];

    /// Whether this change is in the table.
    #[must_use]
    pub const fn may_become(self, next: Self, ordered: Ordered) -> bool {
        use Status::{Inactive, Provisioning, Started, Stopped, Terminating};
        match ordered {
            // Start; resync; stop; resume; terminate; undo.
            Ordered::ByUser => matches!(
                (self, next),
                (Inactive | Started, Provisioning)
                    | (Provisioning | Started | Terminating, Stopped)
                    | (Stopped, Started | Provisioning | Terminating)
            ),
            // The copy is complete; a new one is needed; everything is deleted.
            Ordered::ByService => {
                matches!(
                    (self, next),
                    (Provisioning, Started) | (Started, Provisioning) | (Terminating, Inactive)
                )
            }
        }
    }

    /// The name that people know.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inactive => "INACTIVE",
            Self::Provisioning => "PROVISIONING",
            Self::Started => "STARTED",
            Self::Stopped => "STOPPED",
            Self::Terminating => "TERMINATING",
        }
    }
}
