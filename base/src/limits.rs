//! Every maximum of the system, in one place.
//!
//! A decoder compares with these before it allocates. Changing one that a format depends on is a change of
//! the format: see `docs/format.md`. Units stand last in the names.

/// Largest plain block (leaf or node) in the blockstore, in bytes.
pub const MAX_BLOCK_BYTES: usize = 32 << 20;

/// Largest BSON document a user can store, in bytes (MongoDB: 16 MiB).
pub const MAX_USER_DOCUMENT_BYTES: usize = 16 << 20;

/// Largest BSON document that has to be read anywhere, in bytes: an oplog entry around a document of the
/// largest size. MongoDB allows its own wrappers 16 KiB.
pub const MAX_BSON_BYTES: usize = MAX_USER_DOCUMENT_BYTES + (16 << 10);

/// Deepest nesting of a BSON document that is followed. A server stores 200 levels (observed on 6.0.5: about
/// 150 accepted from a client, 225 refused); an oplog entry wraps a document in a few more.
pub const MAX_BSON_DEPTH: usize = 250;
