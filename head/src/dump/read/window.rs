//! A window over a stream: what has been read and not yet used.
//!
//! It grows with what arrives, never by a length that somebody states, and no further than one document and
//! one piece.

use crate::dump::{DumpError, Problem};
use std::io::{self, Read};
use std::ops::Range;
use tidemark_base::bson::Doc;
use tidemark_base::codec::{CodecError, CodecProblem};
use tidemark_base::limits::MAX_BSON_BYTES;

/// How much is read at once, and about how much documents come at once.
const PIECE_BYTES: usize = 512 << 10;

/// A stream and the bytes of it at hand.
#[derive(Debug)]
pub(super) struct Window<R> {
    source: R,
    /// What it is, for messages.
    place: String,
    buffer: Vec<u8>,
    /// How much of the buffer was used.
    used: usize,
    /// Where the buffer begins in the stream.
    offset: u64,
    /// Where in the stream that begins which was taken last.
    taken_at: u64,
    at_end: bool,
}

impl<R: Read> Window<R> {
    pub(super) const fn new(source: R, place: String) -> Self {
        Self { source, place, buffer: Vec::new(), used: 0, offset: 0, taken_at: 0, at_end: false }
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }

    fn ready(&self) -> &[u8] {
        self.buffer.get(self.used..).unwrap_or_default()
    }

    /// An error about what comes next.
    pub(super) fn broken(&self, problem: Problem) -> DumpError {
        self.broken_at(0, problem)
    }

    /// An error about what was taken last.
    pub(super) fn broken_before(&self, problem: Problem) -> DumpError {
        DumpError::Broken { place: self.place.clone(), offset: self.taken_at, problem }
    }

    fn broken_at(&self, ahead: usize, problem: Problem) -> DumpError {
        let offset = self.offset + (self.used + ahead) as u64;
        DumpError::Broken { place: self.place.clone(), offset, problem }
    }

    /// Reads until so many bytes are ready; false if the stream ends before.
    fn fill(&mut self, wanted: usize) -> Result<bool, DumpError> {
        if self.ready().len() < wanted && self.used > 0 {
            self.buffer.drain(..self.used);
            self.offset += self.used as u64;
            self.used = 0;
        }
        while self.ready().len() < wanted && !self.at_end {
            let piece = PIECE_BYTES as u64;
            match self.source.by_ref().take(piece).read_to_end(&mut self.buffer) {
                Ok(read) => self.at_end = read < PIECE_BYTES,
                Err(error) => return Err(self.failed(error)),
            }
        }
        Ok(self.ready().len() >= wanted)
    }

    /// What the unpacker says about its input is no failure of reading.
    fn failed(&self, error: io::Error) -> DumpError {
        let at_end = self.ready().len();
        match error.kind() {
            io::ErrorKind::UnexpectedEof => self.broken_at(at_end, Problem::Truncated),
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
                self.broken_at(at_end, Problem::Gzip { words: error.to_string() })
            }
            _ => DumpError::io(&self.place, "read", error),
        }
    }

    /// Whether the stream is used up.
    pub(super) fn is_at_end(&mut self) -> Result<bool, DumpError> {
        self.fill(1).map(|more| !more)
    }

    /// Whether so many bytes are still to come.
    pub(super) fn has(&mut self, bytes: usize) -> Result<bool, DumpError> {
        self.fill(bytes)
    }

    /// Takes these bytes, if they are next; says whether they were.
    pub(super) fn takes(&mut self, bytes: &[u8]) -> Result<bool, DumpError> {
        let found = self.fill(bytes.len())? && self.ready().starts_with(bytes);
        self.used += if found { bytes.len() } else { 0 };
        Ok(found)
    }

    /// Takes one document of at most so many bytes, which must be next.
    pub(super) fn document(&mut self, most_bytes: usize) -> Result<Doc<'_>, DumpError> {
        let len = self.next_len(most_bytes)?;
        let range = self.used..self.used + len;
        if let Err(error) = Doc::new(self.bytes(range.clone())) {
            return Err(self.broken(Problem::Document(error)));
        }
        self.take_to(range.end);
        let bytes = self.buffer.get(range).unwrap_or_default();
        Ok(Doc::new(bytes).unwrap_or(Doc::EMPTY))
    }

    /// Takes documents up to `mark` or the end of the stream, as many as are at hand and about as many as a
    /// piece holds. None if there are none.
    pub(super) fn documents(&mut self, mark: Option<[u8; 4]>) -> Result<Option<Range<usize>>, DumpError> {
        if self.is_at_end()? {
            return Ok(None);
        }
        let is_mark = |bytes: &[u8]| mark.is_some_and(|mark| bytes.starts_with(&mark));
        self.fill(4)?;
        if is_mark(self.ready()) {
            return Ok(None);
        }
        self.next_len(MAX_BSON_BYTES)?;
        let start = self.used;
        let mut end = start;
        loop {
            let rest = self.buffer.get(end..).unwrap_or_default();
            if rest.is_empty() || is_mark(rest) {
                break;
            }
            match Doc::first(rest) {
                Ok((document, _)) => end += document.as_bytes().len(),
                // Whether it is broken or not at hand yet is found out when it is next.
                Err(_) if end > start => break,
                Err(error) => return Err(self.broken(Problem::Document(error))),
            }
        }
        self.take_to(end);
        Ok(Some(start..end))
    }

    fn take_to(&mut self, end: usize) {
        self.taken_at = self.offset + self.used as u64;
        self.used = end;
    }

    /// Bytes that were taken last.
    pub(super) fn bytes(&self, range: Range<usize>) -> &[u8] {
        self.buffer.get(range).unwrap_or_default()
    }

    /// All that is left, if it is no more than so many bytes.
    pub(super) fn rest(&mut self, most_bytes: usize) -> Result<Option<Vec<u8>>, DumpError> {
        let is_more = self.fill(most_bytes.saturating_add(1))?;
        Ok((!is_more).then(|| self.ready().to_vec()))
    }

    /// The length of the document that is next, all of which is at hand then.
    fn next_len(&mut self, most_bytes: usize) -> Result<usize, DumpError> {
        self.fill(4)?;
        let Some(len) = self.ready().first_chunk::<4>() else {
            return Err(self.broken(Problem::Truncated));
        };
        let value = u32::from_le_bytes(*len);
        let wrong = |problem| Problem::Document(CodecError { what: "document length", offset: 0, problem });
        let len = usize::try_from(value).unwrap_or(usize::MAX);
        if len > most_bytes {
            let (value, limit) = (u64::from(value), most_bytes as u64);
            return Err(self.broken(wrong(CodecProblem::OverLimit { value, limit })));
        }
        if len < 5 {
            return Err(self.broken(wrong(CodecProblem::Unknown { value: u64::from(value) })));
        }
        if self.fill(len)? { Ok(len) } else { Err(self.broken(Problem::Truncated)) }
    }
}
