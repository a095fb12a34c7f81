//! `collMod` of the buckets of a time-series collection: granularity, or spans as such.

use super::super::options::{self, Value};
use crate::EntryProblem;
use tidemark_base::bson::Doc;

/// The fields within `timeseries`, in the server's order.
const TIME_SERIES: [&str; 5] =
    ["timeField", "metaField", "granularity", "bucketRoundingSeconds", "bucketMaxSpanSeconds"];

/// A granularity brings its span with it. Spans given as such (6.3 and later) replace the granularity.
pub(super) fn change(options: &[u8], change: Doc<'_>) -> Result<Option<Value>, EntryProblem> {
    let Some(present) = Doc::new(options)?.get("timeseries")? else { return Ok(None) };
    let mut changed = super::document(present, "timeseries")?.as_bytes().to_vec();
    if let Some(granularity) = change.get("granularity")? {
        let span = match granularity.as_text() {
            Some(b"seconds") => 3600,
            Some(b"minutes") => 86_400,
            Some(b"hours") => 2_592_000,
            _ => return Err(EntryProblem::Field { field: "timeseries.granularity" }),
        };
        changed = options::set_ordered(&changed, &TIME_SERIES, "granularity", &Value::of(granularity))?;
        changed = options::set_ordered(&changed, &TIME_SERIES, "bucketMaxSpanSeconds", &Value::number(span))?;
    } else if change.get("bucketMaxSpanSeconds")?.is_some() {
        changed = options::remove(&changed, "granularity")?;
    }
    for name in ["bucketRoundingSeconds", "bucketMaxSpanSeconds"] {
        if let Some(value) = change.get(name)? {
            changed = options::set_ordered(&changed, &TIME_SERIES, name, &Value::of(value))?;
        }
    }
    Ok(Some(Value::document(changed)))
}
