//! A store built by hand is read: with its index, and rebuilt from packs and log.

use crate::by_hand::{Log, Pack, Rows, checkpoint, leaf, node, pack_header, publish, record, superblock};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;
use tidemark_base::{BlockId, BlockKind};
use tidemark_blockstore::{
    Depth, Error, GcOptions, Healed, NewRef, OpenOptions, Quiet, RefVersion, Store, repair,
};

const STORE: [u8; 16] = *b"store of the doc";
const OWNER: [u8; 16] = *b"a dead process!!";
const TEXT: &[u8] = b"the same again, the same again, the same again, the same again, the same again";
const RAW: &[u8] = b"as it is";

/// Pack 5, live: a raw leaf, a compressed leaf, a node over both, one empty leaf. Pack 7, open, of session 3
/// whose owner is dead: a leaf that only the session pins.
struct ByHand {
    _folder: TempDir,
    root: PathBuf,
    top: BlockId,
    pinned: BlockId,
}

fn options() -> OpenOptions {
    OpenOptions::default().reserve_bytes(0)
}

/// Writes a pack, and rows for its records.
fn write_pack(root: &Path, rows: &mut Rows, id: u64, mut row: Pack, records: &[Vec<u8>]) {
    let mut bytes = pack_header(&STORE, id);
    for (record, number) in records.iter().zip(0..) {
        rows.block(id, bytes.len() as u32, number, record);
        bytes.extend(record);
    }
    (row.len_bytes, row.records) = (bytes.len() as u64, records.len() as u32);
    rows.pack(id, &row);
    std::fs::write(root.join(format!("packs/{id:016x}.pack")), bytes).unwrap();
}

impl ByHand {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let root = folder.path().to_path_buf();
        for name in ["packs", "locks"] {
            std::fs::create_dir(root.join(name)).unwrap();
        }
        let superblock = superblock(&STORE, [128, 512, 2048], [11, 12]);
        std::fs::write(root.join("superblock"), superblock).unwrap();
        let mut rows = Rows::default();
        rows.identity(&STORE);
        rows.counters([4, 8, 4, 9]);

        // The level is free: not the one that the code takes.
        let frame = zstd::bulk::compress(TEXT, 19).unwrap();
        let top = node(&[leaf(RAW), leaf(TEXT), leaf(RAW)], b"of no concern");
        let records = [
            record(1, 0, RAW, RAW),
            record(1, 1, TEXT, &frame),
            record(2, 0, &top, &top),
            record(1, 0, b"", b""),
        ];
        let live = Pack { state: 1, touch_epoch: 2, session: 0, len_bytes: 0, records: 0, condemned_at: 0 };
        write_pack(&root, &mut rows, 5, live, &records);
        let pinned = b"pinned by a session";
        let open = Pack { state: 0, touch_epoch: 4, session: 3, len_bytes: 0, records: 0, condemned_at: 0 };
        write_pack(&root, &mut rows, 7, open, &[record(1, 0, pinned, pinned)]);
        rows.session(3, 4, &OWNER, &[leaf(pinned)]);

        let top = BlockId::of(BlockKind::Node, &top);
        let mut log =
            Log::new(&STORE, 6, &checkpoint(7, &[("a", 3, (&[top], b"old")), ("b", 7, (&[], b""))]));
        log.append(&publish(8, &[("b", None), ("größe", Some((&[leaf(RAW), leaf(b"")], b"\x00\x01")))]));
        log.append(&publish(9, &[("a", Some((&[top, top], b"new")))]));
        std::fs::write(root.join("refs.log"), &log.bytes).unwrap();
        rows.log(&log);
        rows.one_ref("a", 9, (&[top, top], b"new"));
        rows.one_ref("größe", 8, (&[leaf(RAW), leaf(b"")], b"\x00\x01"));
        rows.write(&root.join("index.db"));
        Self { _folder: folder, root, top, pinned: leaf(pinned) }
    }

    fn open(&self) -> Store {
        let backend = options().open(&self.root).unwrap();
        assert_eq!(backend.healed(), []);
        Store::new(Arc::new(backend))
    }

    fn assert_is_read(&self, store: &Store) {
        let found = store.superblock();
        assert_eq!((found.store.as_bytes(), found.value_salt, found.key_salt), (&STORE, 11, 12));
        let sizes = found.cut_sizes;
        assert_eq!((sizes.min_bytes, sizes.target_bytes, sizes.max_bytes), (128, 512, 2048));
        let refs = store.list_refs("").unwrap().into_iter();
        let refs: Vec<_> =
            refs.map(|(name, it)| (name, it.version, NewRef { roots: it.roots, value: it.value })).collect();
        let new = |roots: &[BlockId], value: &[u8]| NewRef { roots: roots.to_vec(), value: value.to_vec() };
        let a = ("a".to_owned(), RefVersion(9), new(&[self.top, self.top], b"new"));
        let b = ("größe".to_owned(), RefVersion(8), new(&[leaf(RAW), leaf(b"")], b"\x00\x01"));
        assert_eq!(refs, [a, b]);
        for plain in [RAW, TEXT, b"", b"pinned by a session"] {
            assert_eq!(store.get_one(leaf(plain)).unwrap().bytes(), plain);
        }
        assert_eq!(store.get_one(self.top).unwrap().kind(), BlockKind::Node);
        for depth in [Depth::Quick, Depth::Full] {
            let report = store.verify(depth, &Quiet).unwrap();
            assert!(report.is_clean(), "{:#?}", report.damage);
            assert_eq!((report.packs, report.records, report.reached_blocks), (2, 5, 4));
        }
    }
}

