//! Slices written and read, against bare zstd-3 and BLAKE3 of the same bytes on the same core.
//!
//! The entries are the usual mix in slices of the length an agent would cut. Slice and peer take turns; the
//! peer reuses its contexts and buffers as the slices do. Reading checks everything: sums, digest, and the
//! position of each entry.

#![expect(clippy::cast_precision_loss, reason = "a bench")]

use serde_json::{Value, json};
use std::hint::black_box;
use tidemark_base::bson::split;
use tidemark_base::{CollectionUuid, OpTime, Timestamp};
use tidemark_benches::Stopwatch;
use tidemark_oplog::slice::{Link, SliceReader, SliceWriter, TARGET_BYTES};
use tidemark_testkit::generate::oplog_mix::{OplogMix, Target};
use tidemark_testkit::generate::orders::Orders;

/// Measures, and returns the figures.
pub(crate) fn run(quick: bool) -> Value {
    let rounds = if quick { 12 } else { 120 };
    let target = Target { namespace: "shop.orders".to_owned(), uuid: CollectionUuid::from_bytes([7; 16]) };
    let after = Timestamp { secs: 1_700_000_000, ordinal: 0 };
    let mut mix = OplogMix::new(Orders::new(1), target, 100_000, 1, after);
    let mut writer = SliceWriter::new(Link::genesis(OpTime { ts: after, term: 1 }));
    let mut peer = Peer::default();
    let [mut write, mut read, mut bare_write, mut bare_read] = std::array::from_fn(|_| Stopwatch::default());
    let (mut plain_bytes, mut stored_bytes, mut entries) = (0, 0, 0);
    let (mut bytes, mut plain) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        bytes.clear();
        while bytes.len() < TARGET_BYTES {
            mix.entry(&mut bytes);
        }
        bare_write.time(|| peer.write(&bytes));
        let slice = write.time(|| {
            split(&bytes).for_each(|entry| writer.push(entry.unwrap()).unwrap());
            writer.finish().unwrap()
        });
        bare_read.time(|| peer.read());
        entries += read.time(|| {
            let reader = SliceReader::open(&slice.bytes).unwrap();
            black_box(reader.decode(&mut plain).unwrap()).len()
        });
        assert_eq!(plain, bytes);
        plain_bytes += bytes.len();
        stored_bytes += slice.bytes.len();
    }
    let mb_per_s = |watch: &Stopwatch| plain_bytes as f64 / 1e6 / watch.secs();
    json!({
        "plain_mb": plain_bytes as f64 / 1e6,
        "entries": entries,
        "compressed_to": stored_bytes as f64 / plain_bytes as f64,
        "written_mb_per_s": mb_per_s(&write),
        "bare_written_mb_per_s": mb_per_s(&bare_write),
        "written_ratio_to_bare": bare_write.secs() / write.secs(),
        "read_mb_per_s": mb_per_s(&read),
        "bare_read_mb_per_s": mb_per_s(&bare_read),
        "read_ratio_to_bare": bare_read.secs() / read.secs(),
        "read_entries_per_s": (entries as f64 / read.secs()).round(),
    })
}

/// Compression and hashing, and nothing else.
struct Peer {
    compressor: zstd::bulk::Compressor<'static>,
    decompressor: zstd::bulk::Decompressor<'static>,
    compressed: Vec<u8>,
    plain: Vec<u8>,
}

impl Default for Peer {
    fn default() -> Self {
        Self {
            compressor: zstd::bulk::Compressor::new(3).unwrap(),
            decompressor: zstd::bulk::Decompressor::new().unwrap(),
            compressed: Vec::new(),
            plain: Vec::new(),
        }
    }
}

impl Peer {
    fn write(&mut self, bytes: &[u8]) {
        black_box(blake3::hash(bytes));
        self.compressed.clear();
        self.compressed.reserve(zstd::zstd_safe::compress_bound(bytes.len()));
        self.compressor.compress_to_buffer(bytes, &mut self.compressed).unwrap();
        self.plain.clear();
        self.plain.reserve(bytes.len());
    }

    fn read(&mut self) {
        self.decompressor.decompress_to_buffer(&self.compressed, &mut self.plain).unwrap();
        black_box(blake3::hash(&self.plain));
    }
}
