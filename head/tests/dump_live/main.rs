//! Dumps against MongoDB's own tools and servers: what mongodump writes we read, and what we write
//! mongorestore restores to the same server.
//!
//! A real server is filled with everything that dumps treat specially, dumped by mongodump, read, written in
//! all four forms, each restored by mongorestore into a server of its own, and the servers compared.

#![expect(clippy::unwrap_used, reason = "a test")]

mod adoption;
mod compare;
mod source;
mod through;
mod whole;

use bson::doc;
use mongodb::sync::Client;
use std::fs::File;
use std::path::Path;
use tidemark_base::bson::split;
use tidemark_head::dump::{ArchiveReader, Compression, DirectoryReader, Kind, metadata};
use tidemark_testkit::dump_dir;
use tidemark_testkit::everything::{assert_same, fill};
use tidemark_testkit::live::tools::{Target, mongodump, mongorestore};
use tidemark_testkit::live::{Options, ReplicaSet, entry_optime, oplog_from};
use whole::Whole;

/// No document may expire while it is compared.
fn server() -> ReplicaSet {
    let set_parameters = vec![("ttlMonitorEnabled".to_owned(), "false".to_owned())];
    ReplicaSet::start(1, &Options { set_parameters, ..Options::default() }).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Restores a dump into a server of its own, and compares that with the original.
fn restore(original: &Client, dump: &Path, compression: Compression, options_keep_order: bool) {
    let restored = server();
    let way = if dump.is_dir() { "--dir" } else { "--archive" };
    let way = format!("{way}={}", text(dump));
    let mut args = vec![way.as_str(), "--stopOnError"];
    args.extend((compression == Compression::Gzip).then_some("--gzip"));
    let said = mongorestore(&Target::from(&restored), &args).unwrap();
    assert!(said.contains("0 document(s) failed to restore"), "{said}");
    assert_same(original, &restored.client().unwrap(), &way, options_keep_order);
}

#[test]
fn a_dump_of_everything_survives_reading_writing_and_restoring() {
    let source = server();
    let client = source.client().unwrap();
    fill(&client);
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let original = at("original");
    mongodump(&Target::from(&source), &["--out", text(&original)]).unwrap();
    let read = Whole::of_directory(&original);

    let to_archive = format!("--archive={}", text(&at("original.archive")));
    mongodump(&Target::from(&source), &["--gzip", &to_archive]).unwrap();
    assert!(Whole::of_archive(&at("original.archive")).documents == read.documents);

    // What mongodump wrote, written again. It has shuffled the options, views' pipelines among them.
    read.to_directory(&at("again"), Compression::Plain);
    compare::files(&original, &at("again"));
    restore(&client, &at("again"), Compression::Plain, false);
    read.to_archive(&at("again.archive"), Compression::Gzip);
    assert!(Whole::of_archive(&at("again.archive")).documents == read.documents);
    restore(&client, &at("again.archive"), Compression::Gzip, false);

    // What we write of what the server lists: nothing is shuffled.
    let ours = Whole::planned(&source::plan(&client), &read);
    ours.to_directory(&at("ours"), Compression::Gzip);
    restore(&client, &at("ours"), Compression::Gzip, true);
    ours.to_archive(&at("ours.archive"), Compression::Plain);
    assert!(Whole::of_archive(&at("ours.archive")).documents == ours.documents);
    restore(&client, &at("ours.archive"), Compression::Plain, true);
}

#[test]
fn a_plan_of_a_server_describes_what_mongodump_describes() {
    let source = server();
    let client = source.client().unwrap();
    fill(&client);
    let folder = tempfile::tempdir().unwrap();
    let original = folder.path().join("original");
    mongodump(&Target::from(&source), &["--out", text(&original)]).unwrap();
    let whole = Whole::of_directory(&original);

    let plan = source::plan(&client);
    let mut planned: Vec<_> = plan.entries.iter().map(|it| it.part.namespace.shown()).collect();
    planned.sort();
    let dumped = whole.namespaces.iter().filter(|it| it.database != "config");
    let mut dumped: Vec<_> = dumped.map(tidemark_head::dump::Namespace::shown).collect();
    dumped.sort();
    assert_eq!(planned, dumped);
    let mut of_time_series = 0;
    for entry in &plan.entries {
        let ours = &entry.part.namespace;
        let theirs = whole.namespaces.iter().find(|it| it.shown() == ours.shown()).unwrap();
        let json = |it| serde_json::from_slice::<serde_json::Value>(&metadata::write(it).unwrap()).unwrap();
        assert_eq!(json(ours), json(theirs), "{}", ours.shown());
        // Fields of keys are in the order that counts, and mongodump keeps that of the whole specification.
        assert_eq!(ours.indexes, theirs.indexes, "{}", ours.shown());
        let streams = whole.documents.keys().filter(|(database, _)| *database == ours.database);
        assert_eq!(
            entry.part.stream.is_some(),
            streams.into_iter().any(|(_, it)| Some(it) == entry.part.stream.as_ref()),
            "{}",
            ours.shown()
        );
        of_time_series += if ours.kind == Kind::TimeSeries { ours.indexes.len() } else { 0 };
    }
    assert!(of_time_series >= 6, "{of_time_series}");
}

#[test]
fn a_dump_that_goes_through_a_head_is_the_same_dump() {
    let source = server();
    fill(&source.client().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    mongodump(&Target::from(&source), &["--out", text(&at("theirs"))]).unwrap();
    let to_archive = format!("--archive={}", text(&at("theirs.archive")));
    mongodump(&Target::from(&source), &["--gzip", &to_archive]).unwrap();

    let theirs = dump_dir::read(&at("theirs")).unwrap();
    let of_directory = through::imported(&mut DirectoryReader::new(&at("theirs")).unwrap());
    through::to_directory(&of_directory, &at("ours"), Compression::Plain);
    through::same_files(&theirs, &dump_dir::read(&at("ours")).unwrap());
    let theirs = Whole::of_directory(&at("theirs"));
    through::same_whole(&theirs, &Whole::of_directory(&at("ours")), true);
    through::to_archive(&of_directory, &at("crossed.archive"), Compression::Plain);
    through::same_whole(&theirs, &Whole::of_archive(&at("crossed.archive")), true);

    let archive = File::open(at("theirs.archive")).unwrap();
    let of_archive = through::imported(&mut ArchiveReader::new(archive, "their archive").unwrap());
    through::to_archive(&of_archive, &at("ours.archive"), Compression::Gzip);
    let theirs = Whole::of_archive(&at("theirs.archive"));
    through::same_whole(&theirs, &Whole::of_archive(&at("ours.archive")), true);
    through::to_directory(&of_archive, &at("crossed"), Compression::Gzip);
    through::same_whole(&theirs, &Whole::of_directory(&at("crossed")), true);
}

#[test]
fn a_head_made_of_a_dump_without_uuids_follows_its_source() {
    let source = server();
    let client = source.client().unwrap();
    fill(&client);
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    // Nobody writes while it is dumped.
    let begin = source.append_note_and_read_back().unwrap();
    for name in ["new", "old"] {
        mongodump(&Target::from(&source), &["--out", text(&at(name))]).unwrap();
    }
    let to_archive = format!("--archive={}", text(&at("archive")));
    mongodump(&Target::from(&source), &["--gzip", &to_archive]).unwrap();
    adoption::make_old(&at("old"));

    adoption::work(&client);
    let end = source.append_note_and_read_back().unwrap();
    let mut entries = oplog_from(&client, begin.ts).unwrap();
    entries.retain(|it| entry_optime(it).unwrap().ts <= end.ts);
    mongodump(&Target::from(&source), &["--out", text(&at("theirs"))]).unwrap();
    let theirs = Whole::of_directory(&at("theirs"));
    for way in ["new", "old", "archive"] {
        let archive = || ArchiveReader::new(File::open(at("archive")).unwrap(), "their archive").unwrap();
        let mut head = match way {
            "archive" => through::imported_at(begin, &mut archive()),
            _ => through::imported_at(begin, &mut DirectoryReader::new(&at(way)).unwrap()),
        };
        // What the server gave no reason to name, and old tools did not tell.
        let unknown: &[&str] = if way == "old" { &["admin.system.version"] } else { &[] };
        let portion = if way == "new" { 1 } else { 7 };
        adoption::follow(&mut head, &entries, portion);
        adoption::assert_same(way, &head, &client, unknown);
        if way != "old" {
            let ours = at(&format!("{way} exported"));
            through::to_directory(&head, &ours, Compression::Plain);
            through::same_whole(&theirs, &Whole::of_directory(&ours), false);
        }
        head.compact().unwrap();
        adoption::assert_same(&format!("{way}, compacted"), &head, &client, unknown);
    }
}

#[test]
fn a_clustered_collection_that_was_made_capped_is_exported_in_the_order_it_lies_in() {
    let source = server();
    let begin = source.append_note_and_read_back().unwrap();
    let client = source.client().unwrap();
    let app = client.database("app");
    let clustered = doc! {"key": {"_id": 1}, "unique": true};
    app.run_command(doc! {"create": "c", "clusteredIndex": clustered}).run().unwrap();
    app.collection("c").insert_many([5, 3, 4].map(|n| doc! {"_id": n})).run().unwrap();
    app.run_command(doc! {"convertToCapped": "c", "size": 1 << 20}).run().unwrap();
    app.collection("c").insert_many([2, 9, 1].map(|n| doc! {"_id": n})).run().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    mongodump(&Target::from(&source), &["--out", text(&at("theirs"))]).unwrap();

    let head = through::followed(begin, &oplog_from(&client, begin.ts).unwrap());
    through::to_directory(&head, &at("ours"), Compression::Plain);
    let [theirs, ours] = ["theirs", "ours"].map(|it| Whole::of_directory(&at(it)));
    let ids = |whole: &Whole| {
        let documents = &whole.documents[&("app".to_owned(), "c".to_owned())];
        let ids = split(documents).map(|it| it.unwrap().get("_id").unwrap().unwrap().as_integer().unwrap());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(ids(&theirs), [1, 2, 3, 4, 5, 9]);
    assert_eq!(ids(&ours), ids(&theirs));
}

#[test]
fn a_dump_of_one_database_with_its_users_is_read() {
    let source = server();
    let client = source.client().unwrap();
    fill(&client);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("one");
    let args = ["--db=app", "--dumpDbUsersAndRoles", "--out", text(&path)];
    mongodump(&Target::from(&source), &args).unwrap();
    let whole = Whole::of_directory(&path);
    for of_admin in ["$admin.system.users", "$admin.system.roles", "$admin.system.version"] {
        let documents = &whole.documents[&("app".to_owned(), of_admin.to_owned())];
        assert!(!documents.is_empty(), "{of_admin}");
    }
    let archive = folder.path().join("one.archive");
    let to_archive = format!("--archive={}", text(&archive));
    mongodump(&Target::from(&source), &["--db=app", "--dumpDbUsersAndRoles", &to_archive]).unwrap();
    assert!(Whole::of_archive(&archive).documents == whole.documents);
}
