//! Groups, and the names that are taken. Names are unique whatever their case, so that two never look alike.

use crate::error::{Error, Result};
use crate::metadata::{Batch, Metadata};
use crate::record::Record;
use crate::store::Collection;
use crate::words::{GroupId, Name, form};
use serde::{Deserialize, Serialize};
use tidemark_base::{Entropy, UnixMillis};

/// A project: hosts, backups and the people who may see them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Group {
    /// Its id.
    pub id: GroupId,
    /// Its name.
    pub name: Name,
    /// When it was made.
    #[serde(with = "form::millis")]
    pub created_at: UnixMillis,
}

impl Record for Group {
    const COLLECTION: Collection = Collection::Group;
    const NAME: &'static str = "group";

    fn id(&self) -> String {
        self.id.to_string()
    }
}

/// A name that is taken: the record's existence makes it unique.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GroupName {
    /// The name, as it was given.
    pub name: Name,
    /// Whose it is.
    pub group: GroupId,
}

impl GroupName {
    /// Names may hold any letters, and ids may not; equal names have equal ids, and others never.
    fn id_of(name: &Name) -> String {
        let context = "tidemark metadata v1 group name";
        hex::encode(blake3::derive_key(context, name.as_str().to_lowercase().as_bytes()))
    }
}

impl Record for GroupName {
    const COLLECTION: Collection = Collection::GroupName;
    const NAME: &'static str = "name of a group";

    fn id(&self) -> String {
        Self::id_of(&self.name)
    }
}

impl Metadata {
    /// Makes a group.
    ///
    /// # Errors
    /// `Invalid` if the name is taken.
    pub fn create_group(&self, name: Name, now: UnixMillis, entropy: &mut dyn Entropy) -> Result<Group> {
        let group = Group { id: GroupId::new(now, entropy), name, created_at: now };
        self.add_group(&group)?;
        Ok(group)
    }

    /// Adds a group whose id was just drawn.
    ///
    /// # Errors
    /// As [`Self::create_group`].
    pub fn add_group(&self, group: &Group) -> Result<()> {
        let name = GroupName { name: group.name.clone(), group: group.id };
        self.repeat(Collection::GroupName, &name.id(), || {
            if self.find::<GroupName>(&name.id())?.is_some() {
                return Err(taken(&group.name));
            }
            let mut batch = Batch::new();
            batch.create(group)?;
            batch.create(&name)?;
            self.commit(&batch).map(drop)
        })
    }

    /// Gives a group another name.
    ///
    /// # Errors
    /// `Invalid` if the name is taken by another group; `NotFound`.
    pub fn rename_group(&self, group: GroupId, name: Name) -> Result<()> {
        self.repeat(Collection::Group, &group.to_string(), || {
            let old = self.get::<Group>(&group.to_string())?;
            let new_name = GroupName { name: name.clone(), group };
            let mut batch = Batch::new();
            batch.replace(&old, &Group { name: name.clone(), ..old.record.clone() })?;
            match self.find::<GroupName>(&new_name.id())? {
                Some(found) if found.record.group != group => return Err(taken(&name)),
                Some(found) => batch.replace(&found, &new_name)?,
                None => {
                    batch.create(&new_name)?;
                    if let Some(found) = self.find::<GroupName>(&GroupName::id_of(&old.record.name))? {
                        batch.remove(&found);
                    }
                }
            }
            self.commit(&batch).map(drop)
        })
    }
}

fn taken(name: &Name) -> Error {
    Error::refused(format!("there is already a group called '{name}'"), "take another name")
}
