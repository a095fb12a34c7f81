//! The stores under test, and short words for what the tests do with them.

use std::sync::Arc;
use tempfile::TempDir;
use tidemark_metadata::{
    By, Change, Collection, Document, Expect, MemoryStore, Query, SqliteStore, Store, Version, Write,
};

/// A store under test, and the folder it lives in, if any.
pub(crate) struct Bench {
    pub(crate) name: &'static str,
    pub(crate) store: Arc<dyn Store>,
    _folder: Option<TempDir>,
}

/// One empty store of each kind.
pub(crate) fn all() -> Vec<Bench> {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = SqliteStore::open(&folder.path().join("metadata.db")).unwrap();
    vec![
        Bench { name: "memory", store: Arc::new(MemoryStore::new()), _folder: None },
        Bench { name: "sqlite", store: Arc::new(sqlite), _folder: Some(folder) },
    ]
}

/// Runs a test on one empty store of each kind.
pub(crate) fn each(test: impl Fn(&dyn Store)) {
    all().iter().for_each(|bench| test(&*bench.store));
}

/// A change in the collection of groups.
pub(crate) fn change(id: &str, expect: Expect, write: Write) -> Change {
    Change { collection: Collection::Group, id: id.to_owned(), expect, write }
}

pub(crate) fn put(key: Option<&str>, body: &str) -> Write {
    Write::Put { key: key.map(str::to_owned), body: body.to_owned() }
}

/// Makes one document.
pub(crate) fn make(store: &dyn Store, id: &str, key: Option<&str>, body: &str) -> Version {
    store.apply(&[change(id, Expect::Absent, put(key, body))]).unwrap()
}

pub(crate) fn get(store: &dyn Store, id: &str) -> Option<Document> {
    store.get(Collection::Group, id).unwrap()
}

/// The ids that a query finds.
pub(crate) fn ids(store: &dyn Store, by: By<'_>, after: Option<&str>, limit: usize) -> Vec<String> {
    let found = store.scan(Collection::Group, Query { by, after, limit }).unwrap();
    found.into_iter().map(|it| it.id).collect()
}
