//! What only SQLite has: files, versions of the schema, damage, locks, a full disk.

use super::*;
use crate::store::{Expect, Write};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use tempfile::TempDir;
use tidemark_base::{Clock as _, ErrorKind, SystemClock, threads};

const SHORT: Duration = Duration::from_millis(60);

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metadata.db");
    (folder, path)
}

fn put(id: &str, key: Option<&str>, body: &str) -> Change {
    let write = Write::Put { key: key.map(str::to_owned), body: body.to_owned() };
    Change { collection: Collection::Group, id: id.to_owned(), expect: Expect::Absent, write }
}

/// Runs SQL behind the store's back.
fn tamper(path: &Path, sql: &str) {
    Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

fn open_error(path: &Path) -> Error {
    SqliteStore::open_with(path, SHORT).err().expect("must be refused")
}

#[test]
fn only_the_owner_may_read_the_files() {
    let (folder, path) = folder();
    let store = SqliteStore::open(&path).unwrap();
    store.apply(&[put("a", None, "1")]).unwrap();
    let mut names = 0;
    for entry in fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", entry.path().display());
        names += 1;
    }
    assert!(names >= 2, "the database and its log");
}

#[test]
fn commits_wait_for_the_disk_and_go_to_a_log() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).unwrap();
    let writer = lock(&store.writer);
    assert_eq!(number(&writer, "PRAGMA synchronous").unwrap(), 2, "FULL");
    let mode: String = writer.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
}

#[test]
fn questions_are_answered_by_an_index() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).unwrap();
    let writer = lock(&store.writer);
    for (rest, index) in [(BY_PREFIX, "PRIMARY KEY"), (BY_KEY, "document_by_key")] {
        let sql = format!("EXPLAIN QUERY PLAN SELECT * FROM document {rest}");
        let plan: Vec<String> = writer
            .prepare(&sql)
            .unwrap()
            .query_map(rusqlite::params_from_iter(vec!["1"; rest.matches('?').count()]), |row| row.get(3))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        assert!(plan.len() == 1 && plan[0].contains(index), "{plan:?}");
    }
}

#[test]
fn every_changed_field_of_a_row_is_found_on_every_way_of_reading() {
    for change in [
        "UPDATE document SET body = 'x' WHERE id = 'a'",
        "UPDATE document SET version = 77 WHERE id = 'a'",
        "UPDATE document SET key = NULL WHERE id = 'a'",
        "UPDATE document SET key = 'l' WHERE id = 'a'",
        "UPDATE document SET sum = sum + 1 WHERE id = 'a'",
        "UPDATE document SET id = 'b' WHERE id = 'a'",
        "UPDATE document SET collection = 'user' WHERE id = 'a'",
        "UPDATE document SET body = CAST(x'ff' AS TEXT) WHERE id = 'a'",
    ] {
        let (_folder, path) = folder();
        let store = SqliteStore::open(&path).unwrap();
        store.apply(&[put("a", Some("k"), "1")]).unwrap();
        assert_eq!(store.check().unwrap(), 1);
        tamper(&path, change);
        let read = |collection, id| match store.get(collection, id) {
            Ok(found) => assert_eq!(found, None, "{change}: a changed row was handed out"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "{change}: {error}"),
        };
        read(Collection::Group, "a");
        read(Collection::Group, "b");
        read(Collection::User, "a");
        for by in [By::IdPrefix(""), By::Key("k"), By::Key("l")] {
            for collection in [Collection::Group, Collection::User] {
                match store.scan(collection, Query { by, after: None, limit: 9 }) {
                    Ok(found) => assert!(found.is_empty(), "{change}: a changed row was handed out"),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "{change}: {error}"),
                }
            }
        }
        assert_eq!(store.check().unwrap_err().kind(), ErrorKind::Corrupt, "{change}");
    }
}

#[test]
fn a_damaged_counter_stops_writing() {
    for change in ["UPDATE counter SET value = 0", "DELETE FROM counter", "UPDATE counter SET sum = 1"] {
        let (_folder, path) = folder();
        let store = SqliteStore::open(&path).unwrap();
        store.apply(&[put("a", None, "1")]).unwrap();
        tamper(&path, change);
        assert_eq!(store.apply(&[put("b", None, "1")]).unwrap_err().kind(), ErrorKind::Corrupt);
        assert_eq!(store.get(Collection::Group, "b").unwrap(), None);
    }
}

