//! Fuzz targets as plain functions: hostile bytes for every decoder of a format of ours.
//!
//! Each takes any bytes, asserts what must hold of the decoder, and says whether it decoded something. What
//! must hold: no panic, and what decodes encodes to the same bytes again. Since random bytes never have a
//! right checksum, each target also runs its input with the right ones put in. Run by the fuzzer
//! (`cargo xtask fuzz`), and by a test over the kept corpus.

mod diff;
mod dump;
mod entry;
mod ingest;
mod key;
mod log;
mod pack;
mod patch;
mod root;
mod row;
mod run;
mod slice;

pub use diff::diff;
pub use dump::{archive, metadata};
pub use entry::entry;
pub use ingest::ingest;
pub use key::key;
pub use log::refs_log;
pub use pack::{pack_scan, record};
pub use patch::patch;
pub use root::{catalog_record, root};
pub use row::row;
pub use run::{run_leaf, run_node, run_tree};
pub use slice::{chain, slice};

use std::path::Path;
use tidemark_base::BlockId;
use tidemark_blockstore::fuzzing::checksum;
use tidemark_blockstore::{Node, Superblock, encode_node};

/// A target: any bytes in, whether they decoded out.
pub type Target = fn(&[u8]) -> bool;

/// All targets, by name; `fuzz_targets/` has a file and `corpus/` a folder for each.
pub const TARGETS: [(&str, Target); 20] = [
    ("archive", archive),
    ("catalog_record", catalog_record),
    ("chain", chain),
    ("diff", diff),
    ("entry", entry),
    ("ingest", ingest),
    ("key", key),
    ("metadata", metadata),
    ("node", node),
    ("pack_scan", pack_scan),
    ("patch", patch),
    ("record", record),
    ("refs_log", refs_log),
    ("root", root),
    ("row", row),
    ("run_leaf", run_leaf),
    ("run_node", run_node),
    ("run_tree", run_tree),
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
