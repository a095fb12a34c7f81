//! The blockstore against bare hashing, compression and copying of the same bytes on the same threads.
//!
//! `cargo xtask bench blockstore [throughput|gc]`. Sizes: 2 GB in 64 KiB blocks, a million 4 KiB blocks; a
//! part of that with `--quick`. Bare and measured work alternate batch by batch.

#![expect(clippy::print_stdout, clippy::unwrap_used, clippy::cast_precision_loss, reason = "a bench")]

use rayon::prelude::*;
use serde_json::json;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tidemark_base::{BlockId, Clock as _, SystemClock, threads};
use tidemark_benches::{Stopwatch, keep, peak_rss_mib, reset_peak_rss};
use tidemark_blockstore::{
    BlockRef, Considerate, Expect, GcOptions, Header, LocalBackend, NewRef, Observer, Others,
    RECORD_HEADER_LEN, RefChange, Session, Stage, Store, encode_node,
};
use tidemark_testkit::generate::orders::Orders;

const BATCH_BYTES: usize = 32 << 20;
/// How many blocks are asked for at once: what a reader with 2 MiB to spend would.
const READ_BLOCKS: usize = 64;
/// How often the survivors are copied: disks that slow down after some gigabytes make one copy twice as fast as
/// another, so it is all of them together that count.
const COPIES: usize = 3;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let quick = arguments.iter().any(|word| word == "--quick");
    let wanted = |name: &str| {
        let mut names = arguments.iter().filter(|word| !word.starts_with("--")).peekable();
        names.peek().is_none() || names.any(|word| word == name)
    };
    if wanted("throughput") {
        throughput(if quick { 256 << 20 } else { 2 << 30 });
    }
    if wanted("gc") {
        collection(if quick { 100_000 } else { 1_000_000 });
    }
}

/// Orders as one stream of bytes, cut into blocks of equal size.
struct Data {
    orders: Orders,
    next: u64,
    left_over: Vec<u8>,
}

impl Data {
    fn new(seed: u64) -> Self {
        Self { orders: Orders::new(seed), next: 0, left_over: Vec::new() }
    }

    fn blocks(&mut self, count: usize, block_bytes: usize) -> Vec<Vec<u8>> {
        let mut bytes = std::mem::take(&mut self.left_over);
        while bytes.len() < count * block_bytes {
            self.orders.document(self.next, &mut bytes);
            self.next += 1;
        }
        self.left_over = bytes.split_off(count * block_bytes);
        bytes.chunks(block_bytes).map(<[u8]>::to_vec).collect()
    }
}

fn store(dir: &Path) -> Store {
    Store::new(Arc::new(LocalBackend::create(&dir.join("store")).unwrap()))
}

thread_local! {
    static CONTEXT: std::cell::RefCell<zstd::bulk::Compressor<'static>> =
        std::cell::RefCell::new(zstd::bulk::Compressor::new(3).unwrap());
    static BACK: std::cell::RefCell<zstd::bulk::Decompressor<'static>> =
        std::cell::RefCell::new(zstd::bulk::Decompressor::new().unwrap());
}

/// What no store can avoid: name and compress each block.
fn bare_pipeline(blocks: &[Vec<u8>]) -> Vec<(blake3::Hash, Vec<u8>)> {
    blocks
        .par_iter()
        .map(|block| {
            (blake3::hash(block), CONTEXT.with_borrow_mut(|context| context.compress(block).unwrap()))
        })
        .collect()
}

