//! Index specifications as `listIndexes` shows them, which is not as entries hold them.
//!
//! Since 5.0 the reply of `listIndexes` is made by MongoDB's IDL (`list_indexes.idl`): fields stand in its
//! order, and numbers and flags have its types. Copies are made from such replies, so what entries bring is
//! put into the same form, and equal indexes are equal bytes. Order and types were observed on 6.0.5.

use super::options::{self, Edits};
use tidemark_base::bson::{Doc, DocWriter, Element, kind};
use tidemark_base::codec::CodecError;

/// Known fields in their order. Fields that are not known follow, as they are.
const ORDER: [&str; 26] = [
    "v",
    "key",
    "name",
    "ns",
    "background",
    "unique",
    "hidden",
    "partialFilterExpression",
    "sparse",
    "expireAfterSeconds",
    "storageEngine",
    "weights",
    "default_language",
    "language_override",
    "textIndexVersion",
    "2dsphereIndexVersion",
    "bits",
    "min",
    "max",
    "bucketSize",
    "collation",
    "wildcardProjection",
    "columnstoreProjection",
    "originalSpec",
    "prepareUnique",
    "clustered",
];

/// The index's name.
pub(super) fn name(spec: Doc<'_>) -> Option<&[u8]> {
    spec.get("name").ok()??.as_text()
}

/// Whether it is the index on `_id` alone, or the made-up row of a clustered collection.
pub(super) fn is_id_index(spec: Doc<'_>) -> bool {
    let key = spec.get("key").ok().flatten().and_then(Element::as_object);
    let mut fields = key.iter().flat_map(|key| key.elements());
    let first = matches!(fields.next(), Some(Ok(field)) if field.name == b"_id" && is_ascending(field));
    first && fields.next().is_none()
}

fn is_ascending(field: Element<'_>) -> bool {
    field.as_integer() == Some(1) || field.as_double() == Some(1.0)
}

/// The specification that these fields are, as `listIndexes` shows it.
pub(super) fn normal_form<'a>(
    fields: impl Iterator<Item = Result<Element<'a>, CodecError>>,
) -> Result<Vec<u8>, CodecError> {
    let mut fields = fields.collect::<Result<Vec<_>, _>>()?;
    fields.retain(|field| !options::is_of_a_node(field.name));
    let rank = |name: &[u8]| ORDER.iter().position(|known| known.as_bytes() == name);
    fields.sort_by_key(|field| rank(field.name).unwrap_or(ORDER.len()));
    let mut out = Vec::new();
    let mut w = DocWriter::new(&mut out);
    let open = w.begin();
    fields.into_iter().for_each(|field| write(&mut w, field));
    w.end(open);
    Ok(out)
}

fn write(w: &mut DocWriter<'_>, field: Element<'_>) {
    let number = number(field);
    match (field.name, number) {
        (b"background" | b"unique" | b"hidden" | b"sparse" | b"prepareUnique", Some(number)) => {
            w.bool(field.name, number.is_true());
        }
        (
            b"v" | b"expireAfterSeconds" | b"textIndexVersion" | b"2dsphereIndexVersion" | b"bits",
            Some(number),
        ) => w.int32(field.name, number.to_i32()),
        (b"min" | b"max", Some(number)) => {
            w.raw(kind::DOUBLE, field.name, &number.to_f64().to_le_bytes());
        }
        _ => w.element(field),
    }
}

/// A number, before it is given the type that the IDL wants.
#[derive(Clone, Copy, Debug)]
enum Number {
    Integer(i64),
    Double(f64),
}

fn number(field: Element<'_>) -> Option<Number> {
    field.as_integer().map(Number::Integer).or_else(|| field.as_double().map(Number::Double))
}

impl Number {
    fn is_true(self) -> bool {
        match self {
            Self::Integer(value) => value != 0,
            Self::Double(value) => value != 0.0,
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "what is out of range becomes the limit, as on the server"
    )]
    const fn to_i32(self) -> i32 {
        match self {
            Self::Integer(value) if value > i32::MAX as i64 => i32::MAX,
            Self::Integer(value) if value < i32::MIN as i64 => i32::MIN,
            Self::Integer(value) => value as i32,
            Self::Double(value) => value as i32,
        }
    }

    const fn to_f64(self) -> f64 {
        match self {
            Self::Integer(value) => value as f64,
            Self::Double(value) => value,
        }
    }
}

/// The specification with these changes.
pub(super) fn edited(spec: &[u8], edits: Edits<'_>) -> Result<Vec<u8>, CodecError> {
    let edited = edits.apply(spec, &ORDER)?;
    normal_form(Doc::new(&edited)?.elements())
}

/// The row that `listIndexes` makes up for a clustered collection.
pub(super) fn of_clustered(spec: Doc<'_>, collation: Option<Element<'_>>) -> Result<Vec<u8>, CodecError> {
    let mut out = Vec::new();
    let mut w = DocWriter::new(&mut out);
    let open = w.begin();
    for element in spec.elements() {
        w.element(element?);
    }
    if let Some(collation) = collation {
        w.element(collation);
    }
    w.bool(b"clustered", true);
    w.end(open);
    Ok(out)
}

/// The index on `_id` of a collection whose `create` entry has no `idIndex`.
pub(super) fn old_id_index() -> Vec<u8> {
    let mut out = Vec::new();
    let mut w = DocWriter::new(&mut out);
    let open = w.begin();
    w.int32(b"v", 1);
    let key = w.begin_field(kind::OBJECT, b"key");
    w.int32(b"_id", 1);
    w.end(key);
    w.string(b"name", b"_id_");
    w.end(open);
    out
}
