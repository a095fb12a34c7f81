//! What is written is read again; and the promises of the writers.

use super::*;
use std::io::Write;
use tidemark_testkit::dump_dir;

#[test]
fn every_form_is_read_as_it_was_written() {
    let whole = small();
    let folder = tempfile::tempdir().unwrap();
    for compression in [Compression::Plain, Compression::Gzip] {
        assert_eq!(Whole::of_archive(&whole.to_archive(compression)).unwrap(), whole);
        let path = folder.path().join(format!("{compression:?}"));
        whole.to_directory(&path, compression);
        assert_eq!(Whole::of_directory(&path).unwrap(), whole);
        let independent = dump_dir::load(&path).unwrap();
        let names: Vec<_> = independent.state.collections.iter().map(|it| it.name.as_str()).collect();
        let long = "ü".repeat(100);
        let expected = ["c", "empty", "sl/ash ü%", &long, "system.buckets.ts"];
        assert_eq!(BTreeSet::from_iter(names), BTreeSet::from(expected));
        assert!(independent.prelude.unwrap().contains("6.0.5"));
    }
}

#[test]
fn the_same_dump_is_the_same_bytes() {
    let whole = small();
    for compression in [Compression::Plain, Compression::Gzip] {
        let once = whole.to_archive(compression);
        let mut writer =
            ArchiveWriter::new(Vec::new(), "memory", compression, &whole.versions, whole.parts()).unwrap();
        // The same documents in other portions.
        for part in whole.parts() {
            writer.begin(&part).unwrap();
            let name = part.stream.map(|it| (part.namespace.database.clone(), it));
            let documents = name.map_or(&[][..], |it| &whole.documents[&it]);
            for document in tidemark_base::bson::split(documents) {
                writer.documents(document.unwrap().as_bytes()).unwrap();
            }
            writer.end().unwrap();
        }
        assert!(writer.finish().unwrap() == once);
    }
}

#[test]
fn big_documents_and_many_small_ones_come_in_bounded_pieces() {
    let most = tidemark_base::limits::MAX_USER_DOCUMENT_BYTES;
    let overhead = document(0, 0).len();
    let mut whole = small();
    let largest = document(1, most - overhead);
    assert_eq!(largest.len(), most);
    let many: Vec<u8> = (0..100_000).flat_map(|id| document(id, 10)).collect();
    whole.documents.insert(("a".into(), "c".into()), [largest, many, document(9, most - overhead)].concat());
    for compression in [Compression::Plain, Compression::Gzip] {
        let archive = whole.to_archive(compression);
        assert!(Whole::of_archive(&archive).unwrap() == whole);
        let mut reader = ArchiveReader::new(archive.as_slice(), "x").unwrap();
        while let Some(item) = reader.next().unwrap() {
            if let Item::Documents { documents, .. } = item {
                assert!(documents.len() <= most + (1 << 20));
            }
        }
    }
}

#[test]
fn a_document_too_large_for_mongorestore_goes_into_a_directory_only() {
    let most = tidemark_base::limits::MAX_USER_DOCUMENT_BYTES;
    let large = document(1, most - document(0, 0).len() + 1);
    let mut whole = small();
    whole.documents.insert(("a".into(), "c".into()), large);
    let archive =
        ArchiveWriter::new(Vec::new(), "x", Compression::Plain, &whole.versions, whole.parts()).unwrap();
    let error = whole.write(archive).unwrap_err();
    assert!(error.to_string().starts_with("a.c: a document of 16777217 bytes"), "{error}");
    let folder = tempfile::tempdir().unwrap();
    whole.to_directory(folder.path(), Compression::Plain);
    assert!(Whole::of_directory(folder.path()).unwrap() == whole);
}

#[test]
fn a_folder_that_holds_something_is_left_alone_unless_told() {
    let folder = tempfile::tempdir().unwrap();
    let mine = folder.path().join("mine");
    std::fs::write(&mine, b"precious").unwrap();
    let whole = small();
    let make = |target| {
        DirectoryWriter::new(folder.path(), target, Compression::Plain, &whole.versions, whole.parts())
    };
    assert!(matches!(make(Target::Empty), Err(DumpError::NotEmpty { .. })));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    whole.write(make(Target::AddTo).unwrap()).unwrap();
    assert_eq!(std::fs::read(&mine).unwrap(), b"precious");
    std::fs::remove_file(&mine).unwrap();
    assert_eq!(Whole::of_directory(folder.path()).unwrap(), whole);
    // A second one meets the files of the first.
    let error = make(Target::AddTo).unwrap_err();
    assert_eq!(error.kind(), tidemark_base::ErrorKind::Conflict, "{error}");
}

