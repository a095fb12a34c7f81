//! Who may do what: roles to permissions, one table.
//!
//! An agent's key may fetch its configuration and upload, nothing else; no role of a person includes an agent's
//! work. Permissions are always asked for one group, or for the site as a whole.

use crate::error::{Error, Result};
use crate::words::GroupId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tidemark_base::limits::MAX_GROUPS_OF_A_USER;

/// A role in a group, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Role {
    /// Sees everything of the group but secrets.
    #[serde(rename = "GROUP_READ_ONLY")]
    ReadOnly,
    /// Runs its backups.
    #[serde(rename = "GROUP_BACKUP_ADMIN")]
    BackupAdmin,
    /// Runs the group: people and keys as well.
    #[serde(rename = "GROUP_OWNER")]
    Owner,
}

/// Something that not everybody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// See replica sets, snapshots, jobs, events.
    View,
    /// Start and stop backups, set schedule, excluded namespaces, sync source and connection.
    ManageBackup,
    /// Restore, and so read all data.
    Restore,
    /// End a backup for good, delete all of a backup.
    Terminate,
    /// Say how long snapshots are kept.
    ManageRetention,
    /// Make and revoke keys of agents and of the API, invite people and give them roles.
    ManageAccess,
    /// Make groups, see daemons, everything that belongs to no group.
    ManageSite,
    /// Fetch an agent's configuration and upload.
    AgentWork,
}

impl Permission {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::View,
        Self::ManageBackup,
        Self::Restore,
        Self::Terminate,
        Self::ManageRetention,
        Self::ManageAccess,
        Self::ManageSite,
        Self::AgentWork,
    ];

    /// The least role in a group that includes it; none if no role in a group does.
    const fn least_role(self) -> Option<Role> {
        match self {
            Self::View => Some(Role::ReadOnly),
            Self::ManageBackup | Self::Restore | Self::Terminate | Self::ManageRetention => {
                Some(Role::BackupAdmin)
            }
            Self::ManageAccess => Some(Role::Owner),
            Self::ManageSite | Self::AgentWork => None,
        }
    }
}

/// The roles of a person or of an API key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Roles {
    /// May do everything that people may do, in all groups and on the site.
    pub global_owner: bool,
    /// The role in each group.
    pub groups: BTreeMap<GroupId, Role>,
}

impl Roles {
    /// One role in one group.
    #[must_use]
    pub fn in_group(group: GroupId, role: Role) -> Self {
        Self { global_owner: false, groups: BTreeMap::from([(group, role)]) }
    }

    /// The roles of who owns the site.
    #[must_use]
    pub fn global() -> Self {
        Self { global_owner: true, groups: BTreeMap::new() }
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.groups.len() > MAX_GROUPS_OF_A_USER {
            let problem = format!("{} groups, at most {MAX_GROUPS_OF_A_USER} are allowed", self.groups.len());
            return Err(Error::invalid("roles", problem));
        }
        Ok(())
    }
}

/// Whoever asks for something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// A person or an API key with these roles.
    Roles(Roles),
    /// An agent of this group.
    Agent(GroupId),
}

impl Principal {
    /// Whether this may be done in a group; without a group, on the site.
    #[must_use]
    pub fn may(&self, permission: Permission, group: Option<GroupId>) -> bool {
        match self {
            Self::Agent(own) => permission == Permission::AgentWork && group == Some(*own),
            Self::Roles(_) if permission == Permission::AgentWork => false,
            Self::Roles(roles) if roles.global_owner => true,
            Self::Roles(roles) => {
                let role = group.and_then(|it| roles.groups.get(&it));
                role.zip(permission.least_role()).is_some_and(|(role, least)| *role >= least)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Permission::{
        AgentWork, ManageAccess, ManageBackup, ManageRetention, ManageSite, Restore, Terminate, View,
    };

    const MINE: GroupId = GroupId::from_bytes([1; 12]);
    const OTHER: GroupId = GroupId::from_bytes([2; 12]);

    fn allowed(who: &Principal, group: Option<GroupId>) -> Vec<Permission> {
        Permission::ALL.into_iter().filter(|it| who.may(*it, group)).collect()
    }

    #[test]
    fn the_whole_table() {
        let backups = [View, ManageBackup, Restore, Terminate, ManageRetention];
        let role = |it| Principal::Roles(Roles::in_group(MINE, it));
        assert_eq!(allowed(&role(Role::ReadOnly), Some(MINE)), [View]);
        assert_eq!(allowed(&role(Role::BackupAdmin), Some(MINE)), backups);
        assert_eq!(allowed(&role(Role::Owner), Some(MINE)), [&backups[..], &[ManageAccess]].concat());
        let global = Principal::Roles(Roles::global());
        for group in [Some(MINE), Some(OTHER), None] {
            assert_eq!(allowed(&global, group), [&backups[..], &[ManageAccess, ManageSite]].concat());
        }
        assert_eq!(allowed(&Principal::Agent(MINE), Some(MINE)), [AgentWork]);
    }

    #[test]
    fn a_group_gives_nothing_in_another_and_nothing_on_the_site() {
        let who = [Role::ReadOnly, Role::BackupAdmin, Role::Owner]
            .map(|it| Principal::Roles(Roles::in_group(MINE, it)));
        let nobody = [Principal::Agent(MINE), Principal::Roles(Roles::default())];
        for who in who.iter().chain(&nobody) {
            assert_eq!(allowed(who, Some(OTHER)), [], "{who:?}");
            assert_eq!(allowed(who, None), [], "{who:?}");
        }
    }
}
