//! Little-endian reading and writing of formats written by hand, with a limit on every length.
//!
//! Every decoder of bytes from outside is built on [`Reader`]: it never panics, never reads past its input,
//! and a length is compared with the caller's limit and with what is left *before* anything is allocated.
//! Encoders append to a `Vec<u8>` through [`Put`]. Layouts are described in `docs/format.md`.

#![warn(clippy::indexing_slicing)]

/// Why bytes could not be decoded: what was being read, where, and what was wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {offset}: {problem}")]
pub struct CodecError {
    /// The field or structure that was being read.
    pub what: &'static str,
    /// Offset from the start of the reader's input, in bytes.
    pub offset: usize,
    /// What was wrong.
    pub problem: CodecProblem,
}

/// The ways in which bytes can be wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecProblem {
    /// The input ends too early.
    #[error("needs {needed} bytes, {left} are left")]
    Truncated {
        /// Bytes the field needs.
        needed: usize,
        /// Bytes that are left.
        left: usize,
    },
    /// A length or count is over its limit.
    #[error("{value} is over the limit of {limit}")]
    OverLimit {
        /// The value found.
        value: u64,
        /// The largest accepted value.
        limit: u64,
    },
    /// The value has no meaning here.
    #[error("value {value:#x} is not known")]
    Unknown {
        /// The value found.
        value: u64,
    },
    /// Bytes follow where the structure should have ended.
    #[error("{extra} bytes too many")]
    Trailing {
        /// How many bytes follow.
        extra: usize,
    },
    /// A text is not valid UTF-8.
    #[error("not valid UTF-8")]
    NotUtf8,
}

