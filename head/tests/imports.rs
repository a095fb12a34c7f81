//! Imports of dumps that lack something, contradict themselves or mean harm, and following their source after.

#![expect(clippy::unwrap_used, reason = "a test")]

use bson::{Document, doc};
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use tidemark_base::bson::Doc;
use tidemark_base::{CollectionUuid, ErrorKind, OpTime, SeededEntropy, Timestamp};
use tidemark_blockstore::{BlockRef, MemoryBackend, Store};
use tidemark_head::dump::{
    ArchiveReader, ArchiveWriter, Compression, DirectoryReader, Kind, Namespace, Part, Sink, Source, Versions,
};
use tidemark_head::head::{Head, HeadName, look_up};
use tidemark_head::import::{Copied, Import, of_dump};
use tidemark_head::{HeadError, export};
use tidemark_oplog::filter::Filter;

const VIEWS: CollectionUuid = CollectionUuid::from_bytes([1; 16]);
const BUCKETS: CollectionUuid = CollectionUuid::from_bytes([2; 16]);
const UUID: &str = "a31b033c499c4b1d9eb9411aeb523ec7";
const TIME_SERIES: &str = r#"{"options":{"timeseries":{"timeField":"t","metaField":"m","bucketMaxSpanSeconds":3600}},"indexes":[],"type":"timeseries"}"#;

fn store() -> Store {
    Store::new(Arc::new(MemoryBackend::new(&mut SeededEntropy::new(3))))
}

fn name() -> HeadName {
    HeadName::new("local", "rs0").unwrap()
}

fn ts(secs: u32) -> Timestamp {
    Timestamp { secs, ordinal: 1 }
}

fn view(on: &str) -> String {
    format!(r#"{{"options":{{"viewOn":"{on}","pipeline":[]}},"indexes":[],"type":"view"}}"#)
}

fn with_uuid(uuid: &str) -> String {
    format!(r#"{{"indexes":[],"uuid":"{uuid}","type":"collection"}}"#)
}

fn bytes(documents: &[Document]) -> Vec<u8> {
    documents.iter().flat_map(|it| it.to_vec().unwrap()).collect()
}

/// A dump of these files.
fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, contents) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, contents).unwrap();
    }
    folder
}

fn copy(store: &Store, dump: &mut dyn Source, filter: Filter) -> Result<(Import, Copied), HeadError> {
    let at = OpTime { ts: ts(10), term: 1 };
    let mut import = Import::begin(store, at, filter, 1 << 20)?;
    let copied = of_dump(&mut import, dump, &mut |_| Ok(()))?;
    Ok((import, copied))
}

fn imported(store: &Store, folder: &Path) -> Result<Head, HeadError> {
    let mut dump = DirectoryReader::new(folder)?;
    copy(store, &mut dump, Filter::default())?.0.finish(&name(), None)
}

/// Names and numbers of documents of all collections, by name.
fn collections(head: &Head) -> Vec<(String, usize)> {
    let count = |uuid| {
        let mut count = 0;
        let each = &mut |_: &[u8]| {
            count += 1;
            Ok(())
        };
        head.state().for_each(head.store(), uuid, each).unwrap();
        count
    };
    let rows = head.state().catalog().iter();
    let mut found: Vec<_> =
        rows.map(|(uuid, it)| (format!("{}.{}", it.database, it.name), count(uuid))).collect();
    found.sort();
    found
}

fn pairs(rows: &[(&str, usize)]) -> Vec<(String, usize)> {
    rows.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

/// The names of what an export of all holds.
fn exported(head: &Head) -> Vec<String> {
    let plan = export::plan(head.state(), head.store(), &Filter::default(), true).unwrap();
    assert!(plan.left_out.iter().all(|it| it.namespace.ends_with("system.views")), "{:?}", plan.left_out);
    plan.entries.iter().map(|entry| entry.part.namespace.shown()).collect()
}

fn archive_of(head: &Head) -> Vec<u8> {
    let plan = export::plan(head.state(), head.store(), &Filter::default(), true).unwrap();
    let parts = plan.entries.iter().map(|entry| entry.part.clone()).collect();
    let mut out = Vec::new();
    let writer =
        ArchiveWriter::new(&mut out, "memory", Compression::Plain, &Versions::default(), parts).unwrap();
    export::write(head.state(), head.store(), &plan, writer).unwrap();
    out
}

/// An archive of one part with one document.
fn archive(part: &Part) -> Vec<u8> {
    let mut out = Vec::new();
    let (plain, versions) = (Compression::Plain, Versions::default());
    let mut writer = ArchiveWriter::new(&mut out, "memory", plain, &versions, vec![part.clone()]).unwrap();
    writer.begin(part).unwrap();
    writer.documents(&bytes(&[doc! {"_id": 1}])).unwrap();
    writer.end().unwrap();
    writer.finish().unwrap();
    out
}

fn entry(secs: u32, uuid: CollectionUuid, fields: Document) -> Vec<u8> {
    let time = bson::Timestamp { time: secs, increment: 1 };
    let ui = bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes: uuid.as_bytes().to_vec() };
    let mut entry =
        doc! {"ts": time, "t": 1_i64, "v": 2_i64, "wall": bson::DateTime::from_millis(0), "ui": ui};
    entry.extend(fields);
    entry.to_vec().unwrap()
}

