//! A small store whose packs are known to the byte, tools to damage them, and what verify should say.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;
use tidemark_base::{BlockId, Entropy as _, SeededEntropy};
use tidemark_blockstore::{
    BlockRef, Depth, Expect, Header, LocalBackend, NewRef, OpenOptions, Quiet, RefChange, Session, Store,
    encode_node,
};

/// All leaves are of one length, so that their records can stand for each other.
const LEAF_BYTES: usize = 500;
/// Where a pack's first record begins.
pub(crate) const FIRST_RECORD: usize = 48;

pub(crate) struct Fixture {
    _folder: TempDir,
    root: PathBuf,
    pub(crate) ids: BTreeMap<&'static str, BlockId>,
}

/// A record in a pack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) id: BlockId,
}

impl Fixture {
    /// Pack 1: leaves `c` and `d` under `shared`; `one` has `shared` and `a`, `two` has `shared` and `b`.
    /// Pack 2: leaf `e`. Refs `one` and `two` have the nodes of their names, `three` has `e`.
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let root = folder.path().join("store");
        drop(options().create(&root).unwrap());
        let mut fixture = Self { _folder: folder, root, ids: BTreeMap::new() };
        let store = fixture.open();
        let session = store.session(&[]).unwrap();
        fixture.leaf(&session, "c");
        fixture.leaf(&session, "d");
        fixture.node(&session, "shared", &["c", "d"]);
        fixture.leaf(&session, "a");
        fixture.node(&session, "one", &["shared", "a"]);
        fixture.leaf(&session, "b");
        fixture.node(&session, "two", &["shared", "b"]);
        session.publish(&[fixture.set("one", "one"), fixture.set("two", "two")]).unwrap();
        session.close().unwrap();
        let session = store.session(&[]).unwrap();
        fixture.leaf(&session, "e");
        session.publish(&[fixture.set("three", "e")]).unwrap();
        session.close().unwrap();
        fixture
    }

    pub(crate) fn leaf(&mut self, session: &Session, name: &'static str) {
        let mut bytes = vec![0; LEAF_BYTES];
        SeededEntropy::new(name.bytes().fold(7, |seed, byte| seed * 31 + u64::from(byte))).fill(&mut bytes);
        self.ids.insert(name, session.put(&[BlockRef::leaf(&bytes)]).unwrap()[0]);
    }

    fn node(&mut self, session: &Session, name: &'static str, children: &[&str]) {
        let children: Vec<_> = children.iter().map(|child| self.ids[child]).collect();
        let bytes = encode_node(&children, name.as_bytes()).unwrap();
        self.ids.insert(name, session.put(&[BlockRef::node(&bytes)]).unwrap()[0]);
    }

    pub(crate) fn set(&self, name: &str, block: &str) -> RefChange {
        let new = NewRef { roots: vec![self.ids[block]], value: Vec::new() };
        RefChange { name: name.into(), expect: Expect::Any, set: Some(new) }
    }

    pub(crate) fn open_backend(&self) -> LocalBackend {
        options().open(&self.root).unwrap()
    }

    /// Opens the store, in which nothing that opening looks at is wrong.
    pub(crate) fn open(&self) -> Store {
        let backend = self.open_backend();
        assert_eq!(backend.healed(), []);
        Store::new(Arc::new(backend))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub(crate) fn pack(&self, number: u64) -> PathBuf {
        self.path(&format!("packs/{number:016x}.pack"))
    }

    /// Changes the bytes of a pack.
    pub(crate) fn edit(&self, pack: u64, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = std::fs::read(self.pack(pack)).unwrap();
        change(&mut bytes);
        std::fs::write(self.pack(pack), bytes).unwrap();
    }

    /// Where the record of a block lies.
    pub(crate) fn find(&self, pack: u64, name: &str) -> At {
        let bytes = std::fs::read(self.pack(pack)).unwrap();
        let records = records(&bytes);
        *records.iter().find(|at| at.id == self.ids[name]).unwrap()
    }

    /// Flips a bit in the last byte of a block's payload.
    pub(crate) fn damage(&self, pack: u64, name: &str) {
        let at = self.find(pack, name);
        self.edit(pack, |bytes| bytes[at.to - 1] ^= 1);
    }

    /// Flips a bit in the header of a block's record.
    pub(crate) fn damage_header(&self, pack: u64, name: &str) {
        let at = self.find(pack, name);
        self.edit(pack, |bytes| bytes[at.from + 20] ^= 1);
    }

    /// The blocks that verify names, each with the refs it hurts; `-` for what belongs to no block. Quick and
    /// full agree.
    pub(crate) fn named(&self, store: &Store) -> BTreeMap<&'static str, Vec<String>> {
        let [quick, full] = [Depth::Quick, Depth::Full].map(|depth| {
            let damage = store.verify(depth, &Quiet).unwrap().damage;
            let name = |id| *self.ids.iter().find(|(_, it)| **it == id).unwrap().0;
            damage.into_iter().map(|it| (it.block.map_or("-", name), it.hurts)).collect::<BTreeMap<_, _>>()
        });
        assert_eq!(quick, full);
        full
    }

    /// What verify says of one block.
    pub(crate) fn said_of(&self, store: &Store, name: &str) -> String {
        let report = store.verify(Depth::Full, &Quiet).unwrap();
        let damage = report.damage.into_iter().find(|it| it.block == Some(self.ids[name]));
        damage.unwrap().problem
    }

    /// Exactly these blocks cannot be read, asked for one by one or all together.
    pub(crate) fn assert_lost(&self, store: &Store, lost: &[&str]) {
        let ids: Vec<_> = self.ids.values().copied().collect();
        for ((name, id), found) in self.ids.iter().zip(store.get(&ids)) {
            let whole = found.is_ok_and(|block| BlockId::of(block.kind(), block.bytes()) == *id);
            assert_eq!(!whole, lost.contains(name), "{name}");
            assert_eq!(store.get_one(*id).is_err(), lost.contains(name), "{name}");
        }
    }
}

fn options() -> OpenOptions {
    OpenOptions::default().reserve_bytes(0)
}

/// The records of a pack in which nothing is wrong yet.
pub(crate) fn records(bytes: &[u8]) -> Vec<At> {
    let mut records = Vec::new();
    let mut from = FIRST_RECORD;
    while from < bytes.len() {
        let header = Header::decode(&bytes[from..]).unwrap();
        let to = from + header.record_len() as usize;
        records.push(At { from, to, id: header.id });
        from = to;
    }
    records
}

/// Lets two records change places.
pub(crate) fn swap(bytes: &mut Vec<u8>, x: At, y: At) {
    assert!(x.to <= y.from);
    let parts =
        [&bytes[..x.from], &bytes[y.from..y.to], &bytes[x.to..y.from], &bytes[x.from..x.to], &bytes[y.to..]];
    *bytes = parts.concat();
}

/// What verify should name, and the refs that should be hurt.
pub(crate) fn expected(list: &[(&'static str, &[&str])]) -> BTreeMap<&'static str, Vec<String>> {
    list.iter().map(|(name, hurts)| (*name, hurts.iter().map(|it| (*it).to_owned()).collect())).collect()
}
