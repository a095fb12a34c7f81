//! The sample dumps, read by us and by the independent reader of testkit.

use super::*;
use tidemark_base::bson::{Doc, DocWriter, split};
use tidemark_testkit::dump_dir::{self, Dump};
use tidemark_testkit::dumps;
use tidemark_testkit::state::ListedKind;

fn read_folder(name: &str) -> (Whole, Dump) {
    let folder = tempfile::tempdir().unwrap();
    dumps::folder(name).unwrap().write(folder.path()).unwrap();
    (Whole::of_directory(folder.path()).unwrap(), dump_dir::load(folder.path()).unwrap())
}

/// Compares with what testkit has read.
#[track_caller]
fn assert_same(ours: &Whole, theirs: &Dump) {
    let state = &theirs.state;
    let mut streams = 0;
    for collection in state.collections.iter().chain(&state.admin).chain(&state.config) {
        let name = (collection.db.clone(), collection.name.clone());
        assert_eq!(ours.documents.get(&name), Some(&collection.documents.concat()), "{name:?}");
        streams += 1;
        match ours.namespaces.get(&name) {
            Some(namespace) => {
                assert_eq!(namespace.kind, Kind::Collection);
                assert_eq!(namespace.uuid, collection.uuid);
                assert_eq!(namespace.options, *collection.options);
                assert!(namespace.indexes.iter().eq(collection.indexes.iter().map(AsRef::as_ref)));
            }
            // What has no metadata has nothing in the other reading either.
            None => assert!(collection.uuid.is_none() && collection.indexes.is_empty(), "{name:?}"),
        }
    }
    assert_eq!(ours.documents.len(), streams);
    let listed = ours.namespaces.values().filter(|it| it.kind != Kind::Collection);
    let listed: Vec<_> =
        listed.map(|it| (it.database.as_str(), it.collection.as_str(), &it.options[..])).collect();
    let expected: Vec<_> =
        state.listed.iter().map(|it| (it.db.as_str(), it.name.as_str(), &it.options[..])).collect();
    assert_eq!(listed, expected);
    for theirs in &state.listed {
        let kind = if theirs.kind == ListedKind::View { Kind::View } else { Kind::TimeSeries };
        assert_eq!(ours.namespaces[&(theirs.db.clone(), theirs.name.clone())].kind, kind);
    }
    assert_eq!(ours.oplog, theirs.oplog.clone().unwrap_or_default().concat());
}

/// Sorts the fields of options, as mongodump writes them in any order.
fn with_sorted_options(mut whole: Whole) -> Whole {
    for namespace in whole.namespaces.values_mut() {
        namespace.options = sorted(Doc::new(&namespace.options).unwrap());
    }
    whole
}

fn sorted(document: Doc<'_>) -> Vec<u8> {
    let mut elements: Vec<_> = document.elements().map(Result::unwrap).collect();
    elements.sort_by_key(|it| it.name);
    let mut out = Vec::new();
    let mut w = DocWriter::new(&mut out);
    let open = w.begin();
    for element in elements {
        match element.as_object() {
            Some(object) => w.raw(element.kind, element.name, &sorted(object)),
            None => w.element(element),
        }
    }
    w.end(open);
    out
}

#[test]
fn directories_are_read_as_the_independent_reader_reads_them() {
    for name in ["dir", "dirgz", "dbdir", "diroplog"] {
        let (ours, theirs) = read_folder(name);
        assert_same(&ours, &theirs);
        assert!(ours.documents.values().map(Vec::len).sum::<usize>() > 10_000, "{name}");
    }
}

#[test]
fn the_sample_holds_what_is_special_about_dumps() {
    let (ours, _) = read_folder("dir");
    let kinds = |kind| ours.namespaces.values().filter(|it| it.kind == kind).count();
    assert_eq!((kinds(Kind::View), kinds(Kind::TimeSeries)), (1, 1));
    assert!(ours.namespaces.keys().any(|(_, collection)| collection.len() > 200));
    assert!(!ours.documents[&("app".into(), "system.buckets.ts".into())].is_empty());
    assert!(ours.documents[&("app".into(), "empty".into())].is_empty());
    let (ours, _) = read_folder("dbdir");
    assert_eq!(split(&ours.documents[&("app".into(), "$admin.system.users".into())]).count(), 1);
    let (ours, _) = read_folder("diroplog");
    assert!(!ours.oplog.is_empty());
}

#[test]
fn archives_hold_what_the_directory_holds() {
    let (directory, _) = read_folder("dir");
    let directory = with_sorted_options(directory);
    for name in ["archive.bin", "archive.gz"] {
        let archive = with_sorted_options(Whole::of_archive(dumps::file(name).unwrap()).unwrap());
        assert_eq!(archive.versions.server.as_deref(), Some("6.0.5"));
        let without_versions = Whole { versions: Versions::default(), ..archive };
        assert!(without_versions == directory, "{name}");
    }
}

#[test]
fn interleaved_collections_and_an_oplog_are_read() {
    let archive = Whole::of_archive(dumps::file("archive-j4-oplog.bin").unwrap()).unwrap();
    let archive = with_sorted_options(archive);
    assert!(!archive.oplog.is_empty());
    let (directory, _) = read_folder("diroplog");
    let directory = with_sorted_options(directory);
    // The oplog of another moment; the same collections and documents.
    assert_eq!(archive.namespaces, directory.namespaces);
    assert!(archive.documents == directory.documents);
}

#[test]
fn samples_are_written_again_and_read_again() {
    for name in ["dir", "dbdir"] {
        let (whole, theirs) = read_folder(name);
        let folder = tempfile::tempdir().unwrap();
        for (compression, name) in [(Compression::Plain, "plain"), (Compression::Gzip, "gz")] {
            let path = folder.path().join(name);
            whole.to_directory(&path, compression);
            let again = Whole::of_directory(&path).unwrap();
            assert!(again.documents == whole.documents);
            assert!(whole.namespaces.iter().all(|(name, it)| again.namespaces.get(name) == Some(it)));
            let independent = dump_dir::load(&path).unwrap().state;
            assert!(independent.listed == theirs.state.listed);
            let documents = |state: &tidemark_testkit::state::State| -> Vec<_> {
                let all = state.collections.iter().chain(&state.admin).chain(&state.config);
                all.map(|it| (it.namespace(), it.uuid, it.documents.clone())).collect()
            };
            assert!(documents(&independent) == documents(&theirs.state));
            let archive = Whole::of_archive(&whole.to_archive(compression)).unwrap();
            assert!(archive.documents == whole.documents);
        }
    }
}

#[test]
fn what_mongodump_wrote_is_written_again_byte_for_byte() {
    let tree = dumps::folder("dir").unwrap();
    let (whole, _) = read_folder("dir");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("again");
    whole.to_directory(&path, Compression::Plain);
    let mut again = dump_dir::read(&path).unwrap();
    assert!(again.files.remove("prelude.json").is_some());
    // Buckets have no metadata of their own; `parts` gave them some.
    assert!(again.files.remove("app/system.buckets.ts.metadata.json").is_none());
    assert!(again.files.keys().eq(tree.files.keys()));
    for (path, bytes) in &tree.files {
        assert!(again.files[path] == *bytes, "{path}: {}", String::from_utf8_lossy(bytes));
    }
}
