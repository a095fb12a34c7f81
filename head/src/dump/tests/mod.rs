//! Dumps as wholes: the samples that mongodump wrote, what we write, and what nobody should write.

mod hostile;
mod round_trip;
mod samples;

use super::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Documents by database and collection.
pub(super) type Documents = BTreeMap<(String, String), Vec<u8>>;

/// All that a dump holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Whole {
    pub(super) versions: Versions,
    /// By name.
    pub(super) namespaces: BTreeMap<(String, String), Namespace>,
    pub(super) documents: Documents,
    pub(super) oplog: Vec<u8>,
}

impl Whole {
    /// Reads to the end. Each collection must end once, after all of its documents.
    pub(super) fn read(source: &mut impl Source) -> Result<Self, DumpError> {
        let mut whole = Self { versions: source.versions().clone(), ..Self::default() };
        for namespace in source.namespaces() {
            let name = (namespace.database.clone(), namespace.collection.clone());
            whole.namespaces.insert(name, namespace.clone());
        }
        let mut ended = BTreeSet::new();
        while let Some(item) = source.next()? {
            match item {
                Item::Documents { database, collection, documents } => {
                    let name = (database.to_owned(), collection.to_owned());
                    assert!(!documents.is_empty() && !ended.contains(&name));
                    whole.documents.entry(name).or_default().extend_from_slice(documents);
                }
                Item::End { database, collection } => {
                    let name = (database.to_owned(), collection.to_owned());
                    whole.documents.entry(name.clone()).or_default();
                    assert!(ended.insert(name));
                }
                Item::Oplog(entries) => whole.oplog.extend_from_slice(entries),
            }
        }
        assert!(source.next()?.is_none(), "the end stays the end");
        assert_eq!(ended, whole.documents.keys().cloned().collect());
        Ok(whole)
    }

    pub(super) fn of_archive(bytes: &[u8]) -> Result<Self, DumpError> {
        Self::read(&mut ArchiveReader::new(bytes, "the archive")?)
    }

    pub(super) fn of_directory(path: &Path) -> Result<Self, DumpError> {
        Self::read(&mut DirectoryReader::new(path)?)
    }

    /// The parts by which it is written again. Documents without metadata get bare metadata.
    pub(super) fn parts(&self) -> Vec<Part> {
        let mut parts: Vec<Part> = self.namespaces.values().cloned().map(Part::of).collect();
        for (database, collection) in self.documents.keys() {
            let is_there = parts
                .iter()
                .any(|it| it.namespace.database == *database && it.stream.as_ref() == Some(collection));
            if !is_there {
                parts.push(Part::of(Namespace::bare(database, collection)));
            }
        }
        Part::put_in_order(&mut parts);
        parts
    }

    /// Writes all but the oplog.
    pub(super) fn write<S: Sink>(&self, mut sink: S) -> Result<S::Finished, DumpError> {
        for part in self.parts() {
            sink.begin(&part)?;
            if let Some(stream) = &part.stream {
                let name = (part.namespace.database.clone(), stream.clone());
                sink.documents(self.documents.get(&name).map_or(&[], Vec::as_slice))?;
            }
            sink.end()?;
        }
        sink.finish()
    }

    pub(super) fn to_archive(&self, compression: Compression) -> Vec<u8> {
        let writer = ArchiveWriter::new(Vec::new(), "memory", compression, &self.versions, self.parts());
        self.write(writer.unwrap()).unwrap()
    }

    pub(super) fn to_directory(&self, path: &Path, compression: Compression) {
        let parts = self.parts();
        let writer = DirectoryWriter::new(path, Target::Empty, compression, &self.versions, parts);
        self.write(writer.unwrap()).unwrap();
    }
}

/// A document of one field.
pub(super) fn document(id: i32, text_bytes: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut w = tidemark_base::bson::DocWriter::new(&mut out);
    let open = w.begin();
    w.int32(b"_id", id);
    w.string(b"s", &vec![b's'; text_bytes]);
    w.end(open);
    out
}

/// A dump of everything there is, small.
pub(super) fn small() -> Whole {
    let mut whole = Whole {
        versions: Versions { server: Some("6.0.5".into()), tool: Some("test".into()) },
        ..Whole::default()
    };
    let mut put = |database: &str, collection: &str, kind: Kind, options: &str, documents: Vec<u8>| {
        let part = {
            let mut namespace = Namespace::bare(database, collection);
            namespace.kind = kind;
            namespace.options = extjson::parse_document(options.as_bytes()).unwrap();
            if kind == Kind::Collection {
                namespace.uuid = Some("a31b033c-499c-4b1d-9eb9-411aeb523ec7".parse().unwrap());
                let index = br#"{"v":{"$numberInt":"2"},"key":{"_id":{"$numberLong":"1"}},"name":"_id_"}"#;
                namespace.indexes = vec![extjson::parse_document(index).unwrap()];
            }
            Part::of(namespace)
        };
        if let Some(stream) = part.stream {
            whole.documents.insert((database.into(), stream), documents);
        }
        whole.namespaces.insert((database.into(), collection.into()), part.namespace);
    };
    put("a", "c", Kind::Collection, "{}", [document(1, 3), document(2, 0)].concat());
    put("a", "empty", Kind::Collection, r#"{"capped":true}"#, Vec::new());
    put("a", "sl/ash ü%", Kind::Collection, "{}", document(3, 1));
    put("a", &"ü".repeat(100), Kind::Collection, "{}", document(4, 1));
    put("a", "v", Kind::View, r#"{"viewOn":"c","pipeline":[]}"#, Vec::new());
    put("b", "ts", Kind::TimeSeries, r#"{"timeseries":{"timeField":"t"}}"#, document(5, 1));
    whole
}
