//! Dumps by the real mongodump, and the other forms that an export has.

use crate::rig::{Place, command, ended, run};
use std::fs;
use std::process::Stdio;
use tidemark_testkit::{dump_dir, dumps};

/// A head made of a dump that mongodump wrote while nothing happened.
fn sample() -> Place {
    let place = Place::new();
    fs::write(place.path("archive.bin"), dumps::file("archive.bin").unwrap()).unwrap();
    place.on_head(&["head", "import", &place.path("archive.bin"), "--optime", "1700000000,1"]).code(0);
    place
}

#[test]
fn folder_and_archive_plain_and_gzipped_all_say_the_same() {
    let place = sample();
    let plain = dump_dir::load(&place.export("plain", &[])).unwrap();
    assert_eq!(dump_dir::load(&place.export("packed", &["--gzip"])).unwrap(), plain);
    for (name, args) in [("a", &[][..]), ("b", &["--gzip"][..])] {
        let archive = place.path(name);
        place.on_head(&[&["export", "--archive", &archive], args].concat()).code(0);
        let piped = place.on_head(&[&["export", "--archive", "-"], args].concat()).code(0);
        assert_eq!(piped.stdout, fs::read(&archive).unwrap());
        assert!(piped.stderr.contains("exported"), "{}", piped.stderr);
        let other = Place::new();
        // Through a pipe, as from mongodump.
        let store = other.store();
        let mut import = command(&["head", "import", "-", "--store", &store, "--name", "rs0"]);
        import.stdin(fs::File::open(&archive).unwrap());
        ended(import.output().unwrap()).code(0);
        assert_eq!(dump_dir::load(&other.export("out", &[])).unwrap(), plain, "{name}");
    }
    let mut names: Vec<_> =
        fs::read_dir(place.folder.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["a", "archive.bin", "b", "packed", "plain", "store"], "nothing half-done is left");
}

#[test]
fn only_chosen_namespaces_are_exported_and_one_that_is_not_there_is_told() {
    let place = sample();
    let all = place.json(&["export", "--out", &place.path("all")]);
    let all: Vec<_> = all["namespaces"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    let chosen = all.iter().find(|it| it.starts_with("app.") && !it.contains('\\')).unwrap();
    let one = place.json(&["export", "--out", &place.path("one"), "--ns", chosen]);
    assert_eq!(one["namespaces"], serde_json::json!([chosen]));
    let many = place.json(&["export", "--out", &place.path("many"), "--ns", "app"]);
    let expected = all.iter().filter(|it| it.starts_with("app.")).count();
    assert_eq!(many["namespaces"].as_array().unwrap().len(), expected);
    let none = place.path("none");
    place.on_head(&["export", "--out", &none, "--ns", "app.nothing"]).refused(4, "there is no app.nothing");
    assert!(!fs::exists(&none).unwrap());
}

#[test]
fn a_dump_with_its_oplog_says_where_it_stands() {
    let place = Place::new();
    let dump = place.path("dump");
    dumps::folder("diroplog").unwrap().write(dump.as_ref()).unwrap();
    let imported = place.json(&["head", "import", &dump]);
    let entries = fs::read(format!("{dump}/oplog.bson")).unwrap();
    let last = tidemark_base::bson::split(&entries).last().unwrap().unwrap();
    assert_eq!(imported["at"]["position"], crate::rig::at(last.as_bytes()).ts.to_string());
    let oplog = &imported["oplog"];
    assert_eq!(oplog["entries_applied"], tidemark_base::bson::split(&entries).count());
    assert_eq!(
        (&oplog["consistent_from"], &oplog["divergences"]["count"]),
        (&serde_json::Value::Null, &0.into())
    );
    // From there on the oplog goes on: the same entries are known.
    let again = place.json(&["head", "apply", &format!("{dump}/oplog.bson")]);
    assert_eq!(again["entries_skipped"], oplog["entries_applied"]);
    place.export("out", &[]);
}

#[test]
fn a_reader_that_goes_away_ends_the_run_quietly() {
    let place = sample();
    let store = place.store();
    for args in [&["export", "--archive", "-"][..], &["head", "apply", "--help"][..]] {
        let mut child = command(&if args[0] == "head" {
            args.to_vec()
        } else {
            [args, &["--store", &store, "--name", "rs0"]].concat()
        })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
        drop(child.stdout.take());
        let ran = ended(child.wait_with_output().unwrap()).code(141);
        assert!(!ran.stderr.contains("panicked") && !ran.stderr.contains("error"), "{}", ran.stderr);
    }
}

#[test]
fn help_has_examples_and_exit_codes() {
    let help = run(&["--help"]).code(0).text();
    for words in ["Exit codes:", "  3  ", "Examples:"] {
        assert!(help.contains(words), "{help}");
    }
    for args in [&["export", "--help"][..], &["get", "--help"], &["head", "apply", "--help"]] {
        assert!(run(args).code(0).text().contains("Examples:"), "{args:?}");
    }
    run(&["--version"]).code(0);
    run(&["restore"]).refused(2, "unrecognized subcommand");
}
