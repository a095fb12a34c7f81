//! A head and its oplog, and the ordered map that they must agree with.

use crate::look::same;
use crate::past::{Documents, Past};
use crate::step::{Step, What};
use bson::{Bson, Document, doc};
use std::sync::Arc;
use tidemark_base::bson::Doc;
use tidemark_base::{CollectionUuid, OpTime, SeededEntropy, Timestamp, UnixMillis};
use tidemark_blockstore::{GcOptions, MemoryBackend, Quiet, Store};
use tidemark_head::HeadError;
use tidemark_head::compaction::{Plan, UNPACED};
use tidemark_head::follow::follow;
use tidemark_head::head::{Head, HeadName};
use tidemark_head::import::Import;
use tidemark_head::key;
use tidemark_head::run::KeyRange;
use tidemark_oplog::catalog::Collection;
use tidemark_oplog::filter::Filter;
use tidemark_oplog::slice::{Link, SliceWriter};

pub(crate) const UUIDS: [CollectionUuid; 2] =
    [CollectionUuid::from_bytes([1; 16]), CollectionUuid::from_bytes([2; 16])];

/// A snapshot, and what it must hold.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) id: u64,
    pub(crate) at: OpTime,
    /// The slice that it stands on.
    link: Link,
    pub(crate) documents: Documents,
    /// The head went back behind it.
    pub(crate) is_dead: bool,
}

pub(crate) struct Rig {
    pub(crate) store: Store,
    pub(crate) name: HeadName,
    pub(crate) head: Head,
    pub(crate) documents: Documents,
    pub(crate) past: Past,
    /// Entries of the branch that the head is on, with their seconds.
    entries: Vec<(u32, Vec<u8>)>,
    /// The second of the last entry that there ever was.
    pub(crate) secs: u32,
    /// Where the head's root stands.
    pub(crate) flushed: u32,
    /// Where the last slice ends.
    pub(crate) sent: u32,
    /// What is in no slice yet.
    writer: SliceWriter,
    term: i64,
    pub(crate) snapshots: Vec<Kept>,
    pub(crate) tolerant: bool,
}

pub(crate) fn spelled(id: i32, spelling: u8) -> Bson {
    match spelling {
        0 => Bson::Int32(id),
        1 => Bson::Int64(id.into()),
        _ => Bson::Double(id.into()),
    }
}

fn key_of(id: i32) -> Vec<u8> {
    let (id, mut key) = (doc! {"_id": id}.to_vec().unwrap(), Vec::new());
    key::key_of_document(Doc::new(&id).unwrap(), &mut key).unwrap();
    key
}

fn binary(uuid: CollectionUuid) -> bson::Binary {
    bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes: uuid.as_bytes().to_vec() }
}

impl Rig {
    pub(crate) fn new(tolerant: bool) -> Self {
        let store = Store::new(Arc::new(MemoryBackend::new(&mut SeededEntropy::new(5))));
        let at = OpTime { ts: Timestamp { secs: 1, ordinal: 1 }, term: 1 };
        let mut import = Import::begin(&store, at, Filter::default(), usize::MAX).unwrap();
        for (number, uuid) in UUIDS.into_iter().enumerate() {
            let (database, name) = ("app".to_owned(), format!("c{number}"));
            let options = doc! {}.to_vec().unwrap();
            let collection = Collection { database, name, options, indexes: Vec::new() };
            import.collection(uuid, collection).unwrap();
        }
        let name = HeadName::new("local", "rs0").unwrap();
        let fuzzy_until = tolerant.then_some(Timestamp { secs: u32::MAX, ordinal: 1 });
        let head = import.finish(&name, fuzzy_until).unwrap();
        let start = Link::genesis(at);
        name.slices(&store).start(&store.session(&[]).unwrap(), start).unwrap();
        Self {
            store,
            name,
            head,
            documents: Documents::default(),
            past: Past::default(),
            entries: Vec::new(),
            secs: 1,
            flushed: 1,
            sent: 1,
            writer: SliceWriter::new(start),
            term: 1,
            snapshots: Vec::new(),
            tolerant,
        }
    }

