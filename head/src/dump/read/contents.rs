//! The namespaces of a dump as they are collected: bounded, and each once.

use crate::dump::limits::{MAX_ALL_METADATA_BYTES, MAX_NAMESPACES};
use crate::dump::part::shown;
use crate::dump::{Kind, Namespace, Problem};
use std::collections::BTreeSet;

/// What a dump describes.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) namespaces: Vec<Namespace>,
    names: BTreeSet<(String, String)>,
    /// The files of documents of a directory, by whose they are.
    files: BTreeSet<(String, String)>,
    bytes: usize,
}

impl Contents {
    /// Counts text before it is understood.
    pub(super) fn count(&mut self, bytes: usize) -> Result<(), Problem> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > MAX_ALL_METADATA_BYTES {
            return Err(Problem::TooMany { what: "bytes of metadata", limit: MAX_ALL_METADATA_BYTES });
        }
        Ok(())
    }

    /// Adds a namespace whose text has been counted.
    pub(super) fn add(&mut self, namespace: Namespace) -> Result<(), Problem> {
        let raw = namespace.options.len() + namespace.indexes.iter().map(Vec::len).sum::<usize>();
        self.count(raw)?;
        if self.namespaces.len() == MAX_NAMESPACES {
            return Err(Problem::TooMany { what: "collections", limit: MAX_NAMESPACES });
        }
        if !self.names.insert((namespace.database.clone(), namespace.collection.clone())) {
            return Err(Problem::Twice { namespace: shown(&namespace.database, &namespace.collection) });
        }
        self.namespaces.push(namespace);
        Ok(())
    }

    /// Adds a file of documents: two names of files can mean one collection.
    pub(super) fn add_file(&mut self, database: &str, collection: &str) -> Result<(), Problem> {
        if self.files.insert((database.to_owned(), collection.to_owned())) {
            return Ok(());
        }
        Err(Problem::Twice { namespace: shown(database, collection) })
    }

    /// Checks what can only be seen when all is there: views have no documents.
    pub(super) fn check(&self) -> Result<(), Problem> {
        let mut views = self.namespaces.iter().filter(|it| it.kind == Kind::View);
        let has_file = |it: &&Namespace| self.files.contains(&(it.database.clone(), it.collection.clone()));
        match views.find(has_file) {
            None => Ok(()),
            Some(view) => Err(Problem::ViewWithDocuments { namespace: view.shown() }),
        }
    }
}
