//! Stacks against documents folded one layer after the other.

mod parts;

use super::*;
use crate::key;
use crate::patch::{Folder, Outcome, Waiting};
use crate::run::{KeyRange, RunError, RunKind, RunWriter};
use proptest::prelude::*;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use tidemark_base::bson::{Doc, DocWriter};
use tidemark_base::{Entropy as _, OpTime, SeededEntropy, Timestamp};
use tidemark_blockstore::{MemoryBackend, Session, Store};
use tidemark_oplog::entry::{Action, Change, Manner, Target};
use tidemark_oplog::names::Namespace;
use tidemark_oplog::update::Update;
use tidemark_testkit::rounds;

const UNBOUNDED: Waiting = Waiting { updates: u32::MAX, bytes: usize::MAX };

type Documents = BTreeMap<Vec<u8>, Vec<u8>>;
type Layer = BTreeMap<Vec<u8>, Patch<'static>>;

fn store() -> Store {
    Store::new(Arc::new(MemoryBackend::new(&mut SeededEntropy::new(1))))
}

fn key_of(n: i32) -> Vec<u8> {
    let mut key = Vec::new();
    key::key_of_document(Doc::new(&document(n, 0, 0)).unwrap(), &mut key).unwrap();
    key
}

fn document(n: i32, value: i32, bytes: usize) -> Vec<u8> {
    let mut noise = vec![0; bytes];
    SeededEntropy::new(u64::from(value.unsigned_abs())).fill(&mut noise);
    let mut out = Vec::new();
    let mut w = DocWriter::new(&mut out);
    let open = w.begin();
    w.int32(b"_id", n);
    w.int32(b"value", value);
    w.binary(b"noise", 0, &noise);
    w.end(open);
    out
}

/// What is done to a document.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Insert,
    Delete,
    Replace,
    Set,
}

#[derive(Clone, Copy, Debug)]
struct Step {
    n: i32,
    deed: Deed,
    manner: Manner,
    value: i32,
    bytes: usize,
}

fn patch(step: &Step) -> Patch<'static> {
    let document = document(step.n, step.value, step.bytes);
    let document = Doc::new(&document).unwrap();
    let id = document.first_element().unwrap().unwrap();
    let mut set = Vec::new();
    let mut w = DocWriter::new(&mut set);
    let open = w.begin();
    let fields = w.begin_field(tidemark_base::bson::kind::OBJECT, b"$set");
    w.int32(b"value", step.value);
    w.end(fields);
    w.end(open);
    let action = match step.deed {
        Deed::Insert => Action::Insert { id, document },
        Deed::Delete => Action::Delete { id },
        Deed::Replace => Action::Update { id, update: Update::Replacement(document) },
        Deed::Set => Action::Update { id, update: Update::Modifiers(Doc::new(&set).unwrap()) },
    };
    let target = Target { uuid: None, namespace: Namespace::parse("db.c").unwrap() };
    let mut found = Vec::new();
    let patch = Patch::of(&Change { target, manner: step.manner, action }, &mut found).into_owned();
    assert_eq!(found, []);
    patch
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let deed = prop_oneof![Just(Deed::Insert), Just(Deed::Delete), Just(Deed::Replace), Just(Deed::Set)];
    let manner = prop_oneof![
        3 => Just(Manner::Strict),
        2 => Just(Manner::Tolerant),
        1 => any::<bool>().prop_map(|upsert| Manner::User { upsert, fuzzy: false })
    ];
    let bytes = prop_oneof![20 => 0..2000_usize, 1 => 200_000..400_000_usize];
    let step = (0..60_i32, deed, manner, any::<i32>(), bytes)
        .prop_map(|(n, deed, manner, value, bytes)| Step { n, deed, manner, value, bytes });
    prop::collection::vec(step, 0..60)
}

/// One patch for each document: the last step counts, since composing is tested elsewhere.
fn layer(steps: &[Step]) -> Layer {
    steps.iter().map(|step| (key_of(step.n), patch(step))).collect()
}

/// Layer after layer, document after document. Returns the number of operations that did not fit.
fn apply(documents: &mut Documents, layer: &Layer) -> usize {
    let (mut folder, mut found) = (Folder::new(), Vec::new());
    for (key, patch) in layer {
        let mut out = Vec::new();
        let below = documents.get(key).map(|document| Doc::new(document).unwrap());
        match folder.fold(below, patch, &mut out, &mut found) {
            Outcome::Document => documents.insert(key.clone(), out),
            Outcome::Gone => documents.remove(key),
        };
    }
    count(&found)
}