fn throughput(total: usize) {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let mut bare_file = File::create(dir.path().join("bare")).unwrap();
    let session = store.session(&[]).unwrap();
    let [
        mut bare,
        mut bare_write,
        mut put,
        mut bare_hash,
        mut put_again,
        mut bare_read,
        mut bare_delivery,
        mut get,
    ] = std::array::from_fn(|_| Stopwatch::default());
    let mut data = Data::new(1);
    let (mut plain, mut stored) = (0u64, 0u64);
    reset_peak_rss();
    while plain < total as u64 {
        let blocks = data.blocks(BATCH_BYTES / 65_536, 65_536);
        let refs: Vec<_> = blocks.iter().map(|bytes| BlockRef::leaf(bytes)).collect();
        let results = bare.time(|| bare_pipeline(&blocks));
        bare_write.time(|| results.iter().for_each(|(_, bytes)| bare_file.write_all(bytes).unwrap()));
        drop(results);
        put.time(|| session.put(&refs).unwrap());
        plain += BATCH_BYTES as u64;
    }
    bare_write.time(|| bare_file.sync_data().unwrap());
    put.time(|| session.sync().unwrap());
    let rss_put = peak_rss_mib();
    // A reader is handed its blocks: so is whoever asked for the bare ones, in buffers used again.
    let mut delivered: Vec<Vec<u8>> = (0..READ_BLOCKS).map(|_| Vec::with_capacity(65_536)).collect();
    let mut data = Data::new(1);
    for _ in 0..plain / BATCH_BYTES as u64 {
        let blocks = data.blocks(BATCH_BYTES / 65_536, 65_536);
        let refs: Vec<_> = blocks.iter().map(|bytes| BlockRef::leaf(bytes)).collect();
        bare_hash.time(|| {
            blocks.par_iter().for_each(|block| {
                std::hint::black_box(blake3::hash(block));
            });
        });
        let ids = put_again.time(|| session.put(&refs).unwrap());
        let packed: Vec<Vec<u8>> = bare_pipeline(&blocks).into_iter().map(|(_, bytes)| bytes).collect();
        bare_read.time(|| {
            packed.par_iter().for_each(|bytes| {
                let plain = BACK.with_borrow_mut(|context| context.decompress(bytes, 65_536).unwrap());
                std::hint::black_box(blake3::hash(&plain));
            });
        });
        for packed in packed.chunks(READ_BLOCKS) {
            bare_delivery.time(|| {
                packed.par_iter().zip(&mut delivered).for_each(|(bytes, plain)| {
                    plain.clear();
                    BACK.with_borrow_mut(|context| context.decompress_to_buffer(bytes, plain).unwrap());
                    std::hint::black_box(blake3::hash(plain));
                });
            });
        }
        stored += packed.iter().map(|bytes| bytes.len() as u64).sum::<u64>();
        drop(packed);
        for (ids, blocks) in ids.chunks(READ_BLOCKS).zip(blocks.chunks(READ_BLOCKS)) {
            let found = get.time(|| store.get(ids));
            assert!(found.iter().zip(blocks).all(|(found, block)| found.as_ref().unwrap().bytes() == *block));
        }
    }
    let gb = plain as f64 / 1e9;
    let figures = json!({
        "plain_gb": gb,
        "bare_stored_gb": stored as f64 / 1e9,
        "bare_pipeline_s": bare.secs(),
        "bare_write_s": bare_write.secs(),
        "put_and_sync_s": put.secs(),
        "put_ratio": (bare.secs() + bare_write.secs()) / put.secs(),
        "bare_hash_s": bare_hash.secs(),
        "put_again_s": put_again.secs(),
        "put_again_ratio": bare_hash.secs() / put_again.secs(),
        "bare_decompress_and_hash_s": bare_read.secs(),
        "bare_delivered_s": bare_delivery.secs(),
        "get_s": get.secs(),
        "get_ratio": bare_delivery.secs() / get.secs(),
        "get_over_bare_thrown_away": bare_read.secs() / get.secs(),
        "peak_rss_mib_put": rss_put,
        "peak_rss_mib": peak_rss_mib(),
    });
    println!("{}", keep("blockstore", "throughput", &figures).unwrap());
}

