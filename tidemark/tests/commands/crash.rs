//! Killed anywhere, `head apply` goes on where it was.

use crate::rig::{Place, command, run};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tidemark_base::bson::Doc;
use tidemark_base::{OpTime, Timestamp};
use tidemark_blockstore::{LocalBackend, Store};
use tidemark_head::head::HeadName;
use tidemark_oplog::slice::{Link, SliceWriter};
use tidemark_testkit::{captures, dump_dir};

#[test]
fn killed_at_many_moments_it_goes_on() {
    let capture = captures::get("random_0").unwrap();
    let expected = Place::applied(capture);
    let expected = dump_dir::read(&expected.export("out", &[])).unwrap();
    let place = Place::imported(capture);
    let (store, oplog) = (place.store(), place.oplog("oplog.bson", &capture.entries));
    let apply = ["head", "apply", &oplog, "--store", &store, "--name", "rs0"];
    let mut kills = 0;
    for wait_ms in (0..400).step_by(20) {
        let mut child = command(&apply).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(wait_ms));
        child.kill().unwrap();
        kills += i32::from(child.wait().unwrap().code().is_none());
    }
    assert!(kills > 0, "nothing was killed");
    place.on_head(&["head", "apply", &oplog]).code(0);
    assert_eq!(dump_dir::read(&place.export("out", &[])).unwrap(), expected);
    run(&["store", "verify", &store]).code(0);
}

/// As a run leaves it that is stopped behind an acknowledged slice: stored, and not applied.
#[test]
fn what_is_stored_and_was_not_applied_is_applied_by_the_next_run() {
    let capture = captures::get("txn_prepared_spanning").unwrap();
    let expected = Place::applied(capture);
    let expected = dump_dir::read(&expected.export("out", &[])).unwrap();
    let place = Place::imported(capture);
    {
        let store = Store::new(Arc::new(LocalBackend::open(Path::new(&place.store())).unwrap()));
        let slices = HeadName::new("local", "rs0").unwrap().slices(&store);
        let first = crate::rig::at(capture.entries[0]).ts.to_u64() - 1;
        let start = Link::genesis(OpTime { ts: Timestamp::from_u64(first), term: OpTime::NO_TERM });
        let session = store.session(&[]).unwrap();
        slices.start(&session, start).unwrap();
        let mut writer = SliceWriter::new(start);
        // Slices of three entries, so that transactions span them.
        for part in capture.entries.chunks(3) {
            part.iter().for_each(|it| writer.push(Doc::new(it).unwrap()).unwrap());
            slices.append(&session, &writer.finish().unwrap().bytes).unwrap();
        }
    }
    let ran = place.on_head(&["snapshot", "create"]).code(0);
    assert!(ran.stderr.contains("the stored oplog goes on"), "{}", ran.stderr);
    // In two runs, the first of which stops in the middle of a slice.
    let middle = crate::rig::at(capture.entries[capture.entries.len() / 2]).ts;
    place.on_head(&["head", "apply", "--until", &middle.to_string()]).code(0);
    let applied = place.json(&["head", "apply"]);
    assert_eq!(applied["at"]["position"], capture.stop.to_string());
    assert_eq!(applied["slices_stored"], 0);
    assert_eq!(dump_dir::read(&place.export("out", &[])).unwrap(), expected);
    // What the files hold is known.
    let oplog = place.oplog("oplog.bson", &capture.entries);
    assert_eq!(place.json(&["head", "apply", &oplog])["entries_skipped"], capture.entries.len());
}
