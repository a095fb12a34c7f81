//! The reference model: a database as plain ordered maps, too simple to be wrong.
//!
//! What tests hold the product against: they apply operations here one by one and compare with a captured
//! [`State`] ([`difference`]) or with what the product says. Collections are known by uuid; a name is an
//! attribute, and two may have the same one (a copy taken while renames went on). It knows nothing of oplog
//! entries, enforces no unique index and no collation but the binary one, and keeps everything raw.

use crate::data_error::DataError;
use crate::raw;
use crate::state::{self, State};
use std::collections::BTreeMap;
use tidemark_base::CollectionUuid;
use tidemark_base::codec::CodecError;

mod collection;
mod difference;

pub use collection::Collection;
pub use difference::difference;

/// Why an operation does not fit the model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// The uuid is taken.
    #[error("collection {uuid} exists")]
    CollectionExists {
        /// The uuid.
        uuid: CollectionUuid,
    },
    /// There is no collection of this uuid.
    #[error("there is no collection {uuid}")]
    NoCollection {
        /// The uuid.
        uuid: CollectionUuid,
    },
    /// A document with an equal `_id` is there.
    #[error("there is a document with _id {id}")]
    DocumentExists {
        /// The `_id`, as text.
        id: String,
    },
    /// A document without `_id`.
    #[error("the document has no _id")]
    NoId,
    /// A document that is not sound BSON.
    #[error("the document is broken: {0}")]
    Broken(#[from] CodecError),
}

/// Which collections of a state are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those of user databases only: for copies taken while a workload ran, which left `admin` out.
    Users,
    /// Those of user databases and of `admin`.
    UsersAndAdmin,
}

impl Scope {
    fn collections(self, state: &State) -> impl Iterator<Item = &state::Collection> {
        let admin = match self {
            Self::Users => [].as_slice(),
            Self::UsersAndAdmin => &state.admin,
        };
        state.collections.iter().chain(admin)
    }

    fn holds(self, db: &str) -> bool {
        match db {
            "config" | "local" => false,
            "admin" => self == Self::UsersAndAdmin,
            _ => true,
        }
    }
}

/// All collections.
#[derive(Clone, Debug, Default)]
pub struct Model {
    collections: BTreeMap<CollectionUuid, Collection>,
}

impl Model {
    /// An empty model.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The model of a state. Of documents with equal `_id` the last one counts, as in an initial sync.
    ///
    /// # Errors
    /// [`DataError::Uuid`] if a collection has no uuid or another one's, [`DataError::Bson`] and
    /// [`DataError::Inconsistent`] for documents that are broken or have no `_id`.
    pub fn load(state: &State, scope: Scope) -> Result<Self, DataError> {
        let mut model = Self::new();
        for from in scope.collections(state) {
            let namespace = from.namespace();
            let problem = |problem: &str, uuid| DataError::Uuid {
                namespace: namespace.clone(),
                problem: problem.to_owned(),
                uuid,
            };
            let uuid = from.uuid.ok_or_else(|| problem("it has no uuid", None))?;
            let mut collection = Collection::new(&from.db, &from.name, &from.options);
            collection.indexes = from.indexes.iter().map(|spec| spec.to_vec()).collect();
            for document in &from.documents {
                collection.put(document).map_err(|error| match error {
                    ModelError::Broken(source) => DataError::Bson { path: namespace.clone(), source },
                    other => DataError::Inconsistent { path: namespace.clone(), problem: other.to_string() },
                })?;
            }
            model.create(uuid, collection).map_err(|_| problem("its uuid is taken", Some(uuid)))?;
        }
        Ok(model)
    }

    /// Adds a collection.
    ///
    /// # Errors
    /// [`ModelError::CollectionExists`].
    pub fn create(&mut self, uuid: CollectionUuid, collection: Collection) -> Result<(), ModelError> {
        if self.collections.contains_key(&uuid) {
            return Err(ModelError::CollectionExists { uuid });
        }
        self.collections.insert(uuid, collection);
        Ok(())
    }

    /// Removes a collection and returns it.
    ///
    /// # Errors
    /// [`ModelError::NoCollection`].
    pub fn drop_collection(&mut self, uuid: CollectionUuid) -> Result<Collection, ModelError> {
        self.collections.remove(&uuid).ok_or(ModelError::NoCollection { uuid })
    }

    /// Gives a collection another name; whether others have it does not matter.
    ///
    /// # Errors
    /// [`ModelError::NoCollection`].
    pub fn rename(&mut self, uuid: CollectionUuid, db: &str, name: &str) -> Result<(), ModelError> {
        let collection = self.collection_mut(uuid)?;
        db.clone_into(&mut collection.db);
        name.clone_into(&mut collection.name);
        Ok(())
    }

    /// A collection.
    ///
    /// # Errors
    /// [`ModelError::NoCollection`].
    pub fn collection(&self, uuid: CollectionUuid) -> Result<&Collection, ModelError> {
        self.collections.get(&uuid).ok_or(ModelError::NoCollection { uuid })
    }

    /// A collection, to be changed.
    ///
    /// # Errors
    /// [`ModelError::NoCollection`].
    pub fn collection_mut(&mut self, uuid: CollectionUuid) -> Result<&mut Collection, ModelError> {
        self.collections.get_mut(&uuid).ok_or(ModelError::NoCollection { uuid })
    }

    /// The uuids of the collections that have this name: usually one or none.
    #[must_use]
    pub fn find(&self, db: &str, name: &str) -> Vec<CollectionUuid> {
        let named = self.collections.iter().filter(|(_, c)| c.db == db && c.name == name);
        named.map(|(&uuid, _)| uuid).collect()
    }

    /// All collections by uuid.
    pub fn iter(&self) -> impl Iterator<Item = (CollectionUuid, &Collection)> {
        self.collections.iter().map(|(&uuid, collection)| (uuid, collection))
    }
}

/// The name of an index specification; its bytes if it has none.
fn index_name(spec: &[u8]) -> String {
    let name = raw::field(spec, "name").ok().flatten().and_then(|element| raw::text(element.value).ok());
    name.map_or_else(|| hex::encode(spec), |name| String::from_utf8_lossy(name).into_owned())
}

#[cfg(test)]
mod tests;
