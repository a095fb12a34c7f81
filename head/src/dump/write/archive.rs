//! Writing an archive: one stream, one collection after another.
//!
//! Nothing is buffered but headers, so wrap what is slow in small pieces. With one collection after another,
//! mongorestore needs no more than one worker and cannot deadlock.

use super::packed::{Compression, Packed};
use super::progress::Progress;
use super::{Sink, Walked};
use crate::dump::archive::{BlockHeader, ContentsEntry, MAGIC, TERMINATOR, write_entry, write_header};
use crate::dump::limits::MAX_ARCHIVE_DOCUMENT_BYTES;
use crate::dump::{DumpError, Part, Sum, Versions, metadata};
use std::io::Write;

/// Writes an archive.
#[derive(Debug)]
pub struct ArchiveWriter<W: Write> {
    out: Packed<W>,
    /// What is written to, for messages.
    place: String,
    progress: Progress,
    /// Of the open part.
    sum: Sum,
}

impl<W: Write> ArchiveWriter<W> {
    /// Writes everything up to the first document. Users and roles must come first
    /// ([`Part::must_come_first`]). `place` says in messages what is written to. Versions are
    /// as empty where they are not known, which only old restore tools accept.
    ///
    /// # Errors
    /// If writing fails, or metadata cannot be said.
    pub fn new(
        out: W,
        place: &str,
        compression: Compression,
        versions: &Versions,
        parts: Vec<Part>,
    ) -> Result<Self, DumpError> {
        if !parts.is_sorted_by_key(|it| !it.must_come_first()) {
            let what = "users, roles and their version must come before all others".to_owned();
            return Err(DumpError::Misuse { what });
        }
        let out = Packed::new(out, compression);
        let mut writer =
            Self { out, place: place.to_owned(), progress: Progress::new(Vec::new()), sum: Sum::default() };
        let mut head = MAGIC.to_vec();
        write_header(versions, &mut head);
        for part in &parts {
            write_contents_entry(part, &mut head)?;
            writer.put(&head)?;
            head.clear();
        }
        head.extend_from_slice(&TERMINATOR);
        writer.put(&head)?;
        writer.progress = Progress::new(parts);
        Ok(writer)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), DumpError> {
        self.out.write_all(bytes).map_err(|error| DumpError::io(&self.place, "write", error))
    }

    fn put_header(&mut self, part: &Part, end: Option<u64>) -> Result<(), DumpError> {
        // A view has a block too, under its own name: that is what makes mongorestore create it.
        let stream = part.stream.as_ref().unwrap_or(&part.namespace.collection);
        let database = part.namespace.database.clone();
        let mut header = Vec::new();
        BlockHeader { database, collection: stream.clone(), end }.write(&mut header);
        self.put(&header)
    }
}

/// One line of the contents.
fn write_contents_entry(part: &Part, out: &mut Vec<u8>) -> Result<(), DumpError> {
    let namespace = &part.namespace;
    let metadata = metadata::write(namespace)?;
    let metadata = std::str::from_utf8(&metadata).map_err(|_| DumpError::Misuse {
        what: format!("the metadata of {} is not UTF-8", namespace.shown()),
    })?;
    let start = out.len();
    let entry = ContentsEntry {
        database: &namespace.database,
        collection: &namespace.collection,
        metadata,
        kind: Some(namespace.kind),
    };
    write_entry(&entry, out);
    let bytes = out.len() - start;
    if bytes > MAX_ARCHIVE_DOCUMENT_BYTES {
        return Err(DumpError::TooLarge {
            namespace: namespace.shown(),
            what: "metadata",
            bytes,
            limit: MAX_ARCHIVE_DOCUMENT_BYTES,
            advice: "export as a directory",
        });
    }
    Ok(())
}

impl<W: Write> Sink for ArchiveWriter<W> {
    type Finished = W;

    fn begin(&mut self, part: &Part) -> Result<(), DumpError> {
        self.progress.begin(part)?;
        self.sum = Sum::default();
        self.put_header(part, None)
    }

    fn documents(&mut self, documents: &[u8]) -> Result<(), DumpError> {
        self.progress.check(documents, MAX_ARCHIVE_DOCUMENT_BYTES)?;
        self.sum.add(documents);
        self.put(documents)
    }

    fn walked(&mut self, documents: &Walked<'_>) -> Result<(), DumpError> {
        self.progress.check_walked(documents, MAX_ARCHIVE_DOCUMENT_BYTES)?;
        documents.pieces.iter().try_for_each(|piece| {
            self.sum.add(piece);
            self.put(piece)
        })
    }

    fn end(&mut self) -> Result<(), DumpError> {
        let part = self.progress.end()?;
        self.put(&TERMINATOR)?;
        self.put_header(&part, Some(self.sum.value()))?;
        self.put(&TERMINATOR)
    }

    fn finish(self) -> Result<W, DumpError> {
        self.progress.finish()?;
        self.out.finish().map_err(|error| DumpError::io(&self.place, "write", error))
    }
}