fn count(found: &[Misfit]) -> usize {
    found.iter().map(|misfit| usize::try_from(misfit.operations()).unwrap()).sum()
}

fn write(session: &Session, layer: &Layer) -> Option<Run> {
    let mut writer = RunWriter::new(session, RunKind::Patch);
    layer.iter().for_each(|(key, patch)| writer.push_patch(key, patch).unwrap());
    writer.finish().unwrap()
}

fn write_base(session: &Session, documents: &Documents) -> Option<Run> {
    let mut writer = RunWriter::new(session, RunKind::Base);
    documents.iter().for_each(|(key, document)| writer.push(key, document, &[]).unwrap());
    writer.finish().unwrap()
}

/// Everything a cursor still yields, and how many operations did not fit.
fn rest(cursor: &mut MergeCursor<'_>) -> (Documents, usize) {
    let (mut found, mut misfits) = (Documents::new(), Vec::new());
    let mut keys = Vec::new();
    while let Some((key, document)) = cursor.next(&mut |_, misfit| misfits.push(misfit)).unwrap() {
        keys.push(key.to_vec());
        found.insert(key.to_vec(), document.to_vec());
    }
    assert!(keys.is_sorted() && keys.len() == found.len());
    (found, count(&misfits))
}

/// Whether in no patch of a run more waits than may.
fn none_waits_over(most: Waiting, source: &dyn crate::run::Source, run: &[Run]) -> bool {
    let (mut patches, mut folder) = (PatchCursor::open(source, run, &[], &KeyRange::ALL), Folder::new());
    while patches.advance().unwrap() {
        let patch = patches.patch(&mut folder, &mut |_, _| {}).unwrap().unwrap();
        if patch.waiting().is_over(most) {
            return false;
        }
    }
    true
}

fn all(source: &dyn crate::run::Source, stack: Stack<'_>) -> (Documents, usize) {
    rest(&mut MergeCursor::open(source, stack, &KeyRange::ALL))
}

/// A stack in a store, and what it must be read as.
struct Given {
    store: Store,
    base: Option<Run>,
    patches: Vec<Run>,
    top: Layer,
    documents: Documents,
    misfits: usize,
}

impl Given {
    fn new(base: &[Step], layers: &[Vec<Step>], top: &[Step]) -> Self {
        let store = store();
        let session = store.session(&[]).unwrap();
        let mut documents: Documents =
            base.iter().map(|step| (key_of(step.n), document(step.n, step.value, step.bytes))).collect();
        let base = write_base(&session, &documents);
        let (mut patches, mut misfits) = (Vec::new(), 0);
        for steps in layers {
            let layer = layer(steps);
            misfits += apply(&mut documents, &layer);
            patches.extend(write(&session, &layer));
        }
        let top = layer(top);
        misfits += apply(&mut documents, &top);
        session.sync().unwrap();
        drop(session);
        Self { store, base, patches, top, documents, misfits }
    }

    fn top(&self) -> Vec<(&[u8], &Patch<'_>)> {
        self.top.iter().map(|(key, patch)| (key.as_slice(), patch)).collect()
    }

