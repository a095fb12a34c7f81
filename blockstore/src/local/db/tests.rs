//! An index that may not grow any more, as on a full disk: SQLite's own files are out of reach of a wrapped
//! [`crate::disk::Disk`], but a connection can be told the most pages it may have.

use crate::local::{LocalBackend, OpenOptions};
use crate::{BlockRef, Expect, NewRef, RefChange, Result, Store};
use std::sync::Arc;
use tempfile::TempDir;
use tidemark_base::{BlockId, ErrorKind};

/// Lets the index have so many pages more than it has; SQLite itself raises a limit that is below.
fn allow_pages(backend: &LocalBackend, more: i64) {
    let connection = super::lock(&backend.db.writer);
    let count: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    let most = format!("PRAGMA max_page_count = {}", count + more);
    let set: i64 = connection.query_row(&most, [], |row| row.get(0)).unwrap();
    assert_eq!(set, count + more);
}

/// Puts 500 small blocks and sets a ref to the last.
fn publish(store: &Store, name: &str) -> Result<BlockId> {
    let session = store.session(&[])?;
    let values: Vec<String> = (0..500).map(|n| format!("{name} {n}")).collect();
    let blocks: Vec<BlockRef<'_>> = values.iter().map(|value| BlockRef::leaf(value.as_bytes())).collect();
    let root = *session.put(&blocks)?.last().unwrap();
    let set = Some(NewRef { roots: vec![root], value: Vec::new() });
    session.publish(&[RefChange { name: name.into(), expect: Expect::Any, set }])?;
    Ok(root)
}

#[test]
fn an_index_without_room_says_so_and_loses_nothing() {
    let dir = TempDir::new().unwrap();
    let root = dir.path().join("store");
    let backend = Arc::new(OpenOptions::default().reserve_bytes(1 << 16).create(&root).unwrap());
    let store = Store::new(Arc::clone(&backend) as Arc<dyn crate::Backend>);
    let before = publish(&store, "before").unwrap();

    allow_pages(&backend, 4);
    let error = publish(&store, "no room").unwrap_err();
    assert!(error.is_full(), "{error:?}");
    assert_eq!(error.kind(), ErrorKind::Retry);
    let text = error.to_string();
    for words in
        ["index database", "free space", "garbage collection", "nothing that was acknowledged is lost"]
    {
        assert!(text.contains(words), "{text:?} does not say {words:?}");
    }
    assert_eq!(store.get_ref("no room").unwrap(), None);
    assert!(store.get_one(before).is_ok());

    allow_pages(&backend, 1000);
    let after = publish(&store, "no room").unwrap();
    assert!(store.get_one(after).is_ok() && store.get_one(before).is_ok());
    assert!(store.verify(crate::Depth::Full, &crate::Quiet).unwrap().is_clean());
}

fn backend() -> (TempDir, LocalBackend) {
    let dir = TempDir::new().unwrap();
    let backend = OpenOptions::default().reserve_bytes(0).create(&dir.path().join("store")).unwrap();
    (dir, backend)
}

/// Runs work that panics.
fn panics(work: impl FnOnce() -> Result<()>) {
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_err());
}

/// What a row under this key holds.
fn value(backend: &LocalBackend, key: &[u8]) -> Option<Vec<u8>> {
    let mut value = None;
    let mut read = |txn: &mut dyn crate::backend::Txn| {
        value = txn.get(key)?;
        Ok(())
    };
    backend.db.read(&mut read).unwrap();
    value
}

#[test]
fn a_panic_within_a_transaction_undoes_it_and_stops_nobody() {
    let (_dir, backend) = backend();
    panics(|| {
        backend.db.write(&mut |txn| {
            txn.put(b"x", b"half done")?;
            panic!("on purpose");
        })
    });
    assert_eq!(value(&backend, b"x"), None);
    backend.db.write(&mut |txn| txn.put(b"x", b"done")).unwrap();
    assert_eq!(value(&backend, b"x").unwrap(), b"done");
}

#[test]
fn a_panic_within_a_relaxed_transaction_leaves_the_next_one_durable() {
    const FULL: i64 = 2;
    let (_dir, backend) = backend();
    let level = || -> i64 {
        let connection = super::lock(&backend.db.writer);
        connection.pragma_query_value(None, "synchronous", |row| row.get(0)).unwrap()
    };
    assert_eq!(level(), FULL);
    panics(|| backend.db.write_relaxed(&mut |_| panic!("on purpose")));
    let mut within = None;
    backend.db.write(&mut |txn| txn.put(b"x", b"durable")).unwrap();
    within.replace(level());
    assert_eq!(within, Some(FULL));
    assert_eq!(value(&backend, b"x").unwrap(), b"durable");
}

/// Not that its transaction cannot be ended any more, which is what comes of it.
#[test]
fn a_read_that_fails_says_why() {
    let (dir, backend) = backend();
    let reader = super::connect(&dir.path().join("store/index.db"), false).unwrap();
    let ends_it = "CREATE TEMP TRIGGER ends BEFORE INSERT ON main.row
                   BEGIN SELECT RAISE(ROLLBACK, 'what it met'); END";
    reader.execute_batch(ends_it).unwrap();
    super::lock(&backend.db.readers).push(reader);
    let error = backend.db.read(&mut |txn| txn.put(b"x", b"")).unwrap_err();
    assert!(error.to_string().contains("what it met"), "{error}");
    // A connection in that state is not used again.
    assert_eq!(value(&backend, b"x"), None);
}
