//! A store in memory: for tests, and for whoever wants a service that forgets. One lock around one map.

use crate::error::Result;
use crate::store::{By, Change, Collection, Document, Query, Store, Version, Write, check_query, judge};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A store that is gone when it is dropped.
#[derive(Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    documents: BTreeMap<Collection, BTreeMap<String, Document>>,
    last_version: u64,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Nothing in here panics half way through a change, so a poisoned lock guards a sound state.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn get(&self, collection: Collection, id: &str) -> Result<Option<Document>> {
        Ok(self.state().get(collection, id).cloned())
    }

    fn scan(&self, collection: Collection, query: Query<'_>) -> Result<Vec<Document>> {
        check_query(&query)?;
        let state = self.state();
        let Some(documents) = state.documents.get(&collection) else { return Ok(Vec::new()) };
        let from = query.after.map_or(Bound::Unbounded, Bound::Excluded);
        let wanted = documents.range::<str, _>((from, Bound::Unbounded)).map(|(_, document)| document);
        let wanted = wanted.filter(|it| match query.by {
            By::IdPrefix(prefix) => it.id.starts_with(prefix),
            By::Key(key) => it.key.as_deref() == Some(key),
        });
        Ok(wanted.take(query.effective_limit()).cloned().collect())
    }

    fn apply(&self, changes: &[Change]) -> Result<Version> {
        let changes = judge(changes)?.0;
        let mut state = self.state();
        for change in changes {
            change.compare(state.get(change.collection, &change.id))?;
        }
        state.last_version += 1;
        let version = Version(state.last_version);
        for change in changes {
            let documents = state.documents.entry(change.collection).or_default();
            let id = change.id.clone();
            match &change.write {
                Write::Put { key, body } => {
                    let document = Document { id: id.clone(), key: key.clone(), version, body: body.clone() };
                    documents.insert(id, document);
                }
                Write::Delete => drop(documents.remove(&id)),
                Write::Keep => {}
            }
        }
        Ok(version)
    }
}

impl State {
    fn get(&self, collection: Collection, id: &str) -> Option<&Document> {
        self.documents.get(&collection)?.get(id)
    }
}
