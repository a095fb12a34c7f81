//! What a dump says of one collection, view or time-series collection.

use super::names::admin_collection;
use tidemark_base::CollectionUuid;
use tidemark_base::bson::Doc;

/// What a namespace is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// A collection.
    #[default]
    Collection,
    /// A view: it has no documents of its own.
    View,
    /// A time-series collection: its documents are buckets.
    TimeSeries,
}

impl Kind {
    /// The word in metadata.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Collection => "collection",
            Self::View => "view",
            Self::TimeSeries => "timeseries",
        }
    }

    /// The kind by its word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Collection, Self::View, Self::TimeSeries].into_iter().find(|it| it.as_str() == word)
    }
}

/// A collection, view or time-series collection as its metadata describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// Its database.
    pub database: String,
    /// Its name within the database.
    pub collection: String,
    /// What it is.
    pub kind: Kind,
    /// Its UUID; views and time-series collections have none in a dump.
    pub uuid: Option<CollectionUuid>,
    /// A BSON document: `options` as `listCollections` shows it.
    pub options: Vec<u8>,
    /// BSON documents: the rows of `listIndexes`, in order.
    pub indexes: Vec<Vec<u8>>,
}

impl Namespace {
    /// A collection without options and indexes.
    #[must_use]
    pub fn bare(database: &str, collection: &str) -> Self {
        Self {
            database: database.to_owned(),
            collection: collection.to_owned(),
            kind: Kind::Collection,
            uuid: None,
            options: Doc::EMPTY.as_bytes().to_vec(),
            indexes: Vec::new(),
        }
    }

    /// `database.collection`, with control characters escaped, for messages.
    #[must_use]
    pub fn shown(&self) -> String {
        shown(&self.database, &self.collection)
    }
}

/// `database.collection` for messages.
pub(super) fn shown(database: &str, collection: &str) -> String {
    format!("{}.{}", database.escape_debug(), collection.escape_debug())
}

/// One namespace of a dump, and under which name its documents stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What the metadata says.
    pub namespace: Namespace,
    /// The collection that its documents stand under: its own name, for a time-series collection that of its
    /// buckets, for a view none.
    pub stream: Option<String>,
}

impl Part {
    /// The part of a namespace, its documents where servers below 8.3 have them.
    #[must_use]
    pub fn of(namespace: Namespace) -> Self {
        let stream = match namespace.kind {
            Kind::Collection => Some(namespace.collection.clone()),
            Kind::View => None,
            Kind::TimeSeries => Some(format!("{BUCKETS}{}", namespace.collection)),
        };
        Self { namespace, stream }
    }

    /// Whether it must stand before all others in an archive: mongorestore keeps users, roles and their version
    /// aside as long as it has seen nothing else, and does not find them later (seen with 100.8.0).
    #[must_use]
    pub fn must_come_first(&self) -> bool {
        let Namespace { database, collection, .. } = &self.namespace;
        let is_of_users = matches!(collection.as_str(), "system.users" | "system.roles" | "system.version");
        database == "admin" && is_of_users || admin_collection(collection).is_some()
    }

    /// Puts parts into an order that every restore tool accepts, and otherwise leaves theirs.
    pub fn put_in_order(parts: &mut [Self]) {
        parts.sort_by_key(|it| !it.must_come_first());
    }
}

/// What the name of the buckets of a time-series collection begins with.
pub(super) const BUCKETS: &str = "system.buckets.";

/// Who made a dump.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    /// The server whose data it is, as `x.y.z`: newer restore tools decide by it how to read the dump.
    pub server: Option<String>,
    /// The tool that wrote it.
    pub tool: Option<String>,
}