fn collection(count: usize) {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let mut build = Stopwatch::default();
    build.time(|| fill(&store, count));
    let before = folder_bytes(dir.path());
    let survivors = survivors(&store);
    let packs = dir.path().join("store/packs");
    // Kept until the collection is done: that writes to fresh places on the disk, too.
    let copied = tempfile::tempdir().unwrap();
    let to = |n: usize| copied.path().join(n.to_string());
    let copies: Vec<f64> = (0..COPIES).map(|n| copy_bare(&packs, &survivors, &to(n))).collect();
    let copy = copies.iter().sum::<f64>() / COPIES as f64;
    start_cold(dir.path());
    reset_peak_rss();
    let mut gc = Stopwatch::default();
    let stages = Stages::new();
    let report =
        gc.time(|| store.collect(GcOptions { sweep: true, ..GcOptions::default() }, &stages).unwrap());
    let rss = peak_rss_mib();
    let after = folder_bytes(dir.path());
    assert!(report.damaged.is_empty(), "{:?}", report.damaged);
    let figures = json!({
        "blocks": count,
        "build_s": build.secs(),
        "copies_of_survivors_s": copies,
        "gc_s": gc.secs(),
        "gc_over_copy": gc.secs() / copy,
        "stages_began_s": *stages.seen.lock().unwrap(),
        "peak_rss_mib": rss,
        "folder_before_mb": before as f64 / 1e6,
        "folder_after_mb": after as f64 / 1e6,
        "live_mb": report.figures.live_bytes as f64 / 1e6,
        "reclaimed_mb": report.figures.reclaimed_bytes as f64 / 1e6,
    });
    println!("{}", keep("blockstore", "gc", &figures).unwrap());
    drop(dir);
    beside(count / 4);
}

/// When each stage of a collection began, in seconds.
struct Stages {
    clock: SystemClock,
    seen: Mutex<Vec<(String, f64)>>,
}

impl Stages {
    fn new() -> Self {
        Self { clock: SystemClock::new(), seen: Mutex::default() }
    }
}

impl Observer for Stages {
    fn progress(&self, stage: Stage, _done: u64, _total: Option<u64>) {
        let mut seen = self.seen.lock().unwrap();
        let name = format!("{stage:?}");
        if seen.last().is_none_or(|(last, _)| *last != name) {
            seen.push((name, self.clock.monotonic().as_secs_f64()));
        }
    }
}

/// The same collection with a writer beside it, held still for every other second: what the writer does in
/// those is its speed alone, on the same store in the same minute.
fn beside(count: usize) {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    fill(&store, count);
    let writer = FreshWriter::start(&store);
    let held = Arc::new(AtomicBool::new(true));
    let collector = {
        let (store, held) = (store, Arc::clone(&held));
        threads::spawn("collector", move || {
            let clock = SystemClock::new();
            let options = GcOptions { sweep: true, ..GcOptions::default() };
            store.collect(options, &Considerate::new(&Held(held), &clock)).unwrap();
        })
        .unwrap()
    };
    // Bytes and seconds, alone and beside.
    let mut sums = [(0, Stopwatch::default()), (0, Stopwatch::default())];
    for turn in 0.. {
        if collector.is_finished() && turn % 2 == 0 {
            break;
        }
        held.store(turn % 2 == 0, Ordering::SeqCst);
        let before = writer.bytes.load(Ordering::SeqCst);
        let (bytes, watch) = &mut sums[turn % 2];
        watch.time(|| std::thread::sleep(Duration::from_secs(1)));
        *bytes += writer.bytes.load(Ordering::SeqCst) - before;
    }
    collector.join().unwrap();
    writer.stop();
    let [alone, with_gc] = [&sums[0], &sums[1]].map(|(bytes, watch)| *bytes as f64 / 1e6 / watch.secs());
    let figures = json!({
        "blocks": count,
        "gc_s": sums[1].1.secs(),
        "writer_alone_mb_s": alone,
        "writer_beside_gc_mb_s": with_gc,
        "writer_ratio": with_gc / alone,
    });
    println!("{}", keep("blockstore", "gc-beside-writer", &figures).unwrap());
}

/// Holds a collection still while told to.
struct Held(Arc<AtomicBool>);