#[test]
fn flipped_bytes_of_the_file_give_errors_or_the_truth() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).unwrap();
    for n in 0..40 {
        store.apply(&[put(&format!("id{n:02}"), Some("k"), &format!("body number {n:03}"))]).unwrap();
    }
    let truth = store.scan(Collection::Group, Query { by: By::Key("k"), after: None, limit: 99 }).unwrap();
    drop(store);
    tamper(&path, "PRAGMA wal_checkpoint(TRUNCATE)");
    let good = fs::read(&path).unwrap();
    let mut found = 0;
    for at in (0..good.len()).step_by(61) {
        let mut bad = good.clone();
        bad[at] ^= 0x41;
        fs::write(&path, &bad).unwrap();
        let _ = fs::remove_file(path.with_extension("db-wal"));
        let _ = fs::remove_file(path.with_extension("db-shm"));
        let Ok(store) = SqliteStore::open_with(&path, SHORT) else {
            found += 1;
            continue;
        };
        for by in [By::Key("k"), By::IdPrefix("")] {
            match store.scan(Collection::Group, Query { by, after: None, limit: 99 }) {
                // A flip may hide a row; only `check` finds that. It never shows one that was not written.
                Ok(rows) => assert!(rows.iter().all(|row| truth.contains(row)), "byte {at}: {rows:?}"),
                Err(_) => found += 1,
            }
        }
        if store.check().is_err() {
            found += 1;
        }
    }
    assert!(found > 20, "only {found} flips were noticed");
}

#[test]
fn files_that_are_something_else_are_refused_with_what_they_are() {
    let (folder, path) = folder();
    fs::write(&path, "x".repeat(5000)).unwrap();
    assert!(matches!(open_error(&path), Error::NotOurs { .. }));
    fs::remove_file(&path).unwrap();

    tamper(&path, "CREATE TABLE x(y)");
    assert!(matches!(open_error(&path), Error::NotOurs { .. }));
    fs::remove_file(&path).unwrap();

    tamper(&path, "PRAGMA application_id = 1; PRAGMA user_version = 1");
    assert!(matches!(open_error(&path), Error::NotOurs { .. }));

    let nowhere = open_error(&folder.path().join("no/such/folder.db"));
    assert_eq!(nowhere.kind(), ErrorKind::Invalid);
    assert!(nowhere.to_string().contains("make it first"), "{nowhere}");
    let is_folder = open_error(folder.path());
    assert_eq!(is_folder.kind(), ErrorKind::Invalid, "{is_folder}");
}

#[test]
fn a_newer_database_is_refused_and_left_alone() {
    let (_folder, path) = folder();
    drop(SqliteStore::open(&path).unwrap());
    tamper(&path, "PRAGMA user_version = 2");
    let error = open_error(&path);
    assert!(matches!(error, Error::Newer { found: 2, supported: 1, .. }), "{error}");
    assert!(error.to_string().contains("use a newer Tidemark"), "{error}");
}

#[test]
fn the_database_of_version_1_is_read_for_ever() {
    // Made by this crate on 2026-11-22, and never again.
    let (_folder, path) = folder();
    fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/v1.db"), &path).unwrap();
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(store.check().unwrap(), 2);
    let found = store.get(Collection::Group, "a").unwrap().unwrap();
    assert_eq!((found.key.as_deref(), found.version), (Some("k"), Version(1)));
    assert_eq!(found.body, "{\"schema\":1,\"record\":{}}");
    assert_eq!(store.get(Collection::User, "b").unwrap().unwrap().version, Version(2));
    assert_eq!(store.apply(&[put("c", None, "1")]).unwrap(), Version(3));
}

