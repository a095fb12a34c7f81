//! Points in time, snapshots, and single documents.

use crate::rig::{Place, at, utc};
use serde_json::json;
use tidemark_base::Timestamp;
use tidemark_testkit::{captures, dump_dir};

/// A head with a snapshot at the start, and all applied.
fn with_snapshot(name: &str) -> Place {
    let capture = captures::get(name).unwrap();
    let place = Place::imported(capture);
    place.on_head(&["snapshot", "create"]).code(0);
    let oplog = place.oplog("oplog.bson", &capture.entries);
    place.on_head(&["head", "apply", &oplog]).code(0);
    place
}

#[test]
fn a_point_in_time_is_the_state_that_a_head_had_there() {
    for name in ["crud_basic", "txn_prepared_spanning", "capped"] {
        let capture = captures::get(name).unwrap();
        let place = with_snapshot(name);
        let known = place.oplog("known.bson", &capture.entries);
        let later = capture.entries.iter().filter(|it| at(it).ts > capture.apply_after).count();
        let early = capture.entries.len() - later;
        for part in 1..4 {
            let time = at(capture.entries[early + later * part / 4]).ts.to_string();
            let fork = place.export(&format!("fork-{part}"), &["--time", &time]);
            let walked = Place::imported(capture);
            walked.on_head(&["head", "apply", &known, "--until", &time]).code(0);
            let expected = dump_dir::read(&walked.export("out", &[])).unwrap();
            assert!(dump_dir::read(&fork).unwrap() == expected, "{name} at {time}");
        }
        // The start is the snapshot, the end the head.
        let start = place.export("start", &["--time", &capture.apply_after.to_string()]);
        let snapshot = place.export("snapshot", &["--snapshot", "1"]);
        assert_eq!(dump_dir::read(&start).unwrap(), dump_dir::read(&snapshot).unwrap());
        let end = place.export("end", &["--time", &capture.stop.to_string()]);
        assert_eq!(dump_dir::read(&end).unwrap(), dump_dir::read(&place.export("head", &[])).unwrap());
    }
}

#[test]
fn a_wall_second_holds_all_of_it_and_the_choice_is_echoed() {
    let capture = captures::get("crud_basic").unwrap();
    let place = with_snapshot("crud_basic");
    let middle = at(capture.entries[capture.entries.len() / 2]).ts;
    let of_second = capture.entries.iter().map(|it| at(it).ts).filter(|ts| ts.secs <= middle.secs);
    let last = of_second.max().unwrap();
    let ran = place.on_head(&["export", "--time", &utc(middle), "--out", &place.path("out")]).code(0);
    let zoned = utc(middle).replace('Z', "+00:00");
    for words in [utc(middle), last.to_string(), "+01:00 here".to_owned()] {
        assert!(ran.stderr.contains(&words), "{words}: {}", ran.stderr);
    }
    let exact = place.export("exact", &["--time", &last.to_string()]);
    let other = place.export("other", &["--time", &zoned]);
    assert_eq!(dump_dir::read(&exact).unwrap(), dump_dir::read(&other).unwrap());
    assert_eq!(dump_dir::read(&exact).unwrap(), dump_dir::read(place.path("out").as_ref()).unwrap());
}

#[test]
fn what_lies_beyond_the_kept_is_refused_with_the_border() {
    let capture = captures::get("crud_basic").unwrap();
    let place = with_snapshot("crud_basic");
    let out = place.path("out");
    let export = |time: &str| place.on_head(&["export", "--out", &out, "--time", time]);
    let beyond = Timestamp { secs: capture.stop.secs + 1, ordinal: 1 };
    export(&beyond.to_string()).refused(4, &capture.stop.to_string());
    export(&utc(beyond)).refused(4, &utc(capture.stop));
    let before = Timestamp::from_u64(capture.apply_after.to_u64() - 1);
    export(&before.to_string()).refused(4, &capture.apply_after.to_string());
    // Without the snapshot only the head is left, though all slices are there.
    place.on_head(&["snapshot", "delete", "1"]).code(0);
    export(&capture.apply_after.to_string()).refused(4, &capture.stop.to_string());
    export("2026-11-22T10:00:00").refused(2, "needs a zone");
    assert!(!std::fs::exists(&out).unwrap());
}

