//! A source with one collection: what it holds, what it held at each entry, and its oplog.

use bson::{Document, doc};
use std::collections::BTreeMap;
use tidemark_base::{CollectionUuid, OpTime, SeededEntropy, Timestamp};

pub(crate) const UUID: CollectionUuid = CollectionUuid::from_bytes([1; 16]);

/// Documents by `_id`, with their one field.
pub(crate) type Held = BTreeMap<i32, i32>;

pub(crate) struct Source {
    pub(crate) held: Held,
    /// What it held after each entry of its history.
    pub(crate) past: BTreeMap<Timestamp, Held>,
    pub(crate) last: OpTime,
    random: SeededEntropy,
}

impl Source {
    /// With so many documents, at this second.
    pub(crate) fn new(documents: i32, secs: u32) -> Self {
        let held: Held = (0..documents).map(|id| (id, 0)).collect();
        let last = OpTime { ts: Timestamp { secs, ordinal: 1 }, term: 1 };
        let past = BTreeMap::from([(last.ts, held.clone())]);
        Self { held, past, last, random: SeededEntropy::new(7) }
    }

    fn next(&mut self, secs: u32, fields: Document) -> Vec<u8> {
        let Timestamp { secs: before, ordinal } = self.last.ts;
        self.last.ts = if secs > before {
            Timestamp { secs, ordinal: 1 }
        } else {
            Timestamp { secs: before, ordinal: ordinal + 1 }
        };
        let ts = bson::Timestamp { time: self.last.ts.secs, increment: self.last.ts.ordinal };
        let mut entry =
            doc! {"ts": ts, "t": self.last.term, "v": 2_i64, "wall": bson::DateTime::from_millis(0)};
        entry.extend(fields);
        self.past.insert(self.last.ts, self.held.clone());
        entry.to_vec().unwrap()
    }

    /// An entry that does something, at this second or as soon after as may be.
    pub(crate) fn write(&mut self, secs: u32) -> Vec<u8> {
        let uuid = bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes: UUID.as_bytes().to_vec() };
        let id = i32::try_from(self.random.below(500)).unwrap();
        let value = i32::try_from(self.random.below(1 << 30)).unwrap();
        let what = doc! {"ui": uuid, "ns": "app.a"};
        let fields = match self.held.contains_key(&id) {
            false => {
                self.held.insert(id, value);
                doc! {"op": "i", "o": {"_id": id, "x": value}, "o2": {"_id": id}}
            }
            true if self.random.below(4) == 0 => {
                self.held.remove(&id);
                doc! {"op": "d", "o": {"_id": id}}
            }
            true => {
                self.held.insert(id, value);
                doc! {"op": "u", "o": {"_id": id, "x": value}, "o2": {"_id": id}}
            }
        };
        let mut all = what;
        all.extend(fields);
        self.next(secs, all)
    }

    pub(crate) fn no_op(&mut self, secs: u32) -> Vec<u8> {
        self.next(secs, doc! {"op": "n", "ns": "", "o": {"msg": "periodic noop"}})
    }

    /// A change of a document that nobody has: what an agent would send if something was lost before.
    pub(crate) fn misfit(&mut self, secs: u32) -> Vec<u8> {
        let uuid = bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes: UUID.as_bytes().to_vec() };
        let update = doc! {"$v": 2, "diff": {"u": {"x": 1}}};
        self.next(secs, doc! {"ui": uuid, "ns": "app.a", "op": "u", "o": update, "o2": {"_id": -1}})
    }

    /// The end of a transaction of which nobody has the beginning.
    pub(crate) fn last_part(&mut self, secs: u32) -> Vec<u8> {
        let session = bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes: vec![9; 16] };
        let before = doc! {"ts": bson::Timestamp { time: secs - 1, increment: 77 }, "t": self.last.term};
        let insert = doc! {"op": "i", "ns": "app.a", "o": {"_id": 7000}};
        let fields = doc! {
            "op": "c", "ns": "admin.$cmd", "o": {"applyOps": [insert], "prepare": false, "count": 2_i64},
            "lsid": {"id": session}, "txnNumber": 1_i64, "prevOpTime": before,
        };
        self.next(secs, fields)
    }

    /// It rolls back to an entry, and goes on in the next term.
    pub(crate) fn roll_back(&mut self, to: Timestamp) {
        self.past.retain(|ts, _| *ts <= to);
        self.held = self.past[&to].clone();
        self.last = OpTime { ts: to, term: self.last.term + 1 };
    }

    pub(crate) fn documents(&self) -> Vec<Vec<u8>> {
        self.held.iter().map(|(id, x)| doc! {"_id": id, "x": x}.to_vec().unwrap()).collect()
    }

    /// What it held at the end of a second.
    pub(crate) fn at(&self, secs: u32) -> &Held {
        self.past.range(..=Timestamp { secs, ordinal: u32::MAX }).next_back().unwrap().1
    }
}
