//! The bare pipelines that our own are held against: the same bytes, the same threads, nothing else.

use crate::Stopwatch;
use anyhow::{Context, Result};
use rayon::prelude::*;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use tidemark_base::threads;

/// The level of our blocks.
pub const LEVEL: i32 = 3;
/// About what our leaves hold.
const BLOCK_BYTES: usize = 65_536;
/// How much is taken from a file at once.
const PORTION_BYTES: usize = 64 << 20;
/// How many blocks are unpacked while the ones before are written.
const BLOCKS_AHEAD: usize = 64;

/// Compressed blocks, and the time it took to make them of bytes in memory: cut, hashed, compressed.
#[derive(Default)]
pub struct Packed {
    /// Only if they were asked for.
    pub blocks: Vec<Vec<u8>>,
    /// Their length.
    pub stored_bytes: u64,
    /// Without reading the file.
    pub watch: Stopwatch,
}

/// Cuts a file of documents into blocks, hashes and compresses them, on all threads.
///
/// # Errors
/// Those of the file.
pub fn pack(path: &Path, keep: bool) -> Result<Packed> {
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let (mut portion, mut packed) = (Vec::with_capacity(PORTION_BYTES + 1), Packed::default());
    loop {
        let room = (PORTION_BYTES - portion.len()) as u64;
        let read = (&file).take(room).read_to_end(&mut portion)?;
        let (blocks, rest) = packed.watch.time(|| {
            let (cuts, rest) = cut(&portion, read == 0);
            (compressed(&cuts), rest)
        });
        packed.stored_bytes += blocks.iter().map(|it| it.len() as u64).sum::<u64>();
        if keep {
            packed.blocks.extend(blocks);
        }
        if read == 0 {
            return Ok(packed);
        }
        portion.drain(..rest);
    }
}

/// Whole documents, about a block of them together, and where what is left begins.
fn cut(bytes: &[u8], to_the_end: bool) -> (Vec<&[u8]>, usize) {
    let (mut cuts, mut begin, mut at) = (Vec::new(), 0, 0);
    while let Some(len) = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>()) {
        let end = at + u32::from_le_bytes(*len).max(5) as usize;
        if end > bytes.len() {
            break;
        }
        at = end;
        if at - begin >= BLOCK_BYTES {
            cuts.push(&bytes[begin..at]);
            begin = at;
        }
    }
    if to_the_end && begin < bytes.len() {
        cuts.push(&bytes[begin..]);
        begin = bytes.len();
    }
    (cuts, begin)
}

fn compressed(blocks: &[&[u8]]) -> Vec<Vec<u8>> {
    let pack = |compressor: &mut Option<zstd::bulk::Compressor<'static>>, block: &&[u8]| {
        std::hint::black_box(blake3::hash(block));
        compressor.as_mut().and_then(|it| it.compress(block).ok()).unwrap_or_default()
    };
    blocks.par_iter().map_init(|| zstd::bulk::Compressor::new(LEVEL).ok(), pack).collect()
}

/// Unpacks blocks, checks them by hash and writes them to a pipe that somebody reads; returns the bytes.
///
/// # Errors
/// Those of the pipe.
pub fn unpack_to_pipe(blocks: &[Vec<u8>], watch: &mut Stopwatch) -> Result<u64> {
    let (from, to) = std::io::pipe()?;
    let drain = threads::spawn("drain", move || crate::child::drained(from))?;
    watch.time(|| {
        written(blocks, to)?;
        drain.join().ok().context("reading a pipe failed")?.map_err(anyhow::Error::from)
    })
}

fn written(blocks: &[Vec<u8>], mut to: impl Write + Send) -> Result<()> {
    let mut ready: Vec<Vec<u8>> = Vec::new();
    for group in blocks.chunks(BLOCKS_AHEAD) {
        let (wrote, next) =
            rayon::join(|| ready.iter().try_for_each(|block| to.write_all(block)), || unpacked(group));
        wrote?;
        ready = next?;
    }
    Ok(ready.iter().try_for_each(|block| to.write_all(block))?)
}

fn unpacked(blocks: &[Vec<u8>]) -> Result<Vec<Vec<u8>>> {
    let unpack = |block: &Vec<u8>| {
        let plain = zstd::bulk::decompress(block, 4 * BLOCK_BYTES)?;
        std::hint::black_box(blake3::hash(&plain));
        Ok(plain)
    };
    blocks.par_iter().map(unpack).collect()
}

/// What a second thread brings to compressing in blocks: the time on one by the time on `threads`.
///
/// # Errors
/// If there are no threads to be had.
pub fn scaling(bytes: &[u8], threads: usize) -> Result<f64> {
    let blocks: Vec<_> = bytes.chunks(BLOCK_BYTES).collect();
    let mut watches = [Stopwatch::default(), Stopwatch::default()];
    for _ in 0..3 {
        for (watch, threads) in watches.iter_mut().zip([1, threads]) {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
            watch.time(|| pool.install(|| std::hint::black_box(compressed(&blocks))));
        }
    }
    let [one, more] = watches;
    Ok(one.secs() / more.secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_packed_is_what_comes_out() {
        let shop = crate::shop::Shop::new(tidemark_testkit::generate::orders::Orders::new(1), 2000);
        let folder = tempfile::tempdir().unwrap();
        let bytes = shop.dump(folder.path()).unwrap();
        let packed = pack(&folder.path().join("shop/orders.bson"), true).unwrap();
        assert!(packed.blocks.len() as u64 >= bytes / 80_000 && packed.stored_bytes < bytes / 3);
        assert_eq!(unpack_to_pipe(&packed.blocks, &mut Stopwatch::default()).unwrap(), bytes);
    }
}
