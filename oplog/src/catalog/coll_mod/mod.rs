//! `collMod`: what it makes of options and indexes, as a 6.0.5 server was seen to store it.
//!
//! A field that is not known is kept as an option of its name, so that it is shown again.

mod index;
mod time_series;

use super::options::{self, Value};
use super::{Change, Collection, MisfitKind};
use crate::EntryProblem;
use tidemark_base::bson::{Doc, Element};

impl Change<'_> {
    pub(super) fn coll_mod(&mut self, name: &str, o: Doc<'_>) -> Result<(), EntryProblem> {
        let Some(uuid) = self.find(name) else { return Ok(()) };
        let Some(collection) = self.catalog.collections.get_mut(&uuid) else { return Ok(()) };
        // On a copy, so that a broken command changes nothing.
        let mut changed = collection.clone();
        let missing = apply(&mut changed, o)?;
        *collection = changed;
        if let Some(index) = missing {
            self.misfit(MisfitKind::NoIndex { index }, name, Some(uuid));
        }
        Ok(())
    }
}

/// Returns the name of an index that is not there.
fn apply(collection: &mut Collection, o: Doc<'_>) -> Result<Option<String>, EntryProblem> {
    let mut missing = None;
    let mut validation = false;
    for element in o.elements().skip(1) {
        let element = element?;
        match element.name {
            b"index" => {
                let index = element.as_object().ok_or(EntryProblem::Field { field: "index" })?;
                missing = index::change(collection, index)?;
            }
            b"validator" | b"validationLevel" | b"validationAction" => {
                validation = true;
                option(collection, element)?;
            }
            _ => option(collection, element)?,
        }
    }
    if validation {
        default_validation(collection)?;
    }
    Ok(missing)
}

/// Whoever touches validation gets level and action stored too, even without a validator.
fn default_validation(collection: &mut Collection) -> Result<(), EntryProblem> {
    for (name, value) in [("validationLevel", "strict"), ("validationAction", "error")] {
        if Doc::new(&collection.options)?.get(name)?.is_none() {
            collection.options = options::set(&collection.options, name, &Value::text(value))?;
        }
    }
    Ok(())
}

/// One field that is about the collection itself.
fn option(collection: &mut Collection, element: Element<'_>) -> Result<(), EntryProblem> {
    let change = match element.name {
        b"validator" => match document(element, "validator")?.is_empty() {
            true => None,
            false => Some(Value::of(element)),
        },
        b"cappedSize" => return set(collection, "size", Some(capped_size(element)?)),
        b"cappedMax" => return set(collection, "max", Some(capped_max(element)?)),
        b"expireAfterSeconds" => expire_after(element)?,
        b"timeseries" => {
            let changed = time_series::change(&collection.options, document(element, "timeseries")?)?;
            return set(collection, "timeseries", changed);
        }
        b"changeStreamPreAndPostImages" => {
            let enabled = document(element, "changeStreamPreAndPostImages")?.get("enabled")?;
            enabled.and_then(Element::as_bool).unwrap_or(false).then(|| Value::of(element))
        }
        b"recordPreImages" => element.as_bool().unwrap_or(false).then(|| Value::of(element)),
        // No options: flags of old storage engines, what belongs to the request, the definition of a view,
        // and what servers keep beside the options.
        b"noPadding"
        | b"usePowerOf2Sizes"
        | b"viewOn"
        | b"pipeline"
        | b"dryRun"
        | b"lsid"
        | b"txnNumber"
        | b"writeConcern"
        | b"comment"
        | b"maxTimeMS"
        | b"isTimeseriesNamespace"
        | b"timeseriesBucketsMayHaveMixedSchemaData" => return Ok(()),
        name if name.starts_with(b"$") || name.starts_with(b"_") => return Ok(()),
        _ => Some(Value::of(element)),
    };
    let name = std::str::from_utf8(element.name).map_err(|_| EntryProblem::Field { field: "collMod" })?;
    set(collection, name, change)
}

fn set(collection: &mut Collection, name: &str, value: Option<Value>) -> Result<(), EntryProblem> {
    collection.options = match value {
        Some(value) => options::set(&collection.options, name, &value)?,
        None => options::remove(&collection.options, name)?,
    };
    Ok(())
}

fn document<'a>(element: Element<'a>, field: &'static str) -> Result<Doc<'a>, EntryProblem> {
    element.as_object().ok_or(EntryProblem::Field { field })
}

fn whole(element: Element<'_>, field: &'static str) -> Result<i64, EntryProblem> {
    element.as_integer().ok_or(EntryProblem::Field { field })
}

/// Rounded up to a multiple of 256, as servers before 6.2 do it; the entry has it as the user gave it.
fn capped_size(element: Element<'_>) -> Result<Value, EntryProblem> {
    let size = whole(element, "cappedSize")?.max(0);
    Ok(Value::number(size.checked_add(255).map_or(size, |size| size & !255)))
}

/// No limit is the largest one.
fn capped_max(element: Element<'_>) -> Result<Value, EntryProblem> {
    let max = whole(element, "cappedMax")?;
    Ok(Value::number(if max > 0 { max } else { i64::from(i32::MAX) }))
}

/// A number stays as wide as it is, unlike that of an index.
fn expire_after(element: Element<'_>) -> Result<Option<Value>, EntryProblem> {
    match (element.as_text(), element.as_integer()) {
        (Some(b"off"), _) => Ok(None),
        (None, Some(_)) => Ok(Some(Value::of(element))),
        _ => Err(EntryProblem::Field { field: "expireAfterSeconds" }),
    }
}
