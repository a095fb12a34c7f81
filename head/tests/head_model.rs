//! Random operations, flushes, compactions, crashes, snapshots and returns to them, against an ordered map.

#![expect(clippy::unwrap_used, reason = "a test")]

use bson::{Bson, Document, doc};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use tidemark_base::bson::Doc;
use tidemark_base::{CollectionUuid, OpTime, SeededEntropy, Timestamp, UnixMillis};
use tidemark_blockstore::{Depth, GcOptions, MemoryBackend, Quiet, Store};
use tidemark_head::head::{Head, HeadName};
use tidemark_head::import::Import;
use tidemark_head::snapshot;
use tidemark_oplog::catalog::Collection;
use tidemark_oplog::filter::Filter;
use tidemark_testkit::rounds;

const UUIDS: [CollectionUuid; 2] = [CollectionUuid::from_bytes([1; 16]), CollectionUuid::from_bytes([2; 16])];

/// What happens next. Whether an operation fits is decided by the state it meets.
#[derive(Clone, Debug)]
enum Step {
    Write {
        collection: usize,
        id: i32,
        spelling: u8,
        what: What,
    },
    /// Operations of one transaction, in parts.
    Transaction(Vec<(usize, i32, i32)>),
    /// Updates of one document that are much larger than it, with a flush behind each few.
    Hot {
        collection: usize,
        id: i32,
        bytes: usize,
        flushes: u8,
    },
    Flush,
    Compact,
    /// What was not flushed is lost and applied again.
    Crash,
    Snapshot,
    Rewind(usize),
    Collect,
}

#[derive(Clone, Debug)]
enum What {
    Put(i32),
    Set(i32),
    Append(u8, i32),
    Replace(i32),
    Delete,
}

fn step() -> impl Strategy<Value = Step> {
    let what = prop_oneof![
        4 => any::<i32>().prop_map(What::Put),
        3 => any::<i32>().prop_map(What::Set),
        3 => (0_u8..3, any::<i32>()).prop_map(|(field, value)| What::Append(field, value)),
        1 => any::<i32>().prop_map(What::Replace),
        3 => Just(What::Delete),
    ];
    let write = (0_usize..2, 0_i32..12, 0_u8..3, what);
    prop_oneof![
        40 => write.prop_map(|(collection, id, spelling, what)| Step::Write { collection, id, spelling, what }),
        4 => prop::collection::vec((0_usize..2, 100_i32..200, any::<i32>()), 1..5).prop_map(Step::Transaction),
        // As much as may wait in a patch of a run, and more; as many runs as are merged, and more.
        1 => (0_usize..2, 0_i32..12, prop_oneof![Just(40 << 10), Just(600 << 10)], 1_u8..36)
            .prop_map(|(collection, id, bytes, flushes)| Step::Hot { collection, id, bytes, flushes }),
        4 => Just(Step::Flush),
        1 => Just(Step::Compact),
        2 => Just(Step::Crash),
        2 => Just(Step::Snapshot),
        1 => (0_usize..4).prop_map(Step::Rewind),
        1 => Just(Step::Collect),
    ]
}

type Documents = [BTreeMap<i32, Document>; 2];

struct Rig {
    store: Store,
    name: HeadName,
    head: Head,
    documents: Documents,
    /// Entries since the beginning, with their seconds.
    entries: Vec<(u32, Vec<u8>)>,
    secs: u32,
    term: i64,
    snapshots: Vec<(u64, OpTime, Documents)>,
    tolerant: bool,
}

fn spelled(id: i32, spelling: u8) -> Bson {
    match spelling {
        0 => Bson::Int32(id),
        1 => Bson::Int64(id.into()),
        _ => Bson::Double(id.into()),
    }
}

fn binary(uuid: CollectionUuid) -> bson::Binary {
    bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes: uuid.as_bytes().to_vec() }
}

impl Rig {
    fn new(tolerant: bool) -> Self {
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
        let (documents, entries, snapshots) = (Documents::default(), Vec::new(), Vec::new());
        Self { store, name, head, documents, entries, secs: 1, term: 1, snapshots, tolerant }
    }

