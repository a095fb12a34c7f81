//! Many rounds of changes, with compaction where it is worth it: what snapshots keep, what is written, what reading
//! costs.
//!
//! `cargo xtask bench compaction [kept|replaced]`: 4 million orders, a tenth with `--quick`. *kept*: 50 rounds of 1 %
//! updates, 1 % inserts and 0.2 % deletes, a snapshot of each kept. *replaced*: 30 rounds that replace 5 % of the
//! orders; the last snapshot is read, alternating with its compacted form.

#![expect(clippy::print_stdout, clippy::unwrap_used, clippy::cast_precision_loss, reason = "a bench")]

use serde_json::{Value, json};
use std::sync::Arc;
use tempfile::TempDir;
use tidemark_base::bson::{Doc, split};
use tidemark_base::{BlockId, CollectionUuid, OpTime, Timestamp, UnixMillis};
use tidemark_benches::{Stopwatch, keep, peak_rss_mib, reset_peak_rss};
use tidemark_blockstore::{LocalBackend, Quiet, Store};
use tidemark_head::compaction::UNPACED;
use tidemark_head::head::{Head, HeadName};
use tidemark_head::import::Import;
use tidemark_head::snapshot;
use tidemark_head::state::State;
use tidemark_oplog::catalog::Collection;
use tidemark_oplog::filter::Filter;
use tidemark_testkit::generate::oplog_mix::Target;
use tidemark_testkit::generate::orders::Orders;
use tidemark_testkit::generate::rounds::Rounds;

const UUID: CollectionUuid = CollectionUuid::from_bytes([7; 16]);
const BEGIN: OpTime = OpTime { ts: Timestamp { secs: 1_700_000_000, ordinal: 0 }, term: 1 };
const BUDGET_BYTES: usize = 512 << 20;
/// How much is made and handed over at once, in bytes.
const BATCH_BYTES: usize = 8 << 20;
/// Entries that are applied at once.
const BATCH_ENTRIES: usize = 20_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let orders = if arguments.iter().any(|word| word == "--quick") { 400_000 } else { 4_000_000 };
    let wanted = |name: &str| {
        let mut names = arguments.iter().filter(|word| !word.starts_with("--")).peekable();
        names.peek().is_none() || names.any(|word| word == name)
    };
    if wanted("kept") {
        println!("{}", keep("compaction", "kept", &kept(orders)).unwrap());
    }
    if wanted("replaced") {
        println!("{}", keep("compaction", "replaced", &replaced(orders)).unwrap());
    }
}

/// A head of orders, and what is done to it.
struct Life {
    // Before the store, and that before its folder.
    head: Head,
    store: Store,
    rounds: Rounds,
    apply: Stopwatch,
    snapshots: Stopwatch,
    compaction: Stopwatch,
    slowest_snapshot: f64,
    folded: u64,
    _folder: TempDir,
}

impl Life {
    /// Builds the head, and keeps the first snapshot. Second: the seconds that took.
    fn begin(orders: u64) -> (Self, f64) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(Arc::new(LocalBackend::create(&folder.path().join("store")).unwrap()));
        let mut build = Stopwatch::default();
        let mut import = Import::begin(&store, BEGIN, Filter::default(), BUDGET_BYTES).unwrap();
        let options = bson::doc! {}.to_vec().unwrap();
        let (database, name) = ("shop".to_owned(), "orders".to_owned());
        import.collection(UUID, Collection { database, name, options, indexes: Vec::new() }).unwrap();
        let (source, mut batch) = (Orders::new(1), Vec::new());
        for number in 0..orders {
            source.document(number, &mut batch);
            if batch.len() >= BATCH_BYTES || number + 1 == orders {
                let documents: Vec<Doc<'_>> = split(&batch).map(Result::unwrap).collect();
                build.time(|| import.documents(UUID, &documents).unwrap());
                batch.clear();
            }
        }
        let name = HeadName::new("local", "rs0").unwrap();
        let head = build.time(|| {
            let mut head = import.finish(&name, None).unwrap();
            head.snapshot(&UnixMillis(0)).unwrap();
            head
        });
        let target = Target { namespace: "shop.orders".to_owned(), uuid: UUID };
        let rounds = Rounds::new(source, target, orders, 5, BEGIN.ts);
        let life = Self {
            head,
            store,
            rounds,
            apply: Stopwatch::default(),
            snapshots: Stopwatch::default(),
            compaction: Stopwatch::default(),
            slowest_snapshot: 0.0,
            folded: 0,
            _folder: folder,
        };
        (life, build.secs())
    }

    /// A round of changes, a flush, what compaction is worth doing, and a snapshot, which is timed with the flush.
    fn round(&mut self, changes: impl FnOnce(&mut Rounds, &mut Vec<u8>)) {
        let mut entries = Vec::new();
        changes(&mut self.rounds, &mut entries);
        let entries: Vec<Doc<'_>> = split(&entries).map(Result::unwrap).collect();
        for some in entries.chunks(BATCH_ENTRIES) {
            self.apply.time(|| self.head.apply(some).unwrap());
        }
        let before = self.snapshots.secs();
        self.snapshots.time(|| self.head.flush().unwrap());
        let plan = self.compaction.time(|| self.head.compact_if_worth(UNPACED).unwrap());
        self.folded += u64::from(!plan.is_empty());
        self.snapshots.time(|| self.head.snapshot(&UnixMillis(0)).unwrap());
        self.slowest_snapshot = self.slowest_snapshot.max(self.snapshots.secs() - before);
    }

    /// Bytes that refs keep, and bytes in packs: all that was ever written.
    fn stored(&self) -> (f64, f64) {
        let stats = self.store.stats(&Quiet).unwrap();
        (stats.stored_bytes as f64, stats.pack_bytes as f64)
    }

    /// Bytes that the head stands on, once no snapshot is left.
    fn read_bytes(&self) -> f64 {
        for (id, _) in snapshot::list(&self.store, self.head.name()).unwrap() {
            snapshot::delete(&self.store, self.head.name(), id).unwrap();
        }
        self.stored().0
    }
}

