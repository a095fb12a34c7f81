//! Index commands: an index is in the catalog when it can be used, not before.
//!
//! In a fuzzy replay an index may have come with the copy already, perhaps with another specification: it
//! stays, since the entry that makes the difference follows.

use super::collection::index_name;
use super::{Change, MisfitKind, index_spec};
use crate::EntryProblem;
use std::collections::BTreeSet;
use tidemark_base::bson::Doc;

/// Most indexes that a collection may have here. A server allows 64; a copy that is ahead of its log has at most
/// as many again, under names that the log gives up later.
pub(super) const MAX_INDEXES: usize = 256;

impl Change<'_> {
    /// One index, at once: its specification is the fields behind the command's name, but for those in which a
    /// node names its own files.
    pub(super) fn create_index(&mut self, name: &str, o: Doc<'_>) -> Result<(), EntryProblem> {
        let spec = index_spec::normal_form(o.elements().skip(1))?;
        self.add_indexes("createIndexes", name, vec![spec])
    }

    /// Complete in itself, whether the start was seen or not.
    pub(super) fn commit_index_build(&mut self, name: &str, indexes: Doc<'_>) -> Result<(), EntryProblem> {
        let specs = specs(indexes)?;
        let specs = specs.into_iter().map(|spec| index_spec::normal_form(spec.elements()));
        let specs = specs.collect::<Result<Vec<_>, _>>()?;
        self.add_indexes("commitIndexBuild", name, specs)
    }

    fn add_indexes(&mut self, command: &str, name: &str, specs: Vec<Vec<u8>>) -> Result<(), EntryProblem> {
        let mut misfits = Vec::new();
        for spec in &specs {
            // Found by name from here on.
            index_spec::name(Doc::new(spec)?).ok_or(EntryProblem::Field { field: "name" })?;
        }
        let Some(collection) = self.find_mut(name) else { return Ok(()) };
        if collection.indexes.len().saturating_add(specs.len()) > MAX_INDEXES {
            let (command, why) = (command.to_owned(), "the collection would have more than 256 indexes");
            return Err(EntryProblem::NeedsResync { command, why });
        }
        let name_of = |spec: &[u8]| index_name(spec).map(<[u8]>::to_vec);
        let mut taken: BTreeSet<_> = collection.indexes.iter().map(|spec| name_of(spec)).collect();
        for spec in specs {
            let index = name_of(&spec);
            if taken.insert(index.clone()) {
                collection.indexes.push(spec);
            } else {
                misfits.push(text(&index.unwrap_or_default()));
            }
        }
        for index in misfits {
            self.misfit(MisfitKind::IndexExists { index }, name, self.uuid);
        }
        Ok(())
    }

    /// Nothing was added. A copy may have found the unfinished index: that goes. In a true state an index of
    /// the name would be another one, and stays.
    pub(super) fn abort_index_build(&mut self, name: &str, indexes: Doc<'_>) -> Result<(), EntryProblem> {
        let specs = specs(indexes)?;
        let strict = self.strict;
        let Some(collection) = self.find_mut(name).filter(|_| !strict) else { return Ok(()) };
        for spec in specs {
            let position = index_spec::name(spec).and_then(|index| collection.index_position(index));
            if let Some(position) = position {
                collection.indexes.remove(position);
            }
        }
        Ok(())
    }

    /// By name, or all but `_id_`. What is not there is dropped already: servers write such entries too.
    pub(super) fn drop_indexes(&mut self, name: &str, index: &str) -> Result<(), EntryProblem> {
        let Some(collection) = self.find_mut(name) else { return Ok(()) };
        if index == "*" {
            collection.remove_secondary_indexes();
        } else if let Some(position) = collection.index_position(index.as_bytes()) {
            collection.indexes.remove(position);
        }
        Ok(())
    }
}

/// The documents of an array.
fn specs(array: Doc<'_>) -> Result<Vec<Doc<'_>>, EntryProblem> {
    let documents = array.elements().map(|element| {
        let document = element?.as_object();
        document.ok_or(EntryProblem::Field { field: "indexes" })
    });
    documents.collect()
}

/// A name for a message.
pub(super) fn text(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}
