//! Fuzz targets as plain functions: hostile bytes for every decoder of a format of ours.
//!
//! Each takes any bytes, asserts what must hold of the decoder, and says whether it decoded something. What
//! must hold: no panic, and what decodes encodes to the same bytes again. Since random bytes never have a
//! right checksum, each target also runs its input with the right ones put in. Run by the fuzzer
//! (`cargo xtask fuzz`), and by a test over the kept corpus.

mod diff;
mod entry;
mod log;
mod pack;
mod row;
mod slice;

pub use diff::diff;
pub use entry::entry;
pub use log::refs_log;
pub use pack::{pack_scan, record};
pub use row::row;
pub use slice::{chain, slice};

use std::path::Path;
use tidemark_base::BlockId;
use tidemark_blockstore::fuzzing::checksum;
use tidemark_blockstore::{Node, Superblock, encode_node};

/// A target: any bytes in, whether they decoded out.
pub type Target = fn(&[u8]) -> bool;

/// All targets, by name; `fuzz_targets/` has a file and `corpus/` a folder for each.
pub const TARGETS: [(&str, Target); 10] = [
    ("chain", chain),
    ("diff", diff),
    ("entry", entry),
    ("node", node),
    ("pack_scan", pack_scan),
    ("record", record),
    ("refs_log", refs_log),
    ("row", row),
    ("slice", slice),
    ("superblock", superblock),
];

/// The start of a node block.
#[must_use]
pub fn node(bytes: &[u8]) -> bool {
    let Ok(node) = Node::decode(bytes) else { return false };
    let children: Vec<BlockId> = node.children().collect();
    let again = encode_node(&children, node.body).expect("no more children than were decoded");
    assert_eq!(again, bytes);
    true
}

/// A superblock.
#[must_use]
pub fn superblock(bytes: &[u8]) -> bool {
    let decoded = decode_superblock(bytes);
    decode_superblock(&with_sum(bytes)) || decoded
}

fn decode_superblock(bytes: &[u8]) -> bool {
    let Ok(superblock) = Superblock::decode(bytes, Path::new("superblock")) else { return false };
    assert_eq!(superblock.encode(), bytes);
    // What a superblock accepts, the cutter must be able to use.
    let pieces = superblock.cutter().cut(&[7; 2000]).count();
    assert!(pieces > 0);
    true
}

/// The bytes with the right checksum of all before them in the last eight.
fn with_sum(bytes: &[u8]) -> Vec<u8> {
    match bytes.split_last_chunk::<8>() {
        None => bytes.to_vec(),
        Some((body, _)) => [body, &checksum(body).to_le_bytes()].concat(),
    }
}
