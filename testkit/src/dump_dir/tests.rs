//! The loader against the dumps mongodump wrote, and against dumps nobody should write.

use super::*;
use crate::dumps;
use bson::{Document, doc};
use tidemark_base::Timestamp;

fn sample(name: &str) -> Dump {
    parse(&dumps::folder(name).unwrap()).unwrap()
}

fn collection<'a>(dump: &'a Dump, db: &str, name: &str) -> &'a Collection {
    let found = dump.state.collections.iter().find(|c| c.db == db && c.name == name);
    found.unwrap_or_else(|| panic!("no {db}.{name}"))
}

fn document(bytes: &[u8]) -> Document {
    Document::from_reader(bytes).unwrap()
}

fn tree<const N: usize>(files: [(&str, &[u8]); N]) -> FileTree {
    FileTree { files: files.into_iter().map(|(path, b)| (path.to_owned(), Cow::Owned(b.to_vec()))).collect() }
}

/// Sorts the fields of all options: mongodump decodes them into Go maps, so it writes them in any order, and
/// another one in each dump. Everything else keeps its order.
fn with_sorted_options(mut dump: Dump) -> Dump {
    let state = &mut dump.state;
    let collections = state.collections.iter_mut().chain(&mut state.admin).chain(&mut state.config);
    let options = collections.map(|c| &mut c.options).chain(state.listed.iter_mut().map(|l| &mut l.options));
    options.for_each(|options| *options = Cow::Owned(sorted(document(options)).to_vec().unwrap()));
    dump
}

fn sorted(document: Document) -> Document {
    let fields: BTreeMap<_, _> = document.into_iter().collect();
    let fields = fields.into_iter().map(|(name, value)| match value {
        bson::Bson::Document(inner) => (name, sorted(inner).into()),
        other => (name, other),
    });
    fields.collect()
}

#[test]
fn plain_and_gzipped_dumps_of_one_database_are_equal_but_for_the_order_of_options() {
    let (plain, gzipped) = (sample("dir"), sample("dirgz"));
    assert!(plain != gzipped, "mongodump has kept an order by chance");
    assert!(with_sorted_options(plain) == with_sorted_options(gzipped));
}

#[test]
fn a_dump_on_disk_is_the_dump_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let tree = dumps::folder("dirgz").unwrap();
    tree.write(folder.path()).unwrap();
    assert!(read(folder.path()).unwrap() == tree);
    assert!(load(folder.path()).unwrap() == sample("dirgz"));
}

#[test]
fn options_indexes_and_uuids_keep_order_and_types() {
    let dump = sample("dir");
    let types = collection(&dump, "app", "types");
    assert_eq!(types.uuid.unwrap().to_string(), "a31b033c-499c-4b1d-9eb9-411aeb523ec7");
    let expected = doc! { "long": 1_i64, "dbl": 1.0, "_fts": "text", "_ftsx": 1 };
    let key = raw::field(&types.indexes[1], "key").unwrap().unwrap();
    assert_eq!(key.value, expected.to_vec().unwrap());
    let capped = collection(&dump, "app", "capped");
    assert_eq!(document(&capped.options), doc! { "capped": true, "size": 8192, "max": 10 });
    assert_eq!((capped.order, collection(&dump, "app", "plain").order), (Order::Natural, Order::Scan));
}

#[test]
fn escaped_and_cut_names_come_back_whole() {
    let dump = sample("dir");
    for name in ["sl/ash", "sp ace", "plus+", "perc%25", "ünï", "a&b=c?d", "with.dots", "UPPER"] {
        assert_eq!(collection(&dump, "app", name).documents.len(), 1, "{name}");
    }
    let long = dump.state.collections.iter().find(|c| c.name.starts_with("xxx")).unwrap();
    let metadata = dumps::folder("dir").unwrap().files.into_keys().find(|p| p.contains("xxx")).unwrap();
    assert!(!metadata.contains("%24"), "the sample's long name is not cut: {metadata}");
    assert!(long.name.len() > 200);
}

#[test]
fn a_cut_name_needs_its_metadata() {
    let cut = format!("app/{}%24{}", "x".repeat(208), "q".repeat(27));
    let (documents, metadata) = (format!("{cut}.bson"), format!("{cut}.metadata.json"));
    let json = br#"{"indexes":[],"collectionName":"the/true name"}"#;
    let dump = parse(&tree([(&documents, b""), (&metadata, json)])).unwrap();
    assert_eq!(dump.state.collections[0].name, "the/true name");
    let error = parse(&tree([(&documents, b"")])).expect_err("nobody knows the name");
    assert!(error.to_string().contains("the name is cut"), "{error}");
}

