//! Exports of a state, read back: what the ordered map holds of what was chosen, and nothing else.

use crate::past::Documents;
use crate::rig::UUIDS;
use crate::step::Export;
use bson::Document;
use std::collections::BTreeMap;
use tidemark_base::CollectionUuid;
use tidemark_base::bson::split;
use tidemark_head::HeadError;
use tidemark_head::dump::plan::Plan;
use tidemark_head::dump::{
    ArchiveReader, ArchiveWriter, Compression, DirectoryReader, DirectoryWriter, Item, Sink, Source as Dump,
    Target, Versions,
};
use tidemark_head::export::{plan, prepare, write_and_tell};
use tidemark_head::run::Source;
use tidemark_head::state::State;
use tidemark_oplog::filter::Filter;

/// What a dump says of a collection.
type Contents = BTreeMap<String, (Option<CollectionUuid>, Vec<Document>)>;

/// Exports a state, unless it is not consistent, and holds the dump against the map.
pub(crate) fn check(
    state: &State,
    source: &dyn Source,
    export: Export,
    documents: &Documents,
    is_refused: bool,
) {
    let [exclude, include] = export.chosen.names();
    let plan = plan(state, source, &Filter::new(exclude, include).unwrap(), true);
    if is_refused {
        assert!(matches!(plan, Err(HeadError::Fuzzy { .. })), "{plan:?}");
        return;
    }
    let plan = plan.unwrap();
    let expected = export.chosen.numbers().into_iter().map(|number| {
        let documents = documents[number].values().cloned().collect();
        (format!("c{number}"), (Some(UUIDS[number]), documents))
    });
    let expected: Contents = expected.collect();
    measured(state, source, &plan, &expected);

    let compression = if export.gzip { Compression::Gzip } else { Compression::Plain };
    let parts = plan.entries.iter().map(|it| it.part.clone()).collect();
    let versions = Versions::default();
    if export.archive {
        let mut bytes = Vec::new();
        let writer = ArchiveWriter::new(&mut bytes, "an archive", compression, &versions, parts);
        written(state, source, &plan, writer.unwrap());
        assert_eq!(read(ArchiveReader::new(bytes.as_slice(), "an archive").unwrap()), expected);
    } else if !expected.is_empty() {
        let folder = tempfile::tempdir().unwrap();
        let writer = DirectoryWriter::new(folder.path(), Target::Empty, compression, &versions, parts);
        written(state, source, &plan, writer.unwrap());
        assert_eq!(read(DirectoryReader::new(folder.path()).unwrap()), expected);
    }
}

/// The preparing pass counts what is there.
fn measured(state: &State, source: &dyn Source, plan: &Plan, expected: &Contents) {
    let prepared = prepare(state, source, plan).unwrap();
    assert!(prepared.divergences.is_empty());
    let documents = || expected.values().flat_map(|(_, documents)| documents);
    let bytes: usize = documents().map(|it| it.to_vec().unwrap().len()).sum();
    assert_eq!(prepared.document_bytes(), bytes as u64);
    let counted: u64 = prepared.parts.iter().map(|it| it.documents).sum();
    assert_eq!(counted, documents().count() as u64);
}

fn written<S: Sink>(state: &State, source: &dyn Source, plan: &Plan, sink: S) {
    let told = &mut |found: &tidemark_head::Divergences| assert!(found.is_empty(), "{found:?}");
    write_and_tell(state, source, plan, sink, told).unwrap();
}

fn read(mut dump: impl Dump) -> Contents {
    let mut contents = Contents::new();
    let mut ended = Vec::new();
    for it in dump.namespaces() {
        assert_eq!(it.database, "app");
        contents.insert(it.collection.clone(), (it.uuid, Vec::new()));
    }
    while let Some(item) = dump.next().unwrap() {
        match item {
            Item::Documents { collection, documents, .. } => {
                let (_, read) = contents.get_mut(collection).unwrap();
                read.extend(
                    split(documents).map(|it| Document::from_reader(it.unwrap().as_bytes()).unwrap()),
                );
            }
            Item::End { collection, .. } => ended.push(collection.to_owned()),
            Item::Oplog(_) => panic!("an export has no oplog"),
        }
    }
    ended.sort();
    assert_eq!(ended, contents.keys().cloned().collect::<Vec<_>>());
    contents
}
