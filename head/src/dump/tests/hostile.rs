//! Dumps that nobody should write: cut, damaged, contradictory, meant to do harm.

use super::*;
use crate::dump::archive::{BlockHeader, ContentsEntry, MAGIC, TERMINATOR, write_entry, write_header};
use proptest::prelude::*;
use std::io::Write as _;
use tidemark_testkit::dumps;

fn problem(result: Result<Whole, DumpError>) -> Problem {
    match result.unwrap_err() {
        DumpError::Broken { problem, .. } => problem,
        other => panic!("{other}"),
    }
}

#[test]
fn an_archive_cut_anywhere_is_never_taken_for_whole() {
    for compression in [Compression::Plain, Compression::Gzip] {
        let archive = small().to_archive(compression);
        for len in 0..archive.len() {
            let error = Whole::of_archive(&archive[..len]).unwrap_err();
            assert_eq!(error.kind(), tidemark_base::ErrorKind::Corrupt, "{len}: {error}");
        }
    }
}

#[test]
fn the_sample_archive_cut_anywhere_is_never_taken_for_whole() {
    let archive = dumps::file("archive-j4-oplog.bin").unwrap();
    for len in (0..archive.len()).step_by(7) {
        Whole::of_archive(&archive[..len]).unwrap_err();
    }
}

#[test]
fn bytes_after_the_end_are_refused() {
    for compression in [Compression::Plain, Compression::Gzip] {
        let mut archive = small().to_archive(compression);
        archive.push(0);
        Whole::of_archive(&archive).unwrap_err();
    }
}

#[test]
fn a_changed_document_is_noticed_by_its_checksum() {
    let archive = small().to_archive(Compression::Plain);
    let at = archive.windows(3).position(|it| it == b"sss").unwrap();
    let mut changed = archive;
    changed[at] = b't';
    assert!(
        matches!(problem(Whole::of_archive(&changed)), Problem::Checksum { namespace, .. } if namespace == "a.c")
    );
}

#[test]
fn what_is_no_archive_is_told_so() {
    for bytes in [b"not an archive".as_slice(), b"PK\x03\x04aaaaaaa", &document(1, 1)] {
        assert_eq!(problem(Whole::of_archive(bytes)), Problem::NoArchive);
    }
    assert_eq!(problem(Whole::of_archive(b"")), Problem::Truncated);
    assert!(matches!(
        problem(Whole::of_archive(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0, 7, 7])),
        Problem::Gzip { .. }
    ));
}

/// An archive of these contents and blocks.
fn archive(
    contents: &[(&str, &str, &str, Option<Kind>)],
    blocks: &[(&str, &str, Option<u64>, &[u8])],
) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    write_header(&Versions::default(), &mut out);
    for &(database, collection, metadata, kind) in contents {
        write_entry(&ContentsEntry { database, collection, metadata, kind }, &mut out);
    }
    out.extend(TERMINATOR);
    for &(database, collection, end, documents) in blocks {
        let (database, collection) = (database.to_owned(), collection.to_owned());
        BlockHeader { database, collection, end }.write(&mut out);
        out.extend(documents);
        out.extend(TERMINATOR);
    }
    out
}

const C: (&str, &str, &str, Option<Kind>) = ("d", "c", "{}", Some(Kind::Collection));

