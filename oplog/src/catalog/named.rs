//! Collections by name, beside the catalog's own order by UUID.
//!
//! Kept in step by `Catalog` alone: a command is found by name, or checked against it, at a cost that does not
//! grow with the number of collections.

use super::Collection;
use std::collections::{BTreeMap, BTreeSet};
use tidemark_base::CollectionUuid;

/// The UUIDs behind each name of each database. No set and no map in it is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Named(BTreeMap<String, BTreeMap<String, BTreeSet<CollectionUuid>>>);

impl Named {
    pub(super) const fn new() -> Self {
        Self(BTreeMap::new())
    }

    pub(super) fn add(&mut self, uuid: CollectionUuid, collection: &Collection) {
        let database = self.0.entry(collection.database.clone()).or_default();
        database.entry(collection.name.clone()).or_default().insert(uuid);
    }

    pub(super) fn remove(&mut self, uuid: CollectionUuid, collection: &Collection) {
        let Some(database) = self.0.get_mut(&collection.database) else { return };
        if let Some(uuids) = database.get_mut(&collection.name) {
            uuids.remove(&uuid);
            if uuids.is_empty() {
                database.remove(&collection.name);
            }
        }
        if database.is_empty() {
            self.0.remove(&collection.database);
        }
    }

    /// Those of this name, in order.
    pub(super) fn get(&self, database: &str, name: &str) -> impl Iterator<Item = CollectionUuid> + use<'_> {
        let uuids = self.0.get(database).and_then(|database| database.get(name));
        uuids.into_iter().flatten().copied()
    }

    /// Those of this database, in order.
    pub(super) fn of_database(&self, database: &str) -> BTreeSet<CollectionUuid> {
        self.0.get(database).into_iter().flat_map(BTreeMap::values).flatten().copied().collect()
    }
}