#[test]
fn a_link_in_the_target_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), folder.path().join("a")).unwrap();
    let whole = small();
    let writer = DirectoryWriter::new(
        folder.path(),
        Target::AddTo,
        Compression::Plain,
        &whole.versions,
        whole.parts(),
    );
    whole.write(writer.unwrap()).unwrap_err();
    assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}

#[test]
fn names_that_no_server_has_are_not_written() {
    let folder = tempfile::tempdir().unwrap();
    for (database, collection) in [("..", "c"), ("a/b", "c"), ("", "c"), ("a", ""), ("a", ".c")] {
        let part = Part::of(Namespace::bare(database, collection));
        let path = folder.path().join("x");
        let versions = Versions::default();
        let mut writer =
            DirectoryWriter::new(&path, Target::AddTo, Compression::Plain, &versions, vec![part.clone()])
                .unwrap();
        assert!(matches!(writer.begin(&part), Err(DumpError::Name { .. })), "{database} {collection}");
        std::fs::remove_dir_all(&path).unwrap();
    }
}

#[test]
fn a_caller_that_mixes_up_its_parts_is_told() {
    let whole = small();
    let parts = whole.parts();
    let make =
        || ArchiveWriter::new(Vec::new(), "x", Compression::Plain, &whole.versions, whole.parts()).unwrap();
    let misuse = |result: Result<(), DumpError>| {
        assert!(matches!(result.unwrap_err(), DumpError::Misuse { .. }));
    };
    misuse(make().documents(&document(1, 1)));
    misuse(make().end());
    misuse(make().begin(&parts[1]));
    misuse(make().finish().map(drop));
    let mut writer = make();
    writer.begin(&parts[0]).unwrap();
    misuse(writer.begin(&parts[1]));
    let broken = writer.documents(&document(1, 1)[1..]).unwrap_err();
    assert!(matches!(broken, DumpError::Documents { .. }), "{broken}");
    misuse(writer.finish().map(drop));
    let view = Part::of(Namespace { kind: Kind::View, ..Namespace::bare("d", "v") });
    let mut writer =
        ArchiveWriter::new(Vec::new(), "x", Compression::Plain, &Versions::default(), vec![view.clone()])
            .unwrap();
    writer.begin(&view).unwrap();
    misuse(writer.documents(&document(1, 1)));
}

#[test]
fn users_must_come_first_in_an_archive() {
    let part = |database, collection| Part::of(Namespace::bare(database, collection));
    for (database, collection) in
        [("admin", "system.users"), ("admin", "system.version"), ("d", "$admin.system.roles")]
    {
        let mut parts = vec![part("a", "c"), part(database, collection)];
        let versions = Versions::default();
        let make = |parts| ArchiveWriter::new(Vec::new(), "x", Compression::Plain, &versions, parts);
        assert!(matches!(make(parts.clone()), Err(DumpError::Misuse { .. })), "{collection}");
        Part::put_in_order(&mut parts);
        make(parts).unwrap();
    }
}

/// A writer that fails after so many bytes.
#[derive(Debug)]
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let taken = bytes.len().min(self.0);
        self.0 -= taken;
        if taken == 0 { Err(std::io::ErrorKind::StorageFull.into()) } else { Ok(taken) }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_told_wherever_it_happens() {
    let whole = small();
    for compression in [Compression::Plain, Compression::Gzip] {
        let len = whole.to_archive(compression).len();
        for room in 0..len {
            let writer =
                ArchiveWriter::new(Full(room), "the pipe", compression, &whole.versions, whole.parts());
            let error = writer.and_then(|writer| whole.write(writer)).unwrap_err();
            assert!(error.to_string().starts_with("the pipe: cannot write"), "{error}");
        }
        let writer = ArchiveWriter::new(Full(len), "x", compression, &whole.versions, whole.parts());
        whole.write(writer.unwrap()).unwrap();
    }
}
