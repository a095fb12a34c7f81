//! `collMod` of the buckets of a time-series collection: granularity, or spans as such.

use super::super::options::{Edits, Value};
use crate::EntryProblem;
use tidemark_base::bson::Doc;

/// The fields within `timeseries`, in the server's order.
const TIME_SERIES: [&str; 5] =
    ["timeField", "metaField", "granularity", "bucketRoundingSeconds", "bucketMaxSpanSeconds"];

/// A granularity brings its span with it. Spans given as such (6.3 and later) replace the granularity.
pub(super) fn change(options: &[u8], change: Doc<'_>) -> Result<Option<Value>, EntryProblem> {
    let Some(present) = Doc::new(options)?.get("timeseries")? else { return Ok(None) };
    let present = super::document(present, "timeseries")?;
    let mut edits = Edits::new();
    if let Some(granularity) = change.get("granularity")? {
        let span = match granularity.as_text() {
            Some(b"seconds") => 3600,
            Some(b"minutes") => 86_400,
            Some(b"hours") => 2_592_000,
            _ => return Err(EntryProblem::Field { field: "timeseries.granularity" }),
        };
        edits.set(b"granularity", Value::of(granularity));
        edits.set(b"bucketMaxSpanSeconds", Value::number(span));
    } else if change.get("bucketMaxSpanSeconds")?.is_some() {
        edits.remove(b"granularity");
    }
    for name in ["bucketRoundingSeconds", "bucketMaxSpanSeconds"] {
        if let Some(value) = change.get(name)? {
            edits.set(name.as_bytes(), Value::of(value));
        }
    }
    Ok(Some(Value::document(edits.apply(present.as_bytes(), &TIME_SERIES)?)))
}
