//! Reading an archive, from a file or a pipe, with bounded memory.

use super::contents::Contents;
use super::streams::{Step, Streams};
use super::unpack::{Unpacked, is_gzip};
use super::window::Window;
use super::{Item, Source};
use crate::dump::archive::{BlockHeader, ContentsEntry, MAGIC, OPLOG, TERMINATOR, read_entry, read_header};
use crate::dump::limits::MAX_HEADER_BYTES;
use crate::dump::metadata::{Metadata, MetadataError};
use crate::dump::part::shown;
use crate::dump::{DumpError, Namespace, Problem, Versions};
use std::io::Read;
use std::ops::Range;
use tidemark_base::bson::Doc;
use tidemark_base::limits::MAX_BSON_BYTES;
use tidemark_oplog::names::{check_collection, check_database};

/// Reads an archive; whether it is gzipped shows by itself.
#[derive(Debug)]
pub struct ArchiveReader<R: Read> {
    window: Window<Unpacked<R>>,
    versions: Versions,
    contents: Contents,
    streams: Streams,
    /// The block that is being read.
    block: Option<BlockHeader>,
    /// What ended last.
    ended: Option<BlockHeader>,
    failed: bool,
}

/// What comes next: documents of the open block, or the end of what ended last.
enum Found {
    Documents(Range<usize>),
    End,
}

impl<R: Read> ArchiveReader<R> {
    /// Reads everything up to the first block. `place` says in messages what is read.
    ///
    /// # Errors
    /// If reading fails, or it is no archive, or its contents are damaged.
    pub fn new(source: R, place: &str) -> Result<Self, DumpError> {
        let source = Unpacked::new(source, is_gzip).map_err(|error| DumpError::io(place, "read", error))?;
        let mut window = Window::new(source, place.to_owned());
        if !window.takes(&MAGIC)? {
            let problem = if window.is_at_end()? { Problem::Truncated } else { Problem::NoArchive };
            return Err(window.broken(problem));
        }
        let versions = read_header(window.document(MAX_HEADER_BYTES)?);
        let versions = versions.map_err(|problem| window.broken_before(problem))?;
        let (contents, streams) = (Contents::default(), Streams::default());
        let mut reader =
            Self { window, versions, contents, streams, block: None, ended: None, failed: false };
        reader.read_contents()?;
        Ok(reader)
    }

    fn read_contents(&mut self) -> Result<(), DumpError> {
        let place = self.window.place().to_owned();
        while !self.window.takes(&TERMINATOR)? {
            let document = self.window.document(MAX_BSON_BYTES)?;
            let described = describe(&place, document);
            let added = described.and_then(|namespace| {
                match namespace {
                    None => self.streams.promise_oplog()?,
                    Some(namespace) => {
                        self.streams.promise(&namespace);
                        self.contents.add(namespace)?;
                    }
                }
                Ok(())
            });
            added.map_err(|wrong| match wrong {
                Wrong::Here(problem) => self.window.broken_before(problem),
                Wrong::Said(error) => error,
            })?;
        }
        Ok(())
    }

    /// Up to the next thing to tell.
    fn advance(&mut self) -> Result<Option<Found>, DumpError> {
        loop {
            let Some(block) = &self.block else {
                if self.window.is_at_end()? {
                    self.streams.finish().map_err(|problem| self.window.broken(problem))?;
                    return Ok(None);
                }
                if self.read_block_header()? {
                    return Ok(Some(Found::End));
                }
                continue;
            };
            if let Some(range) = self.window.documents(Some(TERMINATOR))? {
                let counted = self.streams.documents(block, self.window.bytes(range.clone()));
                counted.map_err(|problem| self.window.broken_before(problem))?;
                return Ok(Some(Found::Documents(range)));
            }
            self.expect_terminator()?;
            self.block = None;
        }
    }

