//! Writes the seeds in `fuzz/corpus/`: the parts of the golden store, and each cut in half.
//!
//! Run by hand when a format gets a new version: `cargo run -p tidemark-fuzz --example seed_corpus`. Files are
//! named by their contents, so that seeds which are there already are not written twice. What the fuzzer
//! itself finds is kept only if it has found a mistake.

use std::error::Error;
use std::path::Path;
use tidemark_base::{BlockId, BlockKind};
use tidemark_blockstore::{Header, fuzzing};

type Done = Result<(), Box<dyn Error>>;

/// Seeds larger than this make the fuzzer slow, in bytes.
const SMALL_BYTES: usize = 1200;

fn main() -> Done {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let store = here.join("../blockstore/testdata/v1");
    keep(here, "superblock", &std::fs::read(store.join("superblock"))?)?;
    keep(here, "refs_log", &std::fs::read(store.join("refs.log"))?)?;
    for number in 1..=3 {
        let pack = std::fs::read(store.join(format!("packs/{number:016x}.pack")))?;
        keep(here, "pack_scan", pack.get(..pack.len().min(SMALL_BYTES)).unwrap_or_default())?;
        keep_records(here, &pack)?;
    }
    keep_rows(here, &store.join("index.db"))
}

/// One record of each kind, codec and emptiness, and the plain bytes of nodes.
fn keep_records(here: &Path, pack: &[u8]) -> Done {
    let mut seen = Vec::new();
    let mut rest = pack.get(48..).unwrap_or_default();
    while !rest.is_empty() {
        let header = Header::decode(rest)?;
        let (record, after) = rest.split_at(usize::try_from(header.record_len())?);
        rest = after;
        if header.kind == BlockKind::Node {
            let node = fuzzing::block(record).ok_or("a node of the golden store is damaged")?;
            keep(here, "node", &node.bytes)?;
        }
        let sort = (header.kind, header.codec, header.plain_len == 0);
        if record.len() <= SMALL_BYTES && !seen.contains(&sort) {
            seen.push(sort);
            keep(here, "record", record)?;
        }
    }
    Ok(())
}

/// The first row of each table, from a copy of the database.
fn keep_rows(here: &Path, index: &Path) -> Done {
    let scratch = tempfile::tempdir()?;
    let copy = scratch.path().join("index.db");
    std::fs::copy(index, &copy)?;
    let connection = rusqlite::Connection::open(copy)?;
    let mut statement =
        connection.prepare("SELECT key, value FROM row GROUP BY substr(key, 1, 1) ORDER BY key")?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?)))?;
    for row in rows {
        let (key, value) = row?;
        keep(here, "row", &[&[u8::try_from(key.len())?], key.as_slice(), &value].concat())?;
    }
    // No session is open in the golden store: one of epoch 2 with an owner and one pin.
    let key = [b"s".as_slice(), &1u64.to_be_bytes()].concat();
    let body = [&2u64.to_le_bytes()[..], &[7; 16], &1u32.to_le_bytes(), &[8; 32]].concat();
    keep(here, "row", &[&[9], key.as_slice(), &fuzzing::seal(&key, &body)].concat())
}

/// Writes a seed and its first half.
fn keep(here: &Path, target: &str, bytes: &[u8]) -> Done {
    let folder = here.join("corpus").join(target);
    std::fs::create_dir_all(&folder)?;
    for part in [bytes, bytes.get(..bytes.len() / 2).unwrap_or_default()] {
        let name: String = BlockId::of(BlockKind::Leaf, part).to_string().chars().take(16).collect();
        std::fs::write(folder.join(name), part)?;
    }
    Ok(())
}
