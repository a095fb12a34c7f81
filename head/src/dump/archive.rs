//! The frame of an archive: its magic, its headers, its checksum. All numbers are little-endian.
//!
//! Shared by the writer and the reader. An archive is the magic, a header, one document for each namespace,
//! and a terminator; then blocks: a header, documents of one collection, a terminator. The last block of a
//! collection has no documents and holds the checksum of all.

use super::{Kind, Problem, Versions};
use crc_fast::{CrcAlgorithm, Digest};
use tidemark_base::bson::{Doc, DocWriter, Element};

/// The first four bytes.
pub(super) const MAGIC: [u8; 4] = [0x6d, 0xe2, 0x99, 0x81];
/// Ends the contents and every block: no document has such a length.
pub(super) const TERMINATOR: [u8; 4] = [0xff; 4];
/// The only version there is.
const VERSION: &str = "0.1";
/// The oplog's name; its database has none.
pub(super) const OPLOG: (&str, &str) = ("", "oplog");

/// The checksum of a collection's documents: CRC-64/XZ.
pub(crate) fn checksum() -> Digest {
    Digest::new(CrcAlgorithm::Crc64Xz)
}

/// Whose documents follow, or whose end is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BlockHeader {
    pub(super) database: String,
    pub(super) collection: String,
    /// The checksum, if this is the end.
    pub(super) end: Option<u64>,
}

/// One namespace of the contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ContentsEntry<'a> {
    pub(super) database: &'a str,
    pub(super) collection: &'a str,
    pub(super) metadata: &'a str,
    /// Old tools say none, and none is said of the oplog.
    pub(super) kind: Option<Kind>,
}

pub(super) fn write_header(versions: &Versions, out: &mut Vec<u8>) {
    let mut w = DocWriter::new(out);
    let open = w.begin();
    // How many collections may be interleaved: one is always right for one after another.
    w.int32(b"concurrent_collections", 1);
    w.string(b"version", VERSION.as_bytes());
    w.string(b"server_version", versions.server.as_deref().unwrap_or_default().as_bytes());
    w.string(b"tool_version", versions.tool.as_deref().unwrap_or_default().as_bytes());
    w.end(open);
}

pub(super) fn read_header(document: Doc<'_>) -> Result<Versions, Problem> {
    let version = text(document, "header", "version")?;
    if version != VERSION {
        let version = version.chars().take(40).collect::<String>().escape_debug().to_string();
        return Err(Problem::ArchiveVersion { version });
    }
    let optional = |name| text(document, "header", name).ok().filter(|it| !it.is_empty()).map(str::to_owned);
    Ok(Versions { server: optional("server_version"), tool: optional("tool_version") })
}

pub(super) fn write_entry(entry: &ContentsEntry<'_>, out: &mut Vec<u8>) {
    let mut w = DocWriter::new(out);
    let open = w.begin();
    w.string(b"db", entry.database.as_bytes());
    w.string(b"collection", entry.collection.as_bytes());
    w.string(b"metadata", entry.metadata.as_bytes());
    // As mongodump has it, whatever the size.
    w.int32(b"size", 0);
    w.string(b"type", entry.kind.map_or("", Kind::as_str).as_bytes());
    w.end(open);
}

pub(super) fn read_entry(document: Doc<'_>) -> Result<ContentsEntry<'_>, Problem> {
    const HEADER: &str = "list of contents";
    let word = match document.get("type").map_err(Problem::Document)? {
        None => "",
        Some(element) => element.as_str().ok_or(Problem::Field { header: HEADER, field: "type" })?,
    };
    let kind = Kind::of_word(word);
    if kind.is_none() && !word.is_empty() {
        return Err(Problem::Field { header: HEADER, field: "type" });
    }
    Ok(ContentsEntry {
        database: text(document, HEADER, "db")?,
        collection: text(document, HEADER, "collection")?,
        metadata: text(document, HEADER, "metadata")?,
        kind,
    })
}

impl BlockHeader {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let mut w = DocWriter::new(out);
        let open = w.begin();
        w.string(b"db", self.database.as_bytes());
        w.string(b"collection", self.collection.as_bytes());
        w.bool(b"EOF", self.end.is_some());
        w.int64(b"CRC", self.end.unwrap_or_default().cast_signed());
        w.end(open);
    }

    pub(super) fn read(document: Doc<'_>) -> Result<Self, Problem> {
        const HEADER: &str = "header of a block";
        let wrong = |field| Problem::Field { header: HEADER, field };
        let field = |name| document.get(name).map_err(Problem::Document);
        let is_end = field("EOF")?.and_then(Element::as_bool).ok_or_else(|| wrong("EOF"))?;
        let crc = field("CRC")?.and_then(Element::as_integer).ok_or_else(|| wrong("CRC"))?;
        Ok(Self {
            database: text(document, HEADER, "db")?.to_owned(),
            collection: text(document, HEADER, "collection")?.to_owned(),
            end: is_end.then_some(crc.cast_unsigned()),
        })
    }
}

fn text<'a>(document: Doc<'a>, header: &'static str, field: &'static str) -> Result<&'a str, Problem> {
    let element = document.get(field).map_err(Problem::Document)?;
    element.and_then(Element::as_str).ok_or(Problem::Field { header, field })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_crc_64_xz() {
        let mut digest = checksum();
        digest.update(b"1234");
        digest.update(b"56789");
        assert_eq!(digest.finalize(), 0x995D_C9BB_DF19_39FA);
        assert_eq!(checksum().finalize(), 0);
    }

    #[test]
    fn headers_are_read_as_they_are_written() {
        for end in [None, Some(0), Some(u64::MAX)] {
            let header = BlockHeader { database: "d".into(), collection: "c".into(), end };
            let mut out = Vec::new();
            header.write(&mut out);
            assert_eq!(BlockHeader::read(Doc::new(&out).unwrap()), Ok(header));
        }
        assert_eq!(
            BlockHeader::read(Doc::EMPTY),
            Err(Problem::Field { header: "header of a block", field: "EOF" })
        );
    }
}
