//! Writing BSON bytes directly: a document is a closure that appends its elements.
//!
//! Used by all generators. Lengths are filled in when a closure returns, so that a document cannot be left
//! open; nothing is checked otherwise (names must not hold zero bytes, array elements must be numbered by the
//! caller, for which there is [`Index`]).

use crate::raw::kind;
use std::ops::Deref;

/// Appends one document to `out`.
pub fn document(out: &mut Vec<u8>, fill: impl FnOnce(&mut Writer<'_>)) {
    nest(out, fill);
}

#[inline]
fn nest(out: &mut Vec<u8>, fill: impl FnOnce(&mut Writer<'_>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    fill(&mut Writer { out });
    out.push(0);
    fill_length(out, start, 0);
}

/// Writes the number of bytes from `start` on, less `less`, to the four bytes at `start`.
#[inline]
fn fill_length(out: &mut [u8], start: usize, less: usize) {
    let bytes = &mut out[start..];
    let len = u32::try_from(bytes.len() - less).expect("generated documents are far below 4 GiB");
    bytes[..4].copy_from_slice(&len.to_le_bytes());
}

/// An open document.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

impl Writer<'_> {
    #[inline]
    fn head(&mut self, kind: u8, name: &str) {
        self.out.push(kind);
        self.out.extend_from_slice(name.as_bytes());
        self.out.push(0);
    }

    /// Appends an element whose value bytes are at hand.
    #[inline]
    pub fn raw(&mut self, kind: u8, name: &str, value: &[u8]) {
        self.head(kind, name);
        self.out.extend_from_slice(value);
    }

    /// Appends a double.
    #[inline]
    pub fn f64(&mut self, name: &str, value: f64) {
        self.raw(kind::DOUBLE, name, &value.to_le_bytes());
    }

    /// Appends a string.
    #[inline]
    pub fn str(&mut self, name: &str, value: &str) {
        self.text(name, |out| out.extend_from_slice(value.as_bytes()));
    }

    /// Appends a string of several pieces.
    #[inline]
    pub fn strs(&mut self, name: &str, pieces: &[&str]) {
        self.text(name, |out| pieces.iter().for_each(|piece| out.extend_from_slice(piece.as_bytes())));
    }

    /// Appends a string that `fill` writes; it must be UTF-8.
    #[inline]
    pub fn text(&mut self, name: &str, fill: impl FnOnce(&mut Vec<u8>)) {
        self.head(kind::STRING, name);
        let start = self.out.len();
        self.out.extend_from_slice(&[0; 4]);
        fill(self.out);
        self.out.push(0);
        fill_length(self.out, start, 4);
    }

    /// Appends a document.
    #[inline]
    pub fn object(&mut self, name: &str, fill: impl FnOnce(&mut Writer<'_>)) {
        self.head(kind::OBJECT, name);
        nest(self.out, fill);
    }

    /// Appends an array; `fill` names the elements "0", "1", …: see [`Index`].
    #[inline]
    pub fn array(&mut self, name: &str, fill: impl FnOnce(&mut Writer<'_>)) {
        self.head(kind::ARRAY, name);
        nest(self.out, fill);
    }

    /// Appends binary data.
    #[inline]
    pub fn binary(&mut self, name: &str, subtype: u8, bytes: &[u8]) {
        self.head(kind::BINARY, name);
        let len = u32::try_from(bytes.len()).expect("generated documents are far below 4 GiB");
        self.out.extend_from_slice(&len.to_le_bytes());
        self.out.push(subtype);
        self.out.extend_from_slice(bytes);
    }

    /// Appends an ObjectId.
    #[inline]
    pub fn object_id(&mut self, name: &str, value: [u8; 12]) {
        self.raw(kind::OBJECT_ID, name, &value);
    }

    /// Appends a boolean.
    #[inline]
    pub fn bool(&mut self, name: &str, value: bool) {
        self.raw(kind::BOOL, name, &[value.into()]);
    }

    /// Appends a date in milliseconds since 1970.
    #[inline]
    pub fn date(&mut self, name: &str, millis: i64) {
        self.raw(kind::DATE, name, &millis.to_le_bytes());
    }

    /// Appends null.
    #[inline]
    pub fn null(&mut self, name: &str) {
        self.raw(kind::NULL, name, &[]);
    }

    /// Appends a 32-bit integer.
    #[inline]
    pub fn i32(&mut self, name: &str, value: i32) {
        self.raw(kind::INT32, name, &value.to_le_bytes());
    }

    /// Appends a timestamp.
    #[inline]
    pub fn timestamp(&mut self, name: &str, value: tidemark_base::Timestamp) {
        self.raw(kind::TIMESTAMP, name, &value.to_u64().to_le_bytes());
    }

    /// Appends a 64-bit integer.
    #[inline]
    pub fn i64(&mut self, name: &str, value: i64) {
        self.raw(kind::INT64, name, &value.to_le_bytes());
    }

    /// Appends a decimal128 of `coefficient × 10^exponent`; the exponent must be in -6176..=6111.
    #[inline]
    pub fn decimal(&mut self, name: &str, coefficient: u64, exponent: i16) {
        self.raw(kind::DECIMAL128, name, &decimal128(coefficient, exponent));
    }
}

/// The bytes of the decimal128 `coefficient × 10^exponent`; the exponent must be in -6176..=6111.
#[must_use]
pub fn decimal128(coefficient: u64, exponent: i16) -> [u8; 16] {
    let biased = u128::try_from(i32::from(exponent) + 6176).expect("the caller keeps to the range");
    (biased << 113 | u128::from(coefficient)).to_le_bytes()
}

/// The name of an array element, and decimal digits in general, without allocating.
#[derive(Clone, Copy, Debug)]
pub struct Index {
    digits: [u8; 21],
    start: usize,
}

impl Index {
    /// The digits of `n`.
    #[must_use]
    #[inline]
    pub fn new(mut n: u64) -> Self {
        let mut index = Self { digits: [b'0'; 21], start: 21 };
        loop {
            index.start -= 1;
            index.digits[index.start] = b'0' + u8::try_from(n % 10).expect("one digit");
            n /= 10;
            if n == 0 {
                return index;
            }
        }
    }

    /// An ASCII letter, then the digits of `n`: the names of array elements in diffs.
    #[must_use]
    #[inline]
    pub fn with_prefix(letter: u8, n: u64) -> Self {
        let mut index = Self::new(n);
        index.start -= 1;
        index.digits[index.start] = letter.min(0x7f);
        index
    }

    /// The digits of `n` with zeros in front, at least `width` (up to 21).
    #[must_use]
    #[inline]
    pub fn padded(n: u64, width: usize) -> Self {
        let index = Self::new(n);
        Self { start: index.start.min(21 - width.min(21)), ..index }
    }
}

impl Deref for Index {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        std::str::from_utf8(&self.digits[self.start..]).expect("ASCII")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bson::{Bson, doc};

    #[test]
    fn what_is_written_is_what_the_bson_crate_reads() {
        let mut bytes = Vec::new();
        document(&mut bytes, |w| {
            w.i32("a", -1);
            w.strs("s", &["grü", "n"]);
            w.array("l", |w| {
                w.i64(&Index::new(0), 5);
                w.object(&Index::new(1), |w| w.bool("yes", true));
            });
            w.date("d", 1000);
            w.f64("f", 0.5);
            w.null("n");
            w.binary("b", 4, &[1; 16]);
            w.decimal("m", 1234, -2);
            w.object_id("o", [3; 12]);
            w.timestamp("t", tidemark_base::Timestamp { secs: 7, ordinal: 9 });
        });
        let read = bson::Document::from_reader(bytes.as_slice()).unwrap();
        let expected = doc! {
            "a": -1, "s": "grün", "l": [5_i64, { "yes": true }], "d": bson::DateTime::from_millis(1000),
            "f": 0.5, "n": Bson::Null, "b": bson::Uuid::from_bytes([1; 16]),
            "m": "12.34".parse::<bson::Decimal128>().unwrap(), "o": bson::oid::ObjectId::from_bytes([3; 12]),
            "t": bson::Timestamp { time: 7, increment: 9 },
        };
        assert_eq!(read, expected);
        assert_eq!(read.to_vec().unwrap(), bytes);
    }

    #[test]
    fn digits_are_those_of_the_number() {
        assert_eq!(&*Index::new(0), "0");
        assert_eq!(&*Index::new(u64::MAX), u64::MAX.to_string());
        assert_eq!(&*Index::padded(42, 6), "000042");
        assert_eq!(&*Index::padded(1_234_567, 3), "1234567");
    }
}