fn kept(orders: u64) -> Value {
    reset_peak_rss();
    let (mut life, first_s) = Life::begin(orders);
    let (first, _) = life.stored();
    let mut second = 0.0;
    for round in 0..50 {
        life.round(Rounds::ordinary);
        if round == 0 {
            second = life.stored().0;
        }
    }
    let (kept, written) = life.stored();
    let read = life.read_bytes();
    life.head.compact().unwrap();
    let compacted = life.read_bytes();
    json!({
        "orders": orders,
        "first_s": first_s,
        "apply_s": life.apply.secs(),
        "compaction_s": life.compaction.secs(),
        "flushes_and_snapshots_s": life.snapshots.secs(),
        "slowest_flush_and_snapshot_s": life.slowest_snapshot,
        "rounds_that_folded": life.folded,
        "first_stored_mb": first / 1e6,
        "second_snapshot_adds_mb": (second - first) / 1e6,
        "kept_ratio": kept / first,
        "written_ratio": written / first,
        "read_ratio": read / compacted,
        "peak_rss_mib": peak_rss_mib(),
    })
}

fn replaced(orders: u64) -> Value {
    reset_peak_rss();
    let (mut life, first_s) = Life::begin(orders);
    let (_, first) = life.stored();
    for _ in 0..30 {
        life.round(Rounds::replacing);
    }
    let written = life.stored().1 - first;
    let (read, stack) = (life.read_bytes(), life.head.root());
    let base = life.head.compact().unwrap();
    let compacted = life.read_bytes();
    // The root of the stack is kept by nothing, but nothing is collected here.
    let [mut stack_read, mut base_read] = [f64::MAX; 2];
    for _ in 0..3 {
        stack_read = stack_read.min(timed_read(&life.store, stack));
        base_read = base_read.min(timed_read(&life.store, base));
    }
    // A twentieth of the documents in each round, as they are stored.
    let changed = 30.0 * first / 20.0;
    json!({
        "orders": orders,
        "first_s": first_s,
        "apply_s": life.apply.secs(),
        "compaction_s": life.compaction.secs(),
        "flushes_and_snapshots_s": life.snapshots.secs(),
        "rounds_that_folded": life.folded,
        "written_mb": written / 1e6,
        "changed_mb": changed / 1e6,
        "written_by_change": written / changed,
        "read_ratio": read / compacted,
        "read_time_ratio": stack_read / base_read,
        "peak_rss_mib": peak_rss_mib(),
    })
}

/// Seconds that reading all documents of a root takes.
fn timed_read(store: &Store, root: BlockId) -> f64 {
    let mut watch = Stopwatch::default();
    let mut bytes = 0;
    watch.time(|| {
        let state = State::open(store, root).unwrap();
        let each = &mut |document: &[u8]| {
            bytes += document.len();
            Ok(())
        };
        state.fold(store, UUID, each).unwrap();
    });
    assert!(bytes > 0);
    watch.secs()
}
