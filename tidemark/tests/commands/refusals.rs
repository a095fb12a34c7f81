//! What must not be done, and is refused with words that say what to do.

use crate::rig::{Place, at, run};
use std::fs;
use tidemark_testkit::captures;

#[test]
fn an_export_never_touches_what_is_there() {
    let place = Place::applied(captures::get("crud_basic").unwrap());
    let full = place.path("full");
    fs::create_dir(&full).unwrap();
    fs::write(format!("{full}/precious"), b"x").unwrap();
    place.on_head(&["export", "--out", &full]).refused(2, "is not empty");
    assert_eq!(fs::read_dir(&full).unwrap().count(), 1);
    let file = place.path("file");
    fs::write(&file, b"precious").unwrap();
    place.on_head(&["export", "--archive", &file]).refused(2, "is there already");
    assert_eq!(fs::read(&file).unwrap(), b"precious");
    place.on_head(&["export", "--archive", &place.path("no/such/a")]).refused(4, "cannot make a file");
    place.on_head(&["export"]).refused(2, "--out");
    let new = place.path("new");
    let more = |args: &[&str]| place.on_head(&[&["export", "--out", &new], args].concat());
    more(&["--archive", &place.path("b")]).refused(2, "cannot be used with");
    more(&["--snapshot", "1", "--time", "1,1"]).refused(2, "cannot be used with");
    more(&["--server-version", "6"]).refused(2, "three numbers");
    assert!(!fs::exists(&new).unwrap());
}

#[test]
fn heads_and_folders_that_are_not_there_are_told() {
    let place = Place::new();
    let out = place.path("out");
    place.on_head(&["export", "--out", &out]).refused(4, "there is no head");
    place.on_head(&["head", "apply"]).refused(4, "there is no head");
    place.on_head(&["snapshot", "create"]).refused(4, "there is no head");
    place.on_head(&["snapshot", "list"]).refused(4, "there is no head");
    place.on_head(&["head", "import", &place.path("nothing")]).refused(4, "cannot open");
    let foreign = place.path("foreign");
    fs::create_dir(&foreign).unwrap();
    for args in [
        &["store", "stats", &foreign][..],
        &["store", "verify", &foreign],
        &["store", "gc", &foreign],
        &["store", "repair", &foreign],
        &["head", "ls", "--store", &foreign],
        &["head", "ls", "--store", &place.path("nothing")],
    ] {
        run(args).refused(1, "is not a Tidemark store");
    }
    assert_eq!(fs::read_dir(&foreign).unwrap().count(), 0, "nothing was made there");
    run(&["store", "init", &place.store()]).refused(1, "is not empty");
    run(&["head", "ls", "--store", &place.store(), "--name", "x"]).refused(2, "unexpected argument");
    let bad = ["snapshot", "list", "--store", "s", "--name", "a/b/c"];
    run(&bad).refused(2, "cannot be the name of a head");
}

#[test]
fn a_head_is_imported_once() {
    let capture = captures::get("crud_basic").unwrap();
    let place = Place::imported(capture);
    place.on_head(&["head", "import", &place.path("initial")]).refused(1, "exists");
}

#[test]
fn oplogs_that_cannot_be_right_are_refused_and_change_nothing() {
    let capture = captures::get("crud_basic").unwrap();
    let place = Place::imported(capture);
    let apply = |file: &str| place.on_head(&["head", "apply", file]);
    let (first, second) = (capture.entries[0], capture.entries[1]);
    apply(&place.oplog("swapped", &[second, first])).refused(3, "in the oplog's order");
    apply(&place.oplog("cut", &[first, &second[..second.len() - 1]])).refused(3, "it was cut");
    apply(&place.oplog("text", &[b"{\"op\": \"i\"}"])).refused(3, "no file of oplog entries");
    let unknown = bson::doc! {"ts": bson::Timestamp { time: 4_000_000_000, increment: 1 }, "t": 1_i64,
    "op": "?", "ns": "a.b", "o": {}, "v": 2_i64};
    let unknown = unknown.to_vec().unwrap();
    let ran = apply(&place.oplog("unknown", &[&unknown]));
    assert!(ran.code == 1 || ran.code == 3, "{}", ran.stderr);
    assert!(ran.stderr.contains("4000000000,1"), "{}", ran.stderr);
    apply(&place.path("nothing")).refused(4, "cannot open");
    apply(&place.path("initial")).refused(2, "is a folder");
    let heads = run(&["head", "ls", "--store", &place.store(), "-o", "json"]).code(0).json();
    assert_eq!(heads["heads"][0]["at"]["position"], capture.apply_after.to_string());
    assert_eq!(heads["heads"][0]["oplog_ends"], serde_json::Value::Null);

    // And the right one still goes on.
    apply(&place.oplog("oplog.bson", &capture.entries)).code(0);
    let last = capture.entries[capture.entries.len() - 1];
    let mut other = bson::Document::from_reader(last).unwrap();
    other.insert("t", at(last).term + 1);
    apply(&place.oplog("other", &[&other.to_vec().unwrap()])).refused(1, "another history");
    place.on_head(&["head", "apply", "--until", "1,1"]).refused(2, "only goes forward");
}

