//! A dump as the initial state: what mongodump wrote goes into an import.
//!
//! Collections keep the UUIDs that the dump gives. Where it gives none (time-series collections, views, old
//! dumps) one is made of the name, so that the same dump gives the same root; it gives way to the real one as
//! soon as the oplog tells that. Views become documents of `system.views` again, time-series collections their
//! buckets with the definition that a server has of them. What the filter does not keep is not taken in.

use super::Import;
use crate::dump::{Item, Kind, Namespace, Source, names};
use crate::error::{HeadError, Result};
use crate::made_up;
use std::collections::{BTreeMap, BTreeSet};
use tidemark_base::CollectionUuid;
use tidemark_base::bson::{Doc, DocWriter, Element, kind, split};
use tidemark_base::codec::CodecError;
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

/// Takes in what the import's filter keeps of a dump. Entries of its oplog are given to `oplog`: they have to
/// be applied to the result.
///
/// # Errors
/// If the dump is damaged or contradicts itself; failures of the store; what `oplog` returns.
pub fn of_dump(
    import: &mut Import,
    dump: &mut dyn Source,
    oplog: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<Copied> {
    let (places, series, defined) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
    let mut taken = Taken { import, places, series, defined, copied: Copied::default() };
    taken.describe(dump.namespaces())?;
    while let Some(item) = dump.next()? {
        match item {
            Item::Documents { database, collection, documents } => {
                taken.documents(database, collection, documents)?;
            }
            Item::End { database, collection } => {
                taken.place(database, collection)?;
            }
            Item::Oplog(entries) => oplog(entries)?,
        }
    }
    taken.series_without_documents()?;
    Ok(taken.copied)
}

/// A database and a collection.
type Name = (String, String);

/// Where the documents of a collection go.
#[derive(Clone, Copy, Debug)]
enum Place {
    Into(CollectionUuid),
    /// The filter does not keep it.
    Nowhere,
}

/// What was taken in so far.
struct Taken<'i> {
    import: &'i mut Import,
    /// By the names that documents come under.
    places: BTreeMap<Name, Place>,
    /// Time-series collections, by their own names, until it is seen where their documents stand.
    series: BTreeMap<Name, Namespace>,
    /// Databases whose `system.views` the dump has documents of.
    defined: BTreeSet<String>,
    copied: Copied,
}

