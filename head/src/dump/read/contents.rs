//! The namespaces of a dump as they are collected: bounded, and each once.

use crate::dump::limits::{MAX_ALL_METADATA_BYTES, MAX_NAMESPACES};
use crate::dump::part::{BUCKETS, shown};
use crate::dump::{Kind, Namespace, Problem};
use std::collections::BTreeSet;

/// About what a namespace takes in memory beside its texts.
const NAMESPACE_OVERHEAD_BYTES: usize = 512;
/// The same of an index.
const INDEX_OVERHEAD_BYTES: usize = 64;

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
    /// Counts what will be kept.
    fn count(&mut self, bytes: usize) -> Result<(), Problem> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > MAX_ALL_METADATA_BYTES {
            return Err(Problem::TooMany { what: "bytes of metadata", limit: MAX_ALL_METADATA_BYTES });
        }
        Ok(())
    }

    /// Adds a namespace.
    pub(super) fn add(&mut self, namespace: Namespace) -> Result<(), Problem> {
        let Namespace { database, collection, options, indexes, .. } = &namespace;
        // The name is kept three times: here, below, and with the stream or the file.
        let names = 3 * (database.len() + collection.len());
        let indexes = indexes.iter().map(|spec| INDEX_OVERHEAD_BYTES + spec.len()).sum::<usize>();
        self.count(NAMESPACE_OVERHEAD_BYTES + names + options.len() + indexes)?;
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

    /// Checks what can only be seen when all is there: views have no documents, time-series collections have
    /// theirs in one place.
    pub(super) fn check(&self) -> Result<(), Problem> {
        let has_file = |database: &str, name: String| self.files.contains(&(database.to_owned(), name));
        for it in &self.namespaces {
            let Namespace { database, collection, .. } = it;
            match it.kind {
                Kind::View if has_file(database, collection.clone()) => {
                    return Err(Problem::ViewWithDocuments { namespace: it.shown() });
                }
                Kind::TimeSeries
                    if has_file(database, collection.clone())
                        && has_file(database, format!("{BUCKETS}{collection}")) =>
                {
                    return Err(Problem::Twice { namespace: it.shown() });
                }
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_small_things_count_with_what_they_take_in_memory() {
        let with = |indexes| Namespace {
            indexes: vec![vec![5, 0, 0, 0, 0]; indexes],
            ..Namespace::bare("d", &format!("c{indexes}"))
        };
        let mut contents = Contents::default();
        contents.add(with(0)).unwrap();
        assert!(contents.bytes > 500, "{}", contents.bytes);
        let before = contents.bytes;
        contents.add(with(100)).unwrap();
        assert!(contents.bytes > before + 6500, "{}", contents.bytes);
        contents.bytes = MAX_ALL_METADATA_BYTES - 590;
        contents.add(with(1)).unwrap_err();
    }

    #[test]
    fn buckets_stand_in_one_place() {
        let mut contents = Contents::default();
        contents.add(Namespace { kind: Kind::TimeSeries, ..Namespace::bare("d", "ts") }).unwrap();
        contents.add_file("d", "system.buckets.ts").unwrap();
        contents.check().unwrap();
        contents.add_file("d", "ts").unwrap();
        assert_eq!(contents.check(), Err(Problem::Twice { namespace: "d.ts".to_owned() }));
    }
}
