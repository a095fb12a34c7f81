//! A dump that goes through a head: imported, and exported again.

use crate::whole::Whole;
use bson::RawDocumentBuf;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use tidemark_base::bson::{Doc, DocWriter, Element, split};
use tidemark_base::{OpTime, SeededEntropy};
use tidemark_blockstore::{MemoryBackend, Store};
use tidemark_head::dump::plan::Plan;
use tidemark_head::dump::{
    ArchiveWriter, Compression, DirectoryWriter, Kind, Namespace, Part, Source, Target, Versions, metadata,
};
use tidemark_head::export;
use tidemark_head::head::{Head, HeadName};
use tidemark_head::import::{Import, of_dump};
use tidemark_oplog::filter::Filter;
use tidemark_testkit::dumps::FileTree;
use tidemark_testkit::order::IdKey;

/// The databases that are in no dump of ours: mongodump puts `config` of a replica set into its own.
const LEFT_OUT: &str = "config";

/// A head that was made of a dump.
pub(crate) fn imported(dump: &mut dyn Source) -> Head {
    imported_at(OpTime::NULL, dump)
}

/// The same, and where in the oplog the dump stands.
pub(crate) fn imported_at(at: OpTime, dump: &mut dyn Source) -> Head {
    let mut import = begin(at);
    of_dump(&mut import, dump, &mut |_| panic!("the dump has no oplog")).unwrap();
    import.finish(&name(), None).unwrap()
}

/// A head that began with nothing, and followed an oplog from there.
pub(crate) fn followed(at: OpTime, entries: &[RawDocumentBuf]) -> Head {
    let mut head = begin(at).finish(&name(), None).unwrap();
    let entries: Vec<_> = entries.iter().map(|it| Doc::new(it.as_bytes()).unwrap()).collect();
    head.apply(&entries).unwrap();
    head.flush().unwrap();
    head
}

fn begin(at: OpTime) -> Import {
    let store = Store::new(Arc::new(MemoryBackend::new(&mut SeededEntropy::new(5))));
    Import::begin(&store, at, filter(), 1 << 16).unwrap()
}

fn filter() -> Filter {
    Filter::new([LEFT_OUT], [""; 0]).unwrap()
}

/// Whether these heads hold a collection.
pub(crate) fn is_kept(database: &str, collection: &str) -> bool {
    filter().keeps_collection(database, collection)
}

fn name() -> HeadName {
    HeadName::new("local", "rs0").unwrap()
}

fn versions() -> Versions {
    Versions { server: Some("6.0.5".to_owned()), tool: Some("tidemark".to_owned()) }
}

fn planned(head: &Head) -> (Plan, Vec<Part>) {
    let plan = export::plan(head.state(), head.store(), &Filter::default(), true).unwrap();
    let parts = plan.entries.iter().map(|it| it.part.clone()).collect();
    (plan, parts)
}

pub(crate) fn to_directory(head: &Head, path: &Path, compression: Compression) {
    let (plan, parts) = planned(head);
    let writer = DirectoryWriter::new(path, Target::Empty, compression, &versions(), parts).unwrap();
    export::write(head.state(), head.store(), &plan, writer).unwrap();
}

pub(crate) fn to_archive(head: &Head, path: &Path, compression: Compression) {
    let (plan, parts) = planned(head);
    let file = File::create(path).unwrap();
    let writer = ArchiveWriter::new(file, "the archive", compression, &versions(), parts).unwrap();
    export::write(head.state(), head.store(), &plan, writer).unwrap();
}

/// Two directories, file by file: metadata byte for byte, documents too, where a head keeps their order.
pub(crate) fn same_files(theirs: &FileTree, ours: &FileTree) {
    let is_ours = |path: &&String| !path.starts_with("config/") && *path != "prelude.json";
    let names: Vec<_> = theirs.files.keys().filter(is_ours).collect();
    assert_eq!(ours.files.keys().filter(is_ours).collect::<Vec<_>>(), names);
    for name in names {
        let [theirs, ours] = [theirs, ours].map(|it| &*it.files[name]);
        if !name.ends_with(".metadata.json") {
            same_documents(name, name == "app/capped.bson", theirs, ours);
            continue;
        }
        let [theirs, ours] = [theirs, ours].map(String::from_utf8_lossy);
        // Of views `same_whole` says what is the same.
        assert!(theirs == ours || theirs.ends_with("\"type\":\"view\"}"), "{name}: {ours}, not {theirs}");
    }
}