/// A cursor over bytes from outside.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    input: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the first byte of `input`.
    #[must_use]
    pub const fn new(input: &'a [u8]) -> Self {
        Self { input, offset: 0 }
    }

    /// Bytes read so far.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// Bytes not yet read.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.input.get(self.offset..).unwrap_or_default()
    }

    /// An error about the field `what` at the current position.
    #[must_use]
    pub const fn error(&self, what: &'static str, problem: CodecProblem) -> CodecError {
        CodecError { what, offset: self.offset, problem }
    }

    /// The next `len` bytes, borrowed from the input.
    ///
    /// # Errors
    /// [`CodecProblem::Truncated`] if fewer are left.
    pub fn bytes(&mut self, what: &'static str, len: usize) -> Result<&'a [u8], CodecError> {
        let rest = self.rest();
        match rest.get(..len) {
            Some(bytes) => {
                self.offset += len;
                Ok(bytes)
            }
            None => Err(self.error(what, CodecProblem::Truncated { needed: len, left: rest.len() })),
        }
    }

    /// The next `N` bytes as an array.
    ///
    /// # Errors
    /// [`CodecProblem::Truncated`] if fewer are left.
    pub fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], CodecError> {
        match self.rest().first_chunk::<N>() {
            Some(bytes) => {
                self.offset += N;
                Ok(*bytes)
            }
            None => Err(self.error(what, CodecProblem::Truncated { needed: N, left: self.rest().len() })),
        }
    }

    /// One byte.
    ///
    /// # Errors
    /// [`CodecProblem::Truncated`] at the end of the input.
    pub fn u8(&mut self, what: &'static str) -> Result<u8, CodecError> {
        let [byte] = self.array(what)?;
        Ok(byte)
    }

    /// Two bytes, little-endian.
    ///
    /// # Errors
    /// [`CodecProblem::Truncated`] if fewer are left.
    pub fn u16(&mut self, what: &'static str) -> Result<u16, CodecError> {
        self.array(what).map(u16::from_le_bytes)
    }

    /// Four bytes, little-endian.
    ///
    /// # Errors
    /// [`CodecProblem::Truncated`] if fewer are left.
    pub fn u32(&mut self, what: &'static str) -> Result<u32, CodecError> {
        self.array(what).map(u32::from_le_bytes)
    }

    /// Eight bytes, little-endian.
    ///
    /// # Errors
    /// [`CodecProblem::Truncated`] if fewer are left.
    pub fn u64(&mut self, what: &'static str) -> Result<u64, CodecError> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// Eight bytes, little-endian, signed.
    ///
    /// # Errors
    /// [`CodecProblem::Truncated`] if fewer are left.
    pub fn i64(&mut self, what: &'static str) -> Result<i64, CodecError> {
        self.array(what).map(i64::from_le_bytes)
    }

    /// A four-byte length or count, refused if it is over `limit`.
    ///
    /// # Errors
    /// [`CodecProblem::Truncated`] or [`CodecProblem::OverLimit`].
    pub fn len_u32(&mut self, what: &'static str, limit: usize) -> Result<usize, CodecError> {
        let at = self.offset;
        let value = self.u32(what)?;
        match usize::try_from(value) {
            Ok(len) if len <= limit => Ok(len),
            _ => Err(CodecError {
                what,
                offset: at,
                problem: CodecProblem::OverLimit { value: u64::from(value), limit: limit as u64 },
            }),
        }
    }

    /// A four-byte length of at most `limit`, and that many bytes.
    ///
    /// # Errors
    /// [`CodecProblem::Truncated`] or [`CodecProblem::OverLimit`].
    pub fn prefixed(&mut self, what: &'static str, limit: usize) -> Result<&'a [u8], CodecError> {
        let len = self.len_u32(what, limit)?;
        self.bytes(what, len)
    }

    /// A four-byte length of at most `limit`, and that many bytes of UTF-8.
    ///
    /// # Errors
    /// [`CodecProblem::Truncated`], [`CodecProblem::OverLimit`] or [`CodecProblem::NotUtf8`].
    pub fn text(&mut self, what: &'static str, limit: usize) -> Result<&'a str, CodecError> {
        let at = self.offset;
        let bytes = self.prefixed(what, limit)?;
        std::str::from_utf8(bytes).map_err(|_| CodecError {
            what,
            offset: at,
            problem: CodecProblem::NotUtf8,
        })
    }

    /// Checks that everything was read.
    ///
    /// # Errors
    /// [`CodecProblem::Trailing`] if bytes are left.
    pub fn finish(&self, what: &'static str) -> Result<(), CodecError> {
        match self.rest().len() {
            0 => Ok(()),
            extra => Err(self.error(what, CodecProblem::Trailing { extra })),
        }
    }
}

/// Appending little-endian values.
pub trait Put {
    /// Appends one byte.
    fn put_u8(&mut self, value: u8);
    /// Appends two bytes.
    fn put_u16(&mut self, value: u16);
    /// Appends four bytes.
    fn put_u32(&mut self, value: u32);
    /// Appends eight bytes.
    fn put_u64(&mut self, value: u64);
    /// Appends eight bytes, signed.
    fn put_i64(&mut self, value: i64);
    /// Appends a four-byte length and the bytes. Panics if they are 4 GiB or more, which is our own bug:
    /// every structure has a limit far below.
    fn put_prefixed(&mut self, bytes: &[u8]);
}

impl Put for Vec<u8> {
    fn put_u8(&mut self, value: u8) {
        self.push(value);
    }
    fn put_u16(&mut self, value: u16) {
        self.extend_from_slice(&value.to_le_bytes());
    }
    fn put_u32(&mut self, value: u32) {
        self.extend_from_slice(&value.to_le_bytes());
    }
    fn put_u64(&mut self, value: u64) {
        self.extend_from_slice(&value.to_le_bytes());
    }
    fn put_i64(&mut self, value: i64) {
        self.extend_from_slice(&value.to_le_bytes());
    }
    fn put_prefixed(&mut self, bytes: &[u8]) {
        self.put_u32(u32::try_from(bytes.len()).expect("encoders stay far below 4 GiB"));
        self.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_put_is_read() {
        let mut bytes = Vec::new();
        bytes.put_u8(7);
        bytes.put_u16(0x0102);
        bytes.put_u32(0x0304_0506);
        bytes.put_u64(u64::MAX - 1);
        bytes.put_i64(-5);
        bytes.put_prefixed("größe".as_bytes());
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.u8("a"), Ok(7));
        assert_eq!(reader.u16("b"), Ok(0x0102));
        assert_eq!(reader.u32("c"), Ok(0x0304_0506));
        assert_eq!(reader.u64("d"), Ok(u64::MAX - 1));
        assert_eq!(reader.i64("e"), Ok(-5));
        assert_eq!(reader.text("f", 100), Ok("größe"));
        assert_eq!(reader.finish("all"), Ok(()));
    }

    #[test]
    fn a_hostile_length_is_refused_before_anything_is_read() {
        let bytes = u32::MAX.to_le_bytes();
        let error = Reader::new(&bytes).prefixed("name", 1024).expect_err("over the limit");
        assert_eq!(error.to_string(), "name at byte 0: 4294967295 is over the limit of 1024");
    }

    #[test]
    fn a_short_input_says_what_is_missing_and_where() {
        let mut reader = Reader::new(&[1, 2, 3]);
        assert_eq!(reader.u8("first"), Ok(1));
        let error = reader.u32("second").expect_err("too short");
        assert_eq!(error.to_string(), "second at byte 1: needs 4 bytes, 2 are left");
        assert_eq!(reader.offset(), 1, "a failed read consumes nothing");
    }

    #[test]
    fn trailing_bytes_are_an_error() {
        let error = Reader::new(&[0, 0]).finish("header").expect_err("two bytes left");
        assert_eq!(error.problem, CodecProblem::Trailing { extra: 2 });
    }

    proptest! {
        #[test]
        fn arbitrary_input_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64), limit in 0usize..64) {
            let mut reader = Reader::new(&bytes);
            while reader.text("field", limit).is_ok() && !reader.rest().is_empty() {}
            prop_assert!(reader.offset() <= bytes.len());
        }
    }
}
