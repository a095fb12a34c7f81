//! An `_id` that can be a key of an ordered map, in MongoDB's order.

use super::compare;
use crate::raw::{self, Element};
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;
use tidemark_base::codec::CodecError;

/// Owns the type byte and the bytes of an `_id`. Equality is MongoDB's: 1 and 1.0 are one key.
///
/// Cheap to clone. Keeps the spelling it was made from.
#[derive(Clone)]
pub struct IdKey {
    kind: u8,
    value: Arc<[u8]>,
}

impl IdKey {
    /// Makes a key; the value is checked to the bottom, so that comparing cannot fail.
    ///
    /// # Errors
    /// If the bytes are not exactly one value of that type.
    pub fn new(kind: u8, value: &[u8]) -> Result<Self, CodecError> {
        raw::check_value(kind, value)?;
        Ok(Self { kind, value: value.into() })
    }

    /// The key of an element's value.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn of(element: Element<'_>) -> Result<Self, CodecError> {
        Self::new(element.kind, element.value)
    }

    /// The key of a document: its first `_id`, or `None` if it has none.
    ///
    /// # Errors
    /// If the document is broken before its `_id`, or the `_id` is.
    pub fn of_document(document: &[u8]) -> Result<Option<Self>, CodecError> {
        raw::id(document)?.map(Self::of).transpose()
    }

    /// The type byte.
    #[must_use]
    pub const fn kind(&self) -> u8 {
        self.kind
    }

    /// The value's bytes.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        &self.value
    }
}

impl Ord for IdKey {
    fn cmp(&self, other: &Self) -> Ordering {
        compare((self.kind, &self.value), (other.kind, &other.value)).expect("checked when the key was made")
    }
}

impl PartialOrd for IdKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for IdKey {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for IdKey {}

impl fmt::Display for IdKey {
    /// The value as the `bson` crate shows it, or in hexadecimal if it cannot read it; and the type byte.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut document = Vec::new();
        crate::generate::writer::document(&mut document, |w| w.raw(self.kind, "", &self.value));
        let read = bson::Document::from_reader(document.as_slice()).ok();
        match read.as_ref().and_then(|document| document.values().next()) {
            Some(value) => write!(f, "{value} (type {:#04x})", self.kind),
            None => write!(f, "{} (type {:#04x})", hex::encode(&self.value), self.kind),
        }
    }
}

impl fmt::Debug for IdKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdKey({self})")
    }
}
