//! `collMod` of one index. What is not known is kept as a field of its specification, so that it is shown again.

use super::super::options::{Edits, Value};
use super::super::{Collection, index_spec, indexes};
use crate::EntryProblem;
use tidemark_base::bson::{Doc, Element};

/// Changes one index; returns its name if it is not there.
pub(super) fn change(collection: &mut Collection, index: Doc<'_>) -> Result<Option<String>, EntryProblem> {
    let (name, key) = (index.get("name")?, index.get("keyPattern")?);
    // Servers log the name, whatever the user gave.
    let wanted = name.or(key).ok_or(EntryProblem::Field { field: "index.name" })?;
    let position = match name.and_then(Element::as_text) {
        Some(name) => collection.index_position(name),
        None => collection.indexes.iter().position(|spec| key_of(spec) == key.map(|key| key.value)),
    };
    let Some(spec) = position.and_then(|position| collection.indexes.get_mut(position)) else {
        return Ok(Some(wanted.as_text().map_or_else(|| format!("{wanted:?}"), indexes::text)));
    };
    let mut edits = Edits::new();
    for element in index.elements() {
        let element = element?;
        let flag = element.as_bool().unwrap_or(false);
        match element.name {
            b"name" | b"keyPattern" => {}
            // The third was the name of the second up to 5.3. A flag that is not set is not shown.
            b"hidden" | b"prepareUnique" | b"disallowNewDuplicateKeys" => {
                edits.put(element.name, flag.then(|| Value::bool(true)));
            }
            b"unique" if flag => {
                edits.set(b"unique", Value::bool(true));
                edits.remove(b"prepareUnique");
                edits.remove(b"disallowNewDuplicateKeys");
            }
            // 6.1 and later.
            b"forceNonUnique" if flag => edits.remove(b"unique"),
            // Servers refuse to switch them off.
            b"unique" | b"forceNonUnique" => {}
            _ => edits.set(element.name, Value::of(element)),
        }
    }
    *spec = index_spec::edited(spec, edits)?;
    Ok(None)
}

fn key_of(spec: &[u8]) -> Option<&[u8]> {
    Some(Doc::new(spec).ok()?.get("key").ok()??.value)
}
