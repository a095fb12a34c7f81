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

/// Most children one node block may have. 32 bytes each, so a node of this many is 2 MiB.
pub const MAX_NODE_CHILDREN: usize = 65_536;

/// A pack is sealed once it is this long, in bytes. One record may carry it over, never more.
pub const PACK_TARGET_BYTES: u64 = 64 << 20;

/// Longest name of a ref, in bytes of UTF-8.
pub const MAX_REF_NAME_BYTES: usize = 512;

/// Largest value of a ref, in bytes. Refs are small records; anything larger belongs into a block.
pub const MAX_REF_VALUE_BYTES: usize = 64 << 10;

/// Most root blocks one ref may keep alive.
pub const MAX_REF_ROOTS: usize = 1024;

/// Most refs changed by one publish.
pub const MAX_PUBLISH_CHANGES: usize = 4096;

/// Most blocks one session may pin.
pub const MAX_SESSION_PINS: usize = 65_536;

/// Largest record in `refs.log`, in bytes. A checkpoint holds all refs of a store in one record, so this is
/// also what bounds their number: some three million of the usual size.
pub const MAX_REFS_LOG_RECORD_BYTES: usize = 1 << 30;

/// Largest stretch of oplog in one slice, in plain bytes: encoded it fits one block even if nothing of it
/// can be compressed, and any one entry fits it.
pub const MAX_SLICE_PLAIN_BYTES: usize = MAX_BLOCK_BYTES - (4 << 10);

/// Most entries in one slice.
pub const MAX_SLICE_ENTRIES: usize = 1 << 20;

/// Longest encoding of an `_id` that is a key as it stands, in bytes. A key is as a rule as long as the `_id` or
/// shorter; only texts full of zero bytes and documents full of tiny doubles grow, the latter from 1 MiB to 24.
pub const MAX_WHOLE_KEY_BYTES: usize = 1 << 20;

/// Longest key, in bytes: of a longer encoding, its beginning and the hash of all of it.
pub const MAX_KEY_BYTES: usize = MAX_WHOLE_KEY_BYTES + 32;

/// Largest item of a run, key and contents together, in bytes: a patch may be a long list of updates, though
/// writers end it long before (`Waiting::MOST` in the head).
pub const MAX_RUN_ITEM_BYTES: usize = 128 << 20;

/// Most indexes of one collection. Servers allow 64.
pub const MAX_INDEXES: usize = 4096;

/// Greatest number that counts up by one for ever and is read from the store: no counter gets there, and none that is
/// read as more comes from a writer, or may overflow.
pub const MAX_COUNTER: u64 = 1 << 62;

/// Most child blocks of one item of a catalog run. Its stack is the base and a few patch runs.
pub const MAX_ITEM_CHILDREN: usize = 4096;

/// Longest separator in a node of a run, in bytes; longer ones are cut.
pub const MAX_SEPARATOR_BYTES: usize = 1024;

/// Most levels of nodes above the leaves of a run. Each node but a leaf has at least two children.
pub const MAX_RUN_LEVELS: u8 = 64;

/// Largest record of the metadata store, in bytes of its stored text.
pub const MAX_RECORD_BYTES: usize = 128 << 10;

/// Longest id or secondary key of a metadata record, in bytes of ASCII.
pub const MAX_RECORD_ID_BYTES: usize = 256;

/// Most records changed by one atomic batch of the metadata store: any database has transactions of this size.
pub const MAX_BATCH_CHANGES: usize = 16;

/// Most records of one page of a listing.
pub const MAX_PAGE_RECORDS: usize = 1000;

/// Longest name that people give to something (a group, a key, a daemon), in bytes.
pub const MAX_NAME_BYTES: usize = 100;

/// Longest free text in a record (what an event says, why a job failed), in bytes; longer texts are cut.
pub const MAX_TEXT_BYTES: usize = 2000;

/// Shortest and longest password, in bytes.
pub const MIN_PASSWORD_BYTES: usize = 10;
/// See [`MIN_PASSWORD_BYTES`].
pub const MAX_PASSWORD_BYTES: usize = 1024;

/// Most groups in which one user has a role.
pub const MAX_GROUPS_OF_A_USER: usize = 200;

/// Most users who own the whole site.
pub const MAX_GLOBAL_OWNERS: usize = 32;

/// Most hosts in the seed list of a replica set: MongoDB allows 50 members.
pub const MAX_SEEDS: usize = 50;

/// Most problems of a replica set that are kept.
pub const MAX_PROBLEMS: usize = 20;

/// Most namespaces in one list (excluded from a backup, chosen for a restore).
pub const MAX_NAMESPACES: usize = 200;

/// Most snapshots of one backup whose deletion was ordered and can still be undone.
pub const MAX_DELETED_SNAPSHOTS: usize = 500;

/// Largest secret that is kept sealed (a connection string and its certificates), in bytes.
pub const MAX_SECRET_BYTES: usize = 16 << 10;

/// Most events that are kept of one group; the oldest go first.
pub const MAX_EVENTS_OF_A_GROUP: u64 = 10_000;

/// Most agents, replica sets and hosts, of each, that the agents of one group may make known.
pub const MAX_OF_A_GROUP: usize = 1000;

/// Most replica sets in one conf call.
pub const MAX_SETS_OF_A_CALL: usize = 100;

/// Longest body that describes a collection, in bytes: its options and indexes, each a document of at most 16 MiB.
pub const MAX_DESCRIPTION_BYTES: usize = 17 << 20;
