//! The preparing pass measures exactly what an export then writes.

#![expect(clippy::unwrap_used, reason = "a test")]

use bson::{Document, doc};
use std::sync::Arc;
use tidemark_base::bson::Doc;
use tidemark_base::{CollectionUuid, OpTime, SeededEntropy};
use tidemark_blockstore::{MemoryBackend, Store};
use tidemark_head::dump::{ArchiveWriter, Compression, DirectoryWriter, Target, Versions};
use tidemark_head::export::{self, Prepared};
use tidemark_head::head::{Head, HeadName};
use tidemark_head::import::Import;
use tidemark_oplog::catalog::Collection;
use tidemark_oplog::filter::Filter;

fn uuid(n: u8) -> CollectionUuid {
    CollectionUuid::from_bytes([n; 16])
}

/// A head with a plain, an empty and a capped collection, whose documents come in descending order.
fn head() -> Head {
    let store = Store::new(Arc::new(MemoryBackend::new(&mut SeededEntropy::new(3))));
    let mut import = Import::begin(&store, OpTime::NULL, Filter::default(), usize::MAX).unwrap();
    let kinds: [(&str, Document, i32); 3] = [
        ("plain", doc! {}, 500),
        ("empty", doc! {}, 0),
        ("capped", doc! {"capped": true, "size": 1 << 20}, 40),
    ];
    for (n, (name, options, count)) in (1..).zip(kinds) {
        let options = options.to_vec().unwrap();
        let (database, name) = ("app".to_owned(), name.to_owned());
        let collection = Collection { database, name, options, indexes: Vec::new() };
        import.collection(uuid(n), collection).unwrap();
        for id in (0..count).rev() {
            let document =
                doc! {"_id": id, "text": "x".repeat(usize::try_from(id).unwrap())}.to_vec().unwrap();
            import.documents(uuid(n), &[Doc::new(&document).unwrap()]).unwrap();
        }
    }
    import.finish(&HeadName::new("local", "rs0").unwrap(), None).unwrap()
}

#[test]
fn what_is_measured_is_what_is_written() {
    let head = head();
    let plan = export::plan(head.state(), head.store(), &Filter::default(), false).unwrap();
    let Prepared { parts, divergences } = export::prepare(head.state(), head.store(), &plan).unwrap();
    assert!(divergences.is_empty());
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<_> = plan.entries.iter().map(|entry| entry.part.clone()).collect();
    let place = folder.path().join("dump");
    let (plain, versions) = (Compression::Plain, Versions::default());
    let writer = DirectoryWriter::new(&place, Target::Empty, plain, &versions, names.clone()).unwrap();
    export::write(head.state(), head.store(), &plan, writer).unwrap();
    let mut archive = Vec::new();
    let writer = ArchiveWriter::new(&mut archive, "memory", plain, &versions, names).unwrap();
    export::write(head.state(), head.store(), &plan, writer).unwrap();
    assert_eq!(parts.len(), 3);
    for (entry, measured) in plan.entries.iter().zip(parts) {
        let name = &entry.part.namespace.collection;
        let bytes = std::fs::read(folder.path().join(format!("dump/app/{name}.bson"))).unwrap();
        assert_eq!(measured.bytes, bytes.len() as u64, "{name}");
        assert_eq!(measured.documents, tidemark_base::bson::split(&bytes).count() as u64, "{name}");
        // These collections are far shorter than a segment.
        assert_eq!(measured.segments.len(), usize::from(measured.bytes > 0), "{name}");
        for segment in &measured.segments {
            let (documents, bytes, crc) = (segment.documents, segment.bytes, segment.crc);
            assert_eq!((documents, bytes, crc), (measured.documents, measured.bytes, measured.crc), "{name}");
        }
        // The header of the last block of the collection holds its checksum.
        let end = doc! {"db": "app", "collection": name, "EOF": true, "CRC": measured.crc.cast_signed()};
        let end = end.to_vec().unwrap();
        assert!(archive.windows(end.len()).any(|it| it == end), "{name}: no {measured:?}");
    }
}
