//! Which collections make up a dump, under which names, with what metadata: decided here, done elsewhere.
//!
//! Called by export with a catalog; pure. What a dump does not hold is listed with its reason, so that nothing
//! is left out silently. Choosing among namespaces is the caller's business: it gives what it wants dumped.

mod time_series;
mod users;
mod views;

#[cfg(test)]
mod tests;

use super::part::{BUCKETS, shown};
use super::{Kind, Namespace, Part};
use std::collections::BTreeMap;
use tidemark_base::bson::{Doc, DocWriter, Element};
use tidemark_base::codec::CodecError;
use tidemark_base::{CollectionUuid, ErrorKind};
use tidemark_oplog::catalog::Collection;
use views::Found;

/// What there is to be dumped.
#[derive(Clone, Debug, Default)]
pub struct Inventory<'a> {
    /// All collections, those that hold views' definitions and buckets too.
    pub collections: Vec<(CollectionUuid, &'a Collection)>,
    /// The documents of each `system.views`, by database.
    pub views: Vec<(&'a str, Vec<Vec<u8>>)>,
    /// Users and roles, if they are wanted: with the documents of `admin.system.version`.
    pub users: Option<Vec<Vec<u8>>>,
}

/// A dump to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// What it holds: users and roles first, as archives need it, then by database and name.
    pub entries: Vec<Entry>,
    /// What it does not hold.
    pub left_out: Vec<LeftOut>,
}

/// One namespace of a dump.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What is written of it.
    pub part: Part,
    /// Where its documents come from.
    pub documents: Documents,
}

/// Where the documents of an entry come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Documents {
    /// A view has none.
    None,
    /// Those of the collection with this UUID.
    Of(CollectionUuid),
    /// These, one after another.
    Given(Vec<u8>),
}

/// What a dump does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Database and collection, escaped.
    pub namespace: String,
    /// Why.
    pub why: Why,
}

/// Why a dump does not hold something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// `local` and `config` belong to a server.
    ServersOwn,
    /// A system collection that servers do not let be restored, or make themselves.
    System,
    /// It is not in the dump under its own name, but with the views or the time-series collection it is of.
    WithOther,
    /// A server drops it when it starts.
    Temporary,
    /// Names with a dollar are the server's own.
    Dollar,
    /// Users and roles were not asked for.
    NotAsked,
    /// Buckets of a time-series collection whose name something else has: what a server leaves behind when a
    /// collection is made of that name while the time-series collection is.
    NameTaken,
    /// A view's definition that no server can use, or a view of a time-series collection that is not there.
    BrokenView,
}

/// An inventory that contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Two of one name, which only a copy that is not consistent yet can have.
    #[error("there are two of the name {namespace}: wait until the initial sync is complete")]
    TwoOfOneName {
        /// The name, escaped.
        namespace: String,
    },
    /// Options or an index specification are broken.
    #[error("the catalog's entry of {namespace} is broken: {source}")]
    Broken {
        /// The collection, escaped.
        namespace: String,
        /// What is wrong.
        source: CodecError,
    },
}

impl PlanError {
    /// What the caller should do about it.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::TwoOfOneName { .. } => ErrorKind::Retry,
            Self::Broken { .. } => ErrorKind::Corrupt,
        }
    }
}

/// Decides what a dump holds.
///
/// # Errors
/// If two namespaces have one name, or the catalog is broken.
pub fn plan(inventory: &Inventory<'_>) -> Result<Plan, PlanError> {
    let mut entries = Entries::new();
    let mut left_out = BTreeMap::new();
    let mut time_series = Vec::new();
    for (uuid, collection) in &inventory.collections {
        let namespace = shown(&collection.database, &collection.name);
        let broken = |source| PlanError::Broken { namespace: namespace.clone(), source };
        match place(collection, inventory.users.is_some()).map_err(broken)? {
            Place::Own(Kind::TimeSeries) => {
                time_series.push(entry(*uuid, collection, Kind::TimeSeries).map_err(broken)?);
            }
            Place::Own(kind) => put(&mut entries, entry(*uuid, collection, kind).map_err(broken)?)?,
            Place::Version => {}
            Place::Out(why) => {
                left_out.insert(namespace, why);
            }
        }
    }
    if let Some(version) = users::version(inventory) {
        put(&mut entries, version)?;
    }
    for (database, documents) in &inventory.views {
        for document in documents {
            match views::entry(inventory, database, document) {
                Found::View(entry) => put(&mut entries, entry)?,
                // Its buckets stand for it.
                Found::TimeSeries => {}
                Found::LeftOut(it) => {
                    left_out.insert(it.namespace, it.why);
                }
            }
        }
    }
    for entry in time_series {
        let Namespace { database, collection, .. } = &entry.part.namespace;
        let other = entries.get(&(database.clone(), collection.clone()));
        if other.is_some_and(|other| other.part.namespace.kind != Kind::TimeSeries) {
            left_out.insert(shown(database, &format!("{BUCKETS}{collection}")), Why::NameTaken);
        } else {
            put(&mut entries, entry)?;
        }
    }
    let left_out = left_out.into_iter().map(|(namespace, why)| LeftOut { namespace, why }).collect();
    let mut entries: Vec<Entry> = entries.into_values().collect();
    entries.sort_by_key(|it| !it.part.must_come_first());
    Ok(Plan { entries, left_out })
}

