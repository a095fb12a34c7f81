//! `collMod` of one index.

use super::super::options::Value;
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
    for element in index.elements() {
        let element = element?;
        let flag = element.as_bool().unwrap_or(false);
        *spec = match element.name {
            b"expireAfterSeconds" => index_spec::set(spec, "expireAfterSeconds", &Value::of(element))?,
            b"hidden" => set_flag(spec, "hidden", flag)?,
            b"prepareUnique" => set_flag(spec, "prepareUnique", flag)?,
            b"unique" if flag => set_flag(&index_spec::remove(spec, "prepareUnique")?, "unique", true)?,
            // 6.1 and later.
            b"forceNonUnique" if flag => index_spec::remove(spec, "unique")?,
            _ => continue,
        };
    }
    Ok(None)
}

fn key_of(spec: &[u8]) -> Option<&[u8]> {
    Some(Doc::new(spec).ok()?.get("key").ok()??.value)
}

/// A flag that is not set is not shown.
fn set_flag(spec: &[u8], name: &str, flag: bool) -> Result<Vec<u8>, EntryProblem> {
    Ok(match flag {
        true => index_spec::set(spec, name, &Value::bool(true))?,
        false => index_spec::remove(spec, name)?,
    })
}