#[test]
fn a_store_built_from_the_page_is_read() {
    let by_hand = ByHand::new();
    by_hand.assert_is_read(&by_hand.open());
}

#[test]
fn sessions_and_pack_states_of_the_page_are_understood() {
    let by_hand = ByHand::new();
    let store = by_hand.open();
    // What the session pins counts as in use as long as nobody has noticed that its owner is dead.
    let dry = store.collect(GcOptions { dry_run: true, sweep: false }, &Quiet).unwrap();
    assert_eq!(dry.figures.live_blocks, 5);
    let real = store.collect(GcOptions { dry_run: false, sweep: false }, &Quiet).unwrap();
    assert_eq!((real.figures.live_blocks, real.condemned_packs), (4, 1));
    let real = store.collect(GcOptions { dry_run: false, sweep: false }, &Quiet).unwrap();
    assert_eq!(real.deleted_packs, 1);
    assert!(matches!(store.get_one(by_hand.pinned), Err(Error::Missing { .. })));
}

#[test]
fn packs_and_log_of_the_page_rebuild_the_index() {
    let by_hand = ByHand::new();
    std::fs::remove_file(by_hand.root.join("index.db")).unwrap();
    let report = repair(&by_hand.root).unwrap();
    assert_eq!((report.packs, report.blocks, report.refs, report.damage.len()), (2, 5, 2, 0));
    by_hand.assert_is_read(&by_hand.open());
}

#[test]
fn temporary_names_and_foreign_files_are_left_alone() {
    let by_hand = ByHand::new();
    for name in ["refs.log.new", "index.db.new", "superblock.new", "packs/notes.txt", "packs/ff.pack"] {
        std::fs::write(by_hand.root.join(name), b"rubbish").unwrap();
    }
    by_hand.assert_is_read(&by_hand.open());
}

#[test]
fn newer_versions_are_refused_by_name() {
    for file in ["superblock", "refs.log"] {
        let by_hand = ByHand::new();
        let path = by_hand.root.join(file);
        let mut bytes = std::fs::read(&path).unwrap();
        let sum_at = if file == "superblock" { 64 } else { 40 };
        // A newer version may use what is reserved in this one.
        (bytes[8], bytes[12]) = (2, 1);
        let sum = xxhash_rust::xxh3::xxh3_64(&bytes[..sum_at]);
        bytes[sum_at..sum_at + 8].copy_from_slice(&sum.to_le_bytes());
        std::fs::write(&path, bytes).unwrap();
        let error = options().open(&by_hand.root).unwrap_err();
        let told =
            matches!(&error, Error::NewerFormat { path, found: 2, supported: 1 } if path.ends_with(file));
        assert!(told, "{error}");
    }
}

#[test]
fn a_pack_of_a_newer_version_is_reported_and_left_out_by_repair() {
    let by_hand = ByHand::new();
    let path = by_hand.root.join("packs/0000000000000007.pack");
    let mut bytes = std::fs::read(&path).unwrap();
    (bytes[8], bytes[12]) = (2, 1);
    let sum = xxhash_rust::xxh3::xxh3_64(&bytes[..40]);
    bytes[40..48].copy_from_slice(&sum.to_le_bytes());
    std::fs::write(&path, &bytes).unwrap();
    let report = by_hand.open().verify(Depth::Quick, &Quiet).unwrap();
    assert!(report.damage.iter().any(|it| it.problem.contains("format version 2")), "{:?}", report.damage);
    std::fs::remove_file(by_hand.root.join("index.db")).unwrap();
    let report = repair(&by_hand.root).unwrap();
    assert_eq!((report.packs, report.blocks), (1, 4));
    assert!(report.damage.iter().any(|it| it.contains("format version 2")), "{:?}", report.damage);
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}

#[test]
fn reserved_bytes_must_be_zero() {
    let set_reserved = |file: &str, sum_at: usize, reserved_at: usize| {
        let by_hand = ByHand::new();
        let path = by_hand.root.join(file);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[reserved_at] = 1;
        let sum = xxhash_rust::xxh3::xxh3_64(&bytes[..sum_at]);
        bytes[sum_at..sum_at + 8].copy_from_slice(&sum.to_le_bytes());
        std::fs::write(&path, bytes).unwrap();
        by_hand
    };
    let by_hand = set_reserved("superblock", 64, 44);
    assert!(matches!(options().open(&by_hand.root), Err(Error::BadRow { .. })));
    let by_hand = set_reserved("refs.log", 40, 12);
    let healed = options().open(&by_hand.root).unwrap();
    assert_eq!(healed.healed(), [Healed::LogRewritten]);
    let by_hand = set_reserved("packs/0000000000000005.pack", 40, 12);
    assert!(!by_hand.open().verify(Depth::Quick, &Quiet).unwrap().is_clean());
}
