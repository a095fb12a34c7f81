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
