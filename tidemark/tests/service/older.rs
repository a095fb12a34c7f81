//! All members of a set put back together from older copies of their files: what they have lost was on a majority, and the
//! elections that follow are of terms that have been. It is said, healed by itself without a new copy, and what is restored
//! then is what the source has.

use crate::turns::{Scene, copy_folder, files, write};
use bson::{Document, doc};
use std::fs;
use tempfile::TempDir;
use tidemark_testkit::live::{ReplicaSet, replica_set_of_three};

/// Copies of the files of all members, of a time at which none of them ran.
fn keep_all(set: &mut ReplicaSet) -> TempDir {
    let kept = tempfile::tempdir().unwrap();
    stop_all(set);
    for member in 0..set.members().len() {
        copy_folder(&files(set, member), &kept.path().join(member.to_string()));
    }
    start_all(set);
    kept
}

fn put_back_all(set: &mut ReplicaSet, kept: &TempDir) {
    stop_all(set);
    for member in 0..set.members().len() {
        fs::remove_dir_all(files(set, member)).unwrap();
        copy_folder(&kept.path().join(member.to_string()), &files(set, member));
    }
    start_all(set);
}

fn stop_all(set: &mut ReplicaSet) {
    (0..set.members().len()).for_each(|member| set.stop(member).unwrap());
}

fn start_all(set: &mut ReplicaSet) {
    (0..set.members().len()).for_each(|member| set.restart(member).unwrap());
    set.await_all_members().unwrap();
    set.primary().unwrap();
}

/// The term of the primary.
fn term(set: &ReplicaSet) -> i64 {
    let admin = set.direct(set.primary().unwrap()).database("admin");
    let hello: Document = admin.run_command(doc! {"hello": 1}).run().unwrap();
    hello.get_document("lastWrite").unwrap().get_document("opTime").unwrap().get_i64("t").unwrap()
}

/// Elections, until one is of this term or a later one.
fn elect_until(set: &ReplicaSet, wanted: i64) {
    while term(set) < wanted {
        set.elect((set.primary().unwrap() + 1) % 3).unwrap();
    }
}

#[test]
fn a_set_that_is_put_back_as_a_whole_from_older_files_is_followed_back() {
    let mut set = replica_set_of_three().unwrap();
    write(&set, 0..50);
    let scene = Scene::start(&set);
    write(&set, 50..100);
    let common = scene.take_in(&set);
    let older = keep_all(&mut set);
    // More elections than a start needs, so that those after the next one are of earlier terms.
    let seen = term(&set) + 4;
    elect_until(&set, seen);
    write(&set, 100..150);
    let gone = scene.take_in(&set);

    put_back_all(&mut set, &older);
    let again = term(&set);
    assert!(again < seen, "the primary is of term {again}, and the backup has seen {seen}");
    write(&set, 1000..1050);
    let text = scene.backup.await_event("OPLOG_FORKED", 0);
    assert!(text.contains("rolled back"), "{text}");
    scene.backup.await_event("ROLLED_BACK", 0);
    scene.backup.assert_is_as(&set, "after all files were put back");
    assert!(scene.is_rolled_back(gone) && !scene.is_rolled_back(common));

    // The terms that have been come again, with other entries.
    elect_until(&set, seen);
    write(&set, 2000..2050);
    elect_until(&set, seen + 1);
    write(&set, 3000..3050);
    assert_eq!(scene.backup.told("OPLOG_FORKED").len(), 1);
    assert_eq!(scene.backup.told("COPY_ORDERED"), Vec::<String>::new());
    scene.end(&set);
}