impl Taken<'_> {
    /// Takes the metadata in. What gives its name and UUID itself comes before what only adds to it.
    fn describe(&mut self, namespaces: &[Namespace]) -> Result<()> {
        let collections = || namespaces.iter().filter(|it| it.kind == Kind::Collection);
        let is_of_admin = |it: &&Namespace| names::admin_collection(&it.collection).is_some();
        let in_order = collections().filter(|it| !is_of_admin(it)).chain(collections().filter(is_of_admin));
        for Namespace { database, collection, uuid, options, indexes, .. } in in_order {
            let (database, name) = real_name(database, collection);
            // Dumps of several databases can each have the users of theirs.
            let is_there = self.places.contains_key(&(database.clone(), name.clone()));
            if !is_there || names::admin_collection(collection).is_none() {
                let (options, indexes) = (options.clone(), indexes.clone());
                self.add(*uuid, Collection { database, name, options, indexes })?;
            }
        }
        for it in namespaces.iter().filter(|it| it.kind == Kind::TimeSeries) {
            self.series.insert((it.database.clone(), it.collection.clone()), it.clone());
        }
        for Namespace { database, collection, options, .. } in
            namespaces.iter().filter(|it| it.kind == Kind::View)
        {
            self.define(database, collection, |w| {
                Doc::new(options)?.elements().try_for_each(|it| it.map(|element| w.element(element)))
            })?;
        }
        Ok(())
    }

    fn documents(&mut self, database: &str, collection: &str, documents: &[u8]) -> Result<()> {
        let Place::Into(uuid) = self.place(database, collection)? else { return Ok(()) };
        if collection == VIEWS {
            self.defined.insert(database.to_owned());
        }
        for document in split(documents) {
            document.map_err(|problem| HeadError::BrokenDocument {
                namespace: shown(database, collection),
                id: None,
                problem,
            })?;
            self.copied.documents += 1;
        }
        self.copied.bytes += documents.len() as u64;
        self.import.dumped(uuid, documents)
    }

    /// Where documents under this name go; a collection that the dump does not describe is made without
    /// options.
    fn place(&mut self, database: &str, collection: &str) -> Result<Place> {
        let name = real_name(database, collection);
        if let Some(place) = self.places.get(&name) {
            return Ok(*place);
        }
        let (database, collection) = name;
        let of_series = collection.strip_prefix(BUCKETS).unwrap_or(&collection).to_owned();
        match self.series.remove(&(database.clone(), of_series)) {
            Some(series) => self.add_series(series, collection),
            None => {
                let Namespace { options, indexes, .. } = Namespace::bare(&database, &collection);
                self.add(None, Collection { database, name: collection, options, indexes })
            }
        }
    }

    /// A time-series collection whose documents stand under this name: its own from server 8.3 on, else that
    /// of its buckets, and then a definition like a view's belongs to it.
    fn add_series(&mut self, series: Namespace, stands_under: String) -> Result<Place> {
        let Namespace { database, collection: name, uuid, options, indexes, .. } = series;
        let has_view = stands_under != name;
        if has_view {
            self.define(&database, &name, |w| series_definition(w, &name, Doc::new(&options)?))?;
        }
        let buckets = format!("{BUCKETS}{name}");
        let indexes = indexes.iter().map(|spec| as_original(spec)).collect();
        let collection = Collection { database: database.clone(), name: stands_under, options, indexes };
        let place = self.add(uuid, collection)?;
        // One collection, whichever of both names more documents come under.
        self.places.entry((database.clone(), name)).or_insert(place);
        self.places.entry((database, buckets)).or_insert(place);
        Ok(place)
    }

    /// Where the documents of these would stand, nobody can see: as with most servers.
    fn series_without_documents(&mut self) -> Result<()> {
        for ((database, name), series) in std::mem::take(&mut self.series) {
            let buckets = format!("{BUCKETS}{name}");
            if self.places.contains_key(&(database.clone(), buckets.clone())) {
                // Old tools describe the buckets too, as a collection of its own.
                self.define(&database, &name, |w| series_definition(w, &name, Doc::new(&series.options)?))?;
            } else {
                self.add_series(series, buckets)?;
            }
        }
        Ok(())
    }

    /// Puts a definition into `system.views`, whose other fields `rest` writes; unless the dump itself has
    /// given those of this database.
    fn define(
        &mut self,
        database: &str,
        name: &str,
        rest: impl FnOnce(&mut DocWriter<'_>) -> Result<(), CodecError>,
    ) -> Result<()> {
        let Place::Into(uuid) = self.place(database, VIEWS)? else { return Ok(()) };
        if self.defined.contains(database) {
            return Ok(());
        }
        let mut definition = Vec::new();
        let mut w = DocWriter::new(&mut definition);
        let open = w.begin();
        w.string(b"_id", format!("{database}.{name}").as_bytes());
        let written = rest(&mut w);
        w.end(open);
        let document = written.and_then(|()| Doc::new(&definition));
        let namespace = || shown(database, name);
        let document =
            document.map_err(|problem| HeadError::Unstorable { namespace: namespace(), problem })?;
        self.import.documents(uuid, &[document])
    }

    fn add(&mut self, uuid: Option<CollectionUuid>, collection: Collection) -> Result<Place> {
        let Collection { database, name, .. } = &collection;
        let key = (database.clone(), name.clone());
        let place = if self.import.filter.keeps_collection(database, name) {
            let uuid = uuid.unwrap_or_else(|| made_up::uuid_of(database, name));
            self.import.collection(uuid, collection)?;
            self.copied.collections += 1;
            Place::Into(uuid)
        } else {
            Place::Nowhere
        };
        self.places.insert(key, place);
        Ok(place)
    }
}

fn shown(database: &str, collection: &str) -> String {
    format!("{}.{}", database.escape_debug(), collection.escape_debug())
}

/// What a server keeps in `system.views` of a time-series collection.
fn series_definition(w: &mut DocWriter<'_>, name: &str, options: Doc<'_>) -> Result<(), CodecError> {
    w.string(b"viewOn", format!("{BUCKETS}{name}").as_bytes());
    let series = options.get("timeseries")?.and_then(Element::as_object).unwrap_or(Doc::EMPTY);
    let pipeline = w.begin_field(kind::ARRAY, b"pipeline");
    let stage = w.begin_field(kind::OBJECT, b"0");
    let unpack = w.begin_field(kind::OBJECT, b"$_internalUnpackBucket");
    for field in ["timeField", "metaField", "bucketMaxSpanSeconds"] {
        if let Some(element) = series.get(field)? {
            w.element(element);
        }
    }
    w.end(unpack);
    w.end(stage);
    w.end(pipeline);
    if let Some(collation) = options.get("collation")? {
        w.element(collation);
    }
    Ok(())
}

/// Users and roles are named otherwise in the dump of one database.
fn real_name(database: &str, collection: &str) -> (String, String) {
    match names::admin_collection(collection) {
        Some(collection) => ("admin".to_owned(), collection.to_owned()),
        None => (database.to_owned(), collection.to_owned()),
    }
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
