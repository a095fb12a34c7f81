//! Every structure of `docs/format.md`, put together from the page alone.

use rusqlite::Connection;
use std::collections::BTreeMap;
use std::path::Path;
use tidemark_base::{BlockId, BlockKind};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// Bytes in the making.
#[derive(Clone, Default)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl Bytes {
    pub(crate) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }
    pub(crate) fn u8(self, value: u8) -> Self {
        self.raw(&[value])
    }
    pub(crate) fn u32(self, value: u32) -> Self {
        self.raw(&value.to_le_bytes())
    }
    pub(crate) fn u64(self, value: u64) -> Self {
        self.raw(&value.to_le_bytes())
    }
    fn prefixed(self, bytes: &[u8]) -> Self {
        self.u32(bytes.len() as u32).raw(bytes)
    }
    fn sum(self) -> Self {
        let sum = xxh3_64(&self.0);
        self.u64(sum)
    }
}

fn bytes() -> Bytes {
    Bytes::default()
}

pub(crate) fn leaf(plain: &[u8]) -> BlockId {
    BlockId::of(BlockKind::Leaf, plain)
}

/// A node's plain bytes.
pub(crate) fn node(children: &[BlockId], rest: &[u8]) -> Vec<u8> {
    let start = bytes().u32(children.len() as u32);
    children.iter().fold(start, |so_far, child| so_far.raw(child.as_bytes())).raw(rest).0
}

pub(crate) fn superblock(store: &[u8; 16], sizes: [u32; 3], salts: [u64; 2]) -> Vec<u8> {
    let [min, target, max] = sizes;
    let start = bytes().raw(b"TIDESTOR").u32(1).u32(1).raw(store).u32(min).u32(target).u32(max).u32(0);
    start.u64(salts[0]).u64(salts[1]).sum().0
}

pub(crate) fn pack_header(store: &[u8; 16], id: u64) -> Vec<u8> {
    bytes().raw(b"TIDEPACK").u32(1).u32(0).raw(store).u64(id).sum().0
}

/// A record of a block of this kind (1 or 2); codec 0 or 1 says what the payload is.
pub(crate) fn record(kind: u8, codec: u8, plain: &[u8], payload: &[u8]) -> Vec<u8> {
    let id = BlockId::of(BlockKind::from_byte(kind).unwrap(), plain);
    let start = bytes().raw(b"TMBK").u8(kind).u8(codec).raw(&[0, 0]).u32(plain.len() as u32);
    let header = start.u32(payload.len() as u32).raw(id.as_bytes()).u64(xxh3_64(payload)).sum();
    header.raw(payload).0
}

/// Roots and value of a ref.
pub(crate) type New<'a> = (&'a [BlockId], &'a [u8]);

fn roots_and_value(so_far: Bytes, (roots, value): New<'_>) -> Bytes {
    let so_far = so_far.u32(roots.len() as u32);
    roots.iter().fold(so_far, |so_far, root| so_far.raw(root.as_bytes())).prefixed(value)
}

