//! Packs the test data of a source folder into `testkit/data/*.tar.zst`; see `testkit/data/README.md`.
//!
//! Run by hand when the data changes, never by the tests: `cargo run --release -p tidemark-testkit
//! --no-default-features --example pack_data -- <source folder>`. The same input gives the same bytes: files
//! are sorted, metadata is fixed, and the compressor's version is pinned by `Cargo.lock`. Captures get one
//! frame each, so that a test pays for those it uses only; their gzipped files are unpacked first, since the
//! archive compresses them far better. Dump samples are kept byte for byte.

#![expect(clippy::print_stdout, reason = "a command for people")]

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::{Read, Write};
use std::path::Path;

type Failure = Box<dyn Error>;
type Files = BTreeMap<String, Vec<u8>>;

/// zstd's highest level, and a window that spans every frame of ours.
const LEVEL: i32 = 22;
const WINDOW_LOG: u32 = 27;

fn main() -> Result<(), Failure> {
    let Some(source) = std::env::args_os().nth(1) else {
        return Err(
            "usage: pack_data <folder with oplog-captures, oplog-divergent, bson-corpus, dump-samples>"
                .into(),
        );
    };
    let (source, target) = (Path::new(&source), Path::new(env!("CARGO_MANIFEST_DIR")).join("data"));

    let mut captures = Files::new();
    for folder in ["oplog-captures", "oplog-divergent"] {
        let mut found = Files::new();
        read_folder(&source.join(folder), "", &mut found)?;
        for (path, bytes) in found {
            match path.strip_suffix(".gz") {
                Some(plain) => captures.insert(plain.to_owned(), gunzip(&bytes)?),
                None => captures.insert(path, bytes),
            };
        }
    }
    pack(&target.join("captures.tar.zst"), split_by_folder(captures))?;

    for (folder, archive) in
        [("bson-corpus", "bson-corpus.tar.zst"), ("dump-samples", "dump-samples.tar.zst")]
    {
        let mut files = Files::new();
        read_folder(&source.join(folder), "", &mut files)?;
        pack(&target.join(archive), vec![files])?;
    }
    Ok(())
}

fn read_folder(folder: &Path, prefix: &str, into: &mut Files) -> Result<(), Failure> {
    for entry in fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name().into_string().map_err(|name| format!("{name:?} is not UTF-8"))?;
        let path = format!("{prefix}{name}");
        if entry.file_type()?.is_dir() {
            read_folder(&entry.path(), &format!("{path}/"), into)?;
        } else {
            into.insert(path, fs::read(entry.path())?);
        }
    }
    Ok(())
}

fn gunzip(bytes: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut plain = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut plain)?;
    Ok(plain)
}

fn split_by_folder(files: Files) -> Vec<Files> {
    let mut parts: BTreeMap<String, Files> = BTreeMap::new();
    for (path, bytes) in files {
        let folder = path.split('/').next().unwrap_or_default().to_owned();
        parts.entry(folder).or_default().insert(path, bytes);
    }
    parts.into_values().collect()
}

fn pack(target: &Path, parts: Vec<Files>) -> Result<(), Failure> {
    let mut out = Vec::new();
    let last = parts.len().saturating_sub(1);
    for (i, part) in parts.into_iter().enumerate() {
        let mut tar = tar::Builder::new(Vec::new());
        for (path, bytes) in part {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            header.set_mtime(0);
            header.set_uid(0);
            header.set_gid(0);
            tar.append_data(&mut header, &path, bytes.as_slice())?;
        }
        let mut tar = tar.into_inner()?;
        if i != last {
            // Only the last part keeps the two zero blocks that end a tar: all frames together are one tar.
            tar.truncate(tar.len() - 1024);
        }
        let mut encoder = zstd::Encoder::new(&mut out, LEVEL)?;
        encoder.window_log(WINDOW_LOG)?;
        encoder.long_distance_matching(true)?;
        encoder.include_checksum(true)?;
        encoder.set_pledged_src_size(Some(tar.len() as u64))?;
        encoder.write_all(&tar)?;
        encoder.finish()?;
    }
    fs::write(target, &out)?;
    println!("{}: {} frames, {} bytes", target.display(), last + 1, out.len());
    Ok(())
}