    fn stack<'a>(&'a self, top: Top<'a>) -> Stack<'a> {
        Stack { base: self.base.as_ref(), patches: &self.patches, top }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(rounds(40)))]
    #[test]
    fn a_stack_is_what_its_layers_make_one_by_one(
        base in steps(),
        layers in prop::collection::vec(steps(), 0..4),
        top in steps(),
    ) {
        let given = Given::new(&base, &layers, &top);
        let in_memory = given.top();
        let stack = given.stack(&in_memory);
        let (documents, misfits) = all(&given.store, stack);
        prop_assert!(documents == given.documents);
        prop_assert_eq!(misfits, given.misfits);
        // Folded into a base, it is the base that these documents make however they came about.
        let session = given.store.session(&[]).unwrap();
        let mut found = Vec::new();
        let base = merge_into_base(&session, stack, &mut |_, misfit| found.push(misfit)).unwrap();
        prop_assert_eq!(count(&found), given.misfits);
        prop_assert_eq!(&base, &write_base(&session, &given.documents));
        // With patch runs merged to one, the base and the top as they were, it is the same stack.
        for split in 0..=given.patches.len() {
            let (lower, upper) = given.patches.split_at(split);
            let mut found = Vec::new();
            let upper = Stack { patches: upper, ..Stack::default() };
            let merged = merge_patches(&session, upper, UNBOUNDED, &mut |_, misfit| found.push(misfit)).unwrap();
            let patches: Vec<Run> = lower.iter().cloned().chain(merged).collect();
            let (documents, misfits) = all(&session, Stack { patches: &patches, ..stack });
            prop_assert!(documents == given.documents);
            prop_assert_eq!(misfits + count(&found), given.misfits);
        }
    }

    #[test]
    fn whatever_may_wait_in_a_patch_the_stack_is_the_same(
        base in steps(),
        layers in prop::collection::vec(steps(), 0..6),
        top in steps(),
        updates in 0..3_u32,
        bytes in prop_oneof![Just(1_usize << 20), 0..100_usize],
    ) {
        let given = Given::new(&base, &layers, &top);
        let in_memory = given.top();
        let stack = given.stack(&in_memory);
        let session = given.store.session(&[]).unwrap();
        let most = Waiting { updates, bytes };
        // Merged.
        let mut found = Vec::new();
        let merged = merge_patches(&session, given.stack(&[]), most, &mut |_, it| found.push(it)).unwrap();
        let patches: Vec<Run> = merged.into_iter().collect();
        prop_assert!(none_waits_over(most, &session, &patches));
        let (documents, misfits) = all(&session, Stack { patches: &patches, ..stack });
        prop_assert!(documents == given.documents);
        prop_assert_eq!(misfits + count(&found), given.misfits);
        // Flushed.
        let mut found = Vec::new();
        let flushed = in_memory.iter().map(|(key, patch)| {
            let (patch, report) = (Cow::Borrowed(*patch), &mut |_: &[u8], it| found.push(it));
            let patch = bounded(&session, given.stack(&[]), key, patch, most, report).unwrap();
            (key.to_vec(), patch.into_owned().into_owned())
        });
        let flushed = write(&session, &flushed.collect());
        let patches: Vec<Run> = given.patches.iter().cloned().chain(flushed.clone()).collect();
        prop_assert!(none_waits_over(most, &session, flushed.as_slice()));
        let (documents, misfits) = all(&session, Stack { patches: &patches, top: &[], ..stack });
        prop_assert!(documents == given.documents);
        prop_assert_eq!(misfits + count(&found), given.misfits);
    }

    #[test]
    fn ranges_lookups_and_seeks_find_the_same(
        base in steps(),
        layers in prop::collection::vec(steps(), 0..4),
        top in steps(),
        bounds in (0..60_i32, 0..60_i32),
        seeks in prop::collection::vec(0..60_i32, 1..12),
    ) {
        let given = Given::new(&base, &layers, &top);
        let in_memory = given.top();
        let stack = given.stack(&in_memory);
        let range = KeyRange { from: Some(key_of(bounds.0)), before: Some(key_of(bounds.1)) };
        let within = |range: &KeyRange| -> Documents {
            let documents = given.documents.iter().filter(|(key, _)| range.contains(key));
            documents.map(|(key, document)| (key.clone(), document.clone())).collect()
        };
        for range in [KeyRange::ALL, range] {
            let mut cursor = MergeCursor::open(&given.store, stack, &range);
            prop_assert!(rest(&mut cursor).0 == within(&range));
            for n in &seeks {
                let key = key_of(*n);
                cursor.seek(&key);
                let from = KeyRange { from: range.from.clone().max(Some(key)), ..range.clone() };
                let found = cursor.next(&mut |_, _| {}).unwrap();
                let found = found.map(|(key, document)| (key.to_vec(), document.to_vec()));
                prop_assert!(found == within(&from).into_iter().next());
            }
        }
        for n in 0..60 {
            let found = get(&given.store, stack, &key_of(n)).unwrap();
            prop_assert!(found.as_ref() == given.documents.get(&key_of(n)));
        }
    }
}

fn step(n: i32, deed: Deed, manner: Manner) -> Step {
    Step { n, deed, manner, value: n + 100, bytes: 10 }
}

