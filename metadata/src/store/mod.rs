//! Where records are kept: versioned documents, found by id or by one secondary key, changed in small batches.
//!
//! The trait is as narrow as it can be, so that SQLite, memory and, later, MongoDB do the same; a suite
//! (`tests/conformance`) runs against each. What always holds: a batch happens whole or not at all; every
//! write says which version it replaces; the bytes handed out are those written, or there is an error. What a
//! document means is not known here. Nothing here is a query language: no sorting but by id, no joins, no
//! partial updates.

mod change;
mod collection;

pub use change::{Change, Expect, Write};
pub(crate) use change::{Judged, judge};
pub use collection::Collection;

use crate::error::{Error, Result};
use std::fmt;
use tidemark_base::limits::{MAX_PAGE_RECORDS, MAX_RECORD_ID_BYTES};

/// A version of a document. Each batch makes a new one for all that it writes; for one id no version ever comes
/// back, even if the document is deleted and made again. The order of versions means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Version(pub u64);

/// A stored document.
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    /// Its name within the collection.
    pub id: String,
    /// Its secondary key, if it has one. Not unique.
    pub key: Option<String>,
    /// Its version.
    pub version: Version,
    /// Its contents.
    pub body: String,
}

impl fmt::Debug for Document {
    /// Without the contents: they may hold hashes and sealed secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, key, version, body } = self;
        write!(f, "Document({id}, key {key:?}, version {}, {} bytes)", version.0, body.len())
    }
}

/// Which documents of a collection are wanted, in the order of their ids (byte by byte).
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// How they are chosen.
    pub by: By<'a>,
    /// Only those with a greater id than this: the last of the page before.
    pub after: Option<&'a str>,
    /// At most this many; no more than [`MAX_PAGE_RECORDS`] in any case.
    pub limit: usize,
}

/// The two ways to choose documents.
#[derive(Clone, Copy, Debug)]
pub enum By<'a> {
    /// Ids that begin so; all, if it is empty.
    IdPrefix(&'a str),
    /// This secondary key.
    Key(&'a str),
}

impl Query<'_> {
    /// The limit that counts.
    pub(crate) fn effective_limit(&self) -> usize {
        self.limit.min(MAX_PAGE_RECORDS)
    }
}

/// A store of documents. Shared by threads, and by processes if the implementation says so.
pub trait Store: Send + Sync {
    /// The document with this id, if there is one.
    ///
    /// # Errors
    /// `Corrupt` if it is not as it was written; `Retry` if the store is busy or out of reach.
    fn get(&self, collection: Collection, id: &str) -> Result<Option<Document>>;

    /// One page of documents, in the order of their ids, as they were at one moment.
    ///
    /// # Errors
    /// As [`Store::get`].
    fn scan(&self, collection: Collection, query: Query<'_>) -> Result<Vec<Document>>;

    /// Makes all changes durably, or none, and returns the version of all that was written.
    ///
    /// # Errors
    /// `Conflict` names the first change (in their order) whose document is not as expected; `Invalid` if the batch
    /// breaks a limit. After any other error the batch may have happened: read again before repeating it.
    fn apply(&self, changes: &[Change]) -> Result<Version>;
}

/// Refuses what cannot be an id or a key: they are short, printable ASCII without spaces, so that every
/// database orders them alike.
pub(crate) fn check_id(field: &'static str, id: &str) -> Result<()> {
    if id.is_empty() || id.len() > MAX_RECORD_ID_BYTES {
        let problem = format!("{} bytes, where 1 to {MAX_RECORD_ID_BYTES} are allowed", id.len());
        return Err(Error::invalid(field, problem));
    }
    if !id.bytes().all(|it| it.is_ascii_graphic()) {
        return Err(Error::invalid(field, "only printable ASCII without spaces is allowed"));
    }
    Ok(())
}

/// Refuses a query that no implementation answers.
pub(crate) fn check_query(query: &Query<'_>) -> Result<()> {
    match query.by {
        By::IdPrefix("") => {}
        By::IdPrefix(prefix) => check_id("prefix of ids", prefix)?,
        By::Key(key) => check_id("secondary key", key)?,
    }
    query.after.map_or(Ok(()), |after| check_id("id to go on after", after))
}