#[test]
fn a_state_that_is_not_consistent_yet_is_not_given_away() {
    let capture = captures::get("fuzzy_0").unwrap();
    let place = Place::imported(capture);
    let oplog = place.oplog("oplog.bson", &capture.entries);
    let until = capture.consistent_from.unwrap();
    let middle = capture.entries.iter().map(|it| at(it).ts).find(|ts| *ts > capture.apply_after).unwrap();
    let until_text = until.to_string();
    let some =
        place.json(&["head", "apply", &oplog, "--fuzzy-until", &until_text, "--until", &middle.to_string()]);
    assert_eq!(some["consistent_from"]["position"], until_text);
    let out = place.path("out");
    place.on_head(&["export", "--out", &out]).refused(5, "not consistent");
    place.on_head(&["export", "--out", &out, "--time", &middle.to_string()]).refused(5, "not consistent");
    place.on_head(&["snapshot", "create"]).refused(5, "not consistent");
    // What was said is remembered.
    place.on_head(&["head", "apply", &oplog]).code(0);
    place.on_head(&["export", "--out", &out]).code(0);
}

#[test]
fn snapshots_are_listed_described_proven_and_deleted() {
    let place = with_snapshot("crud_basic");
    let second = place.json(&["snapshot", "create"]);
    assert_eq!((&second["id"], &second["state"]), (&2.into(), &"stored".into()));
    let listed = place.json(&["snapshot", "list"]);
    let ids: Vec<_> = listed["snapshots"].as_array().unwrap().iter().map(|it| it["id"].clone()).collect();
    assert_eq!(ids, [json!(1), json!(2)]);
    assert_eq!(place.json(&["snapshot", "describe", "2"]), second);
    let proven = place.json(&["snapshot", "prove", "2"]);
    assert_eq!(proven["divergences"]["count"], 0);
    assert!(proven["snapshot"]["documents"].as_u64().unwrap() > 0);
    assert_eq!(place.json(&["snapshot", "describe", "2"])["state"], "proven");
    let text = place.on_head(&["snapshot", "list"]).code(0).text();
    assert_eq!(text.lines().count(), 2, "{text}");
    assert_eq!(place.json(&["snapshot", "delete", "1"]), json!({"deleted": 1}));
    place.on_head(&["snapshot", "describe", "1"]).refused(4, "no snapshot 1");
    place.on_head(&["snapshot", "delete", "1"]).refused(4, "no snapshot 1");
    // A number is not used again.
    assert_eq!(place.json(&["snapshot", "create"])["id"], 3);
}

#[test]
fn a_document_is_found_as_it_was_and_as_it_is() {
    let capture = captures::get("crud_basic").unwrap();
    let place = with_snapshot("crud_basic");
    let find = |states: &tidemark_testkit::state::State| {
        let of = states.collections.iter().find(|it| !it.documents.is_empty()).unwrap();
        let document = bson::Document::from_reader(of.documents[0].as_ref()).unwrap();
        (of.namespace(), document)
    };
    let (namespace, document) = find(&capture.final_);
    let id = serde_json::to_string(document.get("_id").unwrap()).unwrap();
    let got = place.json(&["get", "--ns", &namespace, "--id", &id]);
    let read = |text: &str| serde_json::from_str::<bson::Document>(text).unwrap();
    assert_eq!(read(&got["document"].to_string()), document);
    assert_eq!(got["at"]["position"], capture.stop.to_string());
    let text = place.on_head(&["get", "--ns", &namespace, "--id", &id]).code(0).text();
    assert_eq!(read(&text), document);
    place.on_head(&["get", "--ns", &namespace, "--id", "\"nobody\""]).refused(4, "no document");
    place.on_head(&["get", "--ns", "app.nothing", "--id", "1"]).refused(4, "no collection");
    place.on_head(&["get", "--ns", "nothing", "--id", "1"]).refused(2, "no dot");
    place.on_head(&["get", "--ns", &namespace, "--id", "nobody"]).refused(2, "double quotes");
    place.on_head(&["get", "--ns", &namespace, "--id", &id, "--snapshot", "9"]).refused(4, "no snapshot 9");
}