    fn entry(&mut self, fields: Document) {
        self.secs += 1;
        let ts = bson::Timestamp { time: self.secs, increment: 1 };
        let mut entry = doc! {"ts": ts, "t": self.term, "v": 2_i64, "wall": bson::DateTime::from_millis(0)};
        entry.extend(fields);
        self.entries.push((self.secs, entry.to_vec().unwrap()));
        let (_, raw) = self.entries.last().unwrap();
        self.head.apply(&[Doc::new(raw).unwrap()]).unwrap();
        self.send(self.entries.len() - 1);
    }

    /// An entry, by number, is to be in the next slice.
    fn send(&mut self, number: usize) {
        if !self.writer.would_fit(Doc::new(&self.entries[number].1).unwrap()) {
            self.slice();
        }
        self.writer.push(Doc::new(&self.entries[number].1).unwrap()).unwrap();
    }

    /// What was applied becomes a slice, and the head learns that.
    fn slice(&mut self) {
        let Some(slice) = self.writer.finish() else { return };
        let session = self.store.session(&[]).unwrap();
        let slices = self.name.slices(&self.store);
        slices.append(&session, &slice.bytes).unwrap();
        let end = slices.tip().unwrap().unwrap().link;
        self.sent = end.at.ts.secs;
        self.head.pass_slice(end).unwrap();
    }

    fn flush(&mut self) {
        self.head.flush().unwrap();
        self.flushed = self.last();
    }

    /// The second of the last entry of this branch.
    fn last(&self) -> u32 {
        self.entries.last().map_or(1, |(secs, _)| *secs)
    }

    /// The document is this after the next entry, or gone.
    fn set(&mut self, collection: usize, id: i32, after: Option<Document>) {
        self.past.note(self.secs + 1, collection, id, after.clone());
        match after {
            Some(after) => drop(self.documents[collection].insert(id, after)),
            None => drop(self.documents[collection].remove(&id)),
        }
    }

    fn write(&mut self, collection: usize, id: i32, spelling: u8, what: &What) {
        let held = self.documents[collection].get(&id).cloned();
        let stored =
            held.as_ref().map_or_else(|| spelled(id, spelling), |held| held.get("_id").unwrap().clone());
        // A strict operation fits; a tolerant one need not.
        let what = match (what, &held) {
            (What::Put(value), Some(_)) if !self.tolerant => &What::Set(*value),
            (What::Put(_), _) | (_, Some(_)) => what,
            (_, None) if !self.tolerant => &What::Put(7),
            (_, None) => what,
        };
        let head = doc! {"ns": format!("app.c{collection}"), "ui": binary(UUIDS[collection])};
        let update = |o: Document| doc! {"op": "u", "o": o, "o2": {"_id": stored.clone()}};
        let (fields, after) = match what {
            What::Put(value) => {
                let document = doc! {"_id": spelled(id, spelling), "x": *value};
                (doc! {"op": "i", "o": document.clone()}, Some(document))
            }
            What::Set(value) => {
                let after = held.map(|mut held| {
                    held.insert("x", *value);
                    held
                });
                (update(doc! {"$v": 2, "diff": {"u": {"x": *value}}}), after)
            }
            What::Append(field, value) => {
                let field = format!("f{field}");
                let after = held.map(|mut held| {
                    held.remove(&field);
                    held.insert(field.clone(), *value);
                    held
                });
                (update(doc! {"$v": 2, "diff": {"i": {field: *value}}}), after)
            }
            What::Replace(value) => {
                let document = doc! {"_id": stored.clone(), "r": *value};
                (update(document.clone()), held.map(|_| document))
            }
            What::Delete => (doc! {"op": "d", "o": {"_id": stored.clone()}}, None),
        };
        let mut fields = fields;
        fields.extend(head);
        self.set(collection, id, after);
        self.entry(fields);
    }

