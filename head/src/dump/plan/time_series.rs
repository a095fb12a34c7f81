//! Time-series collections: what the catalog knows of their buckets, said as users see it.
//!
//! A dump describes the collection that users made; a server makes that of the buckets itself, with its
//! validator and the translated indexes, when the dump is restored. The translation of index keys back is that
//! which a server does for listIndexes; a key that users cannot have made is not listed there either.

use super::{BUCKETS, filtered};
use crate::dump::{Kind, Namespace};
use tidemark_base::bson::{Doc, DocWriter, Element, kind};
use tidemark_base::codec::CodecError;
use tidemark_oplog::catalog::Collection;

/// The options that users may give; the others are made by the server.
const OPTIONS: [&str; 5] =
    ["storageEngine", "indexOptionDefaults", "collation", "timeseries", "expireAfterSeconds"];
/// Where the server keeps the specification of an index that cannot be translated back.
const ORIGINAL: &str = "originalSpec";

/// The collection of these buckets.
pub(super) fn namespace(buckets: &Collection) -> Result<Namespace, CodecError> {
    let options = filtered(&buckets.options, |name| OPTIONS.iter().any(|it| it.as_bytes() == name))?;
    let fields = Fields::of(Doc::new(&options)?)?;
    let mut indexes = Vec::new();
    for spec in &buckets.indexes {
        indexes.extend(index(&fields, Doc::new(spec)?)?);
    }
    // From server 8.3 on the collection has its documents under its own name.
    let collection = buckets.name.strip_prefix(BUCKETS).unwrap_or(&buckets.name).to_owned();
    let database = buckets.database.clone();
    Ok(Namespace { database, collection, kind: Kind::TimeSeries, uuid: None, options, indexes })
}

/// The names that the translation needs.
struct Fields {
    time: Vec<u8>,
    meta: Option<Vec<u8>>,
}

impl Fields {
    fn of(options: Doc<'_>) -> Result<Self, CodecError> {
        let series = options.get("timeseries")?.and_then(Element::as_object).unwrap_or(Doc::EMPTY);
        let text = |name| Ok(series.get(name)?.and_then(Element::as_text).map(<[u8]>::to_vec));
        Ok(Self { time: text("timeField")?.unwrap_or_default(), meta: text("metaField")? })
    }
}

/// The specification as users see it; none if they cannot have made it.
fn index(fields: &Fields, spec: Doc<'_>) -> Result<Option<Vec<u8>>, CodecError> {
    if let Some(original) = spec.get(ORIGINAL)?.and_then(Element::as_object) {
        return version_first(original).map(Some);
    }
    let mut out = Vec::new();
    let mut w = DocWriter::new(&mut out);
    let open = w.begin();
    for element in spec.elements() {
        let element = element?;
        match element.as_object().filter(|_| element.name == b"key") {
            None => w.element(element),
            Some(buckets_key) => {
                let Some(translated) = key(fields, buckets_key)? else { return Ok(None) };
                w.raw(kind::OBJECT, b"key", &translated);
            }
        }
    }
    w.end(open);
    Ok(Some(out))
}

/// The specification with its version in front, where listIndexes shows it.
fn version_first(spec: Doc<'_>) -> Result<Vec<u8>, CodecError> {
    let mut out = Vec::new();
    let mut w = DocWriter::new(&mut out);
    let open = w.begin();
    if let Some(version) = spec.get("v")? {
        w.element(version);
    }
    for element in spec.elements() {
        let element = element?;
        if element.name != b"v" {
            w.element(element);
        }
    }
    w.end(open);
    Ok(out)
}

/// A key of buckets as users see it.
fn key(fields: &Fields, buckets_key: Doc<'_>) -> Result<Option<Vec<u8>>, CodecError> {
    let mut out = Vec::new();
    let mut w = DocWriter::new(&mut out);
    let open = w.begin();
    let mut elements = buckets_key.elements();
    while let Some(element) = elements.next().transpose()? {
        let Element { kind, name, value } = element;
        if let Some(meta) = &fields.meta
            && let Some(below) = name.strip_prefix(b"meta")
            && (below.is_empty() || below.starts_with(b"."))
        {
            w.raw(kind, &[meta.as_slice(), below].concat(), value);
            continue;
        }
        if let Some(field) = name.strip_prefix(b"data.")
            && element.as_text() == Some(b"2dsphere_bucket")
        {
            w.string(field, b"2dsphere");
            continue;
        }
        // For the time, the least of each bucket says all.
        if name.strip_prefix(b"control.max.") == Some(fields.time.as_slice()) {
            continue;
        }
        if name.strip_prefix(b"control.min.") == Some(fields.time.as_slice()) {
            w.raw(kind, &fields.time, value);
            continue;
        }
        // Any other field of the measurements has two, of the least and the largest value of each bucket,
        // and which of them is first says the direction.
        let Some(second) = elements.next().transpose()? else { return Ok(None) };
        let Some(field) = measured(element, second) else { return Ok(None) };
        w.raw(kind, field, value);
    }
    w.end(open);
    Ok(Some(out))
}

/// The field of which these are the least and the largest value.
fn measured<'a>(first: Element<'a>, second: Element<'a>) -> Option<&'a [u8]> {
    let direction = direction(first)?;
    let (of_first, of_second): (&[u8], &[u8]) =
        if direction { (b"control.min.", b"control.max.") } else { (b"control.max.", b"control.min.") };
    let field = first.name.strip_prefix(of_first)?;
    let is_pair =
        second.name.strip_prefix(of_second) == Some(field) && self::direction(second) == Some(direction);
    is_pair.then_some(field)
}

/// Whether the key ascends.
fn direction(element: Element<'_>) -> Option<bool> {
    let number = match element.kind {
        kind::DOUBLE => element.as_double()?,
        // Only the sign matters.
        kind::INT32 | kind::INT64 => {
            if element.as_integer()? < 0 {
                -1.0
            } else {
                1.0
            }
        }
        _ => return None,
    };
    Some(number >= 0.0)
}
