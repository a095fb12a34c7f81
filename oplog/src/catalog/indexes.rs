//! Index commands: an index is in the catalog when it can be used, not before.
//!
//! In a fuzzy replay an index may have come with the copy already, perhaps with another specification: it
//! stays, since the entry that makes the difference follows.

use super::{Change, MisfitKind, index_spec};
use crate::EntryProblem;
use tidemark_base::bson::Doc;

impl Change<'_> {
    /// One index, at once: its specification is the fields behind the command's name.
    pub(super) fn create_index(&mut self, name: &str, o: Doc<'_>) -> Result<(), EntryProblem> {
        let spec = index_spec::normal_form(o.elements().skip(1))?;
        self.add_indexes(name, vec![spec])
    }

    /// Complete in itself, whether the start was seen or not.
    pub(super) fn commit_index_build(&mut self, name: &str, indexes: Doc<'_>) -> Result<(), EntryProblem> {
        let specs = specs(indexes)?;
        let specs = specs.into_iter().map(|spec| index_spec::normal_form(spec.elements()));
        let specs = specs.collect::<Result<Vec<_>, _>>()?;
        self.add_indexes(name, specs)
    }

    fn add_indexes(&mut self, name: &str, specs: Vec<Vec<u8>>) -> Result<(), EntryProblem> {
        let mut taken = Vec::new();
        for spec in &specs {
            // Found by name from here on.
            index_spec::name(Doc::new(spec)?).ok_or(EntryProblem::Field { field: "name" })?;
        }
        let Some(collection) = self.find_mut(name) else { return Ok(()) };
        for spec in specs {
            let index = text(index_spec::name(Doc::new(&spec)?).unwrap_or_default());
            if !collection.add_index(spec) {
                taken.push(index);
            }
        }
        for index in taken {
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
