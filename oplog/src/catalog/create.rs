//! `create`, and `convertToCapped` as old servers log it.

use super::options::{self, Edits, Value};
use super::{Change, Collection, Effect, MisfitKind, index_spec};
use crate::EntryProblem;
use tidemark_base::bson::{Doc, DocWriter};
use tidemark_base::codec::CodecError;

impl Change<'_> {
    pub(super) fn create(
        &mut self,
        name: &str,
        o: Doc<'_>,
        id_index: Option<Doc<'_>>,
    ) -> Result<(), EntryProblem> {
        let uuid = self.uuid.ok_or(EntryProblem::Field { field: "ui" })?;
        if self.catalog.collections.contains_key(&uuid) {
            self.misfit(MisfitKind::CollectionExists, name, Some(uuid));
            // Copied after it was made, and perhaps renamed since: the rename comes again.
            self.catalog.give_name(uuid, self.database, name);
            return Ok(());
        }
        let options = options_of(o)?;
        let indexes = first_index(o, id_index)?.into_iter().collect();
        self.check_name_is_free(name, uuid);
        let database = self.database.to_owned();
        let collection = Collection { database, name: name.to_owned(), options, indexes };
        self.catalog.insert(uuid, collection);
        self.applied.effect = Effect::Created(uuid);
        Ok(())
    }

    /// Secondary indexes are lost, as on the server.
    pub(super) fn convert_to_capped(&mut self, name: &str, size_bytes: u64) -> Result<(), EntryProblem> {
        let Some(uuid) = self.find(name) else { return Ok(()) };
        let Some(collection) = self.catalog.collections.get_mut(&uuid) else { return Ok(()) };
        let size = i64::try_from(size_bytes).unwrap_or(i64::MAX);
        let mut edits = Edits::new();
        edits.set(b"capped", Value::bool(true));
        edits.set(b"size", Value::number(size));
        collection.options = edits.apply(&collection.options, &options::ORDER)?;
        collection.remove_secondary_indexes();
        self.applied.effect = Effect::CappedTo { uuid, size_bytes };
        Ok(())
    }
}

/// All fields but the command's name, `idIndex`, and what a server calls its own files: defaults are resolved,
/// the order is that of `listCollections`.
fn options_of(o: Doc<'_>) -> Result<Vec<u8>, CodecError> {
    let mut out = Vec::with_capacity(o.as_bytes().len());
    let mut w = DocWriter::new(&mut out);
    let open = w.begin();
    for element in o.elements().skip(1) {
        let element = element?;
        if element.name != b"idIndex" && !options::is_of_a_node(element.name) {
            w.element(element);
        }
    }
    w.end(open);
    Ok(out)
}

/// The index on `_id`: as given; the server's made-up row if the collection is clustered; none for buckets
/// of time-series collections (`clusteredIndex: true`); else the form of servers that do not give it.
fn first_index(o: Doc<'_>, id_index: Option<Doc<'_>>) -> Result<Option<Vec<u8>>, CodecError> {
    match (id_index, o.get("clusteredIndex")?) {
        (Some(spec), _) => index_spec::normal_form(spec.elements()).map(Some),
        (None, Some(clustered)) => {
            let collation = o.get("collation")?;
            clustered.as_object().map(|spec| index_spec::of_clustered(spec, collation)).transpose()
        }
        (None, None) => Ok(Some(index_spec::old_id_index())),
    }
}