    fn entry(&mut self, fields: Document) {
        self.secs += 1;
        let ts = bson::Timestamp { time: self.secs, increment: 1 };
        let mut entry = doc! {"ts": ts, "t": self.term, "v": 2_i64, "wall": bson::DateTime::from_millis(0)};
        entry.extend(fields);
        self.entries.push((self.secs, entry.to_vec().unwrap()));
        let (_, raw) = self.entries.last().unwrap();
        self.head.apply(&[Doc::new(raw).unwrap()]).unwrap();
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
        match after {
            Some(after) => drop(self.documents[collection].insert(id, after)),
            None => drop(self.documents[collection].remove(&id)),
        }
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
            for diff in
                [doc! {"u": {"blob": blob.clone()}}, doc! {"u": {"blob": blob}}, doc! {"d": {"blob": false}}]
            {
                let o = doc! {"$v": 2, "diff": diff};
                let fields = doc! {"op": "u", "ns": &ns, "ui": binary(UUIDS[collection]), "o": o};
                self.entry(fields.into_iter().chain(doc! {"o2": {"_id": held.clone()}}).collect());
            }
            self.head.flush().unwrap();
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
            let at = doc! {"ts": bson::Timestamp { time: self.secs + 1, increment: 1 }, "t": self.term};
            self.entry(doc! {
                "op": "c", "ns": "admin.$cmd", "o": o, "lsid": {"id": binary(UUIDS[0])}, "txnNumber": number,
                "prevOpTime": std::mem::replace(&mut previous, at), "stmtId": 0,
            });
            if part < last {
                // Nothing of it is seen, at any root.
                self.head.flush().unwrap();
                self.check();
            }
        }
        for (collection, id, value) in operations {
            let document = self.documents[*collection].entry(*id).or_insert_with(|| doc! {"_id": *id});
            document.insert("x", *value);
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Write { collection, id, spelling, what } => self.write(*collection, *id, *spelling, what),
            Step::Transaction(operations) => self.transaction(operations),
            Step::Hot { collection, id, bytes, flushes } => self.hot(*collection, *id, *bytes, *flushes),
            Step::Flush => drop(self.head.flush().unwrap()),
            Step::Compact => drop(self.head.compact().unwrap()),
            Step::Crash => {
                self.head = Head::claim(&self.store, &self.name).unwrap();
                let entries: Vec<_> = self.entries.iter().map(|(_, raw)| Doc::new(raw).unwrap()).collect();
                let from = self.head.at().ts.secs;
                let missing = self.entries.iter().position(|(secs, _)| *secs > from).unwrap_or(entries.len());
                // With some that are there already.
                self.head.apply(&entries[missing.saturating_sub(3)..]).unwrap();
            }
            // A copy that is not consistent is not kept.
            Step::Snapshot if self.tolerant => assert!(self.head.snapshot(&UnixMillis(0)).is_err()),
            Step::Snapshot => {
                let (id, snapshot) = self.head.snapshot(&UnixMillis(0)).unwrap();
                self.snapshots.push((id, snapshot.at, self.documents.clone()));
            }
            Step::Rewind(number) => {
                let Some((id, at, documents)) = self.snapshots.get(*number).cloned() else { return };
                self.head.rewind(id).unwrap();
                self.entries.retain(|(secs, _)| *secs <= at.ts.secs);
                self.documents = documents;
                self.term += 1;
                // A snapshot behind this one is of another branch, and no place to go back to any more.
                self.snapshots.retain(|(_, other, _)| other.ts <= at.ts);
            }
            Step::Collect => drop(self.store.collect(GcOptions::default(), &Quiet).unwrap()),
        }
    }

    /// What can be read is what the map holds.
    fn check(&mut self) {
        let state = self.head.state();
        for (uuid, expected) in UUIDS.into_iter().zip(&self.documents) {
            let mut found = Vec::new();
            let each = &mut |document: &[u8]| {
                found.push(Document::from_reader(document).unwrap());
                Ok(())
            };
            let misfits = state.fold(&self.store, uuid, each).unwrap();
            assert!(misfits.is_empty(), "{misfits:?}");
            assert_eq!(found, expected.values().cloned().collect::<Vec<_>>());
            for (id, document) in expected {
                let asked = doc! {"_id": spelled(*id, 2)}.to_vec().unwrap();
                let asked = Doc::new(&asked).unwrap().first_element().unwrap().unwrap();
                let got = state.get(&self.store, uuid, asked).unwrap();
                assert_eq!(got, Some(document.to_vec().unwrap()));
            }
        }
        let found = self.head.take_divergences();
        assert!(found.is_empty(), "{found:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(rounds(60)))]

    #[test]
    fn a_head_holds_what_an_ordered_map_holds(
        tolerant in any::<bool>(),
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let mut rig = Rig::new(tolerant);
        for step in &steps {
            rig.step(step);
            if !matches!(step, Step::Write { .. }) {
                rig.check();
            }
        }
        rig.check();
        for (id, _, documents) in rig.snapshots.clone() {
            let proof = snapshot::prove(&rig.store, &rig.name, id).unwrap();
            let expected: usize = documents.iter().map(BTreeMap::len).sum();
            prop_assert_eq!(proof.snapshot.proven.unwrap().documents, expected as u64);
            prop_assert!(proof.divergences.is_empty());
        }
        let report = rig.store.verify(Depth::Full, &Quiet).unwrap();
        prop_assert!(report.is_clean(), "{report:?}");
    }
}
