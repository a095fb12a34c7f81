//! The state of a server at one moment, as files hold it: what a capture starts from and must end in.
//!
//! Made by [`crate::captures`] and [`crate::dump_dir`]; compared with a [`crate::model::Model`]. Plain data:
//! it checks nothing and keeps everything raw. Views and time-series collections are listings without data of
//! their own; their data are the documents of `system.views` and `system.buckets.*`, which are collections.

use std::borrow::Cow;
use tidemark_base::CollectionUuid;

/// Raw BSON, either borrowed from a packed archive or owned.
pub type Bytes = Cow<'static, [u8]>;

/// All databases of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Collections of user databases, by database and name.
    pub collections: Vec<Collection>,
    /// Views and time-series collections of user databases.
    pub listed: Vec<Listed>,
    /// Collections of the database `admin`.
    pub admin: Vec<Collection>,
    /// Collections of the database `config`: for information, never to be compared.
    pub config: Vec<Collection>,
}

/// A collection with documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collection {
    /// Database name.
    pub db: String,
    /// Collection name.
    pub name: String,
    /// Its uuid; a dump does not have it for the buckets of time-series collections.
    pub uuid: Option<CollectionUuid>,
    /// The `options` document of its listing; the empty document if there is none.
    pub options: Bytes,
    /// The whole listCollections document, where one was captured.
    pub listing: Option<Bytes>,
    /// Index specifications as listIndexes gives them, in its order.
    pub indexes: Vec<Bytes>,
    /// Documents in the order of the file.
    pub documents: Vec<Bytes>,
    /// What that order is.
    pub order: Order,
}

impl Collection {
    /// `db.name`.
    #[must_use]
    pub fn namespace(&self) -> String {
        format!("{}.{}", self.db, self.name)
    }
}

/// In which order documents stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// By `_id`, as the server sorts it under the collection's collation.
    Id,
    /// Order of insertion, which is data: capped collections.
    Natural,
    /// However a scan found them; means nothing.
    Scan,
}

/// What a [`Listed`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListedKind {
    /// A view.
    View,
    /// A time-series collection; its data is in `system.buckets.<name>`.
    TimeSeries,
}

/// A name in a database that has no documents of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Database name.
    pub db: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: ListedKind,
    /// The `options` document of its listing.
    pub options: Bytes,
    /// The whole listCollections document, where one was captured.
    pub listing: Option<Bytes>,
}