    /// Updates that set a field and remove it again.
    fn hot(&mut self, collection: usize, id: i32, bytes: usize, flushes: u8) {
        if !self.tolerant && !self.documents[collection].contains_key(&id) {
            self.write(collection, id, 0, &What::Put(1));
        }
        let held = self.documents[collection].get(&id).and_then(|held| held.get("_id").cloned());
        let (held, ns) = (held.unwrap_or(Bson::Int32(id)), format!("app.c{collection}"));
        for n in 0..flushes {
            let blob = bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: vec![n; bytes] };
            for diff in [
                doc! {"u": {"blob": blob.clone()}},
                doc! {"u": {"blob": blob.clone()}},
                doc! {"d": {"blob": false}},
            ] {
                if let Some(mut after) = self.documents[collection].get(&id).cloned() {
                    match diff.contains_key("u") {
                        true => drop(after.insert("blob", blob.clone())),
                        false => drop(after.remove("blob")),
                    }
                    self.set(collection, id, Some(after));
                }
                let o = doc! {"$v": 2, "diff": diff};
                let fields = doc! {"op": "u", "ns": &ns, "ui": binary(UUIDS[collection]), "o": o};
                self.entry(fields.into_iter().chain(doc! {"o2": {"_id": held.clone()}}).collect());
            }
            self.flush();
        }
    }

    /// One part for each operation; all take effect with the last.
    fn transaction(&mut self, operations: &[(usize, i32, i32)]) {
        let number = i64::from(self.secs);
        let mut previous = doc! {"ts": bson::Timestamp { time: 0, increment: 0 }, "t": -1_i64};
        let last = operations.len() - 1;
        for (part, (collection, id, value)) in operations.iter().enumerate() {
            let held = self.documents[*collection].contains_key(id)
                || operations[..part].iter().any(|(c, i, _)| (c, i) == (collection, id));
            let uuid = binary(UUIDS[*collection]);
            let ns = format!("app.c{collection}");
            let operation = if held {
                let o = doc! {"$v": 2, "diff": {"u": {"x": *value}}};
                doc! {"op": "u", "ns": ns, "ui": uuid, "o": o, "o2": {"_id": *id}}
            } else {
                doc! {"op": "i", "ns": ns, "ui": uuid, "o": {"_id": *id, "x": *value}}
            };
            let mut o = doc! {"applyOps": [operation]};
            if part < last {
                o.insert("partialTxn", true);
            } else if last > 0 {
                o.insert("count", i64::try_from(operations.len()).unwrap());
            }
            if part == last {
                for (collection, id, value) in operations {
                    let held = self.documents[*collection].get(id).cloned();
                    let mut document = held.unwrap_or_else(|| doc! {"_id": *id});
                    document.insert("x", *value);
                    self.set(*collection, *id, Some(document));
                }
            }
            let at = doc! {"ts": bson::Timestamp { time: self.secs + 1, increment: 1 }, "t": self.term};
            self.entry(doc! {
                "op": "c", "ns": "admin.$cmd", "o": o, "lsid": {"id": binary(UUIDS[0])}, "txnNumber": number,
                "prevOpTime": std::mem::replace(&mut previous, at), "stmtId": 0,
            });
            if part < last {
                // Nothing of it is seen, at any root.
                self.flush();
                self.check();
            }
        }
    }

    pub(crate) fn step(&mut self, step: &Step) {
        match step {
            Step::Write { collection, id, spelling, what } => self.write(*collection, *id, *spelling, what),
            Step::Transaction(operations) => self.transaction(operations),
            Step::Hot { collection, id, bytes, flushes } => self.hot(*collection, *id, *bytes, *flushes),
            Step::Slice => self.slice(),
            Step::Flush => self.flush(),
            Step::Compact => {
                self.head.compact().unwrap();
                self.flushed = self.last();
            }
            Step::CompactRange { collection, from, before } => {
                let mut plan = Plan::new();
                plan.add(UUIDS[*collection], KeyRange { from: from.map(key_of), before: before.map(key_of) });
                self.head.compact_by(&plan, UNPACED).unwrap();
                self.flushed = self.last();
            }
            Step::CompactIfWorth => {
                self.head.compact_if_worth(UNPACED).unwrap();
                self.flushed = self.last();
            }
            Step::Crash => self.crash(),
            // A copy that is not consistent is not kept.
            Step::Snapshot if self.tolerant => assert!(self.head.snapshot(&UnixMillis(0)).is_err()),
            Step::Snapshot => {
                let (id, snapshot) = self.head.snapshot(&UnixMillis(0)).unwrap();
                self.flushed = self.last();
                let (at, link, documents) = (snapshot.at, self.head.state().link(), self.documents.clone());
                self.snapshots.push(Kept { id, at, link, documents, is_dead: false });
            }
            Step::Rewind(number) => self.rewind(*number),
            Step::Look(from, export) => self.look(*from, *export),
            Step::Collect => drop(self.store.collect(GcOptions::default(), &Quiet).unwrap()),
        }
    }

    /// What was not flushed is lost, and comes again: from the slices, and what is in none yet by itself.
    fn crash(&mut self) {
        self.head = Head::claim(&self.store, &self.name).unwrap();
        let slices = self.name.slices(&self.store);
        let (tip, position) = (slices.tip().unwrap().unwrap(), self.head.state().position());
        follow(&slices, &tip, position, tip.link.at.ts, &mut |entries, end| {
            self.head.apply(entries)?;
            end.into_iter().try_for_each(|end| self.head.pass_slice(end))
        })
        .unwrap();
        let entries: Vec<_> = self.entries.iter().map(|(_, raw)| Doc::new(raw).unwrap()).collect();
        let from = self.head.at().ts.secs;
        let missing = self.entries.iter().position(|(secs, _)| *secs > from).unwrap_or(entries.len());
        // With some that are there already.
        self.head.apply(&entries[missing.saturating_sub(3)..]).unwrap();
    }

    fn rewind(&mut self, number: usize) {
        let Some(Kept { id, at, link, documents, is_dead }) = self.snapshots.get(number) else { return };
        let (id, at, link) = (*id, *at, *link);
        if *is_dead {
            assert!(matches!(self.head.rewind(id), Err(HeadError::DeadBranch { .. })));
            return;
        }
        self.documents = documents.clone();
        self.head.rewind(id).unwrap();
        self.entries.retain(|(secs, _)| *secs <= at.ts.secs);
        self.past.forget_after(at.ts.secs);
        self.flushed = at.ts.secs;
        self.term += 1;
        // A snapshot behind this one is of another branch, and no place to go back to any more. Nor does the new chain
        // go on from one at the same entry that stands on another slice.
        let is_left = |it: &&mut Kept| it.at.ts > at.ts || it.at == at && it.link != link;
        self.snapshots.iter_mut().filter(is_left).for_each(|it| it.is_dead = true);
        // What no slice of the new chain has is sent again.
        let tip = self.name.slices(&self.store).tip().unwrap().unwrap().link;
        assert!(tip.at.ts <= at.ts);
        self.sent = tip.at.ts.secs;
        self.writer.reset(tip);
        let first = self.entries.partition_point(|(secs, _)| *secs <= tip.at.ts.secs);
        (first..self.entries.len()).for_each(|number| self.send(number));
    }

    /// What can be read is what the map holds.
    pub(crate) fn check(&mut self) {
        same(self.head.state(), &self.store, &self.documents).unwrap();
        let found = self.head.take_divergences();
        assert!(found.is_empty(), "{found:?}");
    }
}
