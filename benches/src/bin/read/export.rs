//! Exports as archives into a pipe: of a base, of a stack, against the bare work; and of a stack against its base.

use crate::rig::{BLOCK_BYTES, Rig, Share};
use rayon::prelude::*;
use serde_json::{Value, json};
use std::io::{self, PipeWriter, Write};
use std::process::{Child, Command, Stdio};
use tidemark_benches::{Stopwatch, cpu_secs, peak_rss_mib, reset_peak_rss};
use tidemark_head::dump::{ArchiveWriter, Compression, Versions};
use tidemark_head::export;
use tidemark_head::head::Head;
use tidemark_oplog::filter::Filter;

/// How often each side has its turn.
const TURNS: usize = 5;
/// How many blocks the peer works on at once.
const TOGETHER: usize = 64;

/// A base, and a stack of 20 runs: 1 % updated, 1 % inserted, 0.2 % deleted by each.
pub(crate) fn layers(orders: u64) -> Value {
    let dir = tempfile::tempdir().unwrap();
    let mut rig = Rig::build(&dir.path().join("store"), orders);
    let mut figures = json!({"orders": orders});
    reset_peak_rss();
    let before = peak_rss_mib();
    let (bytes, _) = export(&rig.head);
    figures["export_mb"] = json!(bytes as f64 / 1e6);
    figures["peak_rss_more_mib"] = json!(peak_rss_mib().saturating_sub(before));
    let blocks = rig.bare_blocks();
    figures["base"] = against_bare(&rig.head, &blocks);
    for round in 0..20 {
        rig.layer(round, Share { updated: 10, deleted: 2, inserted: 10, ..Share::default() });
    }
    reset_peak_rss();
    let before = peak_rss_mib();
    export(&rig.head);
    figures["stack_peak_rss_more_mib"] = json!(peak_rss_mib().saturating_sub(before));
    figures["stack_of_20"] = against_bare(&rig.head, &blocks);
    figures
}

/// A quarter of the documents replaced, in five runs, and the same compacted.
pub(crate) fn replaced(orders: u64) -> Value {
    let dir = tempfile::tempdir().unwrap();
    let mut rig = Rig::build(&dir.path().join("store"), orders);
    for round in 0..5 {
        rig.layer(round, Share { replaced: 50, ..Share::default() });
    }
    let stack = best(|| export(&rig.head).1);
    rig.head.compact().unwrap();
    let compacted = best(|| export(&rig.head).1);
    json!({
        "orders": orders,
        "stack_s": stack.0,
        "compacted_s": compacted.0,
        "times_wall": stack.0 / compacted.0,
        "times_cpu": stack.1 / compacted.1,
    })
}

/// The export's and the peer's best of some turns, and the ratios of the bytes that they write in a second.
fn against_bare(head: &Head, blocks: &[Vec<u8>]) -> Value {
    let (mut ours, mut bare) = ((f64::MAX, f64::MAX), (f64::MAX, f64::MAX));
    let least = |a: (f64, f64), b: (f64, f64)| (a.0.min(b.0), a.1.min(b.1));
    let [mut our_bytes, mut bare_bytes] = [0, 0];
    for _ in 0..TURNS {
        let (bytes, took) = bare_export(blocks);
        (bare_bytes, bare) = (bytes, least(bare, took));
        let (bytes, took) = export(head);
        (our_bytes, ours) = (bytes, least(ours, took));
    }
    let share = our_bytes as f64 / bare_bytes as f64;
    json!({
        "export_s": ours.0,
        "bare_s": bare.0,
        "export_cpu_s": ours.1,
        "bare_cpu_s": bare.1,
        "export_mb_per_s": our_bytes as f64 / 1e6 / ours.0,
        "ratio_wall": share * bare.0 / ours.0,
        "ratio_cpu": share * bare.1 / ours.1,
    })
}

fn best(mut work: impl FnMut() -> (f64, f64)) -> (f64, f64) {
    (0..TURNS).map(|_| work()).fold((f64::MAX, f64::MAX), |a, b| (a.0.min(b.0), a.1.min(b.1)))
}

/// A pipe that another process empties, counting what goes in.
struct Drained {
    pipe: PipeWriter,
    cat: Child,
    bytes: u64,
}

impl Drained {
    fn new() -> Self {
        let (from, pipe) = io::pipe().unwrap();
        let cat = Command::new("cat").stdin(from).stdout(Stdio::null()).spawn().unwrap();
        Self { pipe, cat, bytes: 0 }
    }

    fn finish(self) -> u64 {
        let Self { pipe, mut cat, bytes } = self;
        drop(pipe);
        cat.wait().unwrap();
        bytes
    }
}

impl Write for Drained {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.pipe.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Bytes; seconds of wall and of CPU of this process.
fn timed(work: impl FnOnce() -> u64) -> (u64, (f64, f64)) {
    let (mut watch, before) = (Stopwatch::default(), cpu_secs());
    let bytes = watch.time(work);
    (bytes, (watch.secs(), cpu_secs() - before))
}

fn export(head: &Head) -> (u64, (f64, f64)) {
    timed(|| {
        let (state, store) = (head.state(), head.store());
        let plan = export::plan(state, store, &Filter::default(), false).unwrap();
        let parts: Vec<_> = plan.entries.iter().map(|entry| entry.part.clone()).collect();
        let (plain, versions) = (Compression::Plain, Versions::default());
        let sink = ArchiveWriter::new(Drained::new(), "a pipe", plain, &versions, parts).unwrap();
        export::write(state, store, &plan, sink).unwrap().finish()
    })
}

/// Decompressed and named in parallel, while what was before is written.
fn bare_export(blocks: &[Vec<u8>]) -> (u64, (f64, f64)) {
    let plain_of = |blocks: &[Vec<u8>], out: &mut Vec<Vec<u8>>| {
        out.resize_with(blocks.len(), Vec::new);
        blocks.par_iter().zip(out).for_each_init(
            || zstd::bulk::Decompressor::new().unwrap(),
            |unpacker, (block, plain)| {
                plain.clear();
                plain.reserve(BLOCK_BYTES);
                unpacker.decompress_to_buffer(block, plain).unwrap();
                std::hint::black_box(blake3::hash(plain));
            },
        );
    };
    timed(|| {
        let mut drained = Drained::new();
        let (mut ready, mut next) = (Vec::new(), Vec::new());
        let mut waves = blocks.chunks(TOGETHER);
        waves.next().into_iter().for_each(|wave| plain_of(wave, &mut ready));
        while !ready.is_empty() {
            rayon::in_place_scope(|scope| {
                match waves.next() {
                    Some(wave) => scope.spawn(|_| plain_of(wave, &mut next)),
                    None => next.clear(),
                }
                ready.iter().for_each(|plain| drained.write_all(plain).unwrap());
            });
            std::mem::swap(&mut ready, &mut next);
        }
        drained.finish()
    })
}
