//! The program between MongoDB's own tools, by pipes and by folders: what a server had, another has in the end.

use crate::rig::{Place, command, ended};
use std::process::Stdio;
use tidemark_testkit::everything::{assert_same, fill};
use tidemark_testkit::live::tools::{self, Target, mongorestore};
use tidemark_testkit::live::{Options, ReplicaSet};
use tidemark_testkit::parts::Part;

/// No document may expire while it is compared.
fn server() -> ReplicaSet {
    let set_parameters = vec![("ttlMonitorEnabled".to_owned(), "false".to_owned())];
    ReplicaSet::start(1, &Options { set_parameters, ..Options::default() }).unwrap()
}

/// `mongodump --archive | tidemark head import -`.
fn import(place: &Place, source: &ReplicaSet) {
    let mut dump = tools::command(Part::Mongodump, &Target::from(source), &["--archive", "--oplog"]).unwrap();
    let mut dump = dump.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut import = command(&["head", "import", "-", "--store", &place.store(), "--name", "rs0"]);
    let imported = import.stdin(dump.stdout.take().unwrap()).output().unwrap();
    assert!(dump.wait().unwrap().success());
    ended(imported).code(0);
}

/// `tidemark export --archive - | mongorestore --archive`, both with these arguments too.
fn pipe(place: &Place, into: &ReplicaSet, args: &[&str]) -> String {
    let store = place.store();
    let export = ["export", "--archive", "-", "--store", &store, "--name", "rs0"];
    let mut export = command(&[&export, args].concat());
    let mut export = export.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let restore = [&["--archive", "--stopOnError"], args].concat();
    let mut restore = tools::command(Part::Mongorestore, &Target::from(into), &restore).unwrap();
    let restored = restore.stdin(export.stdout.take().unwrap()).output().unwrap();
    ended(export.wait_with_output().unwrap()).code(0);
    ended(restored).code(0).stderr
}

#[test]
fn what_mongodump_reads_mongorestore_restores_through_a_head() {
    let source = server();
    let original = source.client().unwrap();
    fill(&original);
    let place = Place::new();
    import(&place, &source);
    for way in ["archive", "gzipped archive", "folder"] {
        let into = server();
        let said = match way {
            "archive" => pipe(&place, &into, &[]),
            "gzipped archive" => pipe(&place, &into, &["--gzip"]),
            _ => {
                let folder = place.export("out", &[]);
                let args = ["--stopOnError", "--dir", folder.to_str().unwrap()];
                mongorestore(&Target::from(&into), &args).unwrap()
            }
        };
        assert!(said.contains(" 0 document(s) failed to restore"), "{way}: {said}");
        // mongodump leaves the order of options to chance.
        assert_same(&original, &into.client().unwrap(), way, false);
    }
}