#[test]
fn views_and_time_series_are_listed_and_buckets_are_a_collection() {
    let dump = sample("dir");
    let listed: Vec<_> = dump.state.listed.iter().map(|l| (l.name.as_str(), l.kind)).collect();
    assert_eq!(listed, [("ts", ListedKind::TimeSeries), ("view", ListedKind::View)]);
    let buckets = collection(&dump, "app", "system.buckets.ts");
    assert_eq!((buckets.uuid, buckets.documents.is_empty()), (None, false));
}

#[test]
fn admin_and_config_stand_apart_and_users_of_a_database_do_not() {
    let dump = sample("dir");
    let names = |of: &[Collection]| of.iter().map(|c| c.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&dump.state.admin), ["mycoll", "system.roles", "system.users", "system.version"]);
    assert_eq!(names(&dump.state.config), ["settings"]);
    let one = sample("dbdir");
    assert_eq!(collection(&one, "app", "$admin.system.users").documents.len(), 1);
    assert!(one.state.admin.is_empty());
}

#[test]
fn the_oplog_is_found_plain_and_gzipped_under_one_name() {
    let dump = sample("diroplog");
    let oplog = dump.oplog.clone().unwrap();
    let ts = raw::field(&oplog[0], "ts").unwrap().unwrap().value;
    assert!(Timestamp::from_u64(u64::from_le_bytes(ts.try_into().unwrap())) > Timestamp::ZERO);

    let mut gzipped = dumps::folder("dirgz").unwrap();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, &dumps::folder("diroplog").unwrap().files["oplog.bson"]).unwrap();
    gzipped.files.insert("oplog.bson".to_owned(), Cow::Owned(encoder.finish().unwrap()));
    assert_eq!(parse(&gzipped).unwrap().oplog, Some(oplog));
}

#[test]
fn a_missing_or_empty_metadata_file_means_no_options() {
    let dump = parse(&tree([("a/b.bson", b""), ("a/c.bson", b""), ("a/c.metadata.json", b"")])).unwrap();
    assert!(dump.state.collections.iter().all(|c| *c.options == [5, 0, 0, 0, 0] && c.indexes.is_empty()));
}

#[test]
fn types_are_found_without_the_type_field() {
    let view = br#"{"options":{"viewOn":"x","pipeline":[]},"indexes":[]}"#;
    let ts = br#"{"options":{"timeseries":{"timeField":"t"}},"indexes":[]}"#;
    let dump = parse(&tree([("a/v.metadata.json", view), ("a/t.metadata.json", ts)])).unwrap();
    let kinds: Vec<_> = dump.state.listed.iter().map(|l| l.kind).collect();
    assert_eq!(kinds, [ListedKind::TimeSeries, ListedKind::View]);
}

#[test]
fn a_prelude_is_kept() {
    let dump = parse(&tree([("prelude.json", br#"{"ServerVersion":"6.0.5"}"#)])).unwrap();
    assert_eq!(dump.prelude.as_deref(), Some(r#"{"ServerVersion":"6.0.5"}"#));
}

#[test]
fn broken_dumps_are_errors_that_name_the_file() {
    for (file, content, expected) in [
        ("a/b.bson", b"\x07\0\0\0\0".as_slice(), "a/b.bson: document"),
        ("a/b.metadata.json", b"{", "a/b.metadata.json: EOF"),
        ("a/b.metadata.json", br#"{"uuid":"1"}"#, "a/b.metadata.json: '1' is not a collection uuid"),
        ("a/b.metadata.json", b"{}", "a/b: a collection without"),
        ("a/b.bson.gz", b"plain", "a/b.bson.gz: not gzip"),
        ("a/%zz.bson", b"", "a/%zz: '%zz' has a %"),
        ("a/b/c.bson", b"", "a/b/c.bson: not a file that mongodump writes"),
        ("stray", b"", "stray: not a file that mongodump writes"),
        ("a/b.txt", b"", "a/b.txt: neither"),
    ] {
        let error = parse(&tree([(file, content)])).expect_err(file).to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn symlinks_are_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/", folder.path().join("app")).unwrap();
    let error = load(folder.path()).expect_err("a symlink");
    assert!(error.to_string().contains("symlinks are not followed"), "{error}");
}