fn apply(head: &mut Head, entries: &[Vec<u8>]) {
    let entries: Vec<_> = entries.iter().map(|it| Doc::new(it).unwrap()).collect();
    head.apply(&entries).unwrap();
}

#[test]
fn two_namespaces_with_one_uuid_are_refused() {
    let metadata = with_uuid(UUID);
    let dump = folder(&[
        ("app/c.metadata.json", metadata.as_bytes()),
        ("app/c.bson", &bytes(&[doc! {"_id": 1}])),
        ("copy/c.metadata.json", metadata.as_bytes()),
        ("copy/c.bson", &bytes(&[doc! {"_id": 1}])),
    ]);
    let store = store();
    let error = imported(&store, dump.path()).unwrap_err();
    assert!(matches!(error, HeadError::Taken { .. }), "{error}");
    assert!(error.to_string().contains("app.c") && error.to_string().contains("copy.c"), "{error}");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(matches!(look_up(&store, &name()), Err(HeadError::NoHead { .. })));
}

#[test]
fn views_go_beside_the_documents_of_a_dumped_system_views() {
    let dump = folder(&[
        ("app/aview.metadata.json", view("c").as_bytes()),
        ("app/system.views.metadata.json", br#"{"indexes":[],"type":"collection"}"#),
        ("app/system.views.bson", &bytes(&[doc! {"_id": "app.z", "viewOn": "c", "pipeline": []}])),
    ]);
    let head = imported(&store(), dump.path()).unwrap();
    assert_eq!(exported(&head), ["app.aview", "app.z"]);
}

/// What a source does to views and buckets, under the UUIDs that a dump does not tell.
fn later() -> Vec<Vec<u8>> {
    let views = |op: &str, o| doc! {"op": op, "ns": "app.system.views", "o": o};
    let buckets = |op: &str, o| doc! {"op": op, "ns": "app.system.buckets.ts", "o": o};
    let mut later = vec![
        entry(11, VIEWS, views("i", doc! {"_id": "app.v2", "viewOn": "c", "pipeline": []})),
        entry(12, BUCKETS, buckets("i", doc! {"_id": 2})),
        entry(13, VIEWS, views("d", doc! {"_id": "app.v"})),
        entry(14, BUCKETS, buckets("d", doc! {"_id": 1})),
    ];
    for (secs, name) in [(15, "system.buckets.ts"), (16, "system.buckets.ts")] {
        let o = doc! {"collMod": name, "validationLevel": "strict"};
        later.push(entry(secs, BUCKETS, doc! {"op": "c", "ns": "app.$cmd", "o": o}));
    }
    later
}

fn views_and_buckets() -> TempDir {
    folder(&[
        ("app/v.metadata.json", view("c").as_bytes()),
        ("app/ts.metadata.json", TIME_SERIES.as_bytes()),
        ("app/system.buckets.ts.bson", &bytes(&[doc! {"_id": 1}])),
    ])
}

#[test]
fn made_up_uuids_give_way_to_those_of_the_oplog_whatever_the_batches() {
    let dump = views_and_buckets();
    let mut roots = Vec::new();
    for portion in [1, 2, 3, 6] {
        let store = store();
        let mut head = imported(&store, dump.path()).unwrap();
        later().chunks(portion).for_each(|some| apply(&mut head, some));
        let told = head.take_divergences();
        assert!(told.is_empty(), "portions of {portion}: {told:?}");
        roots.push(head.flush().unwrap());
        let mut head = Head::claim(&store, &name()).unwrap();
        assert!([VIEWS, BUCKETS].into_iter().all(|uuid| head.state().catalog().get(uuid).is_some()));
        assert_eq!(collections(&head), pairs(&[("app.system.buckets.ts", 1), ("app.system.views", 2)]));
        assert_eq!(exported(&head), ["app.ts", "app.v2"]);
        // The time-series collection is dropped: its definition, and its buckets.
        let o = doc! {"drop": "system.buckets.ts"};
        let definition = doc! {"op": "d", "ns": "app.system.views", "o": {"_id": "app.ts"}};
        let dropped = doc! {"op": "c", "ns": "app.$cmd", "o": o};
        apply(&mut head, &[entry(20, VIEWS, definition), entry(21, BUCKETS, dropped)]);
        head.compact().unwrap();
        assert!(head.take_divergences().is_empty());
        assert_eq!(collections(&head), pairs(&[("app.system.views", 1)]));
    }
    roots.dedup();
    assert_eq!(roots.len(), 1, "the root does not depend on the batches");
}

/// Old dumps tell no UUID at all. What waits in memory under the one that was made goes with it.
#[test]
fn a_capped_collection_keeps_its_order_under_its_real_uuid() {
    let metadata = br#"{"options":{"capped":true,"size":4096},"indexes":[]}"#;
    let log = bytes(&[doc! {"_id": 5}, doc! {"_id": 1}]);
    let dump = folder(&[("app/log.metadata.json", metadata), ("app/log.bson", &log)]);
    let (store, insert) = (store(), |id: i32| doc! {"op": "i", "ns": "app.log", "o": {"_id": id}});
    let mut head = imported(&store, dump.path()).unwrap();
    let mut unnamed = Document::from_reader(entry(11, BUCKETS, insert(3)).as_slice()).unwrap();
    unnamed.remove("ui");
    apply(&mut head, &[unnamed.to_vec().unwrap(), entry(12, BUCKETS, insert(2))]);
    head.flush().unwrap();
    let head = Head::claim(&store, &name()).unwrap();
    let mut order = Vec::new();
    let each = &mut |document: &[u8]| {
        order.push(Document::from_reader(document).unwrap().get_i32("_id").unwrap());
        Ok(())
    };
    head.state().for_each(&store, BUCKETS, each).unwrap();
    assert_eq!(order, [5, 1, 3, 2]);
    assert_eq!(head.state().catalog().iter().count(), 1);
}

#[test]
fn a_command_is_enough_to_tell_the_uuid() {
    let mut head = imported(&store(), views_and_buckets().path()).unwrap();
    let o = doc! {"drop": "system.buckets.ts"};
    apply(&mut head, &[entry(11, BUCKETS, doc! {"op": "c", "ns": "app.$cmd", "o": o})]);
    assert!(head.take_divergences().is_empty());
    assert_eq!(collections(&head), pairs(&[("app.system.views", 2)]));
}

#[test]
fn nothing_is_lost_under_a_made_up_uuid_in_the_fuzzy_time() {
    let (store, dump) = (store(), views_and_buckets());
    let mut reader = DirectoryReader::new(dump.path()).unwrap();
    let import = copy(&store, &mut reader, Filter::default()).unwrap().0;
    let mut head = import.finish(&name(), Some(ts(12))).unwrap();
    let insert = doc! {"op": "i", "ns": "app.system.buckets.ts", "o": {"_id": 2}};
    apply(&mut head, &[entry(12, BUCKETS, insert)]);
    assert_eq!(collections(&head), pairs(&[("app.system.buckets.ts", 2), ("app.system.views", 2)]));
}

#[test]
fn a_collection_of_another_uuid_keeps_it() {
    let metadata = with_uuid(UUID);
    let dump =
        folder(&[("app/c.metadata.json", metadata.as_bytes()), ("app/c.bson", &bytes(&[doc! {"_id": 1}]))]);
    let mut head = imported(&store(), dump.path()).unwrap();
    apply(&mut head, &[entry(11, BUCKETS, doc! {"op": "i", "ns": "app.c", "o": {"_id": 2}})]);
    assert_eq!(head.take_divergences().len(), 1);
    assert!(head.state().catalog().get(UUID.parse().unwrap()).is_some());
}

#[test]
fn what_no_catalog_can_hold_makes_no_head() {
    let indexes = vec!["{}"; 5000].join(",");
    let text = format!(r#"{{"indexes":[{indexes}],"type":"collection"}}"#);
    let dump = folder(&[("app/c.metadata.json", text.as_bytes()), ("app/c.bson", b"")]);
    let store = store();
    let error = imported(&store, dump.path()).unwrap_err();
    assert!(error.to_string().contains("indexes"), "{error}");
    assert!(matches!(look_up(&store, &name()), Err(HeadError::NoHead { .. })));
}

#[test]
fn what_cannot_be_opened_is_made_no_head() {
    let store = store();
    let session = store.session(&[]).unwrap();
    let block = session.put(&[BlockRef::leaf(b"no root")]).unwrap()[0];
    let error = Head::create(&session, &name(), block).unwrap_err();
    assert!(matches!(error, HeadError::BadRoot { .. }), "{error}");
    assert!(matches!(look_up(&store, &name()), Err(HeadError::NoHead { .. })));
}

#[test]
fn time_series_without_views_come_back_as_they_were() {
    let mut namespace = Namespace::bare("app", "w");
    namespace.kind = Kind::TimeSeries;
    namespace.options = doc! {"timeseries": {"timeField": "t", "granularity": "seconds"}}.to_vec().unwrap();
    let first = archive(&Part { namespace, stream: Some("w".to_owned()) });
    let through = |bytes: &[u8]| {
        let store = store();
        let mut reader = ArchiveReader::new(bytes, "the archive").unwrap();
        let (import, copied) = copy(&store, &mut reader, Filter::default()).unwrap();
        assert_eq!((copied.collections, copied.documents), (1, 1));
        let head = import.finish(&name(), None).unwrap();
        assert_eq!(collections(&head), pairs(&[("app.w", 1)]));
        assert_eq!(exported(&head), ["app.w"]);
        archive_of(&head)
    };
    let once = through(&first);
    assert_eq!(through(&once), once);
}

#[test]
fn documents_of_buckets_belong_to_no_plain_collection() {
    let part = Part { namespace: Namespace::bare("app", "x"), stream: Some("system.buckets.x".to_owned()) };
    let bytes = archive(&part);
    let mut reader = ArchiveReader::new(bytes.as_slice(), "the archive").unwrap();
    let error = copy(&store(), &mut reader, Filter::default()).unwrap_err();
    assert!(error.to_string().contains("app.system.buckets.x, which the archive does not list"), "{error}");
}

#[test]
fn a_broken_document_is_refused_with_its_name() {
    let mut documents = bytes(&[doc! {"_id": 1}, doc! {"_id": "two\n", "x": {"y": 1}}]);
    // The length of the nested document.
    let at = documents.len() - 1 - 12;
    documents[at] = 0x7f;
    let dump = folder(&[("app/c.bson", &documents)]);
    let error = imported(&store(), dump.path()).unwrap_err();
    assert!(matches!(error, HeadError::BrokenDocument { .. }), "{error}");
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    let told = error.to_string();
    assert!(told.contains("app.c") && told.contains("two\\n") && !told.contains('\n'), "{told}");
}

#[test]
fn what_the_filter_does_not_keep_is_not_taken_in() {
    let one = bytes(&[doc! {"_id": 1}]);
    let dump = folder(&[
        ("app/c.bson", &one),
        ("app/out.metadata.json", with_uuid(UUID).as_bytes()),
        ("app/out.bson", &one),
        ("other/v.metadata.json", view("c").as_bytes()),
        ("other/ts.metadata.json", TIME_SERIES.as_bytes()),
        ("other/system.buckets.ts.bson", &one),
        ("config/transactions.bson", &one),
    ]);
    let store = store();
    let mut reader = DirectoryReader::new(dump.path()).unwrap();
    let filter = Filter::new(["app.out", "other"], [] as [&str; 0]).unwrap();
    let (import, copied) = copy(&store, &mut reader, filter).unwrap();
    assert_eq!((copied.collections, copied.documents), (1, 1));
    let head = import.finish(&name(), None).unwrap();
    assert_eq!(collections(&head), pairs(&[("app.c", 1)]));
}

#[test]
fn a_command_that_does_not_fit_is_told_with_its_namespace_once() {
    let dump = folder(&[("app/c.bson", b"")]);
    let mut head = imported(&store(), dump.path()).unwrap();
    let o = doc! {"drop": "none"};
    apply(&mut head, &[entry(11, BUCKETS, doc! {"op": "c", "ns": "app.$cmd", "o": o})]);
    let told = head.take_divergences()[0].to_string();
    assert_eq!(told.matches("app.none").count(), 1, "{told}");
}