    /// Opens a block; says whether it was an end that is to be told.
    fn read_block_header(&mut self) -> Result<bool, DumpError> {
        let header = BlockHeader::read(self.window.document(MAX_HEADER_BYTES)?);
        let header = header.map_err(|problem| self.window.broken_before(problem))?;
        let step = self.streams.header(&header).map_err(|problem| self.window.broken_before(problem))?;
        if step == Step::Documents {
            self.block = Some(header);
            return Ok(false);
        }
        self.expect_terminator()?;
        let is_told = is_collection(&header) && !self.streams.is_view(&header);
        self.ended = Some(header);
        Ok(is_told)
    }

    fn expect_terminator(&mut self) -> Result<(), DumpError> {
        if self.window.takes(&TERMINATOR)? {
            return Ok(());
        }
        let is_cut = !self.window.has(TERMINATOR.len())?;
        let wanted = "the end of a block";
        Err(self.window.broken(if is_cut { Problem::Truncated } else { Problem::Expected { wanted } }))
    }

    fn item(&self, found: Found) -> Option<Item<'_>> {
        match found {
            Found::Documents(range) => {
                let BlockHeader { database, collection, .. } = self.block.as_ref()?;
                let documents = self.window.bytes(range);
                if database.is_empty() {
                    return Some(Item::Oplog(documents));
                }
                Some(Item::Documents { database, collection, documents })
            }
            Found::End => {
                let BlockHeader { database, collection, .. } = self.ended.as_ref()?;
                Some(Item::End { database, collection })
            }
        }
    }
}

/// Only the oplog has no database.
fn is_collection(header: &BlockHeader) -> bool {
    !header.database.is_empty()
}

/// What is wrong with an entry of the contents.
enum Wrong {
    /// With the archive, where the entry stands.
    Here(Problem),
    /// With what the entry says.
    Said(DumpError),
}

impl From<Problem> for Wrong {
    fn from(problem: Problem) -> Self {
        Self::Here(problem)
    }
}

/// The namespace of an entry of the contents, or none for the oplog.
fn describe(place: &str, entry: Doc<'_>) -> Result<Option<Namespace>, Wrong> {
    let entry = read_entry(entry)?;
    if (entry.database, entry.collection) == OPLOG {
        return Ok(None);
    }
    named(place, &entry).map(Some).map_err(Wrong::Said)
}

fn named(place: &str, entry: &ContentsEntry<'_>) -> Result<Namespace, DumpError> {
    let bad_name = |source| DumpError::Name { place: place.to_owned(), source };
    check_database(entry.database).map_err(bad_name)?;
    check_collection(entry.database, entry.collection).map_err(bad_name)?;
    let in_metadata = |source| {
        let place = format!("{place}: the metadata of {}", shown(entry.database, entry.collection));
        DumpError::Metadata { place, source }
    };
    let metadata = Metadata::parse(entry.metadata.as_bytes()).map_err(in_metadata)?;
    let mut namespace = metadata.named(entry.database, entry.collection).map_err(in_metadata)?;
    match entry.kind {
        // Empty metadata says nothing, not even what it is of.
        Some(kind) if entry.metadata.is_empty() => namespace.kind = kind,
        Some(kind) if kind != namespace.kind => {
            let (inside, outside) = (namespace.kind.as_str(), kind.as_str());
            return Err(in_metadata(MetadataError::OtherKind { inside, outside }));
        }
        _ => {}
    }
    Ok(namespace)
}

impl<R: Read> Source for ArchiveReader<R> {
    fn versions(&self) -> &Versions {
        &self.versions
    }

    fn namespaces(&self) -> &[Namespace] {
        &self.contents.namespaces
    }

    fn next(&mut self) -> Result<Option<Item<'_>>, DumpError> {
        if self.failed {
            return Ok(None);
        }
        let found = self.advance().inspect_err(|_| self.failed = true)?;
        Ok(found.and_then(|found| self.item(found)))
    }
}