#[test]
fn a_file_that_goes_past_what_is_known_without_it_is_of_another_history() {
    let capture = captures::get("crud_basic").unwrap();
    let place = Place::imported(capture);
    place.on_head(&["head", "apply", &place.oplog("oplog.bson", &capture.entries)]).code(0);
    let [.., before, last] = capture.entries.as_slice() else { panic!("it has entries") };
    let secs = at(last).ts.secs + 1;
    let noop = |secs: u32, term: i64| {
        let ts = bson::Timestamp { time: secs, increment: 1 };
        bson::doc! {"ts": ts, "t": term, "v": 2_i64, "op": "n", "ns": "", "o": {"msg": "later"},
        "wall": bson::DateTime::from_millis(0)}
        .to_vec()
        .unwrap()
    };
    let term = at(last).term;
    let apply =
        |name: &str, entries: &[&[u8]]| place.on_head(&["head", "apply", &place.oplog(name, entries)]);
    apply("without", &[before, &noop(secs, term)]).refused(1, "another history");
    apply("earlier", &[last, &noop(secs, term - 1)]).refused(1, "another history");
    apply("later", &[&noop(1, term + 1)]).refused(1, "another history");
    apply("right", &[before, last, &noop(secs, term)]).code(0);
}

#[test]
fn a_missing_stretch_cannot_be_seen_in_a_file_and_that_is_said() {
    let capture = captures::get("crud_basic").unwrap();
    let place = Place::imported(capture);
    let ran = place.on_head(&["head", "apply", &place.oplog("oplog.bson", &capture.entries)]).code(0);
    assert!(ran.stderr.contains("it cannot be seen whether"), "{}", ran.stderr);
    // A file that overlaps what is known is beyond doubt.
    let last = capture.entries[capture.entries.len() - 1];
    let mut next = bson::Document::from_reader(last).unwrap();
    let ts = at(last).ts;
    next.insert("ts", bson::Timestamp { time: ts.secs + 1, increment: 1 });
    next.insert("op", "n");
    next.insert("o", bson::doc! {"msg": "later"});
    next.remove("ui");
    next.remove("o2");
    next.remove("lsid");
    next.remove("txnNumber");
    let next = next.to_vec().unwrap();
    let ran = place.on_head(&["head", "apply", &place.oplog("more.bson", &[last, &next])]).code(0);
    assert!(!ran.stderr.contains("it cannot be seen whether"), "{}", ran.stderr);
}

#[test]
fn a_damaged_dump_is_no_head() {
    let place = Place::new();
    let archive = tidemark_testkit::dumps::file("archive.bin").unwrap();
    let cut = place.path("cut");
    fs::write(&cut, &archive[..archive.len() / 2]).unwrap();
    place.on_head(&["head", "import", &cut]).refused(3, "cut");
    let text = place.path("text");
    fs::write(&text, b"hello").unwrap();
    place.on_head(&["head", "import", &text]).refused(3, "does not begin as an archive");
    let heads = run(&["head", "ls", "--store", &place.store(), "-o", "json"]).code(0).json();
    assert_eq!(heads, serde_json::json!({"heads": []}));
}
