//! Writes the golden slices of the present format version into an empty folder.
//!
//! Run by hand when the format gets a new version: `cargo run -p tidemark-oplog --example write_golden_slices
//! -- <folder>`. The kept slices of older versions are never written again.

use std::error::Error;
use std::path::Path;
use tidemark_base::bson::{Doc, DocWriter, kind};
use tidemark_base::{Entropy as _, OpTime, SeededEntropy, Timestamp};
use tidemark_oplog::slice::{Link, SliceWriter};

/// An insert as a server writes it, the position behind the payload.
fn entry(at: OpTime, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut doc = DocWriter::new(&mut bytes);
    let entry = doc.begin();
    doc.string(b"op", b"i");
    doc.string(b"ns", b"shop.orders");
    let o = doc.begin_field(kind::OBJECT, b"o");
    doc.int32(b"_id", i32::from_le_bytes(at.ts.ordinal.to_le_bytes()));
    doc.binary(b"payload", 0, payload);
    doc.end(o);
    doc.timestamp(b"ts", at.ts);
    doc.int64(b"t", at.term);
    doc.end(entry);
    bytes
}

fn main() -> Result<(), Box<dyn Error>> {
    let Some(folder) = std::env::args_os().nth(1) else {
        return Err("usage: write_golden_slices <folder>".into());
    };
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder)?;
    let at = |ordinal, term| OpTime { ts: Timestamp { secs: 1_700_000_000, ordinal }, term };
    let mut noise = [0; 600];
    SeededEntropy::new(1).fill(&mut noise);
    // A new term in the middle, as after an election.
    let mut entries: Vec<Vec<u8>> =
        (2..22).map(|ordinal| entry(at(ordinal, 3 + i64::from(ordinal > 10)), b"tide tide tide")).collect();
    entries.push(entry(at(40, 4), &noise));
    std::fs::write(folder.join("entries.bson"), entries.concat())?;
    let mut writer = SliceWriter::new(Link::genesis(at(1, 3)));
    let (first, second) = entries.split_at(20);
    for (name, entries) in [("compressed", first), ("raw", second)] {
        for entry in entries {
            writer.push(Doc::new(entry)?)?;
        }
        let slice = writer.finish().ok_or("no entries")?;
        std::fs::write(folder.join(name), slice.bytes)?;
    }
    Ok(())
}
