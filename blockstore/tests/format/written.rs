//! What the code writes is, byte for byte and row for row, what the page says.

use crate::by_hand::{Log, Pack, Rows, checkpoint, leaf, node, pack_header, publish, record, superblock};
use std::sync::Arc;
use tempfile::TempDir;
use tidemark_base::{BlockId, BlockKind, Entropy as _, SeededEntropy};
use tidemark_blockstore::{BlockRef, CutSizes, Expect, NewRef, OpenOptions, RefChange, Store};

fn noise(seed: u64, len_bytes: usize) -> Vec<u8> {
    let mut bytes = vec![0; len_bytes];
    SeededEntropy::new(seed).fill(&mut bytes);
    bytes
}

fn change(name: &str, set: Option<(&[BlockId], &[u8])>) -> RefChange {
    let set = set.map(|(roots, value)| NewRef { roots: roots.to_vec(), value: value.to_vec() });
    RefChange { name: name.into(), expect: Expect::Any, set }
}

#[test]
fn a_store_is_written_as_the_page_says() {
    let folder = TempDir::new().unwrap();
    let root = folder.path().join("store");
    let backend = OpenOptions::default().reserve_bytes(3 << 20).create(&root).unwrap();
    let store = Store::new(Arc::new(backend));
    let session = store.session(&[]).unwrap();
    let (one, two) = (noise(1, 100), noise(2, 200));
    let top = node(&[leaf(&one), leaf(&two)], b"body");
    let ids = session.put(&[BlockRef::leaf(&one), BlockRef::leaf(&two), BlockRef::node(&top)]).unwrap();
    assert_eq!(ids, [leaf(&one), leaf(&two), BlockId::of(BlockKind::Node, &top)]);
    let roots = [ids[2]];
    session.publish(&[change("kept", Some((&roots, b"value"))), change("gone", Some((&[], b"")))]).unwrap();
    session.publish(&[change("gone", None)]).unwrap();

    let read = |name: &str| std::fs::read(root.join(name)).unwrap();
    let found = *store.superblock();
    let id = found.store.as_bytes();
    let CutSizes { min_bytes, target_bytes, max_bytes } = found.cut_sizes;
    assert_eq!([min_bytes, target_bytes, max_bytes], [16 << 10, 64 << 10, 256 << 10]);
    let expected = superblock(id, [min_bytes, target_bytes, max_bytes], [found.value_salt, found.key_salt]);
    assert_eq!(read("superblock"), expected);

    let records = [record(1, 0, &one, &one), record(1, 0, &two, &two), record(2, 0, &top, &top)];
    let pack = [pack_header(id, 1), records.concat()].concat();
    assert_eq!(read("packs/0000000000000001.pack"), pack);

    let mut log = Log::new(id, 1, &checkpoint(0, &[]));
    log.append(&publish(1, &[("kept", Some((&roots, b"value"))), ("gone", Some((&[], b"")))]));
    log.append(&publish(2, &[("gone", None)]));
    assert_eq!(read("refs.log"), log.bytes);

    // The session is still open: its row, and its pack's as open.
    let mut rows = Rows::default();
    rows.identity(id);
    rows.counters([1, 2, 2, 2]);
    rows.log(&log);
    let mut offset = 48;
    for (record, number) in records.iter().zip(0..) {
        rows.block(1, offset, number, record);
        offset += record.len() as u32;
    }
    let len_bytes = pack.len() as u64;
    rows.pack(1, &Pack { state: 0, touch_epoch: 1, session: 1, len_bytes, records: 3, condemned_at: 0 });
    rows.session(1, 1, &owner_in(&root.join("locks")), &[]);
    rows.one_ref("kept", 1, (&roots, b"value"));
    assert_eq!(Rows::read(&root.join("index.db")), rows.0);

    assert!(read("reserve").len() == 3 << 20 && read("reserve").iter().all(|byte| *byte == 0xa5));
}

/// The one owner whose lock is there.
fn owner_in(locks: &std::path::Path) -> [u8; 16] {
    let mut names: Vec<_> =
        std::fs::read_dir(locks).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    let [owner, store] = names.as_slice() else { panic!("{names:?}") };
    assert_eq!(store, "store.lock");
    let digits = owner.strip_prefix("owner-").unwrap();
    assert_eq!(digits.len(), 32);
    let byte = |at: usize| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap();
    std::array::from_fn(byte)
}

#[test]
fn compressed_payloads_are_zstd_frames_with_their_size() {
    let folder = TempDir::new().unwrap();
    let root = folder.path().join("store");
    let store = Store::new(Arc::new(OpenOptions::default().reserve_bytes(0).create(&root).unwrap()));
    let session = store.session(&[]).unwrap();
    let plain = b"again and ".repeat(100);
    session.put(&[BlockRef::leaf(&plain)]).unwrap();
    session.sync().unwrap();
    let pack = std::fs::read(root.join("packs/0000000000000001.pack")).unwrap();
    let frame = &pack[48 + 64..];
    assert_eq!(zstd::zstd_safe::get_frame_content_size(frame).unwrap(), Some(1000));
    assert_eq!(zstd::bulk::decompress(frame, 1000).unwrap(), plain);
    assert_eq!(pack[48..], record(1, 1, &plain, frame));
}