#[test]
fn blocks_that_do_not_follow_the_rules_are_refused() {
    let one = document(1, 1);
    let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Xz, &one);
    let whole = archive(&[C], &[("d", "c", None, &one), ("d", "c", Some(crc), b"")]);
    assert_eq!(Whole::of_archive(&whole).unwrap().documents.len(), 1);
    let named = |namespace: &str| namespace.to_owned();
    for (contents, blocks, expected) in [
        (vec![C], vec![], Problem::Unfinished { namespace: named("d.c") }),
        (vec![C], vec![("d", "c", None, &one[..])], Problem::Unfinished { namespace: named("d.c") }),
        (vec![], vec![("d", "c", None, &one[..])], Problem::Unlisted { namespace: named("d.c") }),
        (
            vec![C],
            vec![("d", "c", Some(1), &b""[..])],
            Problem::Checksum { namespace: named("d.c"), stated: 1, counted: 0 },
        ),
        (
            vec![C],
            vec![("d", "c", Some(0), &b""[..]), ("d", "c", None, &one[..])],
            Problem::Reopened { namespace: named("d.c") },
        ),
        (vec![C], vec![("d", "c", Some(0), &one[..])], Problem::Expected { wanted: "the end of a block" }),
        (vec![C, C], vec![], Problem::Twice { namespace: named("d.c") }),
        (
            vec![("d", "v", r#"{"type":"view"}"#, None)],
            vec![("d", "v", None, &one[..])],
            Problem::ViewWithDocuments { namespace: named("d.v") },
        ),
        (
            vec![("", "oplog", "", None), ("", "oplog", "", None)],
            vec![],
            Problem::Twice { namespace: named("the oplog") },
        ),
    ] {
        assert_eq!(problem(Whole::of_archive(&archive(&contents, &blocks))), expected);
    }
    // Two terminators in a row.
    let mut doubled = whole;
    doubled.extend(TERMINATOR);
    assert!(matches!(problem(Whole::of_archive(&doubled)), Problem::Document(_)));
}

#[test]
fn names_and_metadata_of_archives_are_checked() {
    for (entry, expected) in [
        (("../d", "c", "{}", None), "no namespace"),
        (("d", "c\0", "{}", None), "no namespace"),
        (("d", "", "{}", None), "no namespace"),
        (("", "c", "{}", None), "no namespace"),
        (("d", "c", "{", None), "JSON text"),
        (("d", "c", r#"{"collectionName":"x"}"#, None), "the metadata is of the collection 'x'"),
        (("d", "c", r#"{"type":"view"}"#, Some(Kind::Collection)), "the metadata is of a view"),
    ] {
        let error = Whole::of_archive(&archive(&[entry], &[])).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let empty = archive(&[("d", "v", "", Some(Kind::View))], &[("d", "v", Some(0), b"")]);
    let whole = Whole::of_archive(&empty).unwrap();
    assert_eq!(whole.namespaces.values().next().unwrap().kind, Kind::View);
    assert!(whole.documents.is_empty());
}

#[test]
fn lengths_that_lie_cost_nothing() {
    let mut bytes = archive(&[C], &[]);
    for len in [0_u32, 4, 16_800_000, 0x7fff_ffff, 0xffff_fffe] {
        let before = bytes.len();
        bytes.extend(len.to_le_bytes());
        assert!(matches!(problem(Whole::of_archive(&bytes)), Problem::Document(_)));
        bytes.truncate(before);
    }
}

#[test]
fn a_gzip_bomb_is_read_in_bounded_pieces() {
    // 1 GiB of zeros after a sound beginning is 1 MiB.
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&archive(&[C], &[])).unwrap();
    let zeros = vec![0; 1 << 20];
    (0..64).for_each(|_| encoder.write_all(&zeros).unwrap());
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 1 << 20);
    assert!(matches!(problem(Whole::of_archive(&bomb)), Problem::Document(_)));
}

fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, bytes) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    folder
}

#[test]
fn directories_that_contradict_themselves_are_refused() {
    let cut = format!("d/{}%24{}.bson", "x".repeat(208), "q".repeat(27));
    let cut_metadata = cut.replace(".bson", ".metadata.json");
    for (files, expected) in [
        (vec![], "no dump is in this folder"),
        (vec![("stray", &b""[..])], "mongodump writes no such file"),
        (vec![("d/stray", b"")], "mongodump writes no such file"),
        (vec![("c.bson", b"")], "name the folder above it"),
        (vec![("c.metadata.json.gz", b"")], "name the folder above it"),
        (vec![("d/e/c.bson", b"")], "a folder within that of a database"),
        (vec![("d.e/c.bson", b"")], "no namespace"),
        (vec![("d/%zz.bson", b"")], "a % without"),
        (vec![("d/%2F%2E.bson", b""), ("d/.c.bson", b"")], "must not begin with a dot"),
        (vec![("d/c%00.bson", b"")], "must not hold NUL"),
        (vec![("d/c.bson", b""), ("d/c.bson.gz", b"")], "it is there twice"),
        (vec![("d/c.bson", b""), ("d/%63.bson", b"")], "d.c stands here a second time"),
        (
            vec![("d/v.metadata.json", br#"{"type":"view"}"#), ("d/%76.bson", b"")],
            "documents of d.v, which is a view",
        ),
        (vec![("d/c.metadata.json", b"{}")], "its .bson file is missing"),
        (
            vec![("d/c.bson", b""), ("d/c.metadata.json", br#"{"type":"view"}"#)],
            "documents of d.c, which is a view",
        ),
        (vec![("d/c.bson", b""), ("d/c.metadata.json", b"{")], "JSON text"),
        (
            vec![("d/c.bson", b""), ("d/c.metadata.json", br#"{"collectionName":"x"}"#)],
            "the metadata is of the collection 'x'",
        ),
        (vec![(&cut, b"")], "no metadata tells the true one"),
        (vec![(&cut, b""), (&cut_metadata, br#"{"collectionName":"x"}"#)], "the collection 'x'"),
        (vec![("prelude.json", b"["), ("d/c.bson", b"")], "JSON text"),
    ] {
        let folder = folder(&files);
        let error = Whole::of_directory(folder.path()).unwrap_err().to_string();
        assert!(error.contains(expected), "{files:?}: {error}");
        assert!(error.starts_with(&folder.path().display().to_string()), "{error}");
    }
}

#[test]
fn damaged_documents_are_located() {
    let sound = document(1, 1);
    let len = sound.len() as u64;
    let cut = [sound.as_slice(), &sound[..7]].concat();
    let longer = [sound.as_slice(), &[9, 0, 0, 0, 1, 1, 1, 1, 1]].concat();
    for (bytes, expected) in [
        (cut, Problem::Truncated),
        (longer.clone(), {
            let error = tidemark_base::bson::Doc::new(&longer[sound.len()..]).unwrap_err();
            Problem::Document(error)
        }),
    ] {
        let folder = folder(&[("d/c.bson", &bytes)]);
        let mut reader = DirectoryReader::new(folder.path()).unwrap();
        assert!(
            matches!(reader.next().unwrap(), Some(Item::Documents { documents, .. }) if documents == sound)
        );
        match reader.next().unwrap_err() {
            DumpError::Broken { place, offset, problem } => {
                assert!(place.ends_with("/d/c.bson"));
                assert_eq!((offset, problem), (len, expected));
            }
            other => panic!("{other}"),
        }
        assert_eq!(reader.next().unwrap(), None, "after an error nothing more is read");
    }
}

#[test]
fn packed_files_are_told_by_their_names_and_the_oplog_by_its_bytes() {
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let one = document(1, 1);
    let packed = gzip(&one);
    for files in [
        vec![("d/c.bson.gz", &packed[..]), ("oplog.bson", &packed)],
        vec![("d/c.bson", &one), ("oplog.bson", &packed)],
        vec![("d/c.bson", &one), ("oplog.bson", &one)],
        vec![("d/c.bson.gz", &packed), ("oplog.bson", &one)],
    ] {
        let whole = Whole::of_directory(folder(&files).path()).unwrap();
        assert_eq!(whole.oplog, one);
        assert_eq!(whole.documents[&("d".into(), "c".into())], one);
    }
    // An entry whose length begins as gzip does.
    let long = document(1, 0x0008_8b1f - document(0, 0).len());
    assert!(long.starts_with(&[0x1f, 0x8b, 8]));
    let whole = Whole::of_directory(folder(&[("d/c.bson", &one), ("oplog.bson", &long)]).path()).unwrap();
    assert_eq!(whole.oplog, long);
    let folder = folder(&[("d/c.bson.gz", &one)]);
    assert!(matches!(problem(Whole::of_directory(folder.path())), Problem::Gzip { .. }));
}

#[test]
fn links_and_special_files_in_a_dump_are_refused() {
    let outside = folder(&[("d/c.bson", b"")]);
    for (link, target) in [("d", "d"), ("d/x.bson", "d/c.bson"), ("oplog.bson", "d/c.bson")] {
        let dump = folder(&[("e/c.bson", b"")]);
        std::fs::create_dir_all(dump.path().join(link).parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(outside.path().join(target), dump.path().join(link)).unwrap();
        let error = Whole::of_directory(dump.path()).unwrap_err().to_string();
        assert!(error.contains("it is a symlink"), "{error}");
    }
}

proptest! {
    #[test]
    fn damaged_archives_never_panic(at in any::<prop::sample::Index>(), byte: u8, more in prop::collection::vec(any::<u8>(), 0..8)) {
        let mut bytes = small().to_archive(Compression::Plain);
        let at = at.index(bytes.len());
        bytes.splice(at..at, more);
        bytes[at] = byte;
        let _ = Whole::of_archive(&bytes);
    }

    #[test]
    fn damaged_packed_archives_never_panic(at in any::<prop::sample::Index>(), byte: u8) {
        let mut bytes = small().to_archive(Compression::Gzip);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = Whole::of_archive(&bytes);
    }
}
