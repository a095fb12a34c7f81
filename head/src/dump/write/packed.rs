//! Output that may be gzipped.

use flate2::write::GzEncoder;
use std::io::{self, Write};

/// Whether a dump is gzipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// As it is.
    #[default]
    Plain,
    /// By gzip: an archive as a whole, of a directory each file. The bytes depend on the contents alone.
    Gzip,
}

/// A stream that packs what is written, or does not.
#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "one for each file that is written; how large depends on features of flate2"
)]
pub(super) enum Packed<W: Write> {
    Plain(W),
    Gzip(GzEncoder<W>),
}

impl<W: Write> Packed<W> {
    pub(super) fn new(out: W, compression: Compression) -> Self {
        match compression {
            Compression::Plain => Self::Plain(out),
            // No time and no name in its header.
            Compression::Gzip => Self::Gzip(GzEncoder::new(out, flate2::Compression::default())),
        }
    }

    /// Writes what is left, and gives back what was written to.
    pub(super) fn finish(self) -> io::Result<W> {
        let mut out = match self {
            Self::Plain(out) => out,
            Self::Gzip(encoder) => encoder.finish()?,
        };
        out.flush()?;
        Ok(out)
    }
}

impl<W: Write> Write for Packed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(out) => out.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.flush(),
            Self::Gzip(encoder) => encoder.flush(),
        }
    }
}
