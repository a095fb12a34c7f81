//! One collection of the catalog: its names, its options and its indexes.

use super::index_spec;
use tidemark_base::bson::Doc;

/// A collection, without its documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collection {
    /// Its database.
    pub database: String,
    /// Its name within the database.
    pub name: String,
    /// A BSON document: `options` as `listCollections` shows it.
    pub options: Vec<u8>,
    /// BSON documents: the rows of `listIndexes`, in order. Clustered collections have the row that the
    /// server makes up for them.
    pub indexes: Vec<Vec<u8>>,
}

impl Collection {
    /// Where the index of this name stands. Specifications that are no documents have no name.
    pub(super) fn index_position(&self, name: &[u8]) -> Option<usize> {
        self.indexes.iter().position(|spec| index_name(spec) == Some(name))
    }

    /// Removes all indexes but the one on `_id`, also if that is the collection's own order.
    pub(super) fn remove_secondary_indexes(&mut self) {
        self.indexes.retain(|spec| Doc::new(spec).is_ok_and(index_spec::is_id_index));
    }
}

/// The name in a specification.
pub(super) fn index_name(spec: &[u8]) -> Option<&[u8]> {
    index_spec::name(Doc::new(spec).ok()?)
}