/// What is in the dump, by database and name.
type Entries = BTreeMap<(String, String), Entry>;

fn put(entries: &mut Entries, entry: Entry) -> Result<(), PlanError> {
    let Namespace { database, collection, .. } = &entry.part.namespace;
    let (namespace, name) = (shown(database, collection), (database.clone(), collection.clone()));
    match entries.insert(name, entry) {
        None => Ok(()),
        Some(_) => Err(PlanError::TwoOfOneName { namespace }),
    }
}

/// Where a collection goes.
enum Place {
    /// Into the dump.
    Own(Kind),
    /// It is the version of users and roles, which is written from its documents.
    Version,
    Out(Why),
}

fn place(collection: &Collection, with_users: bool) -> Result<Place, CodecError> {
    let Collection { database, name, .. } = collection;
    let options = Doc::new(&collection.options)?;
    let is_time_series = options.get("timeseries")?.is_some();
    Ok(match database.as_str() {
        "admin" if users::is_version(name) && with_users => Place::Version,
        "admin" if users::is_of_users(name) && with_users => Place::Own(Kind::Collection),
        "admin" if users::is_of_users(name) || users::is_version(name) => Place::Out(Why::NotAsked),
        "local" | "config" => Place::Out(Why::ServersOwn),
        _ if name == "system.views" => Place::Out(Why::WithOther),
        _ if options.get("temp")?.and_then(Element::as_bool) == Some(true) => Place::Out(Why::Temporary),
        _ if is_time_series => Place::Own(Kind::TimeSeries),
        _ => match why_not(database, name) {
            Some(why) => Place::Out(why),
            None => Place::Own(Kind::Collection),
        },
    })
}

/// Why something of this name, collection or view, is in no dump.
fn why_not(database: &str, name: &str) -> Option<Why> {
    match database {
        "local" | "config" => Some(Why::ServersOwn),
        _ if name.contains('$') => Some(Why::Dollar),
        _ if name.starts_with("system.") && name != "system.js" => Some(Why::System),
        _ => None,
    }
}

fn entry(uuid: CollectionUuid, collection: &Collection, kind: Kind) -> Result<Entry, CodecError> {
    let namespace = match kind {
        Kind::TimeSeries => time_series::namespace(collection)?,
        _ => Namespace {
            database: collection.database.clone(),
            collection: collection.name.clone(),
            kind,
            uuid: Some(uuid),
            options: without(&collection.options, &["recordIdsReplicated"])?,
            indexes: collection.indexes.clone(),
        },
    };
    let stream = Some(collection.name.clone());
    Ok(Entry { part: Part { namespace, stream }, documents: Documents::Of(uuid) })
}

/// The document without these fields.
fn without(document: &[u8], fields: &[&str]) -> Result<Vec<u8>, CodecError> {
    filtered(document, |name| !fields.iter().any(|it| it.as_bytes() == name))
}

fn filtered(document: &[u8], keep: impl Fn(&[u8]) -> bool) -> Result<Vec<u8>, CodecError> {
    let mut out = Vec::with_capacity(document.len());
    let mut w = DocWriter::new(&mut out);
    let open = w.begin();
    for element in Doc::new(document)?.elements() {
        let element = element?;
        if keep(element.name) {
            w.element(element);
        }
    }
    w.end(open);
    Ok(out)
}
