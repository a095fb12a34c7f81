//! The catalog: which collections there are, under which names, with which options and indexes.
//!
//! Called by `head`, which keeps a catalog with each root, and by the tests that replay captures. Pure:
//! commands go in, the catalog changes, and an [`Effect`] says what must happen to documents. Collections are
//! known by UUID alone; a name is an attribute, and two collections may have the same one while a copy is not
//! consistent yet, so nothing has to be moved out of the way. Options and index specifications are kept raw,
//! exactly as `listCollections` and `listIndexes` show them.
//!
//! Deliberately not here: views and time-series collections as such (they are documents of `system.views`,
//! and of `system.buckets.*`), documents, unique indexes, and the order in which concurrent index builds
//! began, which `listIndexes` shows and the oplog's commits do not tell.

#![warn(clippy::indexing_slicing)]

mod coll_mod;
mod collection;
mod create;
mod effect;
mod index_spec;
mod indexes;
mod named;
mod options;
mod rename;

use crate::EntryProblem;
use crate::entry::{Command, CommandEntry, Manner};
use named::Named;
use std::collections::BTreeMap;
use tidemark_base::CollectionUuid;

pub use collection::Collection;
pub use effect::{Applied, Effect, Misfit, MisfitKind};

/// All collections of a replica set, by UUID.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    collections: BTreeMap<CollectionUuid, Collection>,
    /// The same by name.
    named: Named,
}

impl Catalog {
    /// A catalog without collections.
    #[must_use]
    pub const fn new() -> Self {
        Self { collections: BTreeMap::new(), named: Named::new() }
    }

    /// Adds a collection as a copy found it; returns the one that had the UUID before.
    pub fn insert(&mut self, uuid: CollectionUuid, collection: Collection) -> Option<Collection> {
        let before = self.remove(uuid);
        self.named.add(uuid, &collection);
        self.collections.insert(uuid, collection);
        before
    }

    /// Removes a collection and returns it.
    pub fn remove(&mut self, uuid: CollectionUuid) -> Option<Collection> {
        let removed = self.collections.remove(&uuid)?;
        self.named.remove(uuid, &removed);
        Some(removed)
    }

    /// Gives a collection another name, if there is one.
    fn give_name(&mut self, uuid: CollectionUuid, database: &str, name: &str) {
        if let Some(collection) = self.collections.get_mut(&uuid) {
            self.named.remove(uuid, collection);
            (collection.database, collection.name) = (database.to_owned(), name.to_owned());
            self.named.add(uuid, collection);
        }
    }

    /// The collection with this UUID.
    #[must_use]
    pub fn get(&self, uuid: CollectionUuid) -> Option<&Collection> {
        self.collections.get(&uuid)
    }

    /// All collections, by UUID.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (CollectionUuid, &Collection)> {
        self.collections.iter().map(|(&uuid, collection)| (uuid, collection))
    }

    /// The collections of this name: one or none, and more only before a copy is consistent.
    pub fn named(&self, database: &str, name: &str) -> impl Iterator<Item = CollectionUuid> + use<'_> {
        self.named.get(database, name)
    }

    /// Applies a command. What does not fit is done as far as it makes sense, and reported in
    /// [`Applied::misfits`] if the command is strict.
    ///
    /// # Errors
    /// [`EntryProblem`] if the command's document is broken, or contradicts itself, or asks for more indexes
    /// than any server has. The catalog is as it was then.
    pub fn apply(&mut self, entry: &CommandEntry<'_>) -> Result<Applied, EntryProblem> {
        let mut change = Change::new(self, entry);
        match entry.command {
            Command::Create { name, o, id_index } => change.create(name, o, id_index)?,
            Command::Drop { name } => change.drop_collection(name),
            Command::DropDatabase => change.drop_database(),
            Command::Rename { from, to, stay_temp, drop_target } => {
                change.rename(from, to, stay_temp, drop_target)?;
            }
            Command::ConvertToCapped { name, size_bytes } => change.convert_to_capped(name, size_bytes)?,
            Command::EmptyCapped { name } => change.empty_capped(name),
            Command::CollMod { name, o } => change.coll_mod(name, o)?,
            Command::CreateIndex { name, o } => change.create_index(name, o)?,
            // Nothing can be used before the commit; an abort is not worth a trace.
            Command::StartIndexBuild { .. } => {}
            Command::CommitIndexBuild { name, indexes } => change.commit_index_build(name, indexes)?,
            Command::AbortIndexBuild { name, indexes } => change.abort_index_build(name, indexes)?,
            Command::DropIndexes { name, index } => change.drop_indexes(name, index)?,
        }
        Ok(change.applied)
    }
}

/// One command on its way into the catalog.
struct Change<'c> {
    catalog: &'c mut Catalog,
    database: &'c str,
    uuid: Option<CollectionUuid>,
    strict: bool,
    applied: Applied,
}

impl<'c> Change<'c> {
    fn new(catalog: &'c mut Catalog, entry: &CommandEntry<'c>) -> Self {
        Self {
            catalog,
            database: entry.database,
            uuid: entry.uuid,
            strict: entry.manner == Manner::Strict,
            applied: Applied::default(),
        }
    }

    /// Reports what does not fit, if it should.
    fn misfit(&mut self, kind: MisfitKind, name: &str, uuid: Option<CollectionUuid>) {
        if self.strict {
            let namespace = format!("{}.{name}", self.database);
            self.applied.misfits.push(Misfit { kind, namespace, uuid });
        }
    }

    /// The collection that the command is about: by UUID if it gives one, whatever the name.
    fn find(&mut self, name: &str) -> Option<CollectionUuid> {
        let found = match self.uuid {
            Some(uuid) => self.catalog.collections.contains_key(&uuid).then_some(uuid),
            None => self.catalog.named(self.database, name).next(),
        };
        if found.is_none() {
            self.misfit(MisfitKind::NoCollection, name, self.uuid);
        }
        found
    }

    /// As [`Self::find`], to be changed.
    fn find_mut(&mut self, name: &str) -> Option<&mut Collection> {
        let uuid = self.find(name)?;
        self.catalog.collections.get_mut(&uuid)
    }

    fn drop_collection(&mut self, name: &str) {
        // Of a collection that is not known too: a copy of it may still be on its way.
        let dropped = self.find(name).or(self.uuid);
        if let Some(uuid) = dropped {
            self.catalog.remove(uuid);
            self.applied.effect = Effect::Dropped(vec![uuid]);
        }
    }

    /// Every collection has had its own drop entry; what is left came with a copy, and is made again later.
    fn drop_database(&mut self) {
        let left = self.catalog.named.of_database(self.database);
        for uuid in &left {
            if let Some(collection) = self.catalog.remove(*uuid) {
                self.misfit(MisfitKind::DroppedWithDatabase, &collection.name, Some(*uuid));
            }
        }
        if !left.is_empty() {
            self.applied.effect = Effect::Dropped(left.into_iter().collect());
        }
    }

    fn empty_capped(&mut self, name: &str) {
        if let Some(uuid) = self.find(name) {
            self.applied.effect = Effect::Emptied(uuid);
        }
    }
}

#[cfg(test)]
mod tests;
