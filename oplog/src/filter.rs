//! Which namespaces a backup holds: what no backup holds, and what a user left out or asked for alone.
//!
//! Asked by the agent before it copies and by the applier for every operation, those inside of an `applyOps`
//! too, where one entry may hold both kinds; parsing does not filter. Works on names as they are in the log:
//! a collection can come into the backup, or leave it, by a rename ([`Filter::rename`]).
//!
//! The list of what no backup holds (in `filter/system.rs`) is that for a replica set. Shards of a cluster need other
//! rules for parts of `config` (what is being migrated); they are left for when clusters are backed up.

#![warn(clippy::indexing_slicing)]

mod system;

#[cfg(test)]
mod tests;

use crate::entry::{Command, CommandEntry};
use crate::names::{NameError, Namespace, check_database};

/// What is kept. The default keeps all but what no backup holds.
///
/// An item is a database (`app`) or a collection (`app.orders`). Naming a collection also names the hidden
/// ones that hold its data: the buckets of a time-series collection and the metadata of queryable
/// encryption. Where there are items to include, only they are kept, and of the databases they are in also
/// `system.views` and the temporary collections that get renamed into place; `config` and the system
/// collections of `admin` do not need naming. What is excluded is never kept, except that temporary
/// collections and `system.views` go with their database only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    exclude: Vec<Item>,
    include: Vec<Item>,
}

/// What is to be done about a command, or about a collection that is renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Apply it.
    Keep,
    /// Pass over it.
    Skip,
    /// The collection leaves the backup: drop it, and what it replaces stays as it is.
    Leaves,
    /// The collection comes into the backup under a new name, and what is in it has not been seen: what it
    /// replaces goes, and the collection must be resynced.
    Enters,
}

/// A database, or a collection of it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Item {
    database: String,
    collection: Option<String>,
}

impl Item {
    fn parse(text: &str) -> Result<Self, NameError> {
        if text.contains('.') {
            let namespace = Namespace::parse(text)?;
            let collection = Some(namespace.collection().to_owned());
            return Ok(Self { database: namespace.database().to_owned(), collection });
        }
        check_database(text)?;
        Ok(Self { database: text.to_owned(), collection: None })
    }

    fn names(&self, database: &str, collection: &str) -> bool {
        self.database == database
            && self
                .collection
                .as_deref()
                .is_none_or(|own| own == collection || own == system::data_of(collection))
    }

    fn names_all_of(&self, database: &str) -> bool {
        self.database == database && self.collection.is_none()
    }
}

impl Filter {
    /// A filter that keeps nothing of `exclude`, and only what is in `include` unless that is empty.
    ///
    /// # Errors
    /// If an item is neither the name of a database nor of a collection.
    pub fn new(
        exclude: impl IntoIterator<Item = impl AsRef<str>>,
        include: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<Self, NameError> {
        Ok(Self { exclude: items(exclude)?, include: items(include)? })
    }

    /// What it was made of: the items to exclude, and those to include.
    #[must_use]
    pub fn items(&self) -> [Vec<String>; 2] {
        let texts = |items: &[Item]| {
            let text = |it: &Item| match &it.collection {
                Some(collection) => format!("{}.{collection}", it.database),
                None => it.database.clone(),
            };
            items.iter().map(text).collect()
        };
        [texts(&self.exclude), texts(&self.include)]
    }

    /// Whether a collection is kept.
    #[must_use]
    pub fn keeps(&self, namespace: Namespace<'_>) -> bool {
        self.keeps_collection(namespace.database(), namespace.collection())
    }

    /// Whether a collection is kept, by the names of its database and its own.
    #[must_use]
    pub fn keeps_collection(&self, database: &str, collection: &str) -> bool {
        if !system::is_kept(database, collection) {
            return false;
        }
        if self.exclude.is_empty() && self.include.is_empty() {
            return true;
        }
        if system::goes_with_database(collection) {
            return self.keeps_any_of(database);
        }
        !self.exclude.iter().any(|item| item.names(database, collection))
            && (self.include.is_empty()
                || system::needs_no_naming(database, collection)
                || self.include.iter().any(|item| item.names(database, collection)))
    }

    /// Whether anything of a database can be kept.
    #[must_use]
    pub fn keeps_any_of(&self, database: &str) -> bool {
        database != "local"
            && !self.exclude.iter().any(|item| item.names_all_of(database))
            && (self.include.is_empty()
                || matches!(database, "admin" | "config")
                || self.include.iter().any(|item| item.database == database))
    }

    /// What a rename means: it may carry a collection across the border of the backup.
    #[must_use]
    pub fn rename(&self, from: Namespace<'_>, to: Namespace<'_>) -> Scope {
        match (self.keeps(from), self.keeps(to)) {
            (true, true) => Scope::Keep,
            (false, false) => Scope::Skip,
            (true, false) => Scope::Leaves,
            (false, true) => Scope::Enters,
        }
    }

    /// What is to be done about a command.
    #[must_use]
    pub fn command(&self, entry: &CommandEntry<'_>) -> Scope {
        if let Command::Rename { from, to, .. } = entry.command {
            return self.rename(from, to);
        }
        let kept = match entry.target() {
            (database, Some(name)) => self.keeps_collection(database, name),
            (database, None) => self.keeps_any_of(database),
        };
        if kept { Scope::Keep } else { Scope::Skip }
    }
}

fn items(texts: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Vec<Item>, NameError> {
    texts.into_iter().map(|text| Item::parse(text.as_ref())).collect()
}