#[test]
fn steps_run_once_and_keep_what_is_there() {
    fn second(connection: &Connection) -> rusqlite::Result<()> {
        connection.execute_batch("CREATE TABLE more(x); INSERT INTO more VALUES(1)")
    }
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).unwrap();
    store.apply(&[put("a", None, "1")]).unwrap();
    let steps: Vec<migrate::Step> = migrate::STEPS.iter().copied().chain([second as migrate::Step]).collect();
    let mut connection = connect::connect(&path, SHORT).unwrap();
    for _ in 0..2 {
        migrate::bring_up(&mut connection, Place(&path), &steps).unwrap();
    }
    assert_eq!(number(&connection, "SELECT count(*) FROM more").unwrap(), 1);
    assert_eq!(number(&connection, "PRAGMA user_version").unwrap(), 2);
    assert_eq!(number(&connection, "SELECT count(*) FROM document").unwrap(), 1);
}

#[test]
fn a_step_that_fails_leaves_the_old_version() {
    fn good(connection: &Connection) -> rusqlite::Result<()> {
        connection.execute_batch("CREATE TABLE more(x)")
    }
    fn bad(connection: &Connection) -> rusqlite::Result<()> {
        connection.execute_batch("DELETE FROM document; SELECT no_such_function()")
    }
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).unwrap();
    store.apply(&[put("a", None, "1")]).unwrap();
    let mut steps = migrate::STEPS.to_vec();
    steps.extend([good as migrate::Step, bad as migrate::Step]);
    let mut connection = connect::connect(&path, SHORT).unwrap();
    migrate::bring_up(&mut connection, Place(&path), &steps).unwrap_err();
    assert_eq!(number(&connection, "PRAGMA user_version").unwrap(), 1);
    let tables = "SELECT count(*) FROM sqlite_schema WHERE name = 'more'";
    assert_eq!(number(&connection, tables).unwrap(), 0);
    assert_eq!(SqliteStore::open(&path).unwrap().check().unwrap(), 1);
}

#[test]
fn a_lock_held_by_another_is_an_error_that_says_so_and_passes() {
    let (_folder, path) = folder();
    let store = SqliteStore::open_with(&path, SHORT).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.apply(&[put("a", None, "1")]).unwrap_err();
    assert!(matches!(error, Error::Locked { .. }), "{error}");
    assert_eq!(error.kind(), ErrorKind::Retry);
    assert_eq!(store.get(Collection::Group, "a").unwrap(), None, "reading goes on");
    other.execute_batch("ROLLBACK").unwrap();
    store.apply(&[put("a", None, "1")]).unwrap();
}

#[test]
fn those_who_wait_behind_a_lock_wait_together_and_not_one_after_the_other() {
    let (_folder, path) = folder();
    let store = Arc::new(SqliteStore::open_with(&path, Duration::from_secs(1)).unwrap());
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let clock = SystemClock::new();
    let waiters: Vec<_> = (0..5)
        .map(|n| {
            let store = Arc::clone(&store);
            threads::spawn("waiter", move || {
                store.apply(&[put(&n.to_string(), None, "1")]).unwrap_err().kind()
            })
            .unwrap()
        })
        .collect();
    assert!(waiters.into_iter().all(|it| it.join().unwrap() == ErrorKind::Retry));
    assert!(clock.monotonic() < Duration::from_millis(4500), "{:?}", clock.monotonic());
    other.execute_batch("ROLLBACK").unwrap();
    store.apply(&[put("a", None, "1")]).unwrap();
}

#[test]
fn a_full_disk_is_an_error_that_says_so_loses_nothing_and_passes() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).unwrap();
    store.apply(&[put("kept", None, "1")]).unwrap();
    let pages = number(&lock(&store.writer), "PRAGMA page_count").unwrap();
    // The answer to setting a maximum is the maximum.
    let limit = |pages| number(&lock(&store.writer), &format!("PRAGMA max_page_count={pages}")).unwrap();
    limit(pages);
    let error = store.apply(&[put("small", None, "1"), put("big", None, &"x".repeat(100_000))]).unwrap_err();
    assert!(matches!(error, Error::Full { .. }), "{error}");
    assert_eq!(error.kind(), ErrorKind::Retry);
    assert_eq!(store.get(Collection::Group, "small").unwrap(), None, "whole or not at all");
    assert!(store.get(Collection::Group, "kept").unwrap().is_some());
    limit(1_000_000);
    store.apply(&[put("big", None, &"x".repeat(100_000))]).unwrap();
    assert_eq!(store.check().unwrap(), 2);
}
