//! A dump as the initial state: what mongodump wrote goes into an import.
//!
//! Collections keep the UUIDs that the dump gives. Where it gives none (time-series collections, old dumps)
//! one is made from the name: such a collection cannot be followed in the oplog of its source, but the same
//! dump gives the same root. Views become documents of `system.views` again, time-series collections their
//! buckets.

use super::Import;
use crate::dump::{Item, Kind, Namespace, Source, names};
use crate::error::{HeadError, Result};
use std::collections::BTreeMap;
use tidemark_base::bson::{Doc, DocWriter, kind, split};
use tidemark_base::{BlockId, BlockKind, CollectionUuid};
use tidemark_oplog::catalog::Collection;

const VIEWS: &str = "system.views";
const BUCKETS: &str = "system.buckets.";

/// What was taken in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Collections, those that hold views and buckets too.
    pub collections: u64,
    /// Documents as the dump has them, duplicates too.
    pub documents: u64,
    /// Their length, in bytes.
    pub bytes: u64,
}

/// Takes a whole dump in. Entries of its oplog are given to `oplog`: they have to be applied to the result.
///
/// # Errors
/// If the dump is damaged or contradicts itself; failures of the store; what `oplog` returns.
pub fn of_dump(
    import: &mut Import,
    dump: &mut dyn Source,
    oplog: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<Copied> {
    let mut taken = Taken { import, known: BTreeMap::new(), copied: Copied::default() };
    for namespace in dump.namespaces() {
        taken.describe(namespace)?;
    }
    while let Some(item) = dump.next()? {
        match item {
            Item::Documents { database, collection, documents } => {
                taken.documents(database, collection, documents)?;
            }
            Item::End { database, collection } => {
                taken.known(database, collection);
            }
            Item::Oplog(entries) => oplog(entries)?,
        }
    }
    Ok(taken.copied)
}

/// What was taken in so far.
struct Taken<'i> {
    import: &'i mut Import,
    known: BTreeMap<(String, String), CollectionUuid>,
    copied: Copied,
}

impl Taken<'_> {
    fn describe(&mut self, namespace: &Namespace) -> Result<()> {
        let Namespace { database, collection: name, kind, uuid, options, indexes } = namespace;
        let (options, indexes) = (options.clone(), indexes.clone());
        match kind {
            Kind::Collection => {
                let (database, name) = real_name(database, name);
                self.add(*uuid, Collection { database, name, options, indexes });
            }
            Kind::TimeSeries => {
                let indexes = indexes.iter().map(|spec| as_original(spec)).collect();
                let name = format!("{BUCKETS}{name}");
                self.add(*uuid, Collection { database: database.clone(), name, options, indexes });
            }
            Kind::View => {
                let uuid = self.known(database, VIEWS);
                let view = view(database, name, &options).map_err(|problem| HeadError::Document {
                    what: format!("the view {}", namespace.shown()),
                    problem: problem.into(),
                })?;
                let document = Doc::new(&view).expect("it was just written");
                self.import.documents(uuid, &[document])?;
            }
        }
        Ok(())
    }

    fn documents(&mut self, database: &str, collection: &str, documents: &[u8]) -> Result<()> {
        let uuid = self.known(database, collection);
        let documents: Result<Vec<_>, _> = split(documents).collect();
        let documents = documents.map_err(|problem| HeadError::Document {
            what: format!("a document of {}.{}", database.escape_debug(), collection.escape_debug()),
            problem: problem.into(),
        })?;
        self.copied.documents += documents.len() as u64;
        self.copied.bytes += documents.iter().map(|document| document.as_bytes().len() as u64).sum::<u64>();
        self.import.documents(uuid, &documents)
    }

    /// The collection of this name; one that the dump does not describe is made without options.
    fn known(&mut self, database: &str, collection: &str) -> CollectionUuid {
        let (database, name) = real_name(database, collection);
        match self.known.get(&(database.clone(), name.clone())) {
            Some(uuid) => *uuid,
            None => {
                let Namespace { options, indexes, .. } = Namespace::bare(&database, &name);
                self.add(None, Collection { database, name, options, indexes })
            }
        }
    }

    fn add(&mut self, uuid: Option<CollectionUuid>, collection: Collection) -> CollectionUuid {
        let Collection { database, name, .. } = &collection;
        let uuid = uuid.unwrap_or_else(|| uuid_of(database, name));
        self.known.insert((database.clone(), name.clone()), uuid);
        self.import.collection(uuid, collection);
        self.copied.collections += 1;
        uuid
    }
}

/// Users and roles are named otherwise in the dump of one database.
fn real_name(database: &str, collection: &str) -> (String, String) {
    match names::admin_collection(collection) {
        Some(collection) => ("admin".to_owned(), collection.to_owned()),
        None => (database.to_owned(), collection.to_owned()),
    }
}

/// A UUID that follows from the name: version 8, "custom".
fn uuid_of(database: &str, collection: &str) -> CollectionUuid {
    let text = format!("tidemark collection {database}.{collection}");
    let hash = BlockId::of(BlockKind::Leaf, text.as_bytes());
    let mut bytes = *hash.as_bytes().first_chunk::<16>().expect("a hash has 32 bytes");
    let [.., version, _, variant, _, _, _, _, _, _, _] = &mut bytes;
    *version = (*version & 0x0f) | 0x80;
    *variant = (*variant & 0x3f) | 0x80;
    CollectionUuid::from_bytes(bytes)
}

/// The document of `system.views` that defines a view with these options.
fn view(database: &str, name: &str, options: &[u8]) -> Result<Vec<u8>, tidemark_base::codec::CodecError> {
    let mut out = Vec::with_capacity(options.len() + name.len() + 64);
    let mut w = DocWriter::new(&mut out);
    let open = w.begin();
    w.string(b"_id", format!("{database}.{name}").as_bytes());
    for element in Doc::new(options)?.elements() {
        w.element(element?);
    }
    w.end(open);
    Ok(out)
}

/// An index of a time-series collection as one of its buckets: with the specification that users gave, the
/// way a server keeps those that it cannot translate back.
fn as_original(spec: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(2 * spec.len() + 32);
    let mut w = DocWriter::new(&mut out);
    let open = w.begin();
    for element in Doc::new(spec).iter().flat_map(|spec| spec.elements()).flatten() {
        w.element(element);
    }
    w.raw(kind::OBJECT, b"originalSpec", spec);
    w.end(open);
    out
}
