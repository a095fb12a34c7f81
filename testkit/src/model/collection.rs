//! One collection of the model: documents by `_id`, and the order in which they were inserted.

use super::ModelError;
use crate::order::IdKey;
use crate::raw;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A collection. Cloning is cheap: documents are shared.
#[derive(Clone, Debug)]
pub struct Collection {
    /// Database name.
    pub db: String,
    /// Collection name.
    pub name: String,
    /// The options as listCollections shows them, raw.
    pub options: Vec<u8>,
    /// Index specifications, raw, in the order of their creation.
    pub indexes: Vec<Vec<u8>>,
    documents: BTreeMap<IdKey, Stored>,
    natural: BTreeMap<u64, IdKey>,
    next: u64,
}

#[derive(Clone, Debug)]
struct Stored {
    position: u64,
    bytes: Arc<[u8]>,
}

impl Collection {
    /// An empty collection without indexes.
    #[must_use]
    pub fn new(db: &str, name: &str, options: &[u8]) -> Self {
        Self {
            db: db.to_owned(),
            name: name.to_owned(),
            options: options.to_vec(),
            indexes: Vec::new(),
            documents: BTreeMap::new(),
            natural: BTreeMap::new(),
            next: 0,
        }
    }

    /// `db.name`.
    #[must_use]
    pub fn namespace(&self) -> String {
        format!("{}.{}", self.db, self.name)
    }

    /// Whether the options say that it is capped, so that the natural order is data.
    #[must_use]
    pub fn is_capped(&self) -> bool {
        let capped = raw::field(&self.options, "capped").ok().flatten();
        capped.is_some_and(|element| element.kind == raw::kind::BOOL && element.value == [1])
    }

    /// How many documents there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.documents.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.documents.is_empty()
    }

    /// The document with this `_id`.
    #[must_use]
    pub fn get(&self, id: &IdKey) -> Option<&[u8]> {
        self.documents.get(id).map(|stored| &*stored.bytes)
    }

    /// Adds a new document, last in natural order.
    ///
    /// # Errors
    /// [`ModelError::DocumentExists`], [`ModelError::NoId`], [`ModelError::Broken`].
    pub fn insert(&mut self, document: &[u8]) -> Result<(), ModelError> {
        let id = id_of(document)?;
        if self.documents.contains_key(&id) {
            return Err(ModelError::DocumentExists { id: id.to_string() });
        }
        self.put(document)?;
        Ok(())
    }

    /// Stores a document whether or not there is one with its `_id`, and returns the one that was there. The
    /// new one takes its place in natural order; its spelling of the `_id` counts from now on.
    ///
    /// # Errors
    /// [`ModelError::NoId`], [`ModelError::Broken`].
    pub fn put(&mut self, document: &[u8]) -> Result<Option<Arc<[u8]>>, ModelError> {
        let id = id_of(document)?;
        let before = self.documents.remove(&id);
        let position = before.as_ref().map_or(self.next, |stored| stored.position);
        self.next = self.next.max(position + 1);
        self.natural.insert(position, id.clone());
        self.documents.insert(id, Stored { position, bytes: document.into() });
        Ok(before.map(|stored| stored.bytes))
    }

    /// Removes a document and returns it.
    pub fn delete(&mut self, id: &IdKey) -> Option<Arc<[u8]>> {
        let stored = self.documents.remove(id)?;
        self.natural.remove(&stored.position);
        Some(stored.bytes)
    }

    /// Removes all documents.
    pub fn clear(&mut self) {
        self.documents.clear();
        self.natural.clear();
    }

    /// The documents by `_id`, in binary order.
    pub fn by_id(&self) -> impl DoubleEndedIterator<Item = (&IdKey, &[u8])> {
        self.documents.iter().map(|(id, stored)| (id, &*stored.bytes))
    }

    /// The documents in the order of their insertion.
    pub fn natural(&self) -> impl DoubleEndedIterator<Item = (&IdKey, &[u8])> {
        self.natural.values().filter_map(|id| Some((id, self.get(id)?)))
    }
}

fn id_of(document: &[u8]) -> Result<IdKey, ModelError> {
    raw::check(document)?;
    IdKey::of_document(document)?.ok_or(ModelError::NoId)
}
