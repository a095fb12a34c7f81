//! `collMod`: what it makes of options and indexes, as a 6.0.5 server was seen to store it.
//!
//! A field that is not known is kept as an option of its name, so that it is shown again.

mod index;
mod time_series;

use super::options::{self, Edits, Value};
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

/// Returns the name of an index that is not there. No server takes a field twice; here the last counts.
fn apply(collection: &mut Collection, o: Doc<'_>) -> Result<Option<String>, EntryProblem> {
    let (mut edits, mut index) = (Edits::new(), None);
    for element in o.elements().skip(1) {
        let element = element?;
        match element.name {
            b"index" => index = Some(document(element, "index")?),
            _ => option(&collection.options, element, &mut edits)?,
        }
    }
    default_validation(Doc::new(&collection.options)?, &mut edits)?;
    collection.options = edits.apply(&collection.options, &options::ORDER)?;
    index.map_or(Ok(None), |index| index::change(collection, index))
}

/// Whoever touches validation gets level and action stored too, even without a validator.
fn default_validation(options: Doc<'_>, edits: &mut Edits<'_>) -> Result<(), EntryProblem> {
    let touched = [b"validator".as_slice(), b"validationLevel", b"validationAction"];
    if touched.iter().any(|name| edits.has(name)) {
        for (name, value) in [("validationLevel", "strict"), ("validationAction", "error")] {
            if !edits.has(name.as_bytes()) && options.get(name)?.is_none() {
                edits.set(name.as_bytes(), Value::text(value));
            }
        }
    }
    Ok(())
}

/// One field that is about the collection itself.
fn option<'o>(options: &[u8], element: Element<'o>, edits: &mut Edits<'o>) -> Result<(), EntryProblem> {
    let change = match element.name {
        b"validator" => (!document(element, "validator")?.is_empty()).then(|| Value::of(element)),
        b"cappedSize" => {
            edits.set(b"size", capped_size(element)?);
            return Ok(());
        }
        b"cappedMax" => {
            edits.set(b"max", capped_max(element)?);
            return Ok(());
        }
        b"expireAfterSeconds" => expire_after(element)?,
        b"timeseries" => time_series::change(options, document(element, "timeseries")?)?,
        b"changeStreamPreAndPostImages" => {
            let enabled = document(element, "changeStreamPreAndPostImages")?.get("enabled")?;
            enabled.and_then(Element::as_bool).unwrap_or(false).then(|| Value::of(element))
        }
        b"recordPreImages" => element.as_bool().unwrap_or(false).then(|| Value::of(element)),
        name if is_no_option(name) => return Ok(()),
        _ => Some(Value::of(element)),
    };
    edits.put(element.name, change);
    Ok(())
}

/// Flags of old storage engines, what belongs to the request, the definition of a view, and what servers keep
/// beside the options.
fn is_no_option(name: &[u8]) -> bool {
    let known: [&[u8]; 13] = [
        b"noPadding",
        b"usePowerOf2Sizes",
        b"viewOn",
        b"pipeline",
        b"dryRun",
        b"lsid",
        b"txnNumber",
        b"writeConcern",
        b"comment",
        b"maxTimeMS",
        b"isTimeseriesNamespace",
        b"timeseriesBucketsMayHaveMixedSchemaData",
        b"_removeLegacyTimeseriesBucketingParametersHaveChanged",
    ];
    name.starts_with(b"$") || known.contains(&name)
}

fn document<'a>(element: Element<'a>, field: &'static str) -> Result<Doc<'a>, EntryProblem> {
    element.as_object().ok_or(EntryProblem::Field { field })
}

fn whole(element: Element<'_>, field: &'static str) -> Result<i64, EntryProblem> {
    element.as_integer().ok_or(EntryProblem::Field { field })
}

/// Rounded up to a multiple of 256, as servers before 6.2 do it; the entry has it as the user gave it. Newer ones
/// do not round, but an entry does not say who wrote it: of theirs the size that is shown may be up to 255 bytes
/// too large, which costs a few bytes and loses no document.
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
