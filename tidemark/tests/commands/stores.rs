//! The store as a whole: measured, checked, cleaned, mended.

use crate::rig::{Place, run};
use std::fs::{self, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use tidemark_testkit::{captures, dump_dir};

#[test]
fn a_store_is_measured_cleaned_and_mended_without_losing_anything() {
    let place = Place::applied(captures::get("crud_basic").unwrap());
    let store = place.store();
    let before = dump_dir::read(&place.export("before", &[])).unwrap();
    let stats = run(&["store", "stats", &store, "-o", "json"]).code(0).json();
    assert!(stats["stored_bytes"].as_u64().unwrap() > 0);
    let names: Vec<_> = stats["refs"].as_array().unwrap().iter().map(|it| it["name"].clone()).collect();
    assert!(names.contains(&"g/local/h/rs0/head".into()), "{names:?}");
    let dry = run(&["store", "gc", &store, "--dry-run", "-o", "json"]).code(0).json();
    assert_eq!((&dry["dry_run"], &dry["reclaimed_bytes"]), (&true.into(), &0.into()));
    // What lay in patches before is garbage then.
    place.on_head(&["head", "compact", "--full"]).code(0);
    let swept = run(&["store", "gc", &store, "--sweep", "-o", "json"]).code(0).json();
    assert!(swept["reclaimed_bytes"].as_u64().unwrap() > 0, "{swept}");
    run(&["store", "gc", &store]).code(0);
    fs::remove_file(format!("{store}/index.db")).unwrap();
    let repaired = run(&["store", "repair", &store, "-o", "json"]).code(0).json();
    assert_eq!(repaired["damage"], serde_json::json!([]));
    for quick in [&["--quick"][..], &[]] {
        let verified =
            run(&[&["store", "verify", store.as_str(), "-o", "json"], quick].concat()).code(0).json();
        assert_eq!(verified["damage"], serde_json::json!([]));
    }
    assert_eq!(dump_dir::read(&place.export("after", &[])).unwrap(), before);
    let heads = run(&["head", "list", "--store", &store]).code(0).text();
    assert!(heads.starts_with("rs0\n"), "{heads}");
}

#[test]
fn damage_is_found_by_verify_and_by_whoever_meets_it() {
    let place = Place::applied(captures::get("crud_basic").unwrap());
    let store = place.store();
    let packs = fs::read_dir(format!("{store}/packs")).unwrap().map(|it| it.unwrap().path());
    for pack in packs {
        // Every byte behind the pack's own header and the first record's is another one.
        let mut file = OpenOptions::new().read(true).write(true).open(pack).unwrap();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        let spared = 128.min(bytes.len());
        bytes[spared..].iter_mut().for_each(|it| *it ^= 0xa5);
        file.seek(SeekFrom::Start(0)).unwrap();
        file.write_all(&bytes).unwrap();
    }
    let verified = run(&["store", "verify", &store, "-o", "json"]).code(3).json();
    let damage = verified["damage"].as_array().unwrap();
    assert!(damage.iter().any(|it| it["hurts"].as_array().unwrap().contains(&"g/local/h/rs0/head".into())));
    let text = run(&["store", "verify", &store]).code(3).text();
    assert!(text.contains("damaged: "), "{text}");
    place.on_head(&["export", "--out", &place.path("out")]).refused(3, "damaged");
    place.on_head(&["head", "apply"]).refused(3, "damaged");
}
