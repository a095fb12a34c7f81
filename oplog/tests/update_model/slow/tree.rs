//! Documents as plain trees: lists of names and values, arrays with the names their elements have.
//!
//! Read with the walker of the testkit, which is not the one under test.

use tidemark_base::codec::CodecError;
use tidemark_testkit::raw::{self, kind};

pub(crate) type Fields = Vec<(Vec<u8>, Value)>;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Object(Fields),
    Array(Fields),
    /// Any other value: its type and its bytes.
    Plain(u8, Vec<u8>),
}

pub(crate) const NULL: Value = Value::Plain(kind::NULL, Vec::new());

/// Why an update is refused. The model does not say more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused;

pub(crate) fn decode(document: &[u8]) -> Result<Fields, CodecError> {
    let mut fields = Vec::new();
    for element in raw::elements(document)? {
        let element = element?;
        let value = match element.kind {
            kind::OBJECT => Value::Object(decode(element.value)?),
            kind::ARRAY => Value::Array(decode(element.value)?),
            other => Value::Plain(other, element.value.to_vec()),
        };
        fields.push((element.name.to_vec(), value));
    }
    Ok(fields)
}

pub(crate) fn encode(fields: &Fields) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in fields {
        let (kind, bytes) = match value {
            Value::Object(fields) => (kind::OBJECT, encode(fields)),
            Value::Array(fields) => (kind::ARRAY, encode(fields)),
            Value::Plain(kind, bytes) => (*kind, bytes.clone()),
        };
        body.push(kind);
        body.extend_from_slice(name);
        body.push(0);
        body.extend_from_slice(&bytes);
    }
    let len = u32::try_from(body.len() + 5).expect("documents are far below 4 GiB");
    [&len.to_le_bytes(), body.as_slice(), &[0]].concat()
}

/// The first field of a name.
pub(crate) fn get<'f>(fields: &'f Fields, name: &[u8]) -> Option<&'f Value> {
    fields.iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

/// An array numbered from 0.
pub(crate) fn numbered(values: impl IntoIterator<Item = Value>) -> Fields {
    values.into_iter().enumerate().map(|(at, value)| (at.to_string().into_bytes(), value)).collect()
}

impl Value {
    /// The number in an int of either width.
    pub(crate) fn integer(&self) -> Option<i64> {
        match self {
            Self::Plain(kind::INT32, bytes) => {
                bytes.as_slice().try_into().ok().map(i32::from_le_bytes).map(i64::from)
            }
            Self::Plain(kind::INT64, bytes) => bytes.as_slice().try_into().ok().map(i64::from_le_bytes),
            _ => None,
        }
    }

    /// The number in a double.
    pub(crate) fn double(&self) -> Option<f64> {
        match self {
            Self::Plain(kind::DOUBLE, bytes) => bytes.as_slice().try_into().ok().map(f64::from_le_bytes),
            _ => None,
        }
    }

    /// The fields of an object.
    pub(crate) const fn object(&self) -> Option<&Fields> {
        match self {
            Self::Object(fields) => Some(fields),
            _ => None,
        }
    }

    /// Type and length of the value's bytes.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Object(fields) | Self::Array(fields) => encode(fields).len(),
            Self::Plain(_, bytes) => bytes.len(),
        }
    }
}
