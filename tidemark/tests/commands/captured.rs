//! Captures through import, apply and export: byte for byte.

use crate::rig::{Place, run};
use std::path::Path;
use tidemark_testkit::model::{Model, Scope, difference};
use tidemark_testkit::state::Collection;
use tidemark_testkit::{captures, dump_dir};

/// Compares an exported folder with a capture's final state, by a reader that shares no code with the product.
fn assert_final(folder: &Path, name: &str) {
    let dump = dump_dir::load(folder).unwrap();
    let model = Model::load(&dump.state, Scope::Users).unwrap();
    // Views are listed in a dump, where the server has documents.
    let mut expected = captures::get(name).unwrap().final_.clone();
    let (views, collections) = expected.collections.into_iter().partition(|it| it.name == "system.views");
    expected.collections = collections;
    let found = difference(&model, &expected, Scope::Users);
    assert!(found.is_empty(), "{name}:\n{}", found.join("\n"));
    let views: Vec<Collection> = views;
    let defined = views.iter().flat_map(|it| &it.documents);
    let mut defined: Vec<String> = defined
        .map(|it| bson::Document::from_reader(it.as_ref()).unwrap().get_str("_id").unwrap().to_owned())
        .collect();
    let mut listed: Vec<_> = dump.state.listed.iter().map(|it| format!("{}.{}", it.db, it.name)).collect();
    defined.sort();
    listed.sort();
    assert_eq!(listed, defined, "{name}");
}

fn it_comes_out_as_the_server_had_it(name: &str) {
    let place = Place::applied(captures::get(name).unwrap());
    let folder = place.export("out", &[]);
    assert_final(&folder, name);
    let again = place.export("again", &[]);
    assert_eq!(dump_dir::read(&folder).unwrap(), dump_dir::read(&again).unwrap());

    // An archive, imported elsewhere, says the same.
    let archive = place.path("archive.gz");
    place.on_head(&["export", "--archive", &archive, "--gzip"]).code(0);
    let other = Place::new();
    other.on_head(&["head", "import", &archive]).code(0);
    assert_eq!(dump_dir::read(&other.export("out", &[])).unwrap(), dump_dir::read(&folder).unwrap());
    let verified = run(&["store", "verify", &place.store()]).code(0);
    assert!(verified.text().ends_with("all is well\n"), "{}", verified.text());
}

macro_rules! captures {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            it_comes_out_as_the_server_had_it(stringify!($name));
        })*
    };
}

captures! {
    capped, collmod, crud_basic, drop_and_recreate, fuzzy_0, views, id_types, index_builds, rename, txn_prepared_spanning,
    txn_small, update_operators, weird_fields,
}

#[test]
fn the_way_there_does_not_matter() {
    let capture = captures::get("crud_basic").unwrap();
    let place = Place::imported(capture);
    let (first, second) = capture.entries.split_at(capture.entries.len() / 2);
    let files = [place.oplog("1.bson", first), place.oplog("2.bson", second)];
    let middle = crate::rig::at(first[first.len() - 1]).ts.to_string();
    // In one run, with threads, up to a place; then again from the start, with what is known skipped.
    let some = place.json(&["head", "apply", &files[0], &files[1], "--until", &middle, "--threads", "3"]);
    assert_eq!(some["entries_applied"], first.len());
    assert_eq!(some["at"]["position"], middle);
    let rest = place.json(&["head", "apply", &files[0], &files[1]]);
    assert_eq!(
        (&rest["entries_applied"], &rest["entries_skipped"]),
        (&second.len().into(), &first.len().into())
    );
    let nothing = place.json(&["head", "apply", &files[1]]);
    assert_eq!((&nothing["entries_applied"], &nothing["slices_stored"]), (&0.into(), &0.into()));
    assert_final(&place.export("out", &[]), "crud_basic");
}

#[test]
fn before_is_exclusive_and_until_is_inclusive() {
    let capture = captures::get("crud_basic").unwrap();
    let border = crate::rig::at(capture.entries[9]).ts.to_string();
    for (option, applied) in [("--before", 9), ("--until", 10)] {
        let place = Place::imported(capture);
        let oplog = place.oplog("oplog.bson", &capture.entries);
        let said = place.json(&["head", "apply", &oplog, option, &border]);
        assert_eq!(said["entries_applied"], applied, "{option}");
    }
}

#[test]
fn without_a_position_it_is_given_with_the_oplog() {
    let capture = captures::get("txn_prepared_spanning").unwrap();
    let place = Place::new();
    let dump = place.path("initial");
    crate::rig::write_initial(capture, Path::new(&dump));
    let said = place.on_head(&["head", "import", &dump]).code(0);
    assert!(said.stderr.contains("--after"), "{}", said.stderr);
    let oplog = place.oplog("oplog.bson", &capture.entries);
    place.on_head(&["head", "apply", &oplog]).refused(2, "--after T,I");
    let after = capture.apply_after.to_string();
    let said = place.json(&["head", "apply", &oplog, "--after", &after]);
    let early = capture.entries.iter().filter(|it| crate::rig::at(it).ts <= capture.apply_after).count();
    assert_eq!(said["entries_fed"], early);
    assert!(early > 0);
    assert_final(&place.export("out", &[]), "txn_prepared_spanning");
    // Once more it means what it meant; later it would leave something out.
    place.on_head(&["head", "apply", &oplog, "--after", &after]).code(0);
    place.on_head(&["head", "apply", &oplog, "--after", "4000000000,1"]).refused(2, "would be left out");
}