/// Two dumps, whatever their form: the same namespaces, each with the same metadata and documents. The bytes of
/// archives are not the same: mongodump mixes collections as its threads come along. It also leaves the order
/// of fields in options to chance, so what was not made of a dump can have another one.
pub(crate) fn same_whole(theirs: &Whole, ours: &Whole, options_keep_order: bool) {
    let by_name = |whole: &Whole| -> BTreeMap<_, _> {
        let kept = whole.namespaces.iter().filter(|it| it.database != LEFT_OUT);
        kept.map(|it: &Namespace| (it.shown(), described(it, options_keep_order))).collect()
    };
    let (theirs_has, ours_has) = (by_name(theirs), by_name(ours));
    assert_eq!(ours_has.keys().collect::<Vec<_>>(), theirs_has.keys().collect::<Vec<_>>());
    for (name, described) in &theirs_has {
        assert_eq!(ours_has[name], *described, "{name}");
    }
    let kept = |whole: &Whole| -> Vec<_> {
        whole.documents.keys().filter(|(database, _)| database != LEFT_OUT).cloned().collect()
    };
    assert_eq!(kept(ours), kept(theirs));
    for name in kept(theirs) {
        let of = |it: &&Namespace| (&it.database, &it.collection) == (&name.0, &name.1);
        let in_order = theirs.namespaces.iter().find(of).is_some_and(has_order);
        let what = format!("{}.{}", name.0, name.1);
        same_documents(&what, in_order, &theirs.documents[&name], &ours.documents[&name]);
    }
}

/// The metadata as it is written, and the options, if they are to be compared by their fields. Those of a view
/// have the order of their names: a definition has its fields in one order, and mongodump in any.
fn described(namespace: &Namespace, options_keep_order: bool) -> (String, serde_json::Value) {
    let mut namespace = namespace.clone();
    if namespace.kind == Kind::View {
        let fields = Doc::new(&namespace.options).unwrap().elements();
        let mut fields: Vec<_> = fields.collect::<Result<_, _>>().unwrap();
        fields.sort_by_key(|field| field.name);
        namespace.options = document(&fields);
    }
    let write = |namespace: &Namespace| String::from_utf8(metadata::write(namespace).unwrap()).unwrap();
    let whole = write(&namespace);
    if options_keep_order {
        return (whole, serde_json::Value::Null);
    }
    namespace.options = document(&[]);
    let whole: serde_json::Value = serde_json::from_str(&whole).unwrap();
    (write(&namespace), whole["options"].clone())
}

fn document(fields: &[Element<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut w = DocWriter::new(&mut out);
    let open = w.begin();
    fields.iter().for_each(|field| w.element(*field));
    w.end(open);
    out
}

/// Whether the order of insertion is data. A clustered collection that is made capped lies by `_id` all the same.
fn has_order(namespace: &Namespace) -> bool {
    let options = Doc::new(&namespace.options).unwrap();
    let capped = options.get("capped").unwrap().and_then(Element::as_bool);
    capped == Some(true) && options.get("clusteredIndex").unwrap().is_none()
}

/// A head keeps documents by `_id`, and the natural order of capped collections only: that of others is an
/// accident of the storage engine. So theirs are put in that order first.
fn same_documents(what: &str, in_order: bool, theirs: &[u8], ours: &[u8]) {
    if in_order {
        assert!(ours == theirs, "{what}: other bytes");
        return;
    }
    let mut sorted: Vec<&[u8]> = split(theirs).map(|it| it.unwrap()).map(Doc::as_bytes).collect();
    sorted.sort_by_cached_key(|it| IdKey::of_document(it).unwrap().unwrap());
    assert!(ours == sorted.concat(), "{what}: other bytes than theirs by _id");
}
