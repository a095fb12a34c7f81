//! Input that may be gzipped, by its first bytes.

use flate2::read::MultiGzDecoder;
use std::io::{self, Cursor, Read};

/// A stream whose first bytes were looked at.
pub(super) type Seen<R> = io::Chain<Cursor<Vec<u8>>, R>;

/// A stream that is unpacked, or does not need to be.
#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "one for each file that is read; how large depends on features of flate2"
)]
pub(super) enum Unpacked<R: Read> {
    Plain(Seen<R>),
    // Several packed streams one after another are one: that is how some tools write in parallel.
    Gzip(MultiGzDecoder<Seen<R>>),
}

/// How many bytes are looked at.
const LOOK_BYTES: u64 = 5;

impl<R: Read> Unpacked<R> {
    /// Looks at the first bytes and decides by them.
    pub(super) fn new(mut source: R, is_gzip: impl FnOnce(&[u8]) -> bool) -> io::Result<Self> {
        let mut first = Vec::new();
        source.by_ref().take(LOOK_BYTES).read_to_end(&mut first)?;
        let packed = is_gzip(&first);
        let seen = Cursor::new(first).chain(source);
        Ok(if packed { Self::Gzip(MultiGzDecoder::new(seen)) } else { Self::Plain(seen) })
    }
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(source) => source.read(into),
            Self::Gzip(decoder) => decoder.read(into),
        }
    }
}

/// Whether it begins as gzip does: its magic, and its only method.
pub(super) fn is_gzip(first: &[u8]) -> bool {
    first.starts_with(&[0x1f, 0x8b, 8])
}

/// Whether it begins as gzip does and not as BSON: a document of just such a length is possible, but the byte
/// after a length is the type of the first field. mongodump's packer puts the first byte of the time zero
/// there.
pub(super) fn is_gzip_not_bson(first: &[u8]) -> bool {
    is_gzip(first) && first.get(4) == Some(&0)
}
