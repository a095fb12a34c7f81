//! What the documents were at every moment, kept as changes.

use bson::Document;
use std::collections::BTreeMap;

/// The documents of both collections, by `_id`.
pub(crate) type Documents = [BTreeMap<i32, Document>; 2];

/// A document after an operation took effect; none if it is gone.
#[derive(Debug)]
struct Change {
    secs: u32,
    collection: usize,
    id: i32,
    after: Option<Document>,
}

/// All changes since the beginning, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Past {
    changes: Vec<Change>,
}

impl Past {
    /// Notes what an entry of this second did.
    pub(crate) fn note(&mut self, secs: u32, collection: usize, id: i32, after: Option<Document>) {
        self.changes.push(Change { secs, collection, id, after });
    }

    /// The documents after all entries up to a second.
    pub(crate) fn at(&self, secs: u32) -> Documents {
        let mut documents = Documents::default();
        for change in self.changes.iter().take_while(|it| it.secs <= secs) {
            change.put(&mut documents);
        }
        documents
    }

    /// Forgets what came after a second.
    pub(crate) fn forget_after(&mut self, secs: u32) {
        self.changes.retain(|it| it.secs <= secs);
    }
}

impl Change {
    fn put(&self, documents: &mut Documents) {
        match &self.after {
            Some(after) => drop(documents[self.collection].insert(self.id, after.clone())),
            None => drop(documents[self.collection].remove(&self.id)),
        }
    }
}
