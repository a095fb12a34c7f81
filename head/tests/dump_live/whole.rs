//! A dump in memory, read and written by the crate.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use tidemark_head::dump::plan::{Documents, Entry, Plan};
use tidemark_head::dump::{
    ArchiveReader, ArchiveWriter, Compression, DirectoryReader, DirectoryWriter, Item, Namespace, Part, Sink,
    Source, Target, Versions,
};

/// All that a dump holds.
#[derive(Debug, Default)]
pub(crate) struct Whole {
    pub(crate) namespaces: Vec<Namespace>,
    pub(crate) documents: BTreeMap<(String, String), Vec<u8>>,
}

impl Whole {
    fn read(source: &mut impl Source) -> Self {
        let mut whole = Self { namespaces: source.namespaces().to_vec(), ..Self::default() };
        while let Some(item) = source.next().unwrap() {
            let (database, collection, documents) = match item {
                Item::Documents { database, collection, documents } => (database, collection, documents),
                Item::End { database, collection } => (database, collection, &[][..]),
                Item::Oplog(_) => panic!("nobody asked for an oplog"),
            };
            let name = (database.to_owned(), collection.to_owned());
            whole.documents.entry(name).or_default().extend_from_slice(documents);
        }
        whole
    }

    pub(crate) fn of_directory(path: &Path) -> Self {
        Self::read(&mut DirectoryReader::new(path).unwrap())
    }

    pub(crate) fn of_archive(path: &Path) -> Self {
        Self::read(&mut ArchiveReader::new(File::open(path).unwrap(), "the archive").unwrap())
    }

    /// A plan, and documents that have been read.
    pub(crate) fn planned(plan: &Plan, read: &Self) -> Self {
        let mut whole = Self::default();
        for Entry { part: Part { namespace, stream }, documents } in &plan.entries {
            whole.namespaces.push(namespace.clone());
            let Some(stream) = stream else { continue };
            let name = (namespace.database.clone(), stream.clone());
            let documents = match documents {
                Documents::Given(documents) => documents,
                Documents::Of(_) => &read.documents[&name],
                Documents::None => panic!("{} has documents", namespace.shown()),
            };
            whole.documents.insert(name, documents.clone());
        }
        whole
    }

    fn parts(&self) -> Vec<Part> {
        let mut parts: Vec<_> = self.namespaces.iter().cloned().map(Part::of).collect();
        Part::put_in_order(&mut parts);
        parts
    }

    fn versions() -> Versions {
        Versions { server: Some("6.0.5".to_owned()), tool: Some("tidemark".to_owned()) }
    }

    fn write<S: Sink>(&self, mut sink: S) -> S::Finished {
        for part in self.parts() {
            sink.begin(&part).unwrap();
            if let Some(stream) = &part.stream {
                let name = (part.namespace.database.clone(), stream.clone());
                sink.documents(&self.documents[&name]).unwrap();
            }
            sink.end().unwrap();
        }
        sink.finish().unwrap()
    }

    pub(crate) fn to_directory(&self, path: &Path, compression: Compression) {
        let versions = Self::versions();
        self.write(DirectoryWriter::new(path, Target::Empty, compression, &versions, self.parts()).unwrap());
    }

    pub(crate) fn to_archive(&self, path: &Path, compression: Compression) {
        let file = File::create(path).unwrap();
        let versions = Self::versions();
        let writer = ArchiveWriter::new(file, "the archive", compression, &versions, self.parts());
        self.write(writer.unwrap());
    }
}
