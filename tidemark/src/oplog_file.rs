//! Files of oplog entries: raw BSON documents one behind the other, as `mongodump` writes `oplog.bson`.
//!
//! Plain or gzipped, from a file or a pipe. What comes out is whole documents; what they mean is not looked at.

use crate::exit::Problem;
use anyhow::{Context, Result};
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::path::Path;
use tidemark_base::bson::Doc;
use tidemark_base::limits::MAX_BSON_BYTES;

/// How much is read at once, in bytes.
const BUFFER_BYTES: usize = 1 << 20;
/// The shortest document.
const MIN_BSON_BYTES: usize = 5;

/// Entries being read.
pub(crate) struct OplogFile {
    /// For messages.
    name: String,
    input: Box<dyn Read>,
    /// Where the next entry begins, in bytes of what is read, unpacked.
    offset: u64,
    entry: Vec<u8>,
}

impl OplogFile {
    /// Opens a file; `-` is standard input.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        if path == Path::new("-") {
            let input = io::stdin();
            if input.is_terminal() {
                return Err(
                    Problem::Usage("no oplog comes from a terminal: give files, or a pipe".into()).into()
                );
            }
            return Self::new("standard input", input);
        }
        let file = File::open(path).with_context(|| format!("cannot open {name}"))?;
        if file.metadata().with_context(|| format!("cannot look at {name}"))?.is_dir() {
            return Err(Problem::Usage(format!("{name} is a folder: give the oplog file in it")).into());
        }
        Self::new(&name, file)
    }

    /// Reads what comes from somewhere else.
    pub(crate) fn new(name: &str, input: impl Read + 'static) -> Result<Self> {
        let mut input = BufReader::with_capacity(BUFFER_BYTES, input);
        let first = input.fill_buf().with_context(|| format!("cannot read {name}"))?;
        // A document may have a length of just such bytes, but not this type of its first field.
        let is_gzip = first.starts_with(&[0x1f, 0x8b, 8]) && first.get(4) == Some(&0);
        let input: Box<dyn Read> =
            if is_gzip { Box::new(BufReader::new(MultiGzDecoder::new(input))) } else { Box::new(input) };
        Ok(Self { name: name.to_owned(), input, offset: 0, entry: Vec::new() })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The next entry, and where it begins; none at the end.
    pub(crate) fn next(&mut self) -> Result<Option<(u64, Doc<'_>)>> {
        let at = self.offset;
        if !self.read().map_err(|error| self.told(at, error))? {
            return Ok(None);
        }
        self.offset += self.entry.len() as u64;
        match Doc::new(&self.entry) {
            Ok(entry) => Ok(Some((at, entry))),
            Err(error) => Err(damaged(&self.name, at, &format!("{error}; this is no file of oplog entries"))),
        }
    }

    /// Fills the buffer with one document; says whether there was one.
    fn read(&mut self) -> io::Result<bool> {
        self.entry.clear();
        let head = self.input.by_ref().take(4).read_to_end(&mut self.entry)?;
        if head == 0 {
            return Ok(false);
        }
        let len = <[u8; 4]>::try_from(self.entry.as_slice()).map(u32::from_le_bytes);
        let len = len.map_err(|_| io::Error::from(io::ErrorKind::UnexpectedEof))? as usize;
        if !(MIN_BSON_BYTES..=MAX_BSON_BYTES).contains(&len) {
            let what = format!("no document has {len} bytes; this is no file of oplog entries");
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        let rest = (len - 4) as u64;
        if (self.input.by_ref().take(rest).read_to_end(&mut self.entry)? as u64) < rest {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(true)
    }

    fn told(&self, at: u64, error: io::Error) -> anyhow::Error {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                damaged(&self.name, at, "the file ends within an entry: it was cut")
            }
            // The unpacker's words for damage are these kinds too.
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
                damaged(&self.name, at, &error.to_string())
            }
            _ => anyhow::Error::new(error).context(format!("cannot read {} at byte {at}", self.name)),
        }
    }
}

fn damaged(name: &str, at: u64, what: &str) -> anyhow::Error {
    Problem::Damaged(format!("{name}: at byte {at}: {what}")).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::write::GzEncoder;
    use std::io::{Cursor, Write};

    fn entries() -> Vec<u8> {
        [bson::doc! {"a": 1}, bson::doc! {"b": "x"}].iter().flat_map(|it| it.to_vec().unwrap()).collect()
    }

    fn read(bytes: Vec<u8>) -> Result<Vec<u8>> {
        let mut file = OplogFile::new("file", Cursor::new(bytes))?;
        let mut all = Vec::new();
        while let Some((at, entry)) = file.next()? {
            assert_eq!(at, all.len() as u64);
            all.extend_from_slice(entry.as_bytes());
        }
        Ok(all)
    }

    #[test]
    fn plain_and_gzipped_files_are_read_to_their_end() {
        let plain = entries();
        assert_eq!(read(plain.clone()).unwrap(), plain);
        let mut packed = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(&plain).unwrap();
        let packed = packed.finish().unwrap();
        assert_eq!(read(packed.clone()).unwrap(), plain);
        assert!(read(packed[..packed.len() - 3].to_vec()).is_err());
        assert!(read(Vec::new()).unwrap().is_empty());
    }

    #[test]
    fn every_cut_within_an_entry_is_an_error_that_names_the_place() {
        let plain = entries();
        let second = 12;
        for len in (1..plain.len()).filter(|len| *len != second) {
            let error = read(plain[..len].to_vec()).unwrap_err().to_string();
            let at = if len < second { 0 } else { second };
            assert_eq!(error, format!("file: at byte {at}: the file ends within an entry: it was cut"));
        }
        let error = read(b"not bson at all".to_vec()).unwrap_err().to_string();
        assert!(error.contains("this is no file of oplog entries"), "{error}");
    }
}