pub(crate) fn publish(version: u64, changes: &[(&str, Option<New<'_>>)]) -> Vec<u8> {
    let start = bytes().u8(1).u64(version).u32(changes.len() as u32);
    let change = |so_far: Bytes, (name, set): &(&str, Option<New<'_>>)| {
        let so_far = so_far.prefixed(name.as_bytes());
        match set {
            None => so_far.u8(0),
            Some(new) => roots_and_value(so_far.u8(1), *new),
        }
    };
    changes.iter().fold(start, change).0
}

pub(crate) fn checkpoint(version: u64, refs: &[(&str, u64, New<'_>)]) -> Vec<u8> {
    let start = bytes().u8(2).u64(version).u32(refs.len() as u32);
    let one = |so_far: Bytes, (name, version, new): &(&str, u64, New<'_>)| {
        roots_and_value(so_far.prefixed(name.as_bytes()).u64(*version), *new)
    };
    refs.iter().fold(start, one).0
}

/// A log under way, with what the index must know of it.
pub(crate) struct Log {
    pub(crate) bytes: Vec<u8>,
    pub(crate) generation: u64,
    pub(crate) chain: u64,
    pub(crate) first_record_ends: u64,
}

impl Log {
    pub(crate) fn new(store: &[u8; 16], generation: u64, checkpoint: &[u8]) -> Self {
        let header = bytes().raw(b"TIDEREFS").u32(1).u32(0).raw(store).u64(generation);
        let chain = xxh3_64(&header.0);
        let mut log = Self { bytes: header.u64(chain).0, generation, chain, first_record_ends: 0 };
        log.append(checkpoint);
        log.first_record_ends = log.bytes.len() as u64;
        log
    }

    pub(crate) fn append(&mut self, body: &[u8]) {
        let framed = bytes().raw(b"TMRL").prefixed(body);
        self.chain = xxh3_64_with_seed(&framed.0, self.chain);
        self.bytes.extend(framed.u64(self.chain).0);
    }
}

/// The rows of an index.
#[derive(Default)]
pub(crate) struct Rows(pub(crate) BTreeMap<Vec<u8>, Vec<u8>>);

impl Rows {
    fn add(&mut self, key: &[u8], body: Bytes) {
        let sealed = bytes().raw(key).raw(&body.0).u64(key.len() as u64);
        self.0.insert(key.to_vec(), body.u64(xxh3_64(&sealed.0)).0);
    }

    fn numbered(table: u8, id: u64) -> Vec<u8> {
        [&[table][..], &id.to_be_bytes()].concat()
    }

    pub(crate) fn identity(&mut self, store: &[u8; 16]) {
        self.add(b"i", bytes().raw(store));
    }

    pub(crate) fn counters(&mut self, [epoch, next_pack, next_session, last_publish]: [u64; 4]) {
        self.add(b"m", bytes().u64(epoch).u64(next_pack).u64(next_session).u64(last_publish));
    }

    pub(crate) fn log(&mut self, log: &Log) {
        let body = bytes().u64(log.generation).u64(log.bytes.len() as u64);
        self.add(b"l", body.u64(log.chain).u64(log.first_record_ends));
    }

    /// A block whose record was put together by [`record`].
    pub(crate) fn block(&mut self, pack: u64, offset: u32, number: u32, record: &[u8]) {
        let key = [b"b", &record[16..48]].concat();
        let (kind, plain_len, stored_len) = (record[4], &record[8..12], &record[12..16]);
        let body = bytes().u64(pack).u32(offset).u32(number).u8(kind).raw(stored_len).raw(plain_len);
        self.add(&key, body);
    }

    pub(crate) fn pack(&mut self, id: u64, row: &Pack) {
        let body = bytes().u8(row.state).u64(row.touch_epoch).u64(row.session).u64(row.len_bytes);
        self.add(&Self::numbered(b'p', id), body.u32(row.records).u64(row.condemned_at));
    }

    pub(crate) fn session(&mut self, id: u64, epoch: u64, owner: &[u8; 16], pins: &[BlockId]) {
        let body = bytes().u64(epoch).raw(owner).u32(pins.len() as u32);
        let body = pins.iter().fold(body, |so_far, pin| so_far.raw(pin.as_bytes()));
        self.add(&Self::numbered(b's', id), body);
    }

    pub(crate) fn one_ref(&mut self, name: &str, version: u64, new: New<'_>) {
        self.add(&[b"r", name.as_bytes()].concat(), roots_and_value(bytes().u64(version), new));
    }

    /// Writes them as an index.
    pub(crate) fn write(&self, path: &Path) {
        let connection = Connection::open(path).unwrap();
        connection
            .execute_batch(
                "PRAGMA journal_mode=WAL;
                 CREATE TABLE row(key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL) WITHOUT ROWID;",
            )
            .unwrap();
        for (key, value) in &self.0 {
            connection.execute("INSERT INTO row(key, value) VALUES(?1, ?2)", [key, value]).unwrap();
        }
    }

    /// The rows of an index that may be in use.
    pub(crate) fn read(path: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let connection = Connection::open(path).unwrap();
        let mut statement = connection.prepare("SELECT key, value FROM row").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    }
}

/// The fields of a pack's row.
pub(crate) struct Pack {
    pub(crate) state: u8,
    pub(crate) touch_epoch: u64,
    pub(crate) session: u64,
    pub(crate) len_bytes: u64,
    pub(crate) records: u32,
    pub(crate) condemned_at: u64,
}
