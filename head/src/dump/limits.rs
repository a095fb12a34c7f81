//! What a dump may hold at most, so that reading a hostile one is bounded.

use tidemark_base::limits::MAX_USER_DOCUMENT_BYTES;

/// Most collections and views of one dump. Servers have trouble with far fewer.
pub const MAX_NAMESPACES: usize = 1 << 20;

/// Longest metadata of one collection, in bytes of text. In an archive it stands within one document.
pub const MAX_METADATA_BYTES: usize = MAX_USER_DOCUMENT_BYTES;

/// Largest metadata of all collections together, in about the bytes of memory that it is kept in. Packed it can
/// be a thousand times shorter. A hundred thousand collections with a few indexes each need less.
pub const MAX_ALL_METADATA_BYTES: usize = 128 << 20;

/// Largest document that mongorestore accepts from an archive, in bytes.
pub const MAX_ARCHIVE_DOCUMENT_BYTES: usize = MAX_USER_DOCUMENT_BYTES;

/// Longest header of an archive or of a block in it, in bytes: a few names and numbers.
pub const MAX_HEADER_BYTES: usize = 64 << 10;