impl Observer for Held {
    fn pace(&self, _bytes: u64, _others: Others) {
        while self.0.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// A writer that puts fresh 64 KiB blocks and syncs every 4 MiB.
struct FreshWriter {
    stop: Arc<AtomicBool>,
    bytes: Arc<AtomicU64>,
    thread: std::thread::JoinHandle<()>,
}

impl FreshWriter {
    fn start(store: &Store) -> Self {
        let (stop, bytes) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (store, stopped, sum) = (store.clone(), Arc::clone(&stop), Arc::clone(&bytes));
        let thread = threads::spawn("writer", move || {
            let session = store.session(&[]).unwrap();
            let mut data = Data::new(std::ptr::from_ref(&*stopped).addr() as u64);
            while !stopped.load(Ordering::SeqCst) {
                let blocks = data.blocks(64, 65_536);
                let refs: Vec<_> = blocks.iter().map(|bytes| BlockRef::leaf(bytes)).collect();
                session.put(&refs).unwrap();
                session.sync().unwrap();
                sum.fetch_add(4 << 20, Ordering::SeqCst);
            }
        })
        .unwrap();
        Self { stop, bytes, thread }
    }

    fn stop(self) {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().unwrap();
    }
}

/// Puts `count` blocks of 4 KiB; every second one is reached by a ref.
fn fill(store: &Store, count: usize) {
    let session = store.session(&[]).unwrap();
    let mut data = Data::new(7);
    let mut nodes = Vec::new();
    for _ in 0..count / 2000 {
        let blocks = data.blocks(2000, 4096);
        let refs: Vec<_> = blocks.iter().map(|bytes| BlockRef::leaf(bytes)).collect();
        let ids = session.put(&refs).unwrap();
        let kept: Vec<BlockId> = ids.into_iter().step_by(2).collect();
        for children in kept.chunks(100) {
            nodes.push(put_node(&session, children));
        }
    }
    let root = put_node(&session, &nodes);
    let set = Some(NewRef { roots: vec![root], value: Vec::new() });
    session.publish(&[RefChange { name: "kept".into(), expect: Expect::Any, set }]).unwrap();
}

fn put_node(session: &Session, children: &[BlockId]) -> BlockId {
    let bytes = encode_node(children, b"").unwrap();
    session.put(&[BlockRef::node(&bytes)]).unwrap().pop().unwrap()
}

/// Offset and length of each record that stays, by pack file.
fn survivors(store: &Store) -> HashMap<BlockId, ()> {
    let mut kept = HashMap::new();
    let mut todo: Vec<BlockId> = store.get_ref("kept").unwrap().unwrap().roots;
    while let Some(id) = todo.pop() {
        kept.insert(id, ());
        if let Ok(block) = store.get_one(id)
            && block.kind() == tidemark_base::BlockKind::Node
        {
            let children: Vec<BlockId> =
                tidemark_blockstore::Node::decode(block.bytes()).unwrap().children().collect();
            // Leaves are not read here: a node's children are leaves, but for the root.
            if todo.is_empty() && kept.len() == 1 {
                todo.extend(children);
            } else {
                kept.extend(children.into_iter().map(|child| (child, ())));
            }
        }
    }
    kept
}

/// Lets the kernel write and forget what it holds of the files in a folder: nobody shall wait for what others have
/// left behind, or find there what others have read.
fn start_cold(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            start_cold(&path);
            continue;
        }
        let file = File::open(path).unwrap();
        file.sync_all().unwrap();
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
    }
}

/// The seconds of the least that moving the survivors can cost: read each record, write it to one file, sync.
fn copy_bare(packs: &Path, survivors: &HashMap<BlockId, ()>, to: &Path) -> f64 {
    start_cold(packs);
    let mut watch = Stopwatch::default();
    watch.time(|| copy_to(packs, survivors, to));
    watch.secs()
}

fn copy_to(packs: &Path, survivors: &HashMap<BlockId, ()>, to: &Path) {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(to).unwrap());
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(packs).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for path in files {
        let file = File::open(path).unwrap();
        let len = file.metadata().unwrap().len();
        let mut offset = 48;
        while offset + (RECORD_HEADER_LEN as u64) <= len {
            let mut header = [0; RECORD_HEADER_LEN];
            file.read_exact_at(&mut header, offset).unwrap();
            let Ok(header) = Header::decode(&header) else { break };
            if survivors.contains_key(&header.id) {
                let mut record = vec![0; usize::try_from(header.record_len()).unwrap()];
                file.read_exact_at(&mut record, offset).unwrap();
                out.write_all(&record).unwrap();
            }
            offset += header.record_len();
        }
    }
    out.into_inner().unwrap().sync_data().unwrap();
}

fn folder_bytes(dir: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let mut sum = 0;
    for entry in std::fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let metadata = entry.metadata().unwrap();
        sum += if metadata.is_dir() { folder_bytes(&entry.path()) } else { metadata.blocks() * 512 };
    }
    sum
}
