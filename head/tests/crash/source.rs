//! The replica set that is followed: a seeded oplog, and the documents there should be at each of its entries.
//!
//! An ordered map is the account, kept by whoever writes the entry, never by applying it. Seconds only grow,
//! also where the source goes back, so that an optime stands for one state, on whatever branch.

use crate::entries::{self, Of, Place};
use bson::{Document, doc};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tidemark_base::bson::Doc;
use tidemark_base::{CollectionUuid, Entropy as _, OpTime, SeededEntropy, Timestamp};
use tidemark_oplog::slice::{Link, SliceWriter};

/// The documents of a collection, by `_id`.
pub(crate) type Documents = BTreeMap<i32, Arc<Vec<u8>>>;
/// The collections that are there, and their documents.
pub(crate) type Collections = BTreeMap<CollectionUuid, (&'static str, Documents)>;

/// The first copy has so many documents: some leaves of them.
const FIRST_DOCUMENTS: i32 = 120;
/// Longest filling of a document, in bytes.
const FILLING_BYTES: u64 = 900;
/// One that is stored out of line.
const LARGE_BYTES: usize = 270 << 10;
/// Of so many inserts one is large.
const LARGE_ONE_IN: u64 = 90;

pub(crate) const KEPT: Of = Of { uuid: CollectionUuid::from_bytes([1; 16]), name: "kept" };

/// The source, and everything it ever was.
pub(crate) struct Source {
    random: SeededEntropy,
    secs: u32,
    term: i64,
    now: Collections,
    /// The collection that is dropped and made again.
    passing: Of,
    /// Parts of a transaction that are still to be written, and what its end does.
    open: Vec<Document>,
    after_open: Option<Collections>,
    /// All entries, by their seconds.
    entries: BTreeMap<u32, Vec<u8>>,
    /// What is to be sent once more.
    again: Vec<Vec<u8>>,
    /// The state after each entry, all branches.
    pub(crate) states: BTreeMap<Timestamp, Collections>,
    /// The entries after which a transaction is open.
    pub(crate) within_transactions: BTreeSet<Timestamp>,
}

pub(crate) fn at(secs: u32, term: i64) -> OpTime {
    OpTime { ts: Timestamp { secs, ordinal: 1 }, term }
}

impl Source {
    pub(crate) fn new(seed: u64) -> Self {
        let passing = Of { uuid: CollectionUuid::from_bytes([2; 16]), name: "passing" };
        let now = [KEPT, passing].map(|of| (of.uuid, (of.name, Documents::new())));
        let mut source = Self {
            random: SeededEntropy::new(seed),
            secs: 1,
            term: 1,
            now: now.into(),
            passing,
            open: Vec::new(),
            after_open: None,
            entries: BTreeMap::new(),
            again: Vec::new(),
            states: BTreeMap::new(),
            within_transactions: BTreeSet::new(),
        };
        for id in 0..FIRST_DOCUMENTS {
            let document = source.document(2 * id, false);
            source.put(KEPT, 2 * id, &document);
        }
        source.states.insert(source.at().ts, source.now.clone());
        source
    }

    /// The last entry.
    pub(crate) fn at(&self) -> OpTime {
        at(self.secs, self.term)
    }

    /// The source has gone back to where it was then, and goes on in a new term. It sends again what comes after
    /// `link`, the end of a slice.
    pub(crate) fn go_back(&mut self, to: Timestamp, link: Timestamp) {
        self.now = self.states[&to].clone();
        let passing = self.now.iter().find(|(_, (name, _))| *name == "passing");
        self.passing = passing.map_or(self.passing, |(uuid, _)| Of { uuid: *uuid, name: "passing" });
        self.open.clear();
        self.after_open = None;
        self.term += 1;
        self.again = self.entries.range(link.secs + 1..to.secs + 1).map(|(_, entry)| entry.clone()).collect();
    }

    /// The next so many entries, behind those that are sent again, as the slice that follows `after`.
    pub(crate) fn slice(&mut self, after: Link, entries: u64) -> (Vec<u8>, Link) {
        let mut writer = SliceWriter::new(after);
        for entry in std::mem::take(&mut self.again) {
            writer.push(Doc::new(&entry).unwrap()).unwrap();
        }
        for _ in 0..entries {
            let entry = self.entry();
            writer.push(Doc::new(&entry).unwrap()).unwrap();
        }
        let slice = writer.finish().unwrap();
        (slice.bytes, slice.header.end())
    }

    fn entry(&mut self) -> Vec<u8> {
        self.secs += 1;
        let fields = self.next();
        let entry = entries::entry(Place { secs: self.secs, term: self.term }, fields);
        self.entries.insert(self.secs, entry.clone());
        self.states.insert(self.at().ts, self.now.clone());
        if !self.open.is_empty() {
            self.within_transactions.insert(self.at().ts);
        }
        entry
    }

    fn next(&mut self) -> Document {
        if !self.open.is_empty() {
            if self.open.len() == 1 {
                self.now = self.after_open.take().unwrap();
            }
            return self.open.remove(0);
        }
        match self.random.below(60) {
            0 => self.recreate(),
            1..10 => self.begin_transaction(),
            10 => doc! {"op": "n", "ns": "", "o": {"msg": "periodic noop"}},
            _ => self.write(),
        }
    }

    /// The passing collection goes, or comes back as another one.
    fn recreate(&mut self) -> Document {
        if self.now.remove(&self.passing.uuid).is_some() {
            return entries::drop_of(self.passing);
        }
        let mut uuid = [2; 16];
        uuid[..4].copy_from_slice(&self.secs.to_be_bytes());
        self.passing.uuid = CollectionUuid::from_bytes(uuid);
        self.now.insert(self.passing.uuid, (self.passing.name, Documents::new()));
        entries::create(self.passing)
    }

    fn write(&mut self) -> Document {
        let is_there = self.now.contains_key(&self.passing.uuid);
        let of = if is_there && self.random.below(4) == 0 { self.passing } else { KEPT };
        let id = i32::try_from(self.random.below(400)).unwrap();
        let value = i32::try_from(self.random.below(1 << 30)).unwrap();
        let held = self.now[&of.uuid].1.get(&id).cloned();
        match held {
            None => {
                let is_large = self.random.below(LARGE_ONE_IN) == 0;
                let document = self.document(id, is_large);
                self.put(of, id, &document);
                entries::insert(of, document)
            }
            Some(_) if self.random.below(3) == 0 => {
                self.now.get_mut(&of.uuid).unwrap().1.remove(&id);
                entries::delete(of, id)
            }
            Some(held) => {
                let mut document = Document::from_reader(held.as_slice()).unwrap();
                document.insert("x", value);
                self.put(of, id, &document);
                entries::set(of, id, value)
            }
        }
    }

    /// Three inserts that are seen together or not at all, each in an entry of its own.
    fn begin_transaction(&mut self) -> Document {
        let before = self.now.clone();
        let mut before_part = None;
        for number in 0..3 {
            let secs = self.secs + number;
            // Ids that no other operation takes.
            let id = 1_000_000 + i32::try_from(secs).unwrap();
            let document = self.document(id, false);
            self.put(KEPT, id, &document);
            let operation = entries::insert(KEPT, document);
            self.open.push(entries::part(self.secs, before_part, operation, number == 2, 3));
            before_part = Some(Place { secs, term: self.term });
        }
        self.after_open = Some(std::mem::replace(&mut self.now, before));
        self.open.remove(0)
    }

    fn document(&mut self, id: i32, is_large: bool) -> Document {
        let mut filling = vec![0; usize::try_from(self.random.below(FILLING_BYTES)).unwrap()];
        if is_large {
            filling.resize(LARGE_BYTES, 0);
        }
        self.random.fill(&mut filling);
        let filling = bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: filling };
        doc! {"_id": id, "x": 0, "filling": filling}
    }

    fn put(&mut self, of: Of, id: i32, document: &Document) {
        self.now.get_mut(&of.uuid).unwrap().1.insert(id, Arc::new(document.to_vec().unwrap()));
    }
}