#[test]
fn what_does_not_fit_is_told_with_the_key_of_its_document() {
    let base = [step(1, Deed::Insert, Manner::Strict), step(2, Deed::Insert, Manner::Strict)];
    let layers = [
        vec![step(1, Deed::Insert, Manner::Strict), step(7, Deed::Delete, Manner::Strict)],
        vec![step(7, Deed::Set, Manner::Strict), step(8, Deed::Set, Manner::Tolerant)],
    ];
    let given = Given::new(&base, &layers, &[]);
    let mut told = Vec::new();
    let mut cursor = MergeCursor::open(&given.store, given.stack(&[]), &KeyRange::ALL);
    while cursor.next(&mut |key, misfit| told.push((key.to_vec(), misfit))).unwrap().is_some() {}
    told.sort_by_key(|(key, misfit)| (key.clone(), misfit.to_string()));
    let missing = Misfit::Missing { operations: 1 };
    let expected = [(key_of(1), Misfit::Exists), (key_of(7), missing.clone()), (key_of(7), missing)];
    assert_eq!(told, expected);
}

#[test]
fn merged_patch_runs_keep_the_first_and_the_last_optime_and_a_base_has_none() {
    let at = |secs| Some(OpTime { ts: Timestamp { secs, ordinal: 1 }, term: 1 });
    let layers = [vec![step(1, Deed::Insert, Manner::Strict)], vec![step(2, Deed::Insert, Manner::Strict)]];
    let mut given = Given::new(&[], &layers, &[]);
    (given.patches[0].first, given.patches[0].last) = (at(1), at(2));
    (given.patches[1].first, given.patches[1].last) = (at(3), at(4));
    let session = given.store.session(&[]).unwrap();
    let merged = merge_patches(&session, given.stack(&[]), UNBOUNDED, &mut |_, _| {}).unwrap().unwrap();
    assert_eq!((merged.first, merged.last, merged.items), (at(1), at(4), 2));
    let base = merge_into_base(&session, given.stack(&[]), &mut |_, _| {}).unwrap().unwrap();
    assert_eq!((base.first, base.last), (None, None));
}

#[test]
fn an_empty_stack_has_no_documents_and_folds_to_none() {
    let given = Given::new(&[], &[], &[]);
    let session = given.store.session(&[]).unwrap();
    assert_eq!(all(&session, Stack::default()), (Documents::new(), 0));
    assert_eq!(merge_into_base(&session, Stack::default(), &mut |_, _| {}).unwrap(), None);
    assert_eq!(merge_patches(&session, Stack::default(), UNBOUNDED, &mut |_, _| {}).unwrap(), None);
    let deleted = Given::new(
        &[step(1, Deed::Insert, Manner::Strict)],
        &[vec![step(1, Deed::Delete, Manner::Strict)]],
        &[],
    );
    let session = deleted.store.session(&[]).unwrap();
    assert_eq!(merge_into_base(&session, deleted.stack(&[]), &mut |_, _| {}).unwrap(), None);
}

#[test]
fn runs_of_the_wrong_kind_are_damage() {
    let given = Given::new(
        &[step(1, Deed::Insert, Manner::Strict)],
        &[vec![step(1, Deed::Set, Manner::Strict)]],
        &[],
    );
    let (base, patches) = (given.base.clone().unwrap(), given.patches.clone());
    let swapped = [
        Stack { base: Some(&patches[0]), ..Stack::default() },
        Stack { patches: std::slice::from_ref(&base), ..Stack::default() },
    ];
    for stack in swapped {
        let mut cursor = MergeCursor::open(&given.store, stack, &KeyRange::ALL);
        let error = cursor.next(&mut |_, _| {}).unwrap_err();
        assert!(matches!(error, RunError::Damaged { .. }), "{error}");
        assert_eq!(cursor.next(&mut |_, _| {}).unwrap(), None);
    }
}

#[test]
fn a_document_under_the_key_of_another_is_damage() {
    let store = store();
    let session = store.session(&[]).unwrap();
    let mut writer = RunWriter::new(&session, RunKind::Patch);
    writer.push_patch(&key_of(2), &patch(&step(1, Deed::Insert, Manner::Strict))).unwrap();
    let run = writer.finish().unwrap().unwrap();
    let patches = [run];
    let mut cursor =
        MergeCursor::open(&session, Stack { patches: &patches, ..Stack::default() }, &KeyRange::ALL);
    assert!(matches!(cursor.next(&mut |_, _| {}), Err(RunError::Damaged { .. })));
}
